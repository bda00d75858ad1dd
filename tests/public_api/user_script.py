"""What a user writes: every public name, with types that a checker must agree to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import edge_ser
from edge_ser import (
    Bundle,
    BundleError,
    CameraSource,
    CaptureError,
    Clip,
    ConfigError,
    Decision,
    EdgeRecognizer,
    EdgeSerError,
    EmotionStream,
    EngineError,
    FileDecision,
    LiveDecision,
    MediaError,
    MicrophoneSource,
    MissingExtraError,
    ModalityReport,
    NetworkSource,
    Profile,
    PushedClock,
    ReplaySource,
    StreamHealth,
    Transcript,
    Window,
    Word,
    clip_from_arrays,
    load_bundle,
    open_clip,
    recognize_files,
)

MISTAKES: tuple[type[EdgeSerError], ...] = (
    BundleError,
    CaptureError,
    ConfigError,
    EngineError,
    MediaError,
    MissingExtraError,
)


def decide(path: Path) -> tuple[str | None, Mapping[str, float]]:
    """Decide for a file, with words that have times."""
    bundle: Bundle = load_bundle()
    words = Transcript("so glad", (Word("so", 0, 4000), Word("glad", 4000, 9000)), "en")
    with EdgeRecognizer(bundle, threads=1) as recognizer, open_clip(path) as clip:
        opened: Clip = clip
        decision: Decision = recognizer.recognize(opened, words)
        report: ModalityReport = decision.modalities["audio"]
        window: Window = decision.window
        timeline: list[Decision] = recognizer.timeline(path, window=3.0, hop=0.5)
        print(report.reason, window.end - window.start, len(timeline), recognizer.labels)
        profile: Profile = recognizer.enroll([path])
        profile.save(Path("person.profile"))
        return decision.label, decision.probabilities


def decide_all(recognizer: EdgeRecognizer, folder: Path) -> list[str]:
    """Decide for every clip in a folder; the files that failed."""
    failed: list[str] = []
    for outcome in recognize_files(recognizer, [folder, "more/*.wav"], asr=True):
        told: FileDecision = outcome
        if told.decision is None:
            failed.append(f"{told.file}: {told.error}")
    return failed


def listen(recognizer: EdgeRecognizer, address: str | None) -> None:
    """Follow a live conversation."""
    source = NetworkSource(address) if address else MicrophoneSource()
    with recognizer.stream(consent=True) as stream, source, CameraSource(0) as camera:
        live: EmotionStream = stream
        source.start(live)
        camera.start(live)
        for decision in live:
            told: LiveDecision = decision
            health: StreamHealth = told.health
            print(told.steady_label, told.latency_ms, health.load)


def feed(recognizer: EdgeRecognizer, replayed: Path) -> None:
    """Feed a stream by hand, and from a file."""
    samples = np.zeros(16000, dtype=np.float32)
    with recognizer.stream(clock=PushedClock(), on_decision=print) as stream:
        stream.push_audio(samples, 0)
        stream.push_text("so glad", 0, 9000)
    clip = clip_from_arrays(samples=samples, sample_rate=16000)
    print(recognizer.recognize(clip).to_json(indent=2))
    with recognizer.stream() as stream, ReplaySource(replayed) as source:
        source.start(stream)
        source.wait()


print(edge_ser.__version__)
