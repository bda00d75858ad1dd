"""ONNX Runtime behind the `Session` protocol, with the execution providers the caller asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from edge_ser.bundles.graph_content import GraphContent
from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime.onnxruntime_sessions import (
    CPU,
    Graph,
    PluginDevices,
    available_providers,
    open_graph,
)
from edge_ser.runtime.plugin_providers import is_plugin, plugin_devices
from edge_ser.runtime.session import Tensor
from edge_ser.runtime.tensor_check import check_declared, check_inputs

if TYPE_CHECKING:
    from edge_ser.runtime.engine_cache import EngineCache

_PACKAGES: Final[Mapping[str, str]] = {
    "CUDAExecutionProvider": '"onnxruntime-gpu[cuda,cudnn]"',
    "TensorrtExecutionProvider": "onnxruntime-gpu",
    "DmlExecutionProvider": "onnxruntime-directml",
    "MIGraphXExecutionProvider": "onnxruntime-migraphx",
}
"""Packages that replace `onnxruntime` by one that has the provider built in."""

_LIBRARIES: Final = {"CUDAExecutionProvider": ' (pip install "edge-ser[cuda]" brings CUDA\'s)'}

_DTYPES: Final[Mapping[str, str]] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
}


class OnnxRuntimeSession:
    """An ONNX graph in ONNX Runtime.

    Thread contract: `run` may be called from any thread, also at once; `close` waits for nobody,
    calls that have begun end normally.

    Defaults are those of a small model on an edge CPU that shares its cores: one intra-op thread,
    no spinning (spinning threads of several sessions steal each other's cores), every graph
    optimisation.
    """

    def __init__(
        self,
        graph: Path | GraphContent,
        inputs: Mapping[str, TensorSpec] | None = None,
        outputs: Mapping[str, TensorSpec] | None = None,
        *,
        providers: Sequence[str] = (CPU,),
        threads: int = 1,
        cache: EngineCache | None = None,
    ) -> None:
        """Load the graph.

        Args:
            graph: the ONNX file, or what was read of it.
            inputs: what the manifest declares; None takes the graph's own word.
            outputs: likewise.
            providers: execution providers in order of preference. All of them must be installed
                and must come up: nothing falls back.
            threads: intra-op threads, 1 or more.
            cache: where the optimised form of the graph is kept between runs (CPU provider only:
                others compile for themselves); None optimises at every start.

        Raises:
            EngineError: the file is missing or no valid graph, a provider is not installed or
                does not start, or the graph differs from the manifest.
        """
        path = graph if isinstance(graph, Path) else graph.path
        if not providers:
            raise EngineError(f"{path}: no execution provider was given; name at least {CPU!r}")
        if threads < 1:
            raise EngineError(f"{path}: threads must be 1 or more, not {threads}")
        plugin = _require_providers(providers)
        self._path = path
        session = _open(GraphContent.of(graph), providers, threads, cache, plugin)
        self._check_providers(providers, session.providers)
        self._session: Graph | None = session
        found_in = _specs(session.inputs, path)
        found_out = _specs(session.outputs, path)
        if inputs is not None:
            check_declared(inputs, found_in, "input", str(path))
        if outputs is not None:
            check_declared(outputs, found_out, "output", str(path))
        self.inputs: dict[str, TensorSpec] = dict(found_in if inputs is None else inputs)
        self.outputs: dict[str, TensorSpec] = dict(found_out if outputs is None else outputs)
        self._output_names = list(self.outputs)
        self.backend = "onnxruntime:" + "+".join(short_name(n) for n in providers)

    def _check_providers(self, names: Sequence[str], active: Sequence[str]) -> None:
        # ONNX Runtime logs and goes on with the CPU when a provider's libraries fail to load.
        for name in names:
            if name not in active:
                raise EngineError(
                    f"{self._path}: the execution provider {name} is installed but did not start "
                    f"(running instead: {', '.join(active)}); check its driver and libraries"
                    f'{_LIBRARIES.get(name, "")}, or ask for the backend "onnxruntime"'
                )

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph once.

        Values are not inspected: NaN in gives NaN out.

        Raises:
            EngineError: a tensor is missing, unknown, empty or of a wrong dtype or shape; the
                session is closed; or ONNX Runtime fails.
        """
        session = self._session
        if session is None:
            raise EngineError(f"{self._path}: the session is closed; open a new one")
        checked = check_inputs(self.inputs, inputs, self._path.name)
        values = session.run(self._output_names, checked)
        return dict(zip(self._output_names, values, strict=True))

    def close(self) -> None:
        """Free the graph's memory; a second call does nothing."""
        self._session = None


def short_name(provider: str) -> str:
    """``CUDA`` for ``CUDAExecutionProvider``."""
    return provider.removesuffix("ExecutionProvider")


def _require_providers(names: Sequence[str]) -> PluginDevices | None:
    """Raise unless all are there; the devices of the plug-in among them, if one is."""
    installed, plugin = available_providers(), None
    for name in names:
        if is_plugin(name):
            plugin = plugin_devices(name)
            continue
        if name in installed:
            continue
        package = _PACKAGES.get(name)
        advice = (
            f"run: pip uninstall -y onnxruntime && pip install {package}"
            if package
            else "ask for one of the installed ones"
        )
        raise EngineError(
            f"the execution provider {name} is not in the installed ONNX Runtime "
            f"(it has {', '.join(installed)}); {advice}"
        )
    return plugin


def _open(
    graph: GraphContent,
    providers: Sequence[str],
    threads: int,
    cache: EngineCache | None,
    plugin: PluginDevices | None,
) -> Graph:
    if cache is None or list(providers) != [CPU]:
        name = str(graph.path)
        return open_graph(graph.content, name, threads=threads, providers=providers, plugin=plugin)
    from edge_ser.runtime.onnxruntime_cache import cached_graph

    return cached_graph(graph, cache, threads=threads)


def _specs(nodes: Sequence[Any], path: Path) -> dict[str, TensorSpec]:
    specs = {}
    for node in nodes:
        dtype = _DTYPES.get(node.type)
        if dtype is None:
            raise EngineError(
                f"{path}: the tensor {node.name!r} is a {node.type}; graphs of a bundle use only "
                + ", ".join(get_args(TensorSpec.model_fields["dtype"].annotation))
            )
        shape = tuple(
            d if isinstance(d, int) and d >= 0 else str(d) if d else f"{node.name}_{i}"
            for i, d in enumerate(node.shape)
        )
        specs[node.name] = TensorSpec.model_validate({"dtype": dtype, "shape": shape})
    return specs
