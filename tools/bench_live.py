"""Measures the live runtime on this machine: latency, processor time, memory, agreement.

    python tools/bench_live.py CLIP [CLIP ...] [--seconds 600] [--json]
    python tools/bench_live.py CLIP --conversations 1,4,8,16 [--seconds 60]
    python tools/bench_live.py CLIP [CLIP ...] --agreement
    python tools/bench_live.py CLIP [CLIP ...] --processor-time

The clips are replayed one after another in real time, again and again. Latency is what
`LiveDecision.latency_ms` says: from the capture time of the newest sample or picture used to the
start of the callback. Processor time is that of the whole process, replay and decoding included.
Agreement compares each window of `EdgeRecognizer.timeline` with the live decision for it.
Processor time is measured unpaced, on the clock of what is pushed: nothing is shed, however busy
the machine is with other things, and the cost of replaying alone is taken off.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge_ser.capture.replay import ReplaySource
from edge_ser.capture.sources import Sink
from edge_ser.capture.transcript import Transcript, Word, find_sidecar, read_transcript
from edge_ser.constants import SAMPLE_RATE
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import LiveDecision
from edge_ser.streaming.clock import PushedClock, monotonic_samples

_WARM_UP = 3.0


def replay_for(sink: Sink, clips: Sequence[Path], seconds: float, *, look: bool) -> None:
    """Replay clips in turn, in real time, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for path in clips:
            target = sink if look else _OnlySound(sink)
            words = _timed_words(path)
            source = ReplaySource(path, transcript=words)
            source.start(target)
            source.wait(max(until - time.monotonic(), 0.0))
            source.stop()


class _OnlySound:
    """A sink that passes pictures over."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.push_audio = sink.push_audio
        self.push_text = sink.push_text

    def push_video(
        self, frame: Any, capture_time: int | None = None, *, timeout: float = 0
    ) -> bool:
        del frame, capture_time, timeout
        return True


class _WordsAtOnce:
    """A sink that is told all words of a clip with the first thing it gets.

    `timeline` knows the words of a transcript from the start; a word that is still being spoken at
    the end of a window counts there, while a live stream cannot know it.
    """

    def __init__(self, sink: Sink, words: Transcript | None) -> None:
        self._sink = sink
        self._words = words.words if words is not None else ()
        self.push_text = sink.push_text

    def push_audio(
        self,
        samples: Any,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0,
    ) -> bool:
        taken = self._sink.push_audio(samples, capture_time, sample_rate, timeout=timeout)
        self._tell()
        return taken

    def push_video(
        self, frame: Any, capture_time: int | None = None, *, timeout: float = 0
    ) -> bool:
        taken = self._sink.push_video(frame, capture_time, timeout=timeout)
        self._tell()
        return taken

    def _tell(self) -> None:
        words, self._words = self._words, ()
        for word in words:
            self._sink.push_text(word.text, word.start, word.end)


def _timed_words(path: Path) -> Transcript | None:
    """The words beside a clip; those without times are spread over three seconds."""
    sidecar = find_sidecar(path)
    text = read_transcript(sidecar) if sidecar is not None else Transcript(path.stem)
    if text.words:
        return text
    pieces = text.text.replace("-", " ").split()
    step = 3 * SAMPLE_RATE // max(len(pieces), 1)
    return Transcript(
        text.text, tuple(Word(p, i * step, (i + 1) * step) for i, p in enumerate(pieces))
    )


def live(
    recognizer: EdgeRecognizer, clips: Sequence[Path], seconds: float, count: int, *, look: bool
) -> dict[str, Any]:
    """Run `count` conversations at once; figures of all of them together."""
    taken: list[list[LiveDecision]] = [[] for _ in range(count)]
    streams = [recognizer.stream(on_decision=got.append, consent=True) for got in taken]
    process = psutil.Process()
    threads = [
        threading.Thread(target=replay_for, args=(s, clips, seconds), kwargs={"look": look})
        for s in streams
    ]
    before, began = process.cpu_times(), time.monotonic()
    first = monotonic_samples() + round(_WARM_UP * SAMPLE_RATE)
    for thread in threads:
        thread.start()
        # People do not begin to speak at the same moment.
        time.sleep(0.5 / count)
    for thread in threads:
        thread.join()
    elapsed, after = time.monotonic() - began, process.cpu_times()
    for stream in streams:
        stream.close()
    decisions = [d for got in taken for d in got if d.capture_time >= first]
    latencies = [d.latency_ms for d in decisions if d.latency_ms is not None]
    if not latencies:
        sys.exit(f"no decision in {elapsed:.0f} s: this machine is far too busy to be measured")
    used = after.user + after.system - before.user - before.system
    healths = [got[-1].health for got in taken if got]
    p50, p95, p99 = (round(float(v), 1) for v in np.percentile(latencies, [50, 95, 99]))
    return {
        "conversations": count,
        "modalities": "sound, words, pictures" if look else "sound, words",
        "seconds": round(elapsed, 1),
        "decisions": len(decisions),
        "latency_ms": {"p50": p50, "p95": p95, "p99": p99, "largest": round(max(latencies), 1)},
        "compute_ms_p50": round(float(np.median([d.timing_ms["total"] for d in decisions])), 1),
        "processor_percent_of_a_core": round(100 * used / elapsed, 1),
        "resident_mb": round(process.memory_info().rss / 1e6, 1),
        "hops_skipped": sum(h.hops_skipped for h in healths),
        "sound_refused_or_lost_samples": sum(
            h.audio_overflow_samples + h.audio_lost_samples for h in healths
        ),
        "degraded": sorted({h.load for h in healths if h.load}),
    }


def agreement(recognizer: EdgeRecognizer, clips: Sequence[Path]) -> dict[str, Any]:
    """Compare the live decisions of whole clips with `timeline`'s for the same windows."""
    same = total = 0
    largest = 0.0
    for path in clips:
        words = _timed_words(path)
        reference = {d.window.end: d for d in recognizer.timeline(path, words)}
        got: list[LiveDecision] = []
        with recognizer.stream(on_decision=got.append, consent=True, clock=PushedClock()) as stream:
            rate = recognizer.bundle.manifest.frontend.video.frames_per_second
            source = ReplaySource(path, speed=None, frames_per_second=rate, origin=0)
            source.start(_WordsAtOnce(stream, words))
            source.wait()
        for decision in got:
            other = reference.get(decision.window.end)
            if other is None:
                continue
            total += 1
            same += other.label == decision.label
            largest = max(
                largest,
                *(abs(p - other.probabilities[k]) for k, p in decision.probabilities.items()),
            )
    return {
        "clips": len(clips),
        "windows": total,
        "same_label_percent": round(100 * same / max(total, 1), 2),
        "largest_difference_of_a_probability": round(largest, 4),
    }


