"""Properties of every streaming kernel: chunks never matter, finite samples never give NaN."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fixtures.kernel_references import speech_like
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.kernels import (
    LogEnergy,
    LogMel,
    MelOptions,
    Mfcc,
    MfccOptions,
    Resampler,
    ResamplerOptions,
)

KERNELS = {
    "log-mel": LogMel(),
    "log-mel kaldi": LogMel(MelOptions.kaldi()),
    "log-mel librosa": LogMel(MelOptions.librosa()),
    "log-mel whisper": LogMel(MelOptions.whisper()),
    "mfcc": Mfcc(),
    "mfcc kaldi": Mfcc(MfccOptions.kaldi()),
    "log-energy": LogEnergy(),
    "resampler 44100": Resampler(ResamplerOptions(source_rate=44100)),
    "resampler 8000": Resampler(ResamplerOptions(source_rate=8000)),
    "resampler 16000": Resampler(ResamplerOptions(source_rate=16000)),
}
AUDIO = speech_like(1.0)
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())


@every_kernel
@settings(max_examples=25, deadline=None)
@given(length=st.integers(0, 6000), cuts=st.lists(st.integers(0, 6000), max_size=12))
def test_chunks_never_change_a_frame(kernel, length, cuts):
    audio = AUDIO[:length]
    kernel.reset()
    edges = [0, *sorted(min(cut, length) for cut in cuts), length]
    parts = [kernel.accept(audio[a:b]) for a, b in itertools.pairwise(edges)]
    streamed = np.concatenate([*parts, kernel.finish()])
    whole = kernel.compute(audio)
    assert streamed.dtype == whole.dtype == np.float32
    np.testing.assert_array_equal(streamed, whole)


@every_kernel
@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40
    ),
    period=st.integers(1, 40),
)
def test_finite_samples_never_give_nan(kernel, values, period):
    audio = np.resize(np.array(values[:period], np.float32), 1700)
    assert np.isfinite(kernel.compute(audio)).all()


EXTREMES = {
    "silence": np.zeros(2000, np.float32),
    "constant": np.ones(2000, np.float32),
    "square wave": np.where(np.arange(2000) // 40 % 2, 1, -1).astype(np.float32),
    "denormals": np.full(2000, 1e-42, np.float32),
    "largest floats": np.full(2000, np.finfo(np.float32).max) * np.float32(-1),
}


@every_kernel
@pytest.mark.parametrize("audio", EXTREMES.values(), ids=EXTREMES.keys())
def test_extremes_give_finite_frames(kernel, audio):
    frames = kernel.compute(audio)
    assert len(frames) > 0
    assert np.isfinite(frames).all()


@every_kernel
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_sample_is_named_and_changes_nothing(kernel, bad):
    kernel.reset()
    expected = kernel.accept(AUDIO)
    kernel.reset()
    audio = AUDIO[:1000].copy()
    audio[777] = bad
    with pytest.raises(ValueError, match="sample 777 is "):
        kernel.accept(audio)
    np.testing.assert_array_equal(kernel.accept(AUDIO), expected)
    with pytest.raises(ValueError, match="sample 777 is "):
        kernel.compute(audio)


@every_kernel
def test_float64_and_int16_follow_the_written_rule(kernel):
    integers = np.round(AUDIO[:3000] * 32767).astype(np.int16)
    expected = kernel.compute(integers.astype(np.float32) / 32768)
    np.testing.assert_array_equal(kernel.compute(integers), expected)
    np.testing.assert_array_equal(kernel.compute(integers.astype(np.float64) / 32768), expected)
    np.testing.assert_array_equal(
        kernel.compute(np.repeat(integers, 2)[::2].astype(np.float32) / 32768), expected
    )


@every_kernel
@pytest.mark.parametrize(
    ("samples", "error"),
    [
        ([0.0, 1.0], TypeError),
        (np.zeros(10, np.int32), TypeError),
        (np.zeros(10, np.complex64), TypeError),
        (np.zeros(10, np.float16), TypeError),
        (np.zeros((10, 2), np.float32), ValueError),
        (np.float32(1), TypeError),
        (None, TypeError),
    ],
)
def test_other_types_and_shapes_are_refused(kernel, samples, error):
    with pytest.raises(error):
        kernel.accept(samples)


@every_kernel
def test_after_finish_only_reset_helps(kernel):
    kernel.reset()
    kernel.finish()
    with pytest.raises(RuntimeError, match="reset"):
        kernel.accept(AUDIO)
    kernel.reset()
    assert len(kernel.accept(AUDIO))


@every_kernel
def test_compute_leaves_the_stream_alone(kernel):
    kernel.reset()
    first = kernel.accept(AUDIO[:1000])
    kernel.compute(AUDIO)
    streamed = np.concatenate([first, kernel.accept(AUDIO[1000:]), kernel.finish()])
    np.testing.assert_array_equal(streamed, kernel.compute(AUDIO))
