"""Pictures that are asked for are there, also where a decoder may leave out many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import edge_ser.media.media as media
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
