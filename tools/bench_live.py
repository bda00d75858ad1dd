"""Measures the live runtime on this machine and writes docs/live.md's table.

    python -m tools.bench_live --clips DIR --ravdess DIR --write docs/live.md
    python -m tools.bench_live --clips DIR --part live --seconds 60

DIR holds clips with sound and pictures, which `tools.live_conversation` puts into one recording of
1280 x 720 at 15 pictures a second; it is replayed in real time, again and again. Every part runs in
a process of its own:

- live: all modalities, hop 0.5 s; asr: the same, words from speech to text instead of a transcript;
- conversations: several at once over one recognizer, sound and words;
- agreement: each window of `EdgeRecognizer.timeline` against the live decision for it;
- accuracy: RAVDESS actors that the default bundle never saw, whole clips against live decisions.

Latency is what `LiveDecision.latency_ms` says: from the capture time of the newest sample or
picture used to the start of the callback. It and processor time include replaying (decoding the
recording), which the part live also measures alone. ``cpu_ms`` are milliseconds of processor time
on the stream's thread, which do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge_ser.capture.replay import ReplaySource
from edge_ser.capture.sources import Sink
from edge_ser.clock import PushedClock, monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import Decision, LiveDecision
from edge_ser.streaming.conversation import Conversation
from edge_ser.streaming.outbox import Ready
from tools.live_conversation import read_words, timed_words

Figures = dict[str, Any]

_WARM_UP = 4.0
"""Seconds until the first window is full, and a little more."""
_TEST_ACTORS = ("02", "05", "14", "15", "16")
_EMOTIONS = ("neutral", "neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""RAVDESS's emotions 01 to 08, calm as neutral."""


class _Nothing:
    """A sink that takes everything and does nothing."""

    def push_audio(self, *_: Any, **__: Any) -> bool:
        return True

    def push_video(self, *_: Any, **__: Any) -> bool:
        return True

    def push_text(self, *_: Any, **__: Any) -> bool:
        return True

    def push_notes(self, *_: Any) -> None:
        pass


class _WordsAtOnce:
    """A sink that is told all words of a clip with the first thing it gets.

    `timeline` knows the words of a transcript from the start; a word that is still being spoken at
    the end of a window counts there, while a live stream cannot know it.
    """

    def __init__(self, sink: Sink, words: Transcript | None) -> None:
        self._sink = sink
        self._words = words.words if words is not None else ()
        self.push_text = sink.push_text

    def push_audio(self, *arguments: Any, **named: Any) -> bool:
        taken = self._sink.push_audio(*arguments, **named)
        self._tell()
        return taken

    def push_video(self, *arguments: Any, **named: Any) -> bool:
        taken = self._sink.push_video(*arguments, **named)
        self._tell()
        return taken

    def _tell(self) -> None:
        words, self._words = self._words, ()
        for word in words:
            self._sink.push_text(word.text, word.start, word.end)


