"""Compile one ONNX graph into one engine. No CUDA device is needed for targets of TensorRT-RTX."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from edge_ser.errors import ConfigError, EngineError
from edge_ser.runtime.engine_cache import EngineKey, Shapes
from edge_ser.runtime.tensorrt.api import (
    Builder,
    BuilderConfig,
    NetworkDefinition,
    OnnxParser,
    RtxBuilderConfig,
    TensorRt,
)

HARDWARE_COMPATIBLE: Final = "hardware-compatible"
WORKSPACE: Final = 256 << 20
"""Bytes of scratch memory that an engine may use: a Jetson shares its memory with the system."""

_AMPERE: Final = 80

Progress = Callable[[str], None]
"""Called with the name of the phase that the builder entered."""


@dataclass(frozen=True)
class BuiltEngine:
    """An engine and what its builder said."""

    blob: bytes
    seconds: float
    layers: int
    timing_cache: bytes
    """To hand to the next build on this device; empty where there is none."""
    messages: tuple[str, ...]


def engine_key(
    api: TensorRt, graph: str, graph_sha256: str, device: str, shapes: Shapes
) -> EngineKey:
    """The identity of an engine of that graph for that device, as DESIGN of the cache wants it."""
    return EngineKey(
        graph=graph,
        graph_sha256=graph_sha256,
        backend=api.backend,
        backend_version=api.version,
        device=device,
        shapes={name: shapes[name] for name in sorted(shapes)},
        options={"workspace": str(WORKSPACE)},
    )


def check_target(api: TensorRt, target: str) -> str:
    """A target in its one spelling: ``sm86`` or ``hardware-compatible``.

    Raises:
        ConfigError: the target is unknown, or this TensorRT cannot build for it.
    """
    spelled = target.lower().replace(" ", "").replace("_", "")
    if spelled in {HARDWARE_COMPATIBLE, "ampere+", "ampereplus"}:
        return HARDWARE_COMPATIBLE
    if re.fullmatch(r"sm\d{2,3}", spelled):
        if api.backend == "tensorrt":
            return spelled
        capabilities = compute_capabilities(api)
        if spelled in capabilities:
            return spelled
        raise ConfigError(
            f"{api.name} does not build for {target}; it builds for "
            f"{', '.join(capabilities)} and {HARDWARE_COMPATIBLE}"
        )
    raise ConfigError(
        f"there is no target {target!r}; name a compute capability (sm86, sm89 ...) or "
        f"{HARDWARE_COMPATIBLE}"
    )


def runs_on(api: TensorRt, capability: str) -> bool:
    """Whether engines of this TensorRT run on such a GPU: TensorRT for RTX leaves some out."""
    return api.backend == "tensorrt" or capability in compute_capabilities(api)


def compute_capabilities(api: TensorRt) -> list[str]:
    """The GPUs that TensorRT for RTX can build for without having one."""
    members = vars(api.module.ComputeCapability)
    return sorted(
        (m.lower() for m in members if re.fullmatch(r"SM\d+", m)), key=lambda m: int(m[2:])
    )


def build_engine(
    api: TensorRt,
    onnx_graph: bytes,
    graph: str,
    shapes: Shapes,
    target: str,
    *,
    timing_cache: bytes = b"",
    progress: Progress | None = None,
) -> BuiltEngine:
    """Compile a graph, strongly typed: precision is what the graph says.

    Args:
        api: which TensorRT.
        onnx_graph: the ONNX file's bytes.
        graph: its name, for messages.
        shapes: smallest, usual and largest shape of every input.
        target: as `check_target` gives it. Full TensorRT builds for the GPU it runs on: the
            target only says whether the engine shall also run on others.
        timing_cache: what an earlier build on this device gave.
        progress: told of every phase.

    Raises:
        EngineError: the graph does not parse or compile; the message holds the layer and what the
            builder said.
    """
    started = time.monotonic()
    messages: list[str] = []
    # The logger must outlive everything that TensorRT makes with it.
    logger = api.logger(messages)
    builder = cast(Builder, api.module.Builder(logger))
    flag = 1 << int(api.member("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"))
    network = builder.create_network(flag)
    _parse(api, network, logger, onnx_graph, graph)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(api.member("MemoryPoolType", "WORKSPACE"), WORKSPACE)
    _add_profile(builder, config, network, shapes, graph)
    _set_target(api, config, target)
    if progress is not None:
        config.progress_monitor = _monitor(api, progress)
    if api.backend == "tensorrt":
        config.set_timing_cache(config.create_timing_cache(timing_cache), False)
    memory = builder.build_serialized_network(network, config)
    if memory is None:
        raise EngineError(
            f"{api.name} cannot compile the graph {graph!r} for {target}: "
            + (" | ".join(messages[-5:]) or "it gave no reason")
        )
    kept = b""
    if api.backend == "tensorrt":
        cache = config.get_timing_cache()
        kept = b"" if cache is None else bytes(memoryview(cast(Any, cache.serialize())))
    return BuiltEngine(
        blob=bytes(memoryview(cast(Any, memory))),
        seconds=time.monotonic() - started,
        layers=network.num_layers,
        timing_cache=kept,
        messages=tuple(messages),
    )


def _parse(
    api: TensorRt, network: NetworkDefinition, logger: object, onnx_graph: bytes, graph: str
) -> None:
    parser = cast(OnnxParser, api.module.OnnxParser(network, logger))
    if parser.parse(onnx_graph):
        return
    errors = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        errors.append(f"{error.node_operator()} {error.node_name()!r}: {error.desc()}")
    raise EngineError(
        f"{api.name} cannot read the graph {graph!r}: " + (" | ".join(errors) or "no reason given")
    )


def _add_profile(
    builder: Builder,
    config: BuilderConfig,
    network: NetworkDefinition,
    shapes: Shapes,
    graph: str,
) -> None:
    names = [network.get_input(i).name for i in range(network.num_inputs)]
    missing = [name for name in names if name not in shapes]
    if missing:
        raise EngineError(
            f"graph {graph!r}: no shapes are known for its input {missing[0]!r}; "
            f"shapes were given for {', '.join(shapes)}"
        )
    profile = builder.create_optimization_profile()
    for name in names:
        smallest, usual, largest = shapes[name]
        profile.set_shape(name, smallest, usual, largest)
    if config.add_optimization_profile(profile) < 0:
        raise EngineError(
            f"graph {graph!r}: its shapes contradict the graph: "
            + ", ".join(f"{n} {shapes[n][0]} to {shapes[n][2]}" for n in names)
        )


def _set_target(api: TensorRt, config: BuilderConfig, target: str) -> None:
    if api.backend == "tensorrt-rtx":
        # TensorRT for RTX ignores the compatibility level: it wants every GPU named.
        every = [c for c in compute_capabilities(api) if int(c[2:]) >= _AMPERE]
        named = every if target == HARDWARE_COMPATIBLE else [target]
        rtx = cast(RtxBuilderConfig, config)
        rtx.num_compute_capabilities = len(named)
        for index, capability in enumerate(named):
            member = api.member("ComputeCapability", capability.upper())
            if not rtx.set_compute_capability(member, index):
                raise EngineError(f"{api.name} refuses to build for {capability}")
    elif target == HARDWARE_COMPATIBLE:
        level = api.member("HardwareCompatibilityLevel", "AMPERE_PLUS")
        config.hardware_compatibility_level = level


def _monitor(api: TensorRt, progress: Progress) -> object:
    base = api.module.IProgressMonitor

    class Monitor(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:  # noqa: ARG002
            progress(name)

        def step_complete(self, name: str, step: int) -> bool:  # noqa: ARG002
            return True

        def phase_finish(self, name: str) -> None:
            pass

    return Monitor()
