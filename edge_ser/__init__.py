"""edge-ser: multimodal speech emotion recognition on the edge.

    from edge_ser import EdgeRecognizer

    with EdgeRecognizer() as recognizer:
        decision = recognizer.recognize("clip.mp4", transcript="I did not expect that")
        print(decision.label, decision.probabilities)

Names are loaded when they are first used, so that the import itself costs next to nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_ser.bundles.loading import Bundle, load_bundle
    from edge_ser.capture.camera import CameraSource
    from edge_ser.capture.microphone import MicrophoneSource
    from edge_ser.capture.network import NetworkSource
    from edge_ser.capture.replay import ReplaySource
    from edge_ser.clock import PushedClock
    from edge_ser.errors import (
        BundleError,
        CaptureError,
        ConfigError,
        EdgeSerError,
        EngineError,
        MediaError,
        MissingExtraError,
    )
    from edge_ser.media.clip import Clip
    from edge_ser.media.media import clip_from_arrays, open_clip
    from edge_ser.media.transcript import Transcript, Word
    from edge_ser.pipeline.batch import recognize_files
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.result import (
        Decision,
        FileDecision,
        LiveDecision,
        ModalityReport,
        StreamHealth,
        Window,
    )
    from edge_ser.speaker.profile import Profile
    from edge_ser.stream import EmotionStream

__version__ = "0.1.0"

# ONNX Runtime writes an identity of the device and looks its maker's host up as soon as it is
# imported, by whomever: Lightning, for one, imports it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "Bundle": "bundles.loading",
    "BundleError": "errors",
    "CameraSource": "capture.camera",
    "CaptureError": "errors",
    "Clip": "media.clip",
    "ConfigError": "errors",
    "Decision": "result",
    "EdgeRecognizer": "recognizer",
    "EdgeSerError": "errors",
    "EmotionStream": "stream",
    "EngineError": "errors",
    "FileDecision": "result",
    "LiveDecision": "result",
    "MediaError": "errors",
    "MicrophoneSource": "capture.microphone",
    "MissingExtraError": "errors",
    "ModalityReport": "result",
    "NetworkSource": "capture.network",
    "Profile": "speaker.profile",
    "PushedClock": "clock",
    "ReplaySource": "capture.replay",
    "StreamHealth": "result",
    "Transcript": "media.transcript",
    "Window": "result",
    "Word": "media.transcript",
    "clip_from_arrays": "media.media",
    "load_bundle": "bundles.loading",
    "open_clip": "media.media",
    "recognize_files": "pipeline.batch",
}

__all__ = [
    "Bundle",
    "BundleError",
    "CameraSource",
    "CaptureError",
    "Clip",
    "ConfigError",
    "Decision",
    "EdgeRecognizer",
    "EdgeSerError",
    "EmotionStream",
    "EngineError",
    "FileDecision",
    "LiveDecision",
    "MediaError",
    "MicrophoneSource",
    "MissingExtraError",
    "ModalityReport",
    "NetworkSource",
    "Profile",
    "PushedClock",
    "ReplaySource",
    "StreamHealth",
    "Transcript",
    "Window",
    "Word",
    "clip_from_arrays",
    "load_bundle",
    "open_clip",
    "recognize_files",
]


def _find_installed() -> str | None:
    """In a checkout this folder hides the installed package: become that one.

    An installed package has its kernels beside this file, and an editable install knows where they
    are: then nothing is to be done.

    Returns:
        What to do where nothing is installed.
    """
    import sys
    from importlib.util import find_spec, module_from_spec, spec_from_file_location
    from pathlib import Path

    if find_spec("edge_ser._kernels") is not None:
        return None
    here = Path(__file__).resolve().parent
    for entry in sys.path:
        other = Path(entry or ".").resolve() / "edge_ser"
        start = other / "__init__.py"
        if other == here or not start.is_file() or not any(other.glob("_kernels.*[!i]")):
            continue
        spec = spec_from_file_location("edge_ser", start, submodule_search_locations=[str(other)])
        if spec is not None and spec.loader is not None:
            # All of it, this file too: two versions are never mixed.
            sys.modules["edge_ser"] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules["edge_ser"])
            return None
    missing = (
        f"edge-ser is not installed for {sys.executable}: run `{sys.executable} -m pip install "
        f"{here.parent}`, or `make demo` there and use .venv-demo/bin/python"
    )
    # `python -m edge_ser` comes here first, and then says so in one line.
    if sys.argv[:1] == ["-m"] and "edge_ser" in sys.orig_argv:
        return missing
    raise ImportError(missing)


_MISSING = _find_installed()


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'edge_ser' has no attribute {name!r}")
    value = getattr(import_module(f"edge_ser.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
