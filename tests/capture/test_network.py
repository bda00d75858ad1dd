"""Streams from a server on this machine: delivered, timed, and opened again when they break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.capture.network import NetworkSource
from edge_ser.clock import monotonic_samples
from edge_ser.errors import CaptureError, ConfigError


@pytest.fixture
def serve_file() -> Iterator[Callable[..., str]]:
    """Serve a file, cut off after so many bytes, without ranges, as little servers do."""
    servers = []

    def start(path: Path, length: int | None = None) -> str:
        content = path.read_bytes()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:length])

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/{path.name}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve(
    serve_file: Callable[..., str],
    recording: Callable[..., Path],
    make_tone: Any,
    make_pictures: Any,
) -> Callable[..., str]:
    """Serve a second of sound and pictures, cut off after so many bytes; gives the address."""
    path = recording("c.mkv", audio=make_tone(1.0), pictures=make_pictures(25))
    return lambda length=None: serve_file(path, length)


def test_sound_and_pictures_arrive_on_one_clock(
    serve: Callable[..., str], sink: Any, make_tone: Any
) -> None:
    begin = monotonic_samples()
    source = NetworkSource(serve(), frames_per_second=5)
    source.start(sink)
    assert source.wait(20)
    assert (source.health.state, source.health.error) == ("ended", None)
    assert source.health.reconnects == 0
    np.testing.assert_allclose(sink.samples, make_tone(1.0), atol=1e-4)
    assert len(sink.pictures) == source.health.pictures == 5
    assert 15 <= source.health.pictures_unwanted <= 20
    np.testing.assert_allclose(
        [p.mean() for p, _ in sink.pictures], [20, 60, 100, 140, 180], atol=12
    )
    # What arrives all at once cannot have been captured before, nor later than now.
    last = sink.audio[-1]
    assert last[1] + len(last[0]) <= monotonic_samples() + 16000
    assert sink.audio[0][1] >= begin - 16000
    steps = np.diff([t for _, t in sink.pictures])
    assert np.all(steps <= 3201)


def test_a_file_comes_as_fast_as_it_plays_and_ends_once(
    serve: Callable[..., str], sink: Any
) -> None:
    source = NetworkSource(serve())
    began = time.monotonic()
    source.start(sink)
    assert source.wait(20)
    assert time.monotonic() - began > 0.9
    assert len(sink.samples) == 16000
    starts = np.array([t for _, t, _ in sink.audio])
    lengths = np.array([len(s) for s, _, _ in sink.audio])
    np.testing.assert_allclose(np.diff(starts), lengths[:-1], atol=320)


def test_an_mp4_whose_index_lies_at_its_end_needs_a_server_with_ranges(
    serve_file: Callable[[Path], str], recording: Callable[..., Path], make_tone: Any, sink: Any
) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (50, 96, 128, 3), dtype=np.uint8)
    path = recording("c.mp4", audio=make_tone(2.0), sound_codec="aac", pictures=noise)
    source = NetworkSource(serve_file(path), first_retry=0.01)
    source.start(sink)
    assert source.wait(20)
    assert source.health.state == "failed"
    assert "download it first" in (source.health.error or "")


def test_a_broken_connection_is_made_again(
    serve: Callable[..., str], sink: Any, eventually: Any
) -> None:
    source = NetworkSource(serve(20000), first_retry=0.01)
    with source:
        source.start(sink)
        eventually(lambda: source.health.reconnects >= 2)
        assert len(sink.audio) > 3
    assert source.health.state == "stopped"


def test_a_password_is_never_shown(sink: Any) -> None:
    source = NetworkSource("rtsp://user:secret@127.0.0.1:9/stream", timeout=1)
    assert source.name == "rtsp://127.0.0.1:9/stream"
    with pytest.raises(CaptureError, match=r"rtsp://127\.0\.0\.1:9/stream cannot be opened") as e:
        source.start(sink)
    assert "secret" not in str(e.value)
    with pytest.raises(ConfigError) as refused:
        NetworkSource("gopher://user:secret@host/")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["", "clip.mp4", "file:///etc/passwd", "http://", "concat:a"])
def test_what_is_no_address_of_a_stream_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a stream"):
        NetworkSource(address)


def test_a_page_is_no_stream(sink: Any, serve: Callable[..., str]) -> None:
    with pytest.raises(CaptureError, match="cannot be opened"):
        NetworkSource(serve(10)).start(sink)


def test_a_server_cannot_send_elsewhere(
    serve_file: Callable[..., str], serve: Callable[..., str], tmp_path: Path, sink: Any
) -> None:
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{serve()}\n#EXT-X-ENDLIST\n"
    (tmp_path / "camera.mkv").write_text(playlist)
    source = NetworkSource(serve_file(tmp_path / "camera.mkv"))
    with pytest.raises(CaptureError, match="cannot be opened"):
        source.start(sink)
    assert sink.pictures == []
