"""Pictures that are asked for are there, also where a decoder may leave out many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import edge_ser.media.media as media
import edge_ser.media.video_track as video_track
from edge_ser.media.media import read_clip

Maker = Callable[..., np.ndarray]


def _encoded(
    path: Path, codec: str, between: int, pictures: np.ndarray, times: Sequence[int]
) -> Path:
    """Write pictures at times in hundredths of a second, so many B-frames between two others."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.max_b_frames = between
        stream.codec_context.options = {"b_strategy": "0", "b-pyramid": "none", "sc_threshold": "0"}
        for time, picture in zip(times, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("between", [0, 2, 4, 7, 16])
def test_many_b_frames_cost_no_picture_that_is_asked_for(
    tmp_path: Path, make_pictures: Maker, codec: str, between: int
) -> None:
    path = _encoded(tmp_path / "c.mkv", codec, between, make_pictures(100), range(0, 400, 4))
    clip = read_clip(path)
    assert clip.duration == 64000
    assert [f.time // 3200 for f in clip.frames] == list(range(20))
    # Each is the picture of its time: brightness rises by 2 from one to the next.
    expected = [20 + 2 * (f.time // 640) for f in clip.frames]
    np.testing.assert_allclose([f.image.mean() for f in clip.frames], expected, atol=6)
    assert clip.warnings == ()


def test_a_clip_without_b_frames_is_read_once_whatever_gaps_it_has(
    tmp_path: Path, make_pictures: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = media.open_container
    monkeypatch.setattr(media, "open_container", lambda path: opened.append(path) or real(path))
    path = _encoded(tmp_path / "c.mkv", "mpeg4", 0, make_pictures(50), range(0, 200, 4))
    read_clip(path)
    once = len(opened)
    gap = [*range(0, 100, 4), *range(300, 400, 4)]
    clip = read_clip(_encoded(tmp_path / "gap.mkv", "mpeg4", 0, make_pictures(50), gap))
    assert len(opened) == 2 * once
    assert [f.time // 3200 for f in clip.frames] == [*range(5), *range(15, 20)]


@pytest.mark.parametrize("damaged", [False, True])
def test_decoder_threads_change_nothing_even_where_a_file_is_damaged(
    tmp_path: Path, damaged: bool
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 120, (120, 160, 3), dtype=np.uint8)
    pictures = np.stack([np.roll(noise, 2 * shift, axis=1) + shift for shift in range(100)])
    path = _encoded(tmp_path / "c.mkv", "libx264", 2, pictures.astype(np.uint8), range(0, 400, 4))
    if damaged:
        content = bytearray(path.read_bytes())
        rng = np.random.default_rng(11)
        for at in rng.integers(len(content) // 10, len(content) * 9 // 10, 5):
            content[at : at + 1000] = rng.bytes(1000)
        path.write_bytes(content)
    alone = read_clip(path, decoder_threads=1)
    for threads in (2, 4):
        shared = read_clip(path, decoder_threads=threads)
        assert [f.time for f in shared.frames] == [f.time for f in alone.frames]
        for one, other in zip(alone.frames, shared.frames, strict=True):
            np.testing.assert_array_equal(one.image, other.image)
        assert shared.warnings == alone.warnings
    assert bool(alone.warnings) == damaged


@pytest.mark.parametrize(("side", "decoded"), [(640, 640), (320, 320), (100, 160), (16, 80)])
def test_large_motion_jpeg_is_decoded_no_larger_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, decoded: int
) -> None:
    path = tmp_path / "c.mkv"
    shades = np.linspace(20, 220, 640, dtype=np.uint8)
    picture = np.broadcast_to(shades[None, :, None], (480, 640, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.copy(), "rgb24")))
        container.mux(stream.encode(None))
    widths = []
    real = video_track.upright_rgb
    monkeypatch.setattr(
        video_track, "upright_rgb", lambda d, *rest: widths.append(d.width) or real(d, *rest)
    )
    frames = read_clip(path, maximum_side=side).frames
    assert widths == [decoded] * 3
    assert all(f.image.shape == (round(side * 0.75), side, 3) for f in frames)
    np.testing.assert_allclose(frames[0].image[0, [0, -1], 0], [20, 220], atol=9)
