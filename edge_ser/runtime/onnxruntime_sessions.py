"""The one place that imports ONNX Runtime and opens its sessions.

Its wheels for Linux and macOS report usage: a process that imports it writes an identity of the
device under the cache folder and looks its maker's host up. `import edge_ser` turns that off, and
this module again through the library's own call, for a program that imported the library before.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np

from edge_ser.errors import EngineError
from edge_ser.runtime.session import Tensor

CPU: Final = "CPUExecutionProvider"

Optimisation = Literal["all", "basic", "none"]

_loading_cuda = threading.Lock()
_LOG_NOTHING: Final = 4  # fatal errors only: every other one is raised


@cache
def onnxruntime(part: str = "") -> ModuleType:
    """The library, or a part of it (``quantization``), with its reports of usage turned off."""
    import onnxruntime as library

    library.disable_telemetry_events()
    return importlib.import_module(".".join(filter(None, ("onnxruntime", part))))


@dataclass(frozen=True)
class PluginDevices:
    """Where a provider that was registered as a plug-in runs.

    Attributes:
        provider: its name.
        kind: ``NPU``, ``GPU`` or ``CPU``.
        devices: of that kind, as `SessionOptions.add_provider_for_devices` takes them.
        options: of the provider there.
    """

    provider: str
    kind: str
    devices: tuple[Any, ...]
    options: Mapping[str, str]


class Graph:
    """A graph that ONNX Runtime has opened, with whatever tensors it takes.

    Thread contract: `run` may be called from any thread, also at once.
    """

    def __init__(self, name: str, session: Any) -> None:
        self._name = name
        self._session = session
        self.inputs: Sequence[Any] = session.get_inputs()
        """What `run` takes; each has a `name`, a `type` and a `shape`."""
        self.outputs: Sequence[Any] = session.get_outputs()
        """What `run` gives."""
        self.providers = [str(p) for p in session.get_providers()]
        """The execution providers that started."""

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Tensor]) -> list[Any]:
        """Run it once and give the outputs of those names, in that order; None gives all.

        Raises:
            EngineError: if ONNX Runtime fails, as on a tensor of a wrong name, type or shape.
        """
        try:
            return list(self._session.run(outputs, dict(inputs)))
        except Exception as error:  # it raises classes of its own, without a common base
            shapes = ", ".join(f"{n} {list(np.shape(v))}" for n, v in inputs.items())
            raise EngineError(
                f"{self._name}: ONNX Runtime failed on the inputs {shapes}: {error}"
            ) from error


def open_graph(
    graph: Path | bytes,
    name: str | None = None,
    *,
    threads: int = 1,
    optimise: Optimisation = "all",
    providers: Sequence[str] = (CPU,),
    write_to: Path | None = None,
    settings: Mapping[str, str] | None = None,
    plugin: PluginDevices | None = None,
) -> Graph:
    """Open an ONNX graph.

    Defaults are those of a small model on an edge CPU that shares its cores: one intra-op thread,
    no spinning (spinning threads of several sessions steal each other's cores), every graph
    optimisation, and no fall-back to another provider.

    Args:
        graph: the ONNX or ORT file, or its bytes.
        name: of the graph in messages; None takes the file's.
        threads: intra-op threads, 1 or more.
        optimise: ``none`` runs the graph as it is; ``basic`` keeps to its operators.
        providers: execution providers in order of preference.
        write_to: file that the optimised graph is written to.
        settings: further entries of the session's configuration.
        plugin: runs what it can of the graph, the CPU the rest; `providers` then name both.

    Raises:
        EngineError: if the file is missing or is no graph that ONNX Runtime can run.
    """
    if isinstance(graph, Path) and not graph.is_file():
        raise EngineError(f"{graph}: there is no such graph file; check the folder")
    what = name or (str(graph) if isinstance(graph, Path) else "the graph")
    library = onnxruntime()
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = library.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_NOTHING
    own = {"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0"}
    for key, value in {**own, **(settings or {})}.items():
        options.add_session_config_entry(key, value)
    level = library.GraphOptimizationLevel
    options.graph_optimization_level = {
        "all": level.ORT_ENABLE_ALL,
        "basic": level.ORT_ENABLE_BASIC,
        "none": level.ORT_DISABLE_ALL,
    }[optimise]
    if write_to is not None:
        options.optimized_model_filepath = str(write_to)
    # What a plug-in runs on is one of the options; names beside it would take its place.
    named: dict[str, Any] = {"providers": list(providers)} if plugin is None else {}
    try:
        if plugin is not None:
            options.add_provider_for_devices(list(plugin.devices), dict(plugin.options))
        if "CUDAExecutionProvider" in providers:
            # One at a time: it diverts what the whole process prints.
            with _loading_cuda:
                _load_cuda()
        session = library.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, **named
        )
    except Exception as error:
        raise EngineError(
            f"{what}: ONNX Runtime {library.__version__} cannot load this graph with "
            f"{', '.join(providers)}: {error}"
        ) from error
    session.disable_fallback()
    return Graph(what, session)


@cache
def _load_cuda() -> None:
    """Load CUDA's libraries out of their wheels, where the extra ``cuda`` has brought them."""
    library = onnxruntime()
    if hasattr(library, "preload_dlls"):
        # It prints what it does not find; the provider that does not start is told of by us.
        with redirect_stdout(StringIO()):
            library.preload_dlls()


def available_providers() -> list[str]:
    """Execution providers of the installed ONNX Runtime, its own order of preference."""
    return [str(p) for p in onnxruntime().get_available_providers()]
