"""A stranger's file leads to nothing but itself, and is no larger than a machine can bear."""

from __future__ import annotations

import os
import struct
import sys
import wave
import zlib
from pathlib import Path

import pytest

from edge_ser.errors import MediaError
from edge_ser.files import LIVE_SCHEMES
from edge_ser.media.limits import address_options, file_options
from edge_ser.media.media import open_clip, read_clip

PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{at}\n#EXT-X-ENDLIST\n",
    "list.wav": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{at}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{at}'\n",
    "list.mp4": "ffconcat version 1.0\nfile '{at}'\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>{at}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio 5004 RTP/AVP 0\n",
}


def png(path: Path, width: int, height: int) -> Path:
    """A grey picture; black packs a thousand to one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packer, rows = zlib.compressobj(1), bytes((width + 1) * 100)
    packed = b"".join(packer.compress(rows) for _ in range(-(-height // 100))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    return path


def wav(path: Path, channels: int, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * channels * 400))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_opens_nothing(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.wav"
    os.mkfifo(elsewhere)  # whoever opened it would wait for ever
    (tmp_path / name).write_text(PLAYLISTS[name].format(at=elsewhere))
    with pytest.raises(MediaError, match=r"cannot be opened: it is (a text|not a media file)"):
        open_clip(tmp_path / name)


def test_a_name_is_no_pattern_of_other_names(tmp_path: Path) -> None:
    png(tmp_path / "face1.png", 64, 48)
    png(tmp_path / "face%d.png", 32, 16)
    assert read_clip(tmp_path / "face%d.png").frames[0].image.shape == (16, 32, 3)


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (30_000, 2_500)])
def test_a_picture_that_is_too_large_is_named_as_such(
    width: int, height: int, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match="67,108,864"):
        read_clip(png(tmp_path / "large.png", width, height))


def test_sound_of_a_hundred_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="its sound has 100 channels, and 64 are the most"):
        read_clip(wav(tmp_path / "wide.wav", 100, 16_000))


@pytest.mark.parametrize("rate", [1, 999, 400_000, 2**31 - 1])
def test_rates_that_no_sound_has_are_refused(rate: int, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="between 1000 and 384000 Hz, not"):
        read_clip(wav(tmp_path / "odd.wav", 1, rate))


def test_an_address_may_use_its_own_protocols_alone() -> None:
    for scheme in LIVE_SCHEMES:
        options = address_options(f"{scheme}://camera/stream")
        protocols = options["protocol_whitelist"].split(",")
        assert scheme in protocols
        assert not {"file", "data", "concat", "subfile", "pipe"} & set(protocols)
        assert "hls" not in options["format_whitelist"].split(",")
    assert "http" not in address_options("https://a/b")["protocol_whitelist"].split(",")
    assert "http" not in address_options("rtsp://a/b")["protocol_whitelist"].split(",")


def test_a_playlist_is_followed_where_it_was_asked_for() -> None:
    for address, name in (("https://a/live.m3u8?x", "hls"), ("http://a/live.MPD", "dash")):
        formats = address_options(address)["format_whitelist"].split(",")
        assert name in formats
        assert "concat" not in formats
    assert "rtsp" in address_options("rtsps://a/b")["format_whitelist"].split(",")
    assert {"wav", "ogg", "flac"} <= set(file_options()["format_whitelist"].split(","))