class _ThreadTime:
    """Processor milliseconds that each decision takes on the stream's thread."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        decide = Conversation._decision

        def timed(conversation: Conversation, moment: int) -> Ready:
            began = time.thread_time()
            ready = decide(conversation, moment)
            self.milliseconds.append((time.thread_time() - began) * 1000)
            return ready

        Conversation._decision = timed  # type: ignore[method-assign]


def _spread(values: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = (round(float(v), 1) for v in np.percentile(values, [50, 95, 99]))
    return {"p50": p50, "p95": p95, "p99": p99, "largest": round(max(values), 1)}


def _replay(
    sink: Sink, recording: Path, words: Transcript | None, seconds: float, *, look: bool
) -> Callable[[], None]:
    """Start to replay in real time, again and again; calling the answer ends it."""
    clip = open_clip(recording, want_video=look)
    source = ReplaySource(clip, loop=True, transcript=words)
    source.start(sink)
    until = time.monotonic() + seconds

    def end() -> None:
        source.wait(max(until - time.monotonic(), 0.0))
        source.stop()

    return end


def live(
    recognizer: EdgeRecognizer,
    recording: Path,
    words: Transcript | None,
    seconds: float,
    *,
    count: int = 1,
    look: bool = True,
    asr: bool = False,
) -> Figures:
    """Run conversations at once; figures of all of them together."""
    process = psutil.Process()
    thread_time = _ThreadTime()
    taken: list[list[LiveDecision]] = [[] for _ in range(count)]
    with ExitStack() as stack:
        streams = [recognizer.stream(on_decision=got.append, consent=True) for got in taken]
        sinks: list[Sink] = list(streams)
        if asr:
            from edge_ser.speech.live_transcript import TranscribingSink
            from edge_ser.speech.speech_to_text import SpeechToText

            listener = SpeechToText()
            sinks = [stack.enter_context(TranscribingSink(s, listener)) for s in streams]
        before, began = process.cpu_times(), time.monotonic()
        first = monotonic_samples() + round(_WARM_UP * SAMPLE_RATE)
        ends = []
        for sink in sinks:
            ends.append(_replay(sink, recording, words, seconds, look=look))
            # People do not begin to speak at the same moment.
            time.sleep(0.5 / count)
        for end in ends:
            end()
        elapsed, after = time.monotonic() - began, process.cpu_times()
        memory = process.memory_info().rss / 1e6
    for stream in streams:
        stream.close()
    idle = _replay_alone(recording, min(seconds, 20.0), look=look)
    decisions = [d for got in taken for d in got if d.capture_time >= first]
    heard = [d for d in decisions if d.latency_ms is not None]
    if not heard:
        sys.exit(f"no decision in {elapsed:.0f} s: this machine is far too busy to be measured")
    used = after.user + after.system - before.user - before.system
    healths = [got[-1].health for got in taken if got]
    stages = ("waited", "audio_features", "acoustic", "text", "face_detection", "face", "fusion")
    return {
        "conversations": count,
        "modalities": "sound, words, pictures" if look else "sound, words",
        "seconds": round(elapsed, 1),
        "decisions": len(decisions),
        "latency_ms": _spread([d.latency_ms or 0.0 for d in heard]),
        "stages_ms_p50": {
            s: round(float(np.median([d.timing_ms.get(s, 0.0) for d in heard])), 1) for s in stages
        },
        "cpu_ms_of_a_decision": _spread(thread_time.milliseconds[5 * count :]),
        "processor_percent_of_a_core": round(100 * used / elapsed, 1),
        "replay_alone_percent_of_a_core": round(idle * count, 1),
        "resident_mb": round(memory, 1),
        "hops_skipped": sum(h.hops_skipped for h in healths),
        "pictures_shed": sum(h.pictures_shed for h in healths),
        "audio_refused_samples": sum(h.audio_overflow_samples for h in healths),
        "audio_lost_samples": sum(h.audio_lost_samples for h in healths),
        "words_heard_windows": sum(d.modalities["text"].present for d in decisions),
        "degraded": sorted({d.health.load for d in decisions if d.health.load}),
    }


def _replay_alone(recording: Path, seconds: float, *, look: bool) -> float:
    """Percent of a core that replaying into nothing takes."""
    began, used = time.monotonic(), time.process_time()
    _replay(_Nothing(), recording, None, seconds, look=look)()
    return 100 * (time.process_time() - used) / (time.monotonic() - began)


def agreement(recognizer: EdgeRecognizer, clips: Sequence[Path]) -> Figures:
    """Compare the live decisions of whole clips with `timeline`'s for the same windows."""
    same = likeliest = total = 0
    largest = 0.0
    rate = recognizer.bundle.manifest.frontend.video.frames_per_second
    for path in clips:
        words = timed_words(path)
        reference = {d.window.end: d for d in recognizer.timeline(path, words)}
        got: list[LiveDecision] = []
        with recognizer.stream(on_decision=got.append, consent=True, clock=PushedClock()) as stream:
            source = ReplaySource(path, speed=None, frames_per_second=rate, origin=0)
            source.start(_WordsAtOnce(stream, words))
            source.wait()
        for decision in got:
            other = reference.get(decision.window.end)
            if other is None:
                continue
            total += 1
            same += other.label == decision.label
            likeliest += _likeliest(other) == _likeliest(decision)
            largest = max(
                largest,
                *(abs(p - other.probabilities[k]) for k, p in decision.probabilities.items()),
            )
    return {
        "clips": len(clips),
        "windows": total,
        "same_label_percent": round(100 * same / max(total, 1), 2),
        "same_likeliest_percent": round(100 * likeliest / max(total, 1), 2),
        "largest_difference_of_a_probability": round(largest, 4),
    }


def _likeliest(decision: Decision) -> str:
    return max(decision.probabilities, key=lambda label: decision.probabilities[label])


