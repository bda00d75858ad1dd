"""Files with little in them, without a header, of unknown length, and pictures that move."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from edge_ser.errors import MediaError
from edge_ser.media.media import read_clip

Recording = Callable[..., Path]
Maker = Callable[..., np.ndarray]


def _wav(audio: np.ndarray) -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((audio * 32767).astype("<i2").tobytes())
    return written.getvalue()


def test_a_wav_that_begins_with_silence(tmp_path: Path, make_tone: Maker) -> None:
    audio = np.concatenate([np.zeros(48000, np.float32), make_tone(1.0)])
    (tmp_path / "a.wav").write_bytes(_wav(audio))
    clip = read_clip(tmp_path / "a.wav")
    np.testing.assert_allclose(clip.samples, audio, atol=1e-3)
    assert clip.warnings == ()


@pytest.mark.parametrize("ending", ["pcm", "raw", "sw", "f32", "ul"])
@pytest.mark.parametrize("silence", [0, 48000])
def test_sound_without_a_header_is_not_guessed_at(
    tmp_path: Path, make_tone: Maker, ending: str, silence: int
) -> None:
    audio = np.concatenate([np.zeros(silence, np.float32), make_tone(1.0)])
    path = tmp_path / f"a.{ending}"
    path.write_bytes((audio * 32767).astype("<i2").tobytes())
    with pytest.raises(MediaError, match=r"no header that tells its rate.*live --pcm"):
        read_clip(path)


def test_zeros_at_the_beginning_alone_are_not_only_zeros(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(3 << 20))
    with pytest.raises(MediaError, match="holds only zeros"):
        read_clip(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_bytes(bytes(3 << 20) + b"sound")
    with pytest.raises(MediaError, match="not a media file, or it is damaged"):
        read_clip(tmp_path / "a.mp4")


@pytest.mark.parametrize("said", [0, 16000])
def test_a_wav_that_is_a_header_alone(tmp_path: Path, said: int) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(np.zeros(said))[:44])
    with pytest.raises(MediaError, match="it has a header, and nothing behind it"):
        read_clip(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [12, 20, 36])
def test_a_header_that_is_cut_short(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(np.zeros(16000))[:length])
    with pytest.raises(MediaError, match=f"ends within its header, after {length} bytes"):
        read_clip(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_wav_whose_recorder_could_not_tell_its_length_is_not_damaged(
    tmp_path: Path, make_tone: Maker, length: bytes
) -> None:
    written = bytearray(_wav(make_tone(1.0)))
    written[4:8] = written[40:44] = length
    (tmp_path / "a.wav").write_bytes(written)
    clip = read_clip(tmp_path / "a.wav")
    np.testing.assert_allclose(clip.samples, make_tone(1.0), atol=1e-3)
    assert clip.warnings == ()


def _animation(path: Path, codec: str, form: str, pictures: np.ndarray) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = form
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=form)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "form"), [("a.gif", "gif", "rgb8"), ("a.apng", "apng", "rgb24")]
)
def test_pictures_that_move_are_a_clip(
    tmp_path: Path, make_pictures: Maker, name: str, codec: str, form: str
) -> None:
    clip = read_clip(_animation(tmp_path / name, codec, form, make_pictures(20)))
    assert clip.duration == pytest.approx(32000, abs=3200)
    assert len(clip.frames) == 10
    assert clip.absent == {"audio": "it has no sound"}
    np.testing.assert_allclose(
        [f.image.mean() for f in clip.frames], 20 + 20 * np.arange(10), atol=20
    )


def test_an_animated_webp_is_named_with_what_to_do(tmp_path: Path, make_pictures: Maker) -> None:
    path = _animation(tmp_path / "a.webp", "libwebp_anim", "yuv420p", make_pictures(20))
    with pytest.raises(MediaError, match="animated WebP has no decoder here; convert it"):
        read_clip(path)
    still = _animation(tmp_path / "b.webp", "libwebp", "yuv420p", make_pictures(1))
    assert len(read_clip(still).frames) == 1
