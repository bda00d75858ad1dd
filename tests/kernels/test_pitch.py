"""The pitch kernel through Python: shapes, errors, options, streaming."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_ser.kernels import Pitch, PitchOptions


def sentence(seed: int = 0) -> NDArray[np.float32]:
    """Silence, a harmonic glide from 120 to 240 Hz (0.3 to 1.1 s), faint noise."""
    random = np.random.default_rng(seed)
    time = np.arange(24000) / 16000
    phase = 2 * np.pi * (120 * (time - 0.3) + 75 * (time - 0.3) ** 2)
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    voiced = (time >= 0.3) & (time < 1.1)
    return (np.where(voiced, 0.1 * voice, 0) + 1e-4 * random.standard_normal(24000)).astype(
        np.float32
    )


def test_a_glide_is_followed() -> None:
    frames = Pitch().compute(sentence())
    assert frames.dtype == np.float32
    assert frames.shape == (1 + (24000 - 400) // 160, 4)
    time = (200 + 160 * np.arange(len(frames))) / 16000
    inside = (time > 0.33) & (time < 1.07)
    truth = 120 + 150 * (time - 0.3)
    assert np.abs(frames[inside, 0] / truth[inside] - 1).max() < 0.01
    assert (frames[inside, 2] > 0.5).all()
    assert np.median(frames[inside, 3]) > 15


def test_faint_noise_around_a_voice_is_nearly_always_unvoiced() -> None:
    frames = np.concatenate([Pitch().compute(sentence(seed))[:, 2:3] for seed in range(8)])
    time = np.tile((200 + 160 * np.arange(len(frames) // 8)) / 16000, 8)
    # The first frames have half their evidence before the stream: they may go either way.
    outside = ((time > 0.03) & (time < 0.27)) | (time > 1.13)
    assert np.mean(frames[outside] >= 0.5) < 0.02
    assert frames[outside].mean() < 0.15


def test_columns_stay_in_their_ranges() -> None:
    noise = np.random.default_rng(1).standard_normal(32000).astype(np.float32)
    for samples in (noise, 1e30 * noise, 1e-40 * noise, np.zeros(8000, np.float32)):
        frames = Pitch().compute(samples.astype(np.float32))
        assert np.isfinite(frames).all()
        assert ((frames[:, 0] == 0) | (frames[:, 0] == frames[:, 1])).all()
        assert ((frames[:, 1] >= 50) & (frames[:, 1] <= 550)).all()
        assert ((frames[:, 2] >= 0) & (frames[:, 2] <= 1)).all()
        assert ((frames[:, 3] >= -20) & (frames[:, 3] <= 40)).all()


@pytest.mark.parametrize("chunk", [1, 160, 320, 777])
def test_a_stream_gives_the_frames_of_the_clip(chunk: int) -> None:
    samples = sentence()
    pitch = Pitch()
    whole = pitch.compute(samples)
    for _ in range(2):
        parts = [pitch.accept(samples[i : i + chunk]) for i in range(0, len(samples), chunk)]
        parts.append(pitch.finish())
        assert np.array_equal(np.concatenate(parts), whole)
        pitch.reset()


def test_compute_leaves_the_stream_alone() -> None:
    samples = sentence()
    pitch = Pitch()
    first = pitch.accept(samples[:9000])
    pitch.compute(samples[::-1].copy())
    rest = [pitch.accept(samples[9000:]), pitch.finish()]
    assert np.array_equal(np.concatenate([first, *rest]), pitch.compute(samples))


def test_too_little_sound_gives_no_frame() -> None:
    assert Pitch().compute(np.zeros(0, np.float32)).shape == (0, 4)
    assert Pitch().compute(np.zeros(399, np.float32)).shape == (0, 4)
    assert Pitch().compute(np.zeros(400, np.float32)).shape == (1, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_and_changes_nothing(bad: float) -> None:
    samples = sentence()
    pitch = Pitch()
    first = pitch.accept(samples[:5000])
    broken = samples[5000:6000].copy()
    broken[17] = bad
    with pytest.raises(ValueError, match="sample 17"):
        pitch.accept(broken)
    rest = [pitch.accept(samples[5000:]), pitch.finish()]
    assert np.array_equal(np.concatenate([first, *rest]), pitch.compute(samples))


def test_samples_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(TypeError):
        Pitch().accept(np.zeros(100, np.int64))
    with pytest.raises(TypeError):
        Pitch().accept([0.0, 0.1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one dimension"):
        Pitch().accept(np.zeros((2, 100), np.float32))


def test_accept_after_finish_says_so() -> None:
    pitch = Pitch()
    pitch.finish()
    with pytest.raises(RuntimeError, match="reset"):
        pitch.accept(np.zeros(160, np.float32))
    pitch.reset()
    assert len(pitch.accept(np.zeros(16000, np.float32))) > 0


def test_options_round_trip() -> None:
    options = PitchOptions(min_f0_hz=80, max_f0_hz=400.5, voicing_threshold=0.3, first_center=0)
    assert PitchOptions.from_dict(options.as_dict()) == options
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301
    assert options != PitchOptions()
    assert eval(repr(options)) == options  # noqa: S307
    assert Pitch(options).options == options
    assert Pitch.dim == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_f0_hz", 10.0),
        ("max_f0_hz", 900.0),
        ("max_f0_hz", 55.0),
        ("voicing_threshold", -0.1),
        ("first_center", 801),
        ("min_f0_hz", float("nan")),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        PitchOptions(**{field: value})


def test_the_threshold_only_decides_column_0() -> None:
    samples = sentence()
    strict = Pitch(PitchOptions(voicing_threshold=1.0)).compute(samples)
    lenient = Pitch(PitchOptions(voicing_threshold=0.0)).compute(samples)
    assert np.array_equal(strict[:, 1:], lenient[:, 1:])
    assert np.array_equal(lenient[:, 0], lenient[:, 1])


@pytest.mark.parametrize("first_center", [0, 80, 400])
def test_first_center_moves_the_frames(first_center: int) -> None:
    frames = Pitch(PitchOptions(first_center=first_center)).compute(sentence())
    time = (first_center + 160 * np.arange(len(frames))) / 16000
    inside = (time > 0.35) & (time < 1.05)
    assert np.abs(frames[inside, 0] / (120 + 150 * (time[inside] - 0.3)) - 1).max() < 0.01


def test_streams_in_threads_do_not_disturb_each_other() -> None:
    clips = [sentence(seed) for seed in range(4)]
    expected = [Pitch().compute(clip) for clip in clips]
    results: dict[int, NDArray[np.float32]] = {}

    def work(index: int) -> None:
        for _ in range(10):
            results[index] = Pitch().compute(clips[index])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, frames in enumerate(expected):
        assert np.array_equal(results[index], frames)