def accuracy(recognizer: EdgeRecognizer, folder: Path) -> Figures:
    """Whole clips against live decisions, on people whom the default bundle never saw.

    The likeliest label counts, abstained or not: of the clip, of the window that ends with the
    clip, of every full window. `shown` is the steady label at the clip's end, where there is one.
    """
    clips = sorted(
        p for a in _TEST_ACTORS for p in folder.glob(f"Actor_{a}/03-01-*") if p.suffix != ".txt"
    )
    if not clips:
        sys.exit(f"{folder} holds no clips of the actors {', '.join(_TEST_ACTORS)}")
    hits = dict.fromkeys(("clip", "last", "shown"), 0)
    shown = windows = window_hits = 0
    for path in clips:
        true = _EMOTIONS[int(path.stem.split("-")[2]) - 1]
        hits["clip"] += _likeliest(recognizer.recognize(path)) == true
        got: list[LiveDecision] = []
        with recognizer.stream(on_decision=got.append, clock=PushedClock()) as stream:
            source = ReplaySource(path, speed=None, origin=0)
            source.start(stream)
            source.wait()
        hits["last"] += _likeliest(got[-1]) == true
        full = [d for d in got if d.window.end - d.window.start == 3 * SAMPLE_RATE]
        windows += len(full)
        window_hits += sum(_likeliest(d) == true for d in full)
        steady = got[-1].steady_label
        shown += steady is not None
        hits["shown"] += steady == true
    count = len(clips)
    return {
        "clips": count,
        "actors": ", ".join(_TEST_ACTORS),
        "clip_accuracy_percent": round(100 * hits["clip"] / count, 1),
        "live_accuracy_percent": round(100 * hits["last"] / count, 1),
        "live_every_full_window_percent": round(100 * window_hits / max(windows, 1), 1),
        "windows": windows,
        "shown_label_percent_of_clips": round(100 * shown / count, 1),
        "shown_label_accuracy_percent": round(100 * hits["shown"] / max(shown, 1), 1),
    }


def _clips(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.suffix in (".mp4", ".mpg", ".mkv", ".webm"))
    if not found:
        sys.exit(f"{folder} holds no clips")
    return found


def _part(arguments: argparse.Namespace) -> Figures:
    clips = _clips(arguments.clips)
    with EdgeRecognizer(arguments.bundle, threads=arguments.threads) as recognizer:
        if arguments.part == "agreement":
            return agreement(recognizer, clips)
        if arguments.part == "accuracy":
            return accuracy(recognizer, arguments.ravdess)
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "conversation.mp4"
            program = [sys.executable, "-m", "tools.live_conversation"]
            # In a process of its own: what an encoder needs is not what the runtime needs.
            subprocess.run([*program, str(recording), *map(str, clips)], check=True)  # noqa: S603
            words = read_words(recording)
            if arguments.part == "conversations":
                return live(
                    recognizer,
                    recording,
                    words,
                    arguments.seconds,
                    count=arguments.count,
                    look=False,
                )
            asr = arguments.part == "asr"
            return live(recognizer, recording, None if asr else words, arguments.seconds, asr=asr)


def _run(part: str, arguments: argparse.Namespace, *more: str) -> Figures:
    """Run one part in a fresh process."""
    command = [
        sys.executable,
        "-m",
        "tools.bench_live",
        "--clips",
        str(arguments.clips),
        "--part",
        part,
    ]
    if arguments.ravdess is not None:
        command += ["--ravdess", str(arguments.ravdess)]
    if arguments.bundle is not None:
        command += ["--bundle", str(arguments.bundle)]
    load = os.getloadavg()[0]
    print(f"{part} {' '.join(more)}", file=sys.stderr, flush=True)
    done = subprocess.run(  # noqa: S603
        [*command, *more], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{part} failed: {done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "load_average": [round(load, 1), round(os.getloadavg()[0], 1)]}


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--ravdess", type=Path, help="folder with Actor_NN folders")
    parts = ("live", "asr", "conversations", "agreement", "accuracy")
    parser.add_argument("--part", choices=parts)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the part live")
    parser.add_argument("--count", type=int, default=8, help="conversations at once")
    parser.add_argument("--threads", type=int, default=1, help="of a graph")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--write", type=Path, help="document whose table is replaced")
    arguments = parser.parse_args()
    if arguments.part is not None:
        print(json.dumps(_part(arguments)))
        return 0
    short, shorter = (str(min(arguments.seconds, longest)) for longest in (60.0, 30.0))
    figures = {
        "live": _run("live", arguments, "--seconds", str(arguments.seconds)),
        "two_threads": _run("live", arguments, "--seconds", short, "--threads", "2"),
        "asr": _run("asr", arguments, "--seconds", short),
        "8": _run("conversations", arguments, "--seconds", short, "--count", "8"),
        "20": _run("conversations", arguments, "--seconds", shorter, "--count", "20"),
        "agreement": _run("agreement", arguments),
    }
    if arguments.ravdess is not None:
        figures["accuracy"] = _run("accuracy", arguments)
    print(json.dumps(figures, indent=1))
    if arguments.write is not None:
        # Not above: what a report needs is no part of the memory that is measured.
        from recipes.documents.measured_section import write_section
        from tools.live_report import document

        write_section(arguments.write, "measured", document(figures))
    return 0


if __name__ == "__main__":
    threading.current_thread().name = "bench"
    sys.exit(main())
