"""Energy of one decision, as far as the platform tells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_ser.calibration.device.energy_meters import Meter, find_meters
from edge_ser.calibration.performance.clip import LatencyClip
from edge_ser.calibration.performance.footprint_result import Energy
from edge_ser.calibration.performance.warm import Candidate, decide_once
from edge_ser.runtime.backend import is_tensorrt

IDLE_SECONDS: Final = 2.0
BUSY_SECONDS: Final = 4.0
_GPU_BACKENDS: Final = ("onnxruntime:cuda", "onnxruntime:tensorrt", "onnxruntime:nv-tensorrt-rtx")


def measure_energy(
    candidate: Candidate,
    clip: LatencyClip,
    *,
    idle: float = IDLE_SECONDS,
    busy: float = BUSY_SECONDS,
    root: Path = Path("/"),
) -> Energy:
    """Read the platform's meters while nothing is done, and while decisions are made.

    Args:
        candidate: must run here.
        clip: what is decided about.
        idle: seconds of doing nothing.
        busy: seconds of decisions, one after another.
        root: of the file system; another one for tests.

    Raises:
        EngineError: a graph fails.
    """
    gpu = is_tensorrt(candidate.backend) or candidate.backend in _GPU_BACKENDS
    meters, missing = find_meters(gpu=gpu, root=root)
    if not meters:
        return _unknown(candidate, missing)
    time.sleep(0.2)
    idle_joules, idle_seconds = _idle(meters, idle)
    with candidate.open() as recognizer:
        window = clip.window(candidate.bundle.manifest)
        for _ in range(3):
            decide_once(recognizer, window, clip)
        count = 0
        begun = time.perf_counter()
        for meter in meters:
            meter.start()
        while time.perf_counter() - begun < busy:
            decide_once(recognizer, window, clip)
            count += 1
        joules = sum(meter.stop() for meter in meters)
        seconds = time.perf_counter() - begun
    if joules <= 0:
        return _unknown(candidate, "the meter stood still: it is not connected on this machine")
    idle_watts = idle_joules / idle_seconds
    scope = " and ".join(m.scope for m in meters)
    return Energy(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        unknown=None,
        source=" and ".join(m.source for m in meters),
        scope=f"{scope}; not covered: {missing}" if missing else scope,
        decisions=count,
        seconds=seconds,
        idle_watts=idle_watts,
        busy_watts=joules / seconds,
        millijoules=1000 * joules / count,
        millijoules_above_idle=max(1000 * (joules - idle_watts * seconds) / count, 0.0),
    )


def _idle(meters: Sequence[Meter], seconds: float) -> tuple[float, float]:
    begun = time.perf_counter()
    for meter in meters:
        meter.start()
    time.sleep(seconds)
    joules = sum(meter.stop() for meter in meters)
    return joules, time.perf_counter() - begun


def _unknown(candidate: Candidate, why: str) -> Energy:
    return Energy(
        precision=candidate.precision,
        backend=candidate.backend,
        threads=candidate.threads,
        unknown=why,
        source=None,
        scope=None,
        decisions=None,
        seconds=None,
        idle_watts=None,
        busy_watts=None,
        millijoules=None,
        millijoules_above_idle=None,
    )
