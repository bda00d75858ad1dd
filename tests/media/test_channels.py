"""Channels and sound tracks: the one that was asked for is heard, and what is odd is told."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.arrays import clip_from_arrays
from edge_ser.media.channels import Channel, Downmix, checked_channel
from edge_ser.media.clip import MemoryClip
from edge_ser.media.media import read_clip

RATE = 16000
Sound = npt.NDArray[np.int16]


def _voices(count: int, seconds: float = 2.0) -> Sound:
    time = np.arange(int(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * 200 * (n + 1) * time) for n in range(count)]
    return np.round(8000 * np.stack(tones, axis=1)).astype(np.int16)


def _call() -> Sound:
    """Two speakers in turn, one a channel."""
    sound = _voices(2, 4.0)
    sound[: 2 * RATE, 1] = 0
    sound[2 * RATE :, 0] = 0
    return sound


def _file(folder: Path, sound: Sound) -> Path:
    path = folder / "clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())
    return path


def _read(folder: Path, sound: Sound, channel: Channel, as_file: bool) -> MemoryClip:
    if as_file:
        return read_clip(_file(folder, sound), channel=channel)
    return clip_from_arrays(sound, RATE, channel=channel)


both_ways = pytest.mark.parametrize("as_file", [False, True], ids=["array", "file"])


@both_ways
@pytest.mark.parametrize(
    ("channel", "index"), [("left", 0), ("right", 1), (1, 0), (2, 1), (3, 2), ("3", 2)]
)
def test_the_channel_asked_for_is_heard(
    tmp_path: Path, channel: Channel, index: int, as_file: bool
) -> None:
    sound = _voices(3)
    heard = _read(tmp_path, sound, channel, as_file).samples
    np.testing.assert_array_equal(heard, sound[:, index].astype(np.float32) / 32768)


@both_ways
def test_a_mix_is_the_mean_and_has_no_notes(tmp_path: Path, as_file: bool) -> None:
    sound = _voices(2)
    clip = _read(tmp_path, sound, "mix", as_file)
    np.testing.assert_allclose(clip.samples, sound.mean(axis=1) / 32768, atol=1e-7)
    assert clip.channel_notes == ()


@both_ways
def test_channels_that_cancel_are_heard_alone_and_told(tmp_path: Path, as_file: bool) -> None:
    voice = _voices(1)
    clip = _read(tmp_path, np.concatenate([voice, -voice], axis=1), "mix", as_file)
    np.testing.assert_array_equal(clip.samples, voice[:, 0].astype(np.float32) / 32768)
    assert len(clip.channel_notes) == 1
    assert "cancel" in clip.channel_notes[0]


@both_ways
def test_a_speaker_a_channel_is_told_where_they_are_mixed(tmp_path: Path, as_file: bool) -> None:
    (note,) = _read(tmp_path, _call(), "mix", as_file).channel_notes
    assert "--channel each" in note
    assert _read(tmp_path, _call(), "left", as_file).channel_notes == ()


def test_one_dead_channel_is_no_different_speech() -> None:
    sound = _voices(2)
    sound[:, 1] = 0
    assert clip_from_arrays(sound, RATE).channel_notes == ()


@both_ways
def test_a_channel_that_is_not_there_is_named(tmp_path: Path, as_file: bool) -> None:
    with pytest.raises(MediaError, match="no channel right: the sound has 1"):
        _read(tmp_path, _voices(1), "right", as_file)
    with pytest.raises(MediaError, match=r"no channel 3: the sound has 2; .* or 1 to 2"):
        _read(tmp_path, _voices(2), 3, as_file)


@pytest.mark.parametrize("wrong", [0, -1, True, None, 1.0, "", "middle", "each", b"left"])
def test_what_is_no_channel_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="channel must be mix, left, right or a number"):
        checked_channel(wrong)


def test_the_centre_counts_and_the_low_frequency_channel_does_not() -> None:
    sound = np.zeros((10, 4), dtype=np.float32)
    sound[:, 3] = 1.0
    layout = ["FL", "FR", "FC", "LFE"]
    assert not Downmix().accept(sound, layout).any()
    sound[:, 2] = 1.0
    np.testing.assert_allclose(Downmix().accept(sound, layout), 1 / (1 + 2 * 0.7071))


def _two_tracks(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for index, stream in enumerate(streams):
            samples = np.ascontiguousarray(_voices(2)[None, :, index])
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def test_the_sound_track_asked_for_is_heard(tmp_path: Path) -> None:
    path = _two_tracks(tmp_path / "clip.mka")
    expected = _voices(2).astype(np.float32) / 32768
    for track in (1, 2):
        clip = read_clip(path, audio_track=track)
        np.testing.assert_array_equal(clip.samples, expected[:, track - 1])
        assert clip.channel_notes == ()
    assert "2 sound tracks and track 1 is heard" in read_clip(path).channel_notes[0]
    with pytest.raises(MediaError, match=r"no sound track 3: .*clip\.mka has 2"):
        read_clip(path, audio_track=3)
    for wrong in (0, True, "1"):
        with pytest.raises(ConfigError, match="audio_track must be"):
            read_clip(path, audio_track=wrong)  # type: ignore[arg-type]
