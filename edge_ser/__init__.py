"""edge-ser: multimodal speech emotion recognition on the edge.

    from edge_ser import EdgeRecognizer

    with EdgeRecognizer() as recognizer:
        decision = recognizer.recognize("clip.mp4", transcript="I did not expect that")
        print(decision.label, decision.probabilities)

Names are loaded when they are first used, so that the import itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_ser.bundle import Bundle, load_bundle
    from edge_ser.capture.clip import Clip
    from edge_ser.capture.media import clip_from_arrays, open_clip
    from edge_ser.capture.transcript import Transcript, Word
    from edge_ser.errors import (
        BundleError,
        CaptureError,
        ConfigError,
        EdgeSerError,
        EngineError,
        MediaError,
        MissingExtraError,
    )
    from edge_ser.profile import Profile
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.result import Decision, LiveDecision, ModalityReport, StreamHealth, Window
    from edge_ser.stream import EmotionStream

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "bundle",
    "BundleError": "errors",
    "CaptureError": "errors",
    "Clip": "capture.clip",
    "ConfigError": "errors",
    "Decision": "result",
    "EdgeRecognizer": "recognizer",
    "EdgeSerError": "errors",
    "EmotionStream": "stream",
    "EngineError": "errors",
    "LiveDecision": "result",
    "MediaError": "errors",
    "MissingExtraError": "errors",
    "ModalityReport": "result",
    "Profile": "profile",
    "StreamHealth": "result",
    "Transcript": "capture.transcript",
    "Window": "result",
    "Word": "capture.transcript",
    "clip_from_arrays": "capture.media",
    "load_bundle": "bundle",
    "open_clip": "capture.media",
}

__all__ = [
    "Bundle",
    "BundleError",
    "CaptureError",
    "Clip",
    "ConfigError",
    "Decision",
    "EdgeRecognizer",
    "EdgeSerError",
    "EmotionStream",
    "EngineError",
    "LiveDecision",
    "MediaError",
    "MissingExtraError",
    "ModalityReport",
    "Profile",
    "StreamHealth",
    "Transcript",
    "Window",
    "Word",
    "clip_from_arrays",
    "load_bundle",
    "open_clip",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'edge_ser' has no attribute {name!r}")
    value = getattr(import_module(f"edge_ser.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
