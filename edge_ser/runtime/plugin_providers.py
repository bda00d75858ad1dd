"""Execution providers that come as packages of their own and are registered with ONNX Runtime.

Such a package lies beside any `onnxruntime` and replaces nothing. It names its library; ONNX
Runtime loads it and asks it which devices of this machine it can run on.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from edge_ser.errors import EngineError
from edge_ser.runtime.onnxruntime_sessions import PluginDevices, available_providers, onnxruntime


@dataclass(frozen=True)
class Plugin:
    """A package that brings an execution provider.

    Attributes:
        package: as `pip install` takes it.
        module: that names the provider's library.
        options: of the provider on a device of a kind: ``NPU``, ``GPU`` or ``CPU``.
    """

    package: str
    module: str
    options: Mapping[str, Mapping[str, str]]


PLUGINS: Final[Mapping[str, Plugin]] = {
    "NvTensorRTRTXExecutionProvider": Plugin(
        "onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime_ep_nv_tensorrt_rtx", {}
    ),
    "OpenVINOExecutionProvider": Plugin("onnxruntime-ep-openvino", "onnxruntime_ep_openvino", {}),
    "QNNExecutionProvider": Plugin(
        "onnxruntime-qnn",
        "onnxruntime_qnn",
        # It does not start without being told which of its libraries it shall use.
        {
            "NPU": {"backend_type": "htp"},
            "GPU": {"backend_type": "gpu"},
            "CPU": {"backend_type": "cpu"},
        },
    ),
}
"""By the provider's name."""

_KINDS: Final = ("NPU", "GPU", "CPU")
"""Of a plug-in's devices the most special kind is used."""

_registering = threading.Lock()
_registered: set[str] = set()


def is_plugin(provider: str) -> bool:
    """Whether a provider comes as a plug-in here: older packages had it built in."""
    return provider in PLUGINS and provider not in _built_in()


def installed(provider: str) -> bool:
    """Whether the package of a plug-in is installed; it may still not start."""
    return importlib.util.find_spec(PLUGINS[provider].module) is not None


def plugin_devices(provider: str) -> PluginDevices:
    """Register a plug-in, once for the process, and give the devices that it runs on.

    Args:
        provider: one of `PLUGINS`.

    Raises:
        EngineError: its package is not installed, ONNX Runtime is too old for it, it does not load,
            or it finds no device.
    """
    plugin = PLUGINS[provider]
    library = onnxruntime()
    if not hasattr(library.SessionOptions, "add_provider_for_devices"):
        raise EngineError(
            f"ONNX Runtime {library.__version__} takes no plug-ins, and {provider} is one; run: "
            "pip install --upgrade onnxruntime"
        )
    if not installed(provider):
        raise EngineError(
            f"the execution provider {provider} is not installed; run: pip install {plugin.package}"
        )
    try:
        _register(provider, str(importlib.import_module(plugin.module).get_library_path()))
    except Exception as error:  # drivers that are missing end in classes without a common base
        raise EngineError(
            f"{plugin.package} is installed but does not load ({error}); check the driver of its "
            'device, or use the backend "onnxruntime"'
        ) from error
    found = _devices(provider)
    for kind in _KINDS:
        own = tuple(d for d in found if d.device.type.name == kind)
        if own:
            return PluginDevices(provider, kind, own, plugin.options.get(kind, {}))
    raise EngineError(
        f"{plugin.package} is installed and finds no device here that it can run on; check the "
        'device and its driver, or use the backend "onnxruntime"'
    )


def _register(provider: str, path: str) -> None:
    # What is built in must be asked before: registered providers join the list.
    _built_in()
    with _registering:
        # A program around us may have registered it already.
        if provider not in _registered and not _devices(provider):
            onnxruntime().register_execution_provider_library(provider, path)
            _registered.add(provider)


def _devices(provider: str) -> list[Any]:
    return [d for d in onnxruntime().get_ep_devices() if d.ep_name == provider]


@cache
def _built_in() -> frozenset[str]:
    """Providers of the library itself."""
    return frozenset(available_providers())
