"""`POST /v1/recognize`: the library's own answer, and a status for whatever is none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fixtures.serving import asked, form, port_of, recognized, serving, wait_until

from edge_ser import Decision, EdgeRecognizer, Transcript
from edge_ser.serve.options import Limits
from edge_ser.serve.server import Server


@pytest.fixture(scope="module")
def server(recognizer: EdgeRecognizer) -> Iterator[Server]:
    with serving(recognizer) as running:
        yield running


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in answer.items() if k != "timing_ms"}


def test_the_answer_is_the_librarys(
    server: Server, recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    words = "so glad to be here"
    status, answer = recognized(server, demo_clip, transcript=words, speech_gate="false")
    assert status == 200
    expected = recognizer.recognize(demo_clip, Transcript(words), speech_gate=False)
    assert without_times(answer) == without_times(json.loads(expected.to_json()))


def test_a_transcript_is_never_a_file_of_the_server(
    server: Server, demo_clip: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the words of somebody else")
    for name in (str(secret), f"@{secret}"):
        status, answer = recognized(server, demo_clip, transcript=name)
        assert status == 200
        assert "somebody" not in json.dumps(answer)
        assert str(secret) not in json.dumps(answer["notes"])


@pytest.mark.parametrize(
    ("clip", "fields", "status", "says"),
    [
        (b"this is no clip", {}, 422, "the file"),
        (b"", {}, 422, "empty"),
        (None, {}, 400, "`file`"),
        (b"x", {"chanel": "left"}, 400, "chanel"),
        (b"x", {"channel": "middle"}, 400, "channel must be"),
        (b"x", {"audio_track": "0"}, 400, "audio_track"),
        (b"x", {"asr": "perhaps"}, 400, "asr must be"),
    ],
)
def test_what_cannot_be_used_is_refused_and_says_why(
    server: Server, clip: bytes | None, fields: dict[str, str], status: int, says: str
) -> None:
    given, answer = recognized(server, clip, **fields)
    assert given == status, answer
    assert says in answer["error"]
    assert "/proc" not in answer["error"]


def test_what_is_no_form_is_refused(server: Server) -> None:
    status, _, body = asked(server, "POST", "/v1/recognize", b"RIFF", {"Content-Type": "audio/wav"})
    assert (status, "multipart" in body.decode()) == (415, True)
    headers = {"Content-Type": "multipart/form-data"}
    assert asked(server, "POST", "/v1/recognize", b"--", headers)[0] == 400
    assert asked(server, "GET", "/v1/recognize")[0] == 405
    assert asked(server, "GET", "/v1/nothing")[0] == 404


def test_two_gigabytes_are_refused_before_they_come(recognizer: EdgeRecognizer) -> None:
    with serving(recognizer, limits=Limits(upload_bytes=2**20)) as server:
        for framing in ("Content-Length: 2147483648", "Transfer-Encoding: chunked"):
            head = (
                "POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: multipart/form-data; boundary=x\r\n{framing}\r\n\r\n"
            )
            part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            with socket.create_connection(("127.0.0.1", port_of(server)), 30) as connection:
                connection.sendall(head.encode())
                if "chunked" in framing:
                    connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
                    piece = b"%x\r\n" % 65536 + b"\0" * 65536 + b"\r\n"
                    sent = 0
                    try:
                        while sent < 2**21:
                            connection.sendall(piece)
                            sent += 65536
                    except OSError:
                        pass  # it hung up, as it should
                answer = connection.recv(4096)
            assert b" 413 " in answer.splitlines()[0]
        assert recognized(server, b"still here")[0] == 422


def test_a_slow_upload_is_ended(recognizer: EdgeRecognizer) -> None:
    limits = Limits(upload_seconds=0.3, workers=1, queue=0)
    with serving(recognizer, limits=limits) as server:
        with socket.create_connection(("127.0.0.1", port_of(server)), 30) as connection:
            connection.sendall(
                b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
            assert b" 408 " in connection.recv(4096).splitlines()[0]
        wait_until(lambda: server.service.recognitions.admitted == 0)


def test_more_than_the_queue_holds_are_told_to_come_again(
    recognizer: EdgeRecognizer, demo_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    real = recognizer.recognize

    def waits(*given: Any, **options: Any) -> Decision:
        assert goes_on.wait(30)
        return real(*given, **options)

    monkeypatch.setattr(recognizer, "recognize", waits)
    clip = demo_clip.read_bytes()
    with (
        serving(recognizer, limits=Limits(workers=1, queue=1)) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        first = [clients.submit(recognized, server, clip) for _ in range(2)]
        wait_until(lambda: server.service.recognitions.admitted == 2)
        body, headers = form(clip)
        status, answered, _ = asked(server, "POST", "/v1/recognize", body, headers)
        assert (status, answered["retry-after"]) == (503, "5")
        assert asked(server, "GET", "/healthz")[0] == 200
        goes_on.set()
        assert [f.result()[0] for f in first] == [200, 200]


def test_a_clip_that_takes_too_long_is_given_up(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    with serving(recognizer, limits=Limits(decision_seconds=1e-6)) as server:
        status, answer = recognized(server, demo_clip)
        assert (status, "in time" in answer["error"]) == (504, True)


def test_nothing_is_written_and_no_file_stays_open(
    server: Server, demo_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    large = demo_clip.read_bytes() + bytes(3 * 2**20)
    assert recognized(server, large)[0] == 200
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        recognized(server, large)
    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
    assert list(tmp_path.iterdir()) == []
