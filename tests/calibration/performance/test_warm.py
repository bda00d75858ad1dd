"""Latency: percentiles that rest on something, stages that add up, processes that fail loudly."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.performance.clip import LatencyClip, load_latency_clip
from edge_ser.calibration.performance.cold import measure_cold
from edge_ser.calibration.performance.live import LivePlan, dense_hop, measure_live
from edge_ser.calibration.performance.result import Distribution, StageTime, WarmLatency
from edge_ser.calibration.performance.statistics import (
    distribution,
    in_blocks,
    machine_noise,
    spread,
)
from edge_ser.calibration.performance.warm import BLOCKS, REST, Candidate, measure_warm
from edge_ser.errors import EngineError, MediaError
from edge_ser.media.clip import MemoryClip
from edge_ser.media.media import MediaClip


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    bundle = load_bundle(make_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))
    return Candidate("bundle", "onnxruntime", 1, bundle)


@pytest.fixture(scope="module")
def sparse_clip() -> LatencyClip:
    """The demo clip with few pictures: finding faces would take most of the tests' time."""
    clip = load_latency_clip()
    live = clip.live
    few = MemoryClip(live.samples, live.frames[::16], duration=live.duration or 0, name=live.name)
    return replace(clip, live=few)


def test_a_percentile_without_a_value_above_it_is_left_out() -> None:
    values = list(np.random.default_rng(0).permutation(np.arange(1.0, 101.0)))
    found = distribution(in_blocks(values))
    assert found.p999 is None
    assert found.p99 == pytest.approx(np.quantile(values, 0.99))
    assert found.p90 == pytest.approx(np.quantile(values, 0.90))
    assert distribution([values[:99]]).p99 is None
    assert distribution([list(range(1000))]).p999 == pytest.approx(998.001)


def test_the_median_is_that_of_the_blocks_so_that_one_slow_moment_does_not_move_it() -> None:
    quiet, hit = [10.0] * 5, [10.0, 10.0, 900.0, 900.0, 900.0]
    found = distribution([quiet, quiet, quiet, hit, quiet])
    assert found.p50 == 10
    assert found.blocks == (10, 10, 10, 900, 10)
    assert found.largest == 900


def test_the_quietest_block_repeats_where_the_machine_is_noisy_and_the_noise_is_said() -> None:
    random = np.random.default_rng(1)

    def one_report() -> Distribution:
        # Something else takes the machine for a while, in most of the blocks.
        slow = 1 + random.uniform(0.1, 0.8) * (random.random(20) < 0.7)
        return distribution([list(s * (100 + random.exponential(2, 5))) for s in slow])

    found = [one_report() for _ in range(5)]
    quiet = [report.quietest or 0.0 for report in found]
    usual = [report.p50 for report in found]
    assert max(quiet) / min(quiet) < 1.05
    assert max(usual) / min(usual) > 1.1
    for report in found:
        assert report.quietest == min(report.blocks)
        assert report.noise_percent == pytest.approx(100 * (report.p50 / min(report.blocks) - 1))
    noise = machine_noise(found)
    assert noise == pytest.approx(np.median([report.noise_percent for report in found]))
    assert machine_noise([]) is None


def test_the_histogram_counts_every_value_once() -> None:
    values = [1.0] * 50 + [2.0] * 49 + [5000.0]
    histogram = distribution([values]).histogram
    assert sum(histogram.counts) == 100
    assert len(histogram.edges) == len(histogram.counts) + 1
    assert histogram.edges[-1] >= 5000
    assert list(histogram.edges) == sorted(histogram.edges)
    assert sum(distribution([[3.0, 3.0]]).histogram.counts) == 2


@pytest.mark.parametrize(("count", "blocks"), [(1, 8), (7, 8), (8, 8), (121, 8)])
def test_blocks_hold_every_value_in_order(count: int, blocks: int) -> None:
    values = [float(v) for v in range(count)]
    cut = in_blocks(values, blocks)
    assert [v for block in cut for v in block] == values
    assert all(cut)
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_nothing_has_no_distribution() -> None:
    with pytest.raises(ValueError, match="at least one"):
        distribution([[], []])


