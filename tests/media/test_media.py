"""Media files: every container, rate and layout arrives as the same clip."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ser.errors import ConfigError, MediaError
from edge_ser.media.media import open_clip, read_clip

Recording = Callable[..., Path]
Maker = Callable[..., np.ndarray]

FOUR_HOURS = 4 * 3600


def frequency(samples: np.ndarray) -> float:
    """The strongest frequency of 16 kHz sound in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 16000 / len(samples))


@pytest.mark.parametrize(
    ("name", "sound_codec", "picture_codec", "rate"),
    [
        ("clip.wav", "pcm_s16le", None, 44100),
        ("clip.wav", "pcm_u8", None, 16000),
        ("clip.wav", "pcm_f64le", None, 48000),
        ("clip.flac", "flac", None, 48000),
        ("clip.mp3", "libmp3lame", None, 44100),
        ("clip.ogg", "libopus", None, 48000),
        ("clip.m4a", "aac", None, 32000),
        ("clip.mp4", "aac", "libx264", 44100),
        ("clip.mov", "pcm_s16be", "mjpeg", 48000),
        ("clip.mkv", "flac", "mpeg4", 48000),
        ("clip.webm", "libopus", "libvpx", 48000),
        ("clip.mpg", "mp2", "mpeg1video", 44100),
        ("clip.ts", "aac", "mpeg2video", 44100),
        ("clip.avi", "pcm_s16le", "mpeg4", 22050),
    ],
)
def test_every_container_gives_its_sound_and_its_pictures(
    recording: Recording,
    make_tone: Maker,
    make_pictures: Maker,
    name: str,
    sound_codec: str,
    picture_codec: str | None,
    rate: int,
) -> None:
    path = recording(
        name,
        audio=make_tone(1.0, rate),
        rate=rate,
        sound_codec=sound_codec,
        pictures=None if picture_codec is None else make_pictures(25),
        picture_codec=picture_codec or "",
    )
    clip = read_clip(path)

    assert clip.samples.dtype == np.float32
    # A codec may add up to a block and a multiplex up to 25 ms.
    assert 16000 <= len(clip.samples) <= 17000
    assert frequency(clip.samples) == pytest.approx(440, abs=1)
    middle = clip.samples[4000:12000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)
    assert clip.warnings == ()
    if picture_codec is None:
        assert clip.absent == {"video": "it has no pictures"}
        assert clip.frames == ()
    else:
        assert clip.absent == {}
        assert len(clip.frames) == 5
        assert all(f.image.shape == (48, 64, 3) for f in clip.frames)
        # The pictures get brighter: each is the one that its time says.
        levels = [f.image.mean() for f in clip.frames]
        expected = [20 + 8 * ((f.time - clip.frames[0].time) / 640) for f in clip.frames]
        np.testing.assert_allclose(levels, expected, atol=6)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_layout_becomes_mono_16_khz(
    recording: Recording, make_tone: Maker, rate: int, channels: int
) -> None:
    audio = np.stack([make_tone(1.0, rate)] * channels, axis=1)
    clip = read_clip(recording("clip.wav", audio=audio, rate=rate, sound_codec="pcm_f32le"))

    assert len(clip.samples) == pytest.approx(16000, abs=1)
    expected = make_tone(1.0)[1000:15000]
    np.testing.assert_allclose(clip.samples[1000:15000], expected, atol=5e-3)


def test_16_khz_sound_is_not_touched(recording: Recording) -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    clip = read_clip(recording("clip.wav", audio=audio, sound_codec="pcm_f32le"))
    np.testing.assert_array_equal(clip.samples, audio)


def test_the_centre_of_surround_sound_is_the_loudest_and_the_lowest_channel_is_silent(
    recording: Recording, make_tone: Maker
) -> None:
    def level(channel: int) -> float:
        audio = np.zeros((8000, 6), np.float32)
        audio[:, channel] = make_tone(0.5)
        path = recording("clip.wav", audio=audio, sound_codec="pcm_f32le")
        return float(np.abs(read_clip(path).samples).max())

    left, centre, low = level(0), level(2), level(3)
    assert centre == pytest.approx(left / 0.7071, rel=1e-3)
    assert low == 0.0


def test_sound_that_starts_late_is_silent_until_then(
    recording: Recording, make_tone: Maker, make_pictures: Maker
) -> None:
    path = recording("c.mkv", audio=make_tone(1.0), sound_start=0.5, pictures=make_pictures(40))
    clip = read_clip(path)
    assert clip.frames[0].time == 0
    assert not clip.samples[:8000].any()
    np.testing.assert_allclose(clip.samples[8000:], make_tone(1.0), atol=1e-4)
    with open_clip(path) as opened:
        present = [s.audio_present for s in opened.segments(0.25)]
    assert present == [False, False, True, True, True, True, False]


