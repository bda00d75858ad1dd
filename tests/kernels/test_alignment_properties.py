"""Properties of the aligner for whatever hypothesis thinks of."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.kernels import Aligner, AlignerOptions, SourceOptions

PERIOD = 160
AUDIO = SourceOptions(name="audio", capacity=4096)
FACE = SourceOptions(
    name="face", clock_rate=0, period=1600, fill="hold", max_age=4000, capacity=512
)
WORDS = SourceOptions(name="words", kind="intervals", follows="audio", lateness=320000)

starts = st.sampled_from([0, 2**31 - 1600, 2**32 - 1, 2**53 - 1600, 2**61, -(2**53) - 5])
seeds = st.integers(0, 2**32 - 1)


def rows(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float32)[:, None]


def assert_same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(one.times, other.times)
    for name in one.names:
        np.testing.assert_array_equal(one[name].values, other[name].values)
        np.testing.assert_array_equal(one[name].mask, other[name].mask)
        assert one[name].largest_gap == other[name].largest_gap


@settings(deadline=None, max_examples=40)
@given(start=starts, seed=seeds, drift=st.integers(-300, 300), reach=st.integers(1, 60))
def test_order_of_arrival_within_lateness_does_not_matter(
    start: int, seed: int, drift: int, reach: int
) -> None:
    random = np.random.default_rng(seed)
    events: list[tuple[str, tuple[Any, ...]]] = []
    for i in range(200):
        stamp = start + round(320 * i * (1 + drift * 1e-6) + random.uniform(-100, 100))
        events.append(("push_frames", ("audio", rows(2 * i, 2), stamp, start + 320 * i)))
        if i % 4 == 0:
            events.append(("push_frames", ("face", rows(i, 1), stamp)))
        if i % 10 == 0:
            word = (start + 320 * i, start + 320 * (i + 6), i)
            events.append(("push_interval", ("words", *word)))
    # Each event moves by at most `reach` places: 60 are 0.9 s, and the lateness is 2 s.
    order = np.argsort(np.arange(len(events)) + random.uniform(0, reach, len(events)))
    order = [0, *(k for k in order if k != 0)]  # words need sound to have begun
    windows = []
    for sequence in (range(len(events)), order):
        aligner = Aligner(AlignerOptions(), [AUDIO, FACE, WORDS])
        for k in sequence:
            method, arguments = events[k]
            getattr(aligner, method)(*arguments)
        windows.append(aligner.window(start + 64000, 300))
        assert aligner.counters("audio").stored == 400
        assert aligner.counters("audio").late == 0
    assert_same(*windows)


@settings(deadline=None, max_examples=40)
@given(start=starts, seed=seeds, cuts=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_chunking_does_not_matter(start: int, seed: int, cuts: list[int]) -> None:
    random = np.random.default_rng(seed)
    clip = random.standard_normal((400, 1)).astype(np.float32)
    windows = []
    for chunks in ([400], cuts):
        aligner = Aligner(AlignerOptions(), [AUDIO])
        at, turn = 0, 0
        while at < 400:
            count = min(chunks[turn % len(chunks)], 400 - at)
            piece = clip[at : at + count]
            position = None if turn % 3 == 2 else 7 - start + PERIOD * at
            aligner.push_frames("audio", piece, start + PERIOD * at, position)
            at, turn = at + count, turn + 1
        windows.append(aligner.window(start + 400 * PERIOD, 400))
    assert_same(*windows)
    np.testing.assert_array_equal(windows[0]["audio"].values, clip)


@settings(deadline=None, max_examples=60)
@given(
    start=starts,
    lost=st.sets(st.integers(1, 119), max_size=80),
    bad=st.sets(st.integers(1, 239), max_size=40),
)
def test_masks_gaps_and_counters_agree_with_what_was_lost(
    start: int, lost: set[int], bad: set[int]
) -> None:
    aligner = Aligner(AlignerOptions(), [AUDIO])
    truth = np.zeros(240, bool)
    for i in range(120):
        if i in lost:
            continue
        chunk = rows(2 * i, 2)
        for k in (0, 1):
            truth[2 * i + k] = 2 * i + k not in bad
            if not truth[2 * i + k]:
                chunk[k] = np.nan
        aligner.push_frames("audio", chunk, start + 320 * i, 320 * i)
    audio = aligner.window(start + 120 * 320, 240)["audio"]
    np.testing.assert_array_equal(audio.mask, truth)
    np.testing.assert_array_equal(audio.values[:, 0], np.where(truth, np.arange(240), 0))
    gaps = "".join("1" if covered else "0" for covered in truth).split("1")
    assert audio.largest_gap == PERIOD * max(map(len, gaps))
    assert audio.covered == truth.sum()
    counters = aligner.counters("audio")
    assert counters.stored == truth.sum()
    newest = max(2 * i + 1 for i in range(120) if i not in lost)
    assert counters.missing == (newest + 1) - truth.sum()
    assert counters.steps == counters.restarts == counters.clock_jumps == 0


@settings(deadline=None, max_examples=60)
@given(
    start=starts,
    steps=st.lists(st.integers(1, 6000), min_size=1, max_size=60),
    max_age=st.integers(160, 8000),
)
def test_held_pictures_are_the_newest_that_are_not_too_old(
    start: int, steps: list[int], max_age: int
) -> None:
    aligner = Aligner(AlignerOptions(), [FACE.replace(max_age=max_age)])
    times = np.cumsum(steps)
    for i, moment in enumerate(times):
        aligner.push_frames("face", rows(i + 1, 1), start + int(moment))
    end = int(times[-1]) + 2 * max_age
    window = aligner.window(start + end, 300)
    for moment, value, covered in zip(
        window.times, window["face"].values[:, 0], window["face"].mask, strict=True
    ):
        newest = int(np.searchsorted(times, int(moment) - start, side="right"))
        fresh = newest > 0 and int(moment) - start - int(times[newest - 1]) <= max_age
        assert covered == fresh
        assert value == (newest if fresh else 0)


@settings(deadline=None, max_examples=60)
@given(
    start=starts,
    spans=st.lists(st.tuples(st.integers(0, 30000), st.integers(1, 9000)), max_size=40),
    seed=seeds,
)
def test_words_are_painted_in_the_order_of_their_starts(
    start: int, spans: list[tuple[int, int]], seed: int
) -> None:
    aligner = Aligner(AlignerOptions(), [AUDIO, WORDS])
    aligner.push_frames("audio", rows(0, 2), start, 0)
    words = sorted({(first, first + length, k) for k, (first, length) in enumerate(spans)})
    for k in np.random.default_rng(seed).permutation(len(words)):
        assert aligner.push_interval("words", *words[k])
    expected = np.full(250, -1)
    for first, last, label in words:
        moments = PERIOD * np.arange(250)
        expected[(moments >= first) & (moments < last)] = label
    window = aligner.window(start + 250 * PERIOD, 250)
    np.testing.assert_array_equal(window["words"].values, expected)
    np.testing.assert_array_equal(window["words"].mask, expected >= 0)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_input_gives_nan_or_loses_count(data: st.DataObject) -> None:
    aligner = Aligner(AlignerOptions(reference="audio"), [AUDIO, FACE])
    number = st.one_of(st.integers(-(2**62), 2**62), st.integers(-100000, 100000))
    for _ in range(data.draw(st.integers(1, 40))):
        source = data.draw(st.sampled_from(["audio", "face"]))
        position = data.draw(st.none() | number) if source == "audio" else None
        value = data.draw(st.floats(width=32))
        try:
            aligner.push_frames(source, np.float32([[value]]), data.draw(number), position)
            window = aligner.window(data.draw(number), 20)
        except ValueError as refusal:
            assert "absurdly far" in str(refusal)  # noqa: PT017
            continue
        for name in window.names:
            assert np.isfinite(window[name].values).all()
            assert (window[name].values[~window[name].mask] == 0).all()
    for name in ("audio", "face"):
        counted = aligner.counters(name)
        kept = counted.stored + counted.late + counted.early
        assert counted.pushed == kept + counted.duplicate + counted.non_finite
