"""What this machine offers to edge-ser: Python, backends, devices and weights.

Looking never opens a microphone or a camera, and never raises: a part that fails to answer is
reported as broken with what it said.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

State = Literal["there", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """One part of the machine."""

    part: str
    state: State
    detail: str
    advice: str = ""
    """The command that would bring a missing part."""
    needed: bool = False
    """Whether the runtime cannot work without it; see `NEEDED`."""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return asdict(self)


NEEDED: Final = frozenset({"python", "kernels", "default bundle", "onnxruntime"})
"""Parts that the runtime cannot work without."""


_ONNXRUNTIMES: Final = ("onnxruntime", "onnxruntime-directml", "onnxruntime-gpu")
"""Packages that hold the module `onnxruntime`: of several the last one to be installed is it."""
_ALONE: Final = "pip uninstall -y {} && pip install --force-reinstall --no-deps {}"


def inspect_machine() -> list[Finding]:
    """Look at every part, in the order in which a reader wants them."""
    return [_guarded(part, look) for part, look in _LOOKS.items()]


def _guarded(part: str, look: Callable[[], Finding]) -> Finding:
    try:
        found = look()
    except Exception as error:  # a broken driver or wheel may raise anything
        found = Finding(part, "broken", f"{type(error).__name__}: {error}")
    return replace(found, needed=part in NEEDED)


def cuda_device_count() -> int:
    """CUDA devices that the driver shows; 0 without a driver.

    It asks the driver library itself, so that it answers without any CUDA package installed.
    """
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0


def _python() -> Finding:
    return Finding(
        "python",
        "there",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )


def _kernels() -> Finding:
    importlib.import_module("edge_ser._kernels")
    return Finding("kernels", "there", "compiled module loads")


def _bundle() -> Finding:
    from edge_ser.bundles.loading import load_bundle
    from edge_ser.errors import BundleError

    try:
        bundle = load_bundle()
    except BundleError as error:
        advice = "pip install --force-reinstall edge-ser"
        return Finding("default bundle", "broken", str(error), advice)
    manifest = bundle.manifest
    return Finding(
        "default bundle",
        "there",
        f"{manifest.name} {manifest.version}, {bundle.size() / 1e6:.1f} MB, every hash as listed",
    )


def _onnxruntime() -> Finding:
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding("onnxruntime", "missing", "", "pip install onnxruntime")
    from edge_ser.runtime.onnxruntime_sessions import available_providers, onnxruntime

    providers = [p.removesuffix("ExecutionProvider") for p in available_providers()]
    detail = (
        f"{onnxruntime().__version__}; providers: {', '.join(providers)}; "
        "its reports of usage are off"
    )
    advice = ""
    several = sorted({d for d in _ONNXRUNTIMES if _version(d) is not None})
    if len(several) > 1:
        detail += f"; {' and '.join(several)} are in each other's way: they share a folder"
        advice = _ALONE.format(" ".join(d for d in several if d != several[-1]), several[-1])
    elif cuda_device_count() > 0 and "CUDA" not in providers:
        advice = 'for the CUDA device: pip install "edge-ser[cuda]" && ' + _ALONE.format(
            "onnxruntime", "onnxruntime-gpu"
        )
    return Finding("onnxruntime", "there", detail, advice)


def _plugins() -> Finding:
    """Execution providers that come as packages beside ONNX Runtime."""
    from edge_ser.errors import EngineError
    from edge_ser.runtime.plugin_providers import PLUGINS, installed, plugin_devices

    part, there, broken, missing = "provider plug-ins", [], [], []
    for provider, plugin in PLUGINS.items():
        name = provider.removesuffix("ExecutionProvider")
        if not installed(provider):
            missing.append(plugin.package)
            continue
        version = _version(plugin.package) or ""
        try:
            found = plugin_devices(provider)
        except EngineError as error:
            broken.append(f"{name} {version}: {error}")
        else:
            there.append(f"{name} {version} on {len(found.devices)} {found.kind}")
    advice = f"one of: pip install {' | '.join(missing)}" if missing else ""
    state: State = "broken" if broken else "there" if there else "missing"
    return Finding(part, state, "; ".join(there + broken), "" if there else advice)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _cuda() -> Finding:
    count = cuda_device_count()
    if count == 0:
        return Finding(
            "cuda device", "missing", "no NVIDIA driver or no device", "install the NVIDIA driver"
        )
    return Finding("cuda device", "there", f"{count} device(s)")


def _package(part: str, distributions: tuple[str, ...], module: str, extra: str) -> Finding:
    advice = f'pip install "edge-ser[{extra}]"'
    if importlib.util.find_spec(module) is None:
        return Finding(part, "missing", "", advice)
    for name in distributions:
        version = _version(name)
        if version is not None:
            return Finding(part, "there", f"{name} {version}")
    return Finding(part, "there", f"module {module}")


def _tensorrt() -> Finding:
    return _package(
        "tensorrt", ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"), "tensorrt", "tensorrt"
    )


def _tensorrt_rtx() -> Finding:
    return _package("tensorrt-rtx", ("tensorrt-rtx-cu13", "tensorrt-rtx"), "tensorrt_rtx", "rtx")


def _camera() -> Finding:
    if importlib.util.find_spec("cv2") is None:
        return Finding(
            "camera", "missing", "OpenCV is not installed", 'pip install "edge-ser[camera]"'
        )
    importlib.import_module("cv2")
    if sys.platform != "linux":
        return Finding("camera", "there", "OpenCV opens cameras by number; none was opened to look")
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        return Finding("camera", "missing", "no /dev/video*", "plug a camera in")
    return Finding("camera", "there", ", ".join(str(d) for d in devices))


def _microphone() -> Finding:
    if importlib.util.find_spec("pyaudio") is None:
        return Finding(
            "microphone", "missing", "PyAudio is not installed", 'pip install "edge-ser[mic]"'
        )
    portaudio = importlib.import_module("pyaudio").PyAudio()
    try:
        infos = [portaudio.get_device_info_by_index(i) for i in range(portaudio.get_device_count())]
    finally:
        portaudio.terminate()
    names = [str(info["name"]) for info in infos if int(info["maxInputChannels"]) > 0]
    if not names:
        return Finding("microphone", "missing", "no input device", "plug a microphone in")
    return Finding("microphone", "there", ", ".join(names))


def _speech_to_text() -> Finding:
    return _package("speech to text", ("moonshine-voice",), "moonshine_voice", "asr")


def _report() -> Finding:
    return _package("pictures and reports", ("matplotlib",), "matplotlib", "report")


def _training() -> Finding:
    return _package("training", ("lightning",), "lightning", "train")


_LOOKS: dict[str, Callable[[], Finding]] = {
    "python": _python,
    "kernels": _kernels,
    "default bundle": _bundle,
    "onnxruntime": _onnxruntime,
    "provider plug-ins": _plugins,
    "cuda device": _cuda,
    "tensorrt": _tensorrt,
    "tensorrt-rtx": _tensorrt_rtx,
    "camera": _camera,
    "microphone": _microphone,
    "speech to text": _speech_to_text,
    "pictures and reports": _report,
    "training": _training,
}
