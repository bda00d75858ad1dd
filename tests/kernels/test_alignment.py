"""The aligner through Python: windows, gaps, clocks, options, errors, threads."""

from __future__ import annotations

import gc
import json
import pickle
import threading
import time
from typing import Any

import numpy as np
import pytest

from edge_ser.kernels import Aligner, AlignerOptions, SourceOptions

RATE = 16000
AUDIO = SourceOptions(name="audio", dim=3)
FACE = SourceOptions(
    name="face", dim=2, clock_rate=0, period=1600, fill="hold", max_age=3200, capacity=256
)
WORDS = SourceOptions(name="words", kind="intervals", follows="audio")


def live() -> Aligner:
    return Aligner(AlignerOptions(reference="audio"), [AUDIO, FACE, WORDS])


def ramp(first: int, count: int, dim: int = 3) -> np.ndarray:
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], dim, axis=1)


@pytest.mark.parametrize("start", [0, 2**31 - 4000, 2**53 - 4001, -(2**40)])
def test_a_live_window_of_sound_face_and_words(start: int) -> None:
    aligner = live()
    for i in range(200):
        aligner.push_frames("audio", ramp(2 * i, 2), start + 320 * i, position=7 * start + 320 * i)
        if i % 5 == 0:
            aligner.push_frames("face", np.float32([i, -i]), start + 320 * i)
        if i % 20 == 10:
            aligner.push_interval("words", 7 * start + 320 * i, 7 * start + 320 * (i + 8), i)
    end = start + 200 * 320
    assert aligner.newest("audio") == end - 160
    window = aligner.window(end, 300)
    assert window.names == ("audio", "face", "words")
    assert window.times.dtype == np.int64
    assert window.times.tolist() == [end - 160 * (300 - k) for k in range(300)]

    audio, face, words = (window[name] for name in window.names)
    assert audio.values.dtype == np.float32
    assert audio.mask.dtype == np.bool_
    assert audio.mask.all()
    np.testing.assert_array_equal(audio.values, ramp(100, 300))
    assert (audio.largest_gap, audio.covered) == (0, 300)
    assert (audio.oldest, audio.newest) == (window.times[0], window.times[-1])

    index = np.arange(100, 400)
    np.testing.assert_array_equal(face.values[:, 0], index // 10 * 5)
    assert words.values.dtype == np.int64
    chunk = index // 2
    spoken = (chunk % 20 >= 10) & (chunk % 20 < 18)
    np.testing.assert_array_equal(words.values, np.where(spoken, chunk // 20 * 20 + 10, -1))
    np.testing.assert_array_equal(words.mask, spoken)
    assert words.largest_gap == 24 * 160


def test_a_source_that_says_nothing_is_all_mask() -> None:
    window = live().window(0, 10)
    for name in window.names:
        assert not window[name].mask.any()
        assert window[name].newest is None
        assert window[name].oldest is None
        assert window[name].largest_gap == 1600
    with pytest.raises(KeyError, match="radar"):
        window["radar"]


@pytest.mark.parametrize("drift", [-300, -20, 0, 150, 300])
@pytest.mark.parametrize("noise", ["uniform", "queue"])
def test_drift_to_10_ppm_and_offset_to_5_ms_after_a_minute(drift: float, noise: str) -> None:
    stamps = "late" if noise == "queue" else "centred"
    for seed in range(4):
        random = np.random.default_rng(seed)
        aligner = Aligner(AlignerOptions(), [SourceOptions(name="audio", stamps=stamps)])
        first, start = 2**31 - 7, 2**53 - 11
        row = np.zeros((2, 1), np.float32)
        for i in range(3000):
            error = random.uniform(-160, 160) if noise == "uniform" else random.exponential(160)
            true = 320 * i * (1 + drift * 1e-6)
            if random.random() < 0.01:
                continue  # a lost buffer; the counter knows
            aligner.push_frames("audio", row, start + round(true + error), first + 320 * i)
        clock = aligner.clock("audio")
        assert clock is not None
        assert clock.drift_ppm == pytest.approx(drift, abs=10)
        assert clock.drift_sd_ppm < 5
        true = (clock.position - first) * (1 + drift * 1e-6)
        assert abs(clock.time - start - true) < 0.002 * RATE
        assert aligner.counters("audio").steps == 0
        assert "drift_ppm" in repr(clock)


def test_nan_and_infinity_are_masked_and_counted() -> None:
    aligner = live()
    rows = ramp(0, 10)
    rows[4, 1] = np.nan
    rows[7, 2] = -np.inf
    assert aligner.push_frames("audio", rows, 0, 0) == 8
    audio = aligner.window(1600, 10)["audio"]
    assert audio.mask.tolist() == [k not in (4, 7) for k in range(10)]
    assert np.isfinite(audio.values).all()
    counters = aligner.counters("audio")
    assert counters.non_finite == 2
    assert counters.as_dict()["missing"] == 2
    assert "non_finite=2" in repr(counters)
    assert counters == aligner.counters("audio")
    assert counters != aligner.counters("face")


def test_a_revised_transcript_and_a_reset() -> None:
    aligner = live()
    aligner.push_frames("audio", ramp(0, 100), 0, 0)
    assert aligner.push_interval("words", 0, 1600, 0)
    assert not aligner.push_interval("words", 0, 1600, 0)
    aligner.erase_intervals("words", 0)
    assert aligner.newest("words") is None
    aligner.push_interval("words", 800, 1600, 5)
    assert aligner.window(1600, 10)["words"].values.tolist() == [-1] * 5 + [5] * 5
    assert aligner.media_time("audio", 12345) == 12345
    aligner.reset()
    assert aligner.clock("audio") is None
    assert aligner.media_time("audio", 0) is None
    assert aligner.counters("words").pushed == 0


def test_an_announced_restart() -> None:
    aligner = live()
    aligner.push_frames("audio", ramp(0, 100), 0, 0)
    aligner.restart("audio")
    aligner.push_frames("audio", ramp(0, 1), 48000, 16000)
    assert aligner.newest("audio") == 48000
    assert aligner.counters("audio").restarts == 1


def test_rows_may_be_strided_or_float64_but_not_integers() -> None:
    aligner = live()
    assert aligner.push_frames("audio", ramp(0, 20)[::2], 0, 0) == 10
    assert aligner.push_frames("audio", ramp(10, 10).astype(np.float64), 1600, 1600) == 10
    values = aligner.window(3200, 20)["audio"].values[:, 0]
    assert values.tolist() == [*range(0, 20, 2), *range(10, 20)]
    assert aligner.push_frames("audio", np.zeros((0, 3), np.float32), 0, 0) == 0


GOOD: dict[str, Any] = {"source": "audio", "rows": ramp(0, 1), "capture_time": 0, "position": 0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": "radar"}, ValueError, "no source 'radar'; there are: audio, face, words"),
        ({"source": "words"}, ValueError, "holds intervals"),
        ({"rows": [[1.0, 2.0, 3.0]]}, TypeError, "numpy array, not list"),
        ({"rows": np.zeros((1, 3), np.int32)}, TypeError, "float32 or float64, not int32"),
        ({"rows": np.zeros((1, 4), np.float32)}, ValueError, r"shape \[n, 3\], not \(1, 4\)"),
        ({"rows": np.zeros((1, 1, 3), np.float32)}, ValueError, "shape"),
        ({"capture_time": 0.5}, TypeError, "integer number of ticks, not 0.5"),
        ({"capture_time": True}, TypeError, "integer number of ticks"),
        ({"capture_time": 2**63}, ValueError, "64 bits"),
        ({"capture_time": 2**62 + 1}, ValueError, "-2^62"),
        ({"position": -(2**62) - 1}, ValueError, "position"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    aligner = live()
    with pytest.raises(error, match=message.replace("^", r"\^")):
        aligner.push_frames(**{**GOOD, **change})
    assert aligner.counters("audio").pushed == 0
    assert aligner.push_frames(**GOOD) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: a.window(0, 0), ValueError, "frames is 0"),
        (lambda a: a.window(0, 2**40), ValueError, "must lie in"),
        (lambda a: a.window(0.0, 10), TypeError, "integer"),
        (lambda a: a.push_interval("words", 0, 10, 0), ValueError, "not begun to count"),
        (lambda a: a.push_frames("face", np.zeros((1, 2)), 0, 0), ValueError, "no counter"),
        (lambda a: a.media_time("face", 0), ValueError, "no counter"),
        (lambda a: a.newest("radar"), ValueError, "no source"),
        (lambda _: Aligner(AlignerOptions(), []), ValueError, "at least one"),
        (lambda _: Aligner(AlignerOptions(), [SourceOptions()]), ValueError, "no name"),
        (lambda _: Aligner(AlignerOptions(), [AUDIO, AUDIO]), ValueError, "two sources"),
        (lambda _: Aligner(AlignerOptions(), [WORDS]), ValueError, "no source with a counter"),
        (lambda _: Aligner(AlignerOptions(reference="face"), [FACE]), ValueError, "reference"),
    ],
)
def test_other_calls_that_make_no_sense(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(live())


@pytest.mark.parametrize(
    "options", [AlignerOptions(), AlignerOptions(rate=48000, reference="x"), AUDIO, FACE, WORDS]
)
def test_options_survive_dict_json_pickle_and_repr(options: Any) -> None:
    kind = type(options)
    names = {"AlignerOptions": AlignerOptions, "SourceOptions": SourceOptions}
    for same in (
        kind.from_dict(json.loads(json.dumps(options.as_dict()))),
        pickle.loads(pickle.dumps(options)),  # noqa: S301
        eval(repr(options), names),  # noqa: S307
    ):
        assert same == options
        assert hash(same) == hash(options)
    assert options.replace() == options
    assert options != 3


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"dim": 0}, ValueError, "dim is 0"),
        ({"name": 5}, TypeError, "must be a string"),
        ({"kind": "picture"}, ValueError, "frames, intervals"),
        ({"lateness": 0.5}, TypeError, "integer"),
        ({"max_drift_ppm": float("nan")}, ValueError, "max_drift_ppm"),
        ({"follows": "audio"}, ValueError, "only intervals follow"),
        ({"colour": 1}, TypeError, "no field 'colour'"),
    ],
)
def test_source_options_are_validated(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SourceOptions(**fields)


def test_what_an_aligner_was_built_from_can_be_read() -> None:
    aligner = live()
    assert aligner.options == AlignerOptions(reference="audio")
    assert aligner.sources == [AUDIO, FACE, WORDS]


def test_windows_are_copies_that_outlive_the_aligner() -> None:
    aligner = live()
    aligner.push_frames("audio", ramp(0, 10), 0, 0)
    values = aligner.window(1600, 10)["audio"].values
    aligner.push_frames("audio", ramp(90, 10), 1600, 1600)
    del aligner
    gc.collect()
    np.testing.assert_array_equal(values, ramp(0, 10))


def test_pushes_and_windows_from_many_threads() -> None:
    aligner = live()
    aligner.push_frames("audio", ramp(0, 1), 0, 0)
    failures: list[BaseException] = []

    def guarded(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    def audio() -> None:
        for i in range(1, 500):
            aligner.push_frames("audio", ramp(i, 1), 160 * i, 160 * i)

    def pictures() -> None:
        for i in range(500):
            aligner.push_frames("face", np.float32([i, i]), 160 * i)

    def windows() -> None:
        for _ in range(100):
            window = aligner.window(aligner.newest("audio") or 0, 300)
            assert np.isfinite(window["audio"].values).all()

    threads = [guarded(work) for work in (audio, pictures, windows, windows)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert aligner.counters("audio").stored == 500
    assert aligner.counters("face").stored == 500


def test_the_gil_is_free_while_a_window_is_cut() -> None:
    wide = SourceOptions(name="audio", dim=256, capacity=4096)
    aligner = Aligner(AlignerOptions(), [wide])
    aligner.push_frames("audio", np.ones((4096, 256), np.float32), 0, 0)
    done = threading.Event()

    def cut() -> None:
        for _ in range(20):
            aligner.window(4096 * 160, 100000)
        done.set()

    thread = threading.Thread(target=cut)
    longest, last = 0.0, time.perf_counter()
    thread.start()
    began = last
    while not done.is_set():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    thread.join()
    assert longest < 0.5 * (last - began)
