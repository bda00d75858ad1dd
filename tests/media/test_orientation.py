"""Pictures are upright, however a phone, a camera or an editor wrote that they are not."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from edge_ser.errors import ConfigError, MediaError
from edge_ser.live.sources import SourceOptions, make_sources
from edge_ser.media.media import read_clip
from edge_ser.media.orientation import check_orientation, exif_orientation, upright

HEIGHT, WIDTH = 48, 64
EVERY = range(1, 9)
ONE, DOWN = 1 << 16, 1 << 30
MATRICES = {
    1: (ONE, 0, 0, ONE),
    2: (-ONE, 0, 0, ONE),
    3: (-ONE, 0, 0, -ONE),
    4: (ONE, 0, 0, -ONE),
    5: (0, ONE, ONE, 0),
    6: (0, ONE, -ONE, 0),
    7: (0, -ONE, -ONE, 0),
    8: (0, -ONE, ONE, 0),
}


def scene() -> np.ndarray:
    """Upright: red in the upper left quarter, green in the upper right one, the rest dark."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[: HEIGHT // 2, : WIDTH // 2, 0] = 220
    picture[: HEIGHT // 2, WIDTH // 2 :, 1] = 220
    return picture


def stored(orientation: int) -> np.ndarray:
    """What lies in a file that an orientation brings upright, by what EXIF's words say."""
    picture = scene()
    return np.ascontiguousarray(
        {
            1: lambda p: p,
            2: lambda p: p[:, ::-1],
            3: lambda p: p[::-1, ::-1],
            4: lambda p: p[::-1],
            5: lambda p: p.transpose(1, 0, 2),
            # Row 0 is the right side, column 0 the top: shown a quarter turn with the clock.
            6: lambda p: np.rot90(p, 1),
            7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
            8: lambda p: np.rot90(p, -1),
        }[orientation](picture)
    )


def is_upright(picture: np.ndarray) -> bool:
    height, width = picture.shape[:2]
    quarters = [
        picture[y : y + height // 2, x : x + width // 2].reshape(-1, 3).mean(0)
        for y in (0, height // 2)
        for x in (0, width // 2)
    ]
    bright = [(q[0] > 120, q[1] > 120) for q in quarters]
    return bright == [(True, False), (False, True), (False, False), (False, False)]


def encoded(picture: np.ndarray, codec: str, form: str, pixels: str, pictures: int = 1) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=5)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = pixels
        for _ in range(pictures):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return out.getvalue()


def tags(orientation: int, order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "H", 2)
    entries += struct.pack(order + "HHII", 0x0100, 4, 1, WIDTH)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + entries + struct.pack(order + "I", 0)


def jpeg(orientation: int, order: str = "<") -> bytes:
    plain = encoded(stored(orientation), "mjpeg", "mjpeg", "yuvj444p")
    block = b"Exif\0\0" + tags(orientation, order)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def png(orientation: int) -> bytes:
    plain = encoded(stored(orientation), "png", "image2pipe", "rgb24")
    block = b"eXIf" + tags(orientation, ">")
    after_header = 8 + 25
    chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
    return plain[:after_header] + chunk + plain[after_header:]


def webp(orientation: int) -> bytes:
    picture = stored(orientation)
    plain = encoded(picture, "libwebp", "webp", "yuv420p")
    block = tags(orientation)
    size = struct.pack("<I", picture.shape[1] - 1)[:3] + struct.pack("<I", picture.shape[0] - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + size + plain[12:]
    body += b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp4(orientation: int, jitter: int = 0) -> bytes:
    data = bytearray(encoded(stored(orientation), "mpeg4", "mp4", "yuv420p", 5))
    a, b, c, d = (value + jitter * (value == 0) for value in MATRICES[orientation])
    # Behind version, flags, times, number, duration, two reserved words, layer, group and volume.
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, DOWN)
    return bytes(data)


def seen(path: Path) -> np.ndarray:
    return read_clip(path).frames[0].image


@pytest.mark.parametrize("orientation", EVERY)
def test_the_scene_itself_is_what_the_words_of_exif_say(orientation: int) -> None:
    np.testing.assert_array_equal(upright(stored(orientation), orientation), scene())


@pytest.mark.parametrize("orientation", EVERY)
@pytest.mark.parametrize("make", [jpeg, png, webp])
def test_a_still_comes_upright_by_its_exif(make, orientation: int, tmp_path: Path) -> None:
    file = tmp_path / f"still.{make.__name__}"
    file.write_bytes(make(orientation))
    picture = seen(file)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert is_upright(picture)


@pytest.mark.parametrize("orientation", EVERY)
@pytest.mark.parametrize("jitter", [0, 300])
def test_a_video_comes_upright_by_its_display_matrix(
    orientation: int, jitter: int, tmp_path: Path
) -> None:
    file = tmp_path / "video.mp4"
    file.write_bytes(mp4(orientation, jitter))
    assert is_upright(seen(file))


def test_exif_is_read_in_either_byte_order_and_what_is_no_orientation_is_none() -> None:
    assert exif_orientation(jpeg(6, "<")) == exif_orientation(jpeg(6, ">")) == 6
    broken = jpeg(5).replace(tags(5), tags(9))
    assert exif_orientation(broken) is None
    assert exif_orientation(b"") is None


@pytest.mark.parametrize("make", [jpeg, png, webp])
def test_a_still_that_is_cut_anywhere_or_changed_anywhere_ends_in_no_error(make) -> None:
    whole = make(8)
    end = min(len(whole), 200)
    for cut in range(end):
        assert exif_orientation(whole[:cut]) in (None, 8)
    generator = np.random.default_rng(0)
    for _ in range(2000):
        changed = bytearray(whole[:end])
        for place in generator.integers(0, end, 3):
            changed[place] = generator.integers(256)
        assert exif_orientation(bytes(changed)) in (None, *EVERY)


@pytest.mark.parametrize("wrong", [0, 9, -1, 1.0, "6", True, None])
def test_what_is_no_orientation_is_refused(wrong: object) -> None:
    with pytest.raises(MediaError, match="from 1"):
        check_orientation(wrong)  # type: ignore[arg-type]
    with pytest.raises(MediaError, match="from 1"):
        make_sources(SourceOptions(orientation=wrong))  # type: ignore[arg-type]


def test_an_orientation_without_a_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of a camera"):
        make_sources(SourceOptions(orientation=6, replay=tmp_path / "a.mp4"))