def test_pictures_that_start_late_keep_their_times(
    recording: Recording, make_tone: Maker, make_pictures: Maker
) -> None:
    path = recording("c.mkv", audio=make_tone(1.0), pictures=make_pictures(25), picture_start=0.6)
    clip = read_clip(path)
    np.testing.assert_allclose(clip.samples, make_tone(1.0), atol=1e-4)
    assert [f.time for f in clip.frames] == [9600, 12800, 16000, 19200, 22400]
    # The sound ends first; the clip lasts as long as its last picture is shown.
    assert clip.duration == round(1.6 * 16000)


def test_what_is_unwanted_does_not_move_the_clock(
    recording: Recording, make_tone: Maker, make_pictures: Maker
) -> None:
    path = recording("c.mkv", audio=make_tone(1.0), sound_start=0.5, pictures=make_pictures(40))
    sound_only = read_clip(path, want_video=False)
    assert not sound_only.samples[:8000].any()
    assert sound_only.absent == {"video": "its pictures were not asked for"}
    late = recording("d.mkv", audio=make_tone(1.0), pictures=make_pictures(25), picture_start=0.6)
    pictures_only = read_clip(late, want_audio=False)
    assert pictures_only.frames[0].time == 9600
    assert pictures_only.absent == {"audio": "its sound was not asked for"}


def test_lost_sound_becomes_silence_of_the_right_length_and_is_told(
    recording: Recording, make_tone: Maker
) -> None:
    path = recording("c.mkv", audio=make_tone(2.0), lost=lambda t: 0.5 <= t < 0.8)
    clip = read_clip(path)
    assert not clip.samples[8000:12800].any()
    np.testing.assert_allclose(clip.samples[12800:], make_tone(2.0)[12800:], atol=1e-4)
    (warning,) = clip.warnings
    assert "interrupted 1 times (first at 0.50 s, 0.30 s in all)" in warning


def test_a_short_lost_packet_at_another_rate_does_not_shift_what_follows(
    recording: Recording, make_tone: Maker
) -> None:
    audio = make_tone(2.0, 44100)
    path = recording("c.mkv", audio=audio, rate=44100, lost=lambda t: 0.5 <= t < 0.52)
    clip = read_clip(path)
    np.testing.assert_allclose(clip.samples[9000:31000], make_tone(2.0)[9000:31000], atol=5e-3)
    assert len(clip.warnings) == 1


def test_sound_without_pictures_and_pictures_without_sound_are_no_errors(
    recording: Recording, make_tone: Maker, make_pictures: Maker
) -> None:
    heard = read_clip(recording("a.wav", audio=make_tone(0.5)))
    assert (heard.has_audio, heard.has_video) == (True, False)
    seen = read_clip(recording("v.mp4", pictures=make_pictures(10)))
    assert (seen.has_audio, seen.has_video) == (False, True)
    assert seen.absent == {"audio": "it has no sound"}
    assert seen.duration == 6400
    assert len(seen.samples) == 0


def test_pictures_have_square_pixels_and_are_shrunk_to_the_longest_side(
    recording: Recording, make_pictures: Maker
) -> None:
    path = recording("c.mp4", pictures=make_pictures(5), pixel_aspect=Fraction(4, 3))
    assert read_clip(path).frames[0].image.shape == (48, 85, 3)
    assert read_clip(path, maximum_side=40).frames[0].image.shape == (22, 40, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_picture_recorded_sideways_is_turned_upright(recording: Recording, degrees: int) -> None:
    picture = np.full((48, 64, 3), 40, np.uint8)
    picture[:16, :16] = (230, 30, 30)
    turned = np.rot90(picture, degrees // 90)
    path = recording("c.mp4", pictures=np.stack([turned] * 5), picture_codec="libx264")
    # A telephone writes by how much its picture must be turned clockwise (ISO 14496-12, 8.3.2).
    matrices = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    a, b, c, d = (v.to_bytes(4, "big", signed=True) for v in (m << 16 for m in matrices[degrees]))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 20] = a + b + bytes(4) + c + d
    path.write_bytes(data)

    image = read_clip(path).frames[0].image
    assert image.shape == picture.shape
    assert image[4:12, 4:12, 0].mean() > 150
    assert image[30:, 30:, 0].mean() < 80


def test_a_cover_is_not_a_video(recording: Recording, make_tone: Maker) -> None:
    import cv2

    path = recording("c.mp3", audio=make_tone(1.0), sound_codec="libmp3lame")
    cover = bytes(cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1])
    body = b"\0image/png\0\x03\0" + cover
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(frame) >> s) & 0x7F for s in (21, 14, 7, 0))
    mp3 = path.read_bytes()
    if mp3.startswith(b"ID3"):
        old = sum(mp3[6 + i] << s for i, s in enumerate((21, 14, 7, 0)))
        mp3 = mp3[10 + old :]
    path.write_bytes(b"ID3\x03\0\0" + size + frame + mp3)

    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    assert read_clip(path).absent == {"video": "its only picture is a cover"}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seconds=st.floats(0.01, 4.0))