def test_warm_decisions_of_all_candidates_are_counted_with_all_their_stages(
    candidate: Candidate, sparse_clip: LatencyClip
) -> None:
    two = Candidate("bundle", "onnxruntime", 2, candidate.bundle)
    ticks: list[int] = []
    found = measure_warm([candidate, two], sparse_clip, [2 * BLOCKS, 1], 0, ticks.append)
    assert [m.threads for m in found] == [1, 2]
    assert [m.whole.count for m in found] == [2 * BLOCKS, BLOCKS]
    assert sum(ticks) == 3 * BLOCKS
    for measured in found:
        assert len(measured.whole.blocks) == BLOCKS
        names = [s.stage for s in measured.stages]
        assert names.index("face_detection") < names.index("acoustic") < names.index("fusion")
        assert names[-1] == REST
        # Sound and pictures are looked at side by side.
        assert all(0 <= s.share <= 1 for s in measured.stages)
        assert sum(s.share for s in measured.stages) > 0.99


def test_a_fresh_process_tells_times_and_memory(candidate: Candidate, demo_clip: Path) -> None:
    (cold,), (room,) = measure_cold([candidate], demo_clip, 1)
    parts = (cold.interpreter, cold.imports, cold.load, cold.first_decision)
    assert cold.whole.median == pytest.approx(sum(p.median for p in parts), rel=0.01)
    assert min(p.median for p in parts) > 0
    assert room.load_ms == cold.load
    assert room.engines_mb is None
    assert sum(room.graphs_mb.values()) < room.bundle_mb
    memory = (room.resident_imported_mb, room.resident_loaded_mb, room.resident_peak_mb)
    known = [m.median for m in memory if m is not None]
    assert len(known) == 3
    assert known == sorted(known)


def test_a_fresh_process_that_fails_says_why(tmp_path: Path, demo_clip: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "tiny"))
    shutil.rmtree(bundle.folder)
    with pytest.raises(EngineError, match=r"a fresh process failed: .*does not exist"):
        measure_cold([Candidate("bundle", "onnxruntime", 1, bundle)], demo_clip, 1)


def test_live_decisions_carry_the_latency_from_capture_to_callback(
    candidate: Candidate, sparse_clip: LatencyClip
) -> None:
    found = measure_live(candidate, sparse_clip, LivePlan(2, 0.25, 8))
    assert (found.streams, found.hop_ms) == (2, 250)
    assert found.latency.count >= 2
    assert 0 < found.latency.smallest <= found.latency.p50
    assert found.oldest_age_ms >= 1000 * found.window_seconds - 250


def test_the_hop_is_one_that_the_device_keeps_up_with() -> None:
    def warm(fusion: float, faces: float) -> WarmLatency:
        stages = (
            StageTime(stage="face", p50=faces, p95=faces, share=0.5),
            StageTime(stage="fusion", p50=fusion, p95=fusion, share=0.5),
        )
        whole = distribution([[fusion + faces]])
        return WarmLatency(
            precision="fp32", backend="onnxruntime", threads=1, whole=whole, stages=stages
        )

    assert dense_hop(warm(10, 15), 15) == 0.1
    assert dense_hop(warm(100, 15), 15) == 0.2
    assert dense_hop(warm(2000, 15), 15) == 0.5
    # A stream looks at a picture once, however many decisions see it.
    assert dense_hop(warm(10, 300), 15) == 0.1


def test_the_window_is_the_end_of_the_clip_with_the_bundles_pictures(candidate: Candidate) -> None:
    clip = load_latency_clip()
    window = clip.window(candidate.bundle.manifest)
    assert window.duration == 48000
    assert len(window.samples) == 48000
    assert 14 <= len(window.frames) <= 16
    assert all(0 <= f.time < 48000 for f in window.frames)
    assert clip.transcript.words[-1].end <= (clip.live.duration or 0)


def test_a_clip_that_fills_no_decision_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_clip: Path
) -> None:
    whole = MediaClip.segments

    def short(self: MediaClip, seconds: float, rate: float | None) -> object:
        del seconds
        return whole(self, 0.5, rate)

    monkeypatch.setattr(MediaClip, "segments", short)
    with pytest.raises(MediaError, match="a second or more"):
        load_latency_clip(demo_clip)
    with pytest.raises(MediaError):
        load_latency_clip(tmp_path / "none.mp4")


def test_a_few_figures_have_a_median_and_a_range() -> None:
    found = spread([3.0, 1.0, 9.0])
    assert (found.median, found.smallest, found.largest, found.count) == (3, 1, 9, 3)
