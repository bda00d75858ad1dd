"""Deltas, running normalisation and prosody through Python."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fixtures.kernel_references import speech_like

from edge_ser.kernels import (
    DeltaOptions,
    Deltas,
    LogMel,
    Mfcc,
    NormalizerOptions,
    Prosody,
    RunningNormalizer,
    whisper_normalize,
)

FRAMES = Mfcc().compute(speech_like(1.0))


def test_deltas_are_the_written_regression_and_stream_equally():
    deltas = Deltas(DeltaOptions(dim=13, order=2, window=2))
    whole = deltas.compute(FRAMES)
    assert whole.shape == (len(FRAMES), 39)
    assert deltas.dim == 39
    assert deltas.look_ahead == 4
    padded = np.pad(FRAMES.astype(np.float64), ((2, 2), (0, 0)), mode="edge")
    slope = sum(
        n * (padded[2 + n :][: len(FRAMES)] - padded[2 - n :][: len(FRAMES)]) for n in (1, 2)
    )
    np.testing.assert_array_equal(whole[:, :13], FRAMES)
    np.testing.assert_allclose(whole[:, 13:26], slope / 10, atol=1e-4)
    parts = [deltas.accept(FRAMES[i : i + 3]) for i in range(0, len(FRAMES), 3)]
    np.testing.assert_array_equal(np.concatenate([*parts, deltas.finish()]), whole)


def test_running_normaliser_whitens_and_freezes():
    normaliser = RunningNormalizer(NormalizerOptions(dim=13, memory_frames=1000))
    last = normaliser.accept(FRAMES)[-1]
    np.testing.assert_allclose(normaliser.mean, FRAMES.mean(axis=0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(
        normaliser.deviation, FRAMES.std(axis=0, dtype=np.float64), rtol=1e-5
    )
    expected = (FRAMES[-1] - normaliser.mean) / normaliser.deviation
    np.testing.assert_allclose(last, expected, atol=1e-4)
    fresh = RunningNormalizer(normaliser.options)
    fresh.set_statistics(normaliser.mean, normaliser.deviation, normaliser.frames_seen)
    assert fresh.frozen
    first, second = fresh.accept(FRAMES), fresh.accept(FRAMES)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(first.std(axis=0), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        (np.zeros((3, 12), np.float32), ValueError),
        (np.zeros(13, np.float32), ValueError),
        (np.zeros((3, 13), np.int16), TypeError),
        ([[0.0] * 13], TypeError),
        (np.full((1, 13), np.nan, np.float32), ValueError),
    ],
)
def test_frames_of_another_kind_are_refused(frames, error):
    with pytest.raises(error):
        Deltas(DeltaOptions(dim=13)).accept(frames)
    with pytest.raises(error):
        RunningNormalizer(NormalizerOptions(dim=13)).accept(frames)


def test_prosody_of_a_tone():
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype(np.float32)
    energy, crossings, centroid, flux = Prosody().compute(tone).T
    np.testing.assert_allclose(energy, np.log(200), rtol=1e-2)
    np.testing.assert_allclose(crossings, 1000 / 16000, atol=3e-3)
    np.testing.assert_allclose(centroid, 500, rtol=1e-2)
    assert flux.max() < 1e-2


def test_whisper_normalise_refuses_nan_and_keeps_the_shape():
    assert whisper_normalize(np.zeros((0, 80), np.float32)).shape == (0, 80)
    with pytest.raises(ValueError, match="sample 1 is NaN"):
        whisper_normalize(np.array([[0.0, np.nan]], np.float32))


def test_whole_clips_may_be_computed_in_many_threads():
    kernel = LogMel()
    sound = speech_like(2.0)
    expected = kernel.compute(sound)
    wrong = []

    def work() -> None:
        wrong.extend(1 for _ in range(20) if not np.array_equal(kernel.compute(sound), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_stream_in_two_threads_is_an_error_not_a_race():
    kernel = LogMel()
    sound = speech_like(2.0)
    messages = []

    def work() -> None:
        for _ in range(200):
            try:
                kernel.accept(sound)
            except RuntimeError as error:
                messages.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("two threads" in message for message in messages)
    assert kernel.samples_accepted == len(sound) * (800 - len(messages))