def test_decoding_in_segments_equals_decoding_whole(demo_clip: Path, seconds: float) -> None:
    whole = read_clip(demo_clip)
    with open_clip(demo_clip) as clip:
        segments = list(clip.segments(seconds))
    np.testing.assert_array_equal(np.concatenate([s.samples for s in segments]), whole.samples)
    assert segments[0].start == 0
    assert all(a.stop == b.start for a, b in pairwise(segments))
    assert all(s.start <= f.time < s.stop for s in segments for f in s.frames)
    frames = [f for s in segments for f in s.frames]
    assert [f.time for f in frames] == [f.time for f in whole.frames]
    for ours, theirs in zip(frames, whole.frames, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)


def test_a_clip_can_be_read_again(demo_clip: Path) -> None:
    with open_clip(demo_clip) as clip:
        first = next(clip.segments(1.0))
        again = next(clip.segments(1.0))
    np.testing.assert_array_equal(first.samples, again.samples)


def four_hours_of_sound(folder: Path) -> Path:
    """A wav that takes no room on the disk: everything behind its header is a hole."""
    size = FOUR_HOURS * 16000 * 2
    path = folder / "c.wav"
    form = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + form)
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(size + 44)
    return path


def four_hours_of_pictures(folder: Path) -> Path:
    """One small picture a second."""
    path = folder / "c.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")
        for second in range(FOUR_HOURS):
            frame.pts = second
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kept_in_memory", [True, False])
def test_the_sound_can_be_read_without_the_pictures(
    recording: Recording, make_tone: Maker, make_pictures: Maker, kept_in_memory: bool
) -> None:
    path = recording("c.mkv", audio=make_tone(1.0), pictures=make_pictures(50))
    with read_clip(path) if kept_in_memory else open_clip(path) as clip:
        heard = list(clip.segments(0.75, frames_per_second=None))
        assert clip.warnings == ()
        both = list(clip.segments(10.0))
    assert [s.stop for s in heard] == [12000, 16000]
    assert all(s.frames == () for s in heard)
    audio = np.concatenate([s.samples for s in heard])
    np.testing.assert_array_equal(audio, both[0].samples[: len(audio)])
    assert len(both[0].frames) == 10


@pytest.mark.parametrize("make", [four_hours_of_sound, four_hours_of_pictures])
def test_four_hours_stay_in_bounded_memory(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    process = psutil.Process()
    memory: list[int] = []
    stop = 0
    with open_clip(make(tmp_path)) as clip:
        assert clip.duration == FOUR_HOURS * 16000
        for segment in clip.segments(10.0):
            stop = segment.stop
            memory.append(process.memory_info().rss)
        warnings = clip.warnings
    assert stop == FOUR_HOURS * 16000
    assert warnings == ()
    assert max(memory) - memory[0] < 30e6


def test_a_clip_that_is_too_long_to_be_read_whole_is_refused(
    recording: Recording, make_tone: Maker
) -> None:
    path = recording("c.wav", audio=make_tone(3.0))
    with pytest.raises(MediaError, match="longer than 2 s: read it in pieces with open_clip"):
        read_clip(path, maximum_seconds=2.0)


@pytest.mark.parametrize(
    "options",
    [
        {"maximum_side": 0},
        {"decoder_threads": 0},
        {"want_audio": False, "want_video": False},
        {"frames_per_second": 0.0},
        {"frames_per_second": float("nan")},
    ],
)
def test_options_out_of_range_are_refused(demo_clip: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        read_clip(demo_clip, **options)


@pytest.mark.data
def test_real_clips_decode_whole(data_folder: Path) -> None:
    ravdess = read_clip(data_folder / "clips" / "01-01-01-01-01-01-01.mp4")
    assert len(ravdess.samples) == 52907
    assert len(ravdess.frames) == 17
    assert ravdess.frames[0].image.shape == (720, 1280, 3)
    assert ravdess.warnings == ()
    for name in ("brbk7n", "lbax4n", "lbbc2a", "sbwe5n"):
        grid = read_clip(data_folder / "clips" / f"{name}.mpg")
        assert len(grid.samples) == 47648
        assert [f.time for f in grid.frames] == [3200 * i for i in range(15)]
        assert grid.duration == 48000
        assert grid.warnings == ()
