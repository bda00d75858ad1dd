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

from edge_ser.kernels import Aligner, AlignerOptions

RATE = 16000
OPTIONS = AlignerOptions(dim=3)


def ramp(first: int, count: int, dim: int = 3) -> np.ndarray:
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], dim, axis=1)


@pytest.mark.parametrize("start", [0, 2**31 - 4000, 2**53 - 4001, -(2**40)])
def test_a_window_of_rows(start: int) -> None:
    aligner = Aligner(OPTIONS)
    for i in range(200):
        aligner.push(ramp(2 * i, 2), start + 320 * i, 7 * start + 320 * i)
    end = start + 200 * 320
    assert aligner.media_time(7 * start + 200 * 320) == end
    first, values, mask = aligner.window(end, 300)
    assert first == end - 160 * 300
    assert values.dtype == np.float32
    assert mask.dtype == np.bool_
    assert mask.all()
    np.testing.assert_array_equal(values, ramp(100, 300))


def test_an_aligner_that_was_told_nothing_is_all_mask() -> None:
    aligner = Aligner(OPTIONS)
    first, values, mask = aligner.window(0, 10)
    assert first == -1600
    assert not mask.any()
    assert not values.any()
    assert aligner.drift() is None
    assert aligner.media_time(0) is None
    assert not any(aligner.counters().values())


@pytest.mark.parametrize("drift", [-300, -20, 0, 150, 300])
def test_drift_to_10_ppm_and_offset_to_2_ms_after_a_minute(drift: float) -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        aligner = Aligner(AlignerOptions())
        first, start = 2**31 - 7, 2**53 - 11
        row = np.zeros((2, 1), np.float32)
        for i in range(3000):
            true = 320 * i * (1 + drift * 1e-6)
            if random.random() < 0.01:
                continue  # a lost buffer; the counter knows
            aligner.push(row, start + round(true + random.uniform(-160, 160)), first + 320 * i)
        found, newest = aligner.drift(), aligner.media_time(first + 320 * 2999)
        assert found is not None
        assert newest is not None
        assert found[0] == pytest.approx(drift, abs=10)
        assert found[1] < 5
        assert abs(newest - start - 320 * 2999 * (1 + drift * 1e-6)) < 0.002 * RATE
        assert aligner.counters()["steps"] == 0


def test_nan_and_infinity_are_masked_and_counted() -> None:
    aligner = Aligner(OPTIONS)
    rows = ramp(0, 10)
    rows[4, 1] = np.nan
    rows[7, 2] = -np.inf
    assert aligner.push(rows, 0, 0) == 8
    _, values, mask = aligner.window(1600, 10)
    assert mask.tolist() == [k not in (4, 7) for k in range(10)]
    assert np.isfinite(values).all()
    assert aligner.counters() == {
        "pushed": 10,
        "stored": 8,
        "repeated": 0,
        "non_finite": 2,
        "missing": 2,
        "steps": 0,
        "clock_jumps": 0,
    }


def test_rows_may_be_strided_or_float64_but_not_integers() -> None:
    aligner = Aligner(OPTIONS)
    assert aligner.push(ramp(0, 20)[::2], 0, 0) == 10
    assert aligner.push(ramp(10, 10).astype(np.float64), 1600, 1600) == 10
    _, values, _ = aligner.window(3200, 20)
    assert values[:, 0].tolist() == [*range(0, 20, 2), *range(10, 20)]
    assert aligner.push(np.zeros((0, 3), np.float32), 0, 0) == 0


GOOD: dict[str, Any] = {"rows": ramp(0, 1), "capture_time": 0, "position": 0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
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
    aligner = Aligner(OPTIONS)
    with pytest.raises(error, match=message.replace("^", r"\^")):
        aligner.push(**{**GOOD, **change})
    assert aligner.counters()["pushed"] == 0
    assert aligner.push(**GOOD) == 1


@pytest.mark.parametrize(
    ("end", "frames", "error", "message"),
    [
        (0, 0, ValueError, "frames is 0"),
        (0, 2**40, ValueError, "must lie in"),
        (0.0, 10, TypeError, "integer"),
    ],
)
def test_windows_that_make_no_sense(
    end: Any, frames: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Aligner(OPTIONS).window(end, frames)


@pytest.mark.parametrize("options", [AlignerOptions(), OPTIONS, AlignerOptions(observations=64)])
def test_options_survive_dict_json_pickle_and_repr(options: AlignerOptions) -> None:
    for same in (
        AlignerOptions.from_dict(json.loads(json.dumps(options.as_dict()))),
        pickle.loads(pickle.dumps(options)),  # noqa: S301
        eval(repr(options), {"AlignerOptions": AlignerOptions}),  # noqa: S307
    ):
        assert same == options
        assert hash(same) == hash(options)
    assert Aligner(options).options == options.replace() == options
    assert options != 3


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"dim": 0}, ValueError, "dim is 0"),
        ({"capacity": 0.5}, TypeError, "integer"),
        ({"capacity": 1 << 22, "dim": 65536}, ValueError, "capacity"),
        ({"colour": 1}, TypeError, "no field 'colour'"),
    ],
)
def test_options_are_validated(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        AlignerOptions(**fields)


def test_windows_are_copies_that_outlive_the_aligner() -> None:
    aligner = Aligner(OPTIONS)
    aligner.push(ramp(0, 10), 0, 0)
    _, values, _ = aligner.window(1600, 10)
    aligner.push(ramp(90, 10), 1600, 1600)
    del aligner
    gc.collect()
    np.testing.assert_array_equal(values, ramp(0, 10))


def test_the_gil_is_free_while_a_window_is_cut_and_a_second_thread_is_told() -> None:
    aligner = Aligner(AlignerOptions(dim=256, capacity=4096))
    aligner.push(np.ones((4096, 256), np.float32), 0, 0)
    done = threading.Event()

    def cut() -> None:
        for _ in range(20):
            aligner.window(4096 * 160, 100000)
        done.set()

    thread = threading.Thread(target=cut)
    longest, refused, last = 0.0, 0, time.perf_counter()
    thread.start()
    began = last
    while not done.is_set():
        try:
            aligner.counters()
        except RuntimeError as error:
            assert "two threads at once" in str(error)  # noqa: PT017
            refused += 1
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    thread.join()
    assert longest < 0.5 * (last - began)
    assert refused > 0
