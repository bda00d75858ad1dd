"""Properties of the aligner for whatever hypothesis thinks of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.kernels import Aligner, AlignerOptions

PERIOD = 160
OPTIONS = AlignerOptions(capacity=4096)

starts = st.sampled_from([0, 2**31 - 1600, 2**32 - 1, 2**53 - 1600, 2**61, -(2**53) - 5])
seeds = st.integers(0, 2**32 - 1)


def rows(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float32)[:, None]


@settings(deadline=None, max_examples=40)
@given(start=starts, seed=seeds, cuts=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_chunking_does_not_matter(start: int, seed: int, cuts: list[int]) -> None:
    clip = np.random.default_rng(seed).standard_normal((400, 1)).astype(np.float32)
    windows = []
    for chunks in ([400], cuts):
        aligner = Aligner(OPTIONS)
        at, turn = 0, 0
        while at < 400:
            piece = clip[at : at + chunks[turn % len(chunks)]]
            aligner.push(piece, start + PERIOD * at, 7 - start + PERIOD * at)
            at, turn = at + len(piece), turn + 1
        windows.append(aligner.window(start + 400 * PERIOD, 400))
    for one, other in zip(*windows, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(windows[0][1], clip)


@settings(deadline=None, max_examples=60)
@given(
    start=starts,
    lost=st.sets(st.integers(1, 119), max_size=80),
    bad=st.sets(st.integers(1, 239), max_size=40),
)
def test_masks_and_counters_agree_with_what_was_lost(
    start: int, lost: set[int], bad: set[int]
) -> None:
    aligner = Aligner(OPTIONS)
    truth = np.zeros(240, bool)
    for i in range(120):
        if i in lost:
            continue
        chunk = rows(2 * i, 2)
        for k in (0, 1):
            truth[2 * i + k] = 2 * i + k not in bad
            if not truth[2 * i + k]:
                chunk[k] = np.nan
        aligner.push(chunk, start + 320 * i, 320 * i)
    _, values, mask = aligner.window(start + 120 * 320, 240)
    np.testing.assert_array_equal(mask, truth)
    np.testing.assert_array_equal(values[:, 0], np.where(truth, np.arange(240), 0))
    counters = aligner.counters()
    assert counters["stored"] == truth.sum()
    newest = max(2 * i + 1 for i in range(120) if i not in lost)
    assert counters["missing"] == (newest + 1) - truth.sum()
    assert counters["steps"] == counters["clock_jumps"] == 0


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_input_gives_nan_or_loses_count(data: st.DataObject) -> None:
    aligner = Aligner(OPTIONS)
    number = st.one_of(st.integers(-(2**62), 2**62), st.integers(-100000, 100000))
    for _ in range(data.draw(st.integers(1, 40))):
        value = data.draw(st.floats(width=32))
        try:
            aligner.push(np.float32([[value]]), data.draw(number), data.draw(number))
            _, values, mask = aligner.window(data.draw(number), 20)
        except ValueError as refusal:
            assert "absurdly far" in str(refusal)  # noqa: PT017
            continue
        assert np.isfinite(values).all()
        assert (values[~mask] == 0).all()
    counted = aligner.counters()
    assert counted["pushed"] == counted["stored"] + counted["repeated"] + counted["non_finite"]