class _Nothing:
    """A sink that takes everything and does nothing."""

    def push_audio(self, *_: Any, **__: Any) -> bool:
        return True

    def push_video(self, *_: Any, **__: Any) -> bool:
        return True

    def push_text(self, *_: Any, **__: Any) -> bool:
        return True


def processor_time(recognizer: EdgeRecognizer, clips: Sequence[Path]) -> list[dict[str, Any]]:
    """Processor seconds that a second of one conversation costs, by what it consists of."""

    def replay(sink: Sink, *, look: bool, tell: bool) -> None:
        for path in clips:
            target = sink if look else _OnlySound(sink)
            source = ReplaySource(
                path, speed=None, origin=0, transcript=_timed_words(path) if tell else None
            )
            source.start(target)
            source.wait()

    figures = []
    for name, look, tell in (
        ("sound", False, False),
        ("sound, words", False, True),
        ("sound, words, pictures", True, True),
    ):
        replay(_Nothing(), look=look, tell=tell)
        began = time.process_time()
        replay(_Nothing(), look=look, tell=tell)
        replaying = time.process_time() - began
        began, seconds, count = time.process_time(), 0.0, 0
        for path in clips:
            got: list[LiveDecision] = []
            with recognizer.stream(on_decision=got.append, clock=PushedClock()) as stream:
                source = ReplaySource(
                    path, speed=None, origin=0, transcript=_timed_words(path) if tell else None
                )
                source.start(stream if look else _OnlySound(stream))
                source.wait()
            seconds += got[-1].window.end / SAMPLE_RATE
            count += len(got)
        used = time.process_time() - began - replaying
        figures.append(
            {
                "modalities": name,
                "media_seconds": round(seconds, 1),
                "decisions": count,
                "processor_percent_of_a_core": round(100 * used / seconds, 1),
                "processor_ms_a_decision": round(1000 * used / count, 1),
                "replay_percent_of_a_core": round(100 * replaying / seconds, 1),
                "conversations_on_two_cores": round(2 * seconds / used, 1),
                "resident_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
            }
        )
    return figures


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--conversations", default="1")
    parser.add_argument("--sound-and-words", action="store_true", help="pass pictures over")
    parser.add_argument("--agreement", action="store_true")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with EdgeRecognizer(arguments.bundle) as recognizer:
        if arguments.agreement:
            figures = [agreement(recognizer, arguments.clips)]
        elif arguments.processor_time:
            figures = processor_time(recognizer, arguments.clips)
        else:
            figures = [
                live(
                    recognizer,
                    arguments.clips,
                    arguments.seconds,
                    int(count),
                    look=not arguments.sound_and_words,
                )
                for count in arguments.conversations.split(",")
            ]
    for figure in figures:
        if arguments.json:
            print(json.dumps(figure))
        else:
            print("\n".join(f"{name:34s} {value}" for name, value in figure.items()), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
