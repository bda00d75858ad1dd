"""Days of a conversation on a simulated clock, with faults all along, watched for leaks and drift.

    python tests/soak_days.py --hours 72 --start 2147000000

prints one line an hour and ends with 1 if memory grew, a counter wrapped or a decision was missing.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from stream_simulation import SECOND, Simulation

from edge_ser.result import LiveDecision
from edge_ser.streaming.inbox import Chunk, PictureArrival, WordsArrival

CHUNK = SECOND // 2
DRIFT_PPM = 40
FAULTS = 600
"""Steps after which the same faults come again: lost sound, a broken encoder, silence."""


@dataclass(frozen=True)
class Span:
    """What a span of simulated time came to."""

    decisions: int
    resident_bytes: int
    objects: int
    processor_seconds: float
    largest_lag: int
    drift_ppm: float
    lost_samples: int


class Days:
    """A conversation that goes on and on: a sound card that drifts, and now and then a fault."""

    def __init__(self, start: int) -> None:
        self.simulation = Simulation(start=start, smoothing="light")
        self._start = start
        self._delivered = 0
        self.steps = 0
        self.dropped = 0

    def run(self, seconds: int) -> Span:
        """Let time pass, in seconds."""
        simulation = self.simulation
        began, lag, count = time.process_time(), 0, 0
        end = simulation.clock.time + seconds * SECOND
        while simulation.clock.time < end:
            for decision in self.step():
                count += 1
                lag = max(lag, simulation.clock.time - decision.capture_time)
            simulation.decisions = simulation.decisions[-1:]
            simulation.ready.clear()
        gc.collect()
        health = simulation.decisions[-1].health
        return Span(
            count,
            psutil.Process().memory_info().rss,
            len(gc.get_objects()),
            time.process_time() - began,
            lag,
            health.drift_ppm or 0.0,
            health.audio_lost_samples,
        )

    def step(self) -> list[LiveDecision]:
        """Let half a second pass."""
        simulation = self.simulation
        # The card gives 1 + 40 ppm as many samples as the system's clock counts.
        begin = self._start + round(self._delivered / (1 + DRIFT_PPM * 1e-6))
        self._delivered += CHUNK
        simulation.clock.time = self._start + round(self._delivered / (1 + DRIFT_PPM * 1e-6))
        self.steps += 1
        picture = PictureArrival(simulation.picture(), begin)
        words: tuple[WordsArrival, ...] = ()
        if self.steps % 7 == 0:
            words = (WordsArrival("and so on and on", begin, begin + CHUNK, True),)
        fault = self.steps % FAULTS
        if fault == 100:
            self.dropped += CHUNK
            return simulation.give(picture=picture)
        if fault == 200:
            simulation.encoders.fail.add("acoustic")
        if fault == 204:
            simulation.encoders.fail.clear()
        samples = simulation.sound(CHUNK)
        if 300 <= fault < 310:
            samples = samples * 0
        chunk = Chunk(samples, begin, SECOND)
        return simulation.give(chunk, picture=picture, words=words)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--start", type=int, default=2**31 - 1800 * SECOND, help="in samples")
    arguments = parser.parse_args()
    days = Days(arguments.start)
    hours = []
    for hour in range(arguments.hours):
        hours.append(days.run(3600))
        last = hours[-1]
        print(
            f"hour {hour + 1:3d}: {last.decisions} decisions, {last.resident_bytes / 1e6:.2f} MB, "
            f"{last.objects} objects, {last.processor_seconds:.1f} s of processor time, "
            f"largest lag {last.largest_lag / 16:.0f} ms, drift {last.drift_ppm:+.2f} ppm, "
            f"lost {last.lost_samples} samples",
            flush=True,
        )
    first, last = hours[min(1, len(hours) - 1)], hours[-1]
    grown = last.resident_bytes - first.resident_bytes
    lost = abs(last.lost_samples - days.dropped) / max(days.dropped, 1)
    print(f"memory grew by {grown / 1e6:.2f} MB; lost sound is told to within {lost:.1%}")
    fine = grown < 2e6 and lost < 0.05 and all(h.decisions >= 7190 for h in hours)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
