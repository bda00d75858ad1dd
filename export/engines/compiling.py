"""Compile the typed graphs of a bundle into engines, into the cache."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphName
from edge_ser.errors import ConfigError, EngineError, MissingExtraError
from edge_ser.export.precision.difference import milliseconds
from edge_ser.export.variants.typed_bundle import TypedBundle
from edge_ser.files import temporary_folder
from edge_ser.runtime.engine_cache import EngineCache, EngineKey
from edge_ser.runtime.shape_profiles import graph_shapes
from edge_ser.runtime.tensorrt.api import TensorRt, TensorRtBackend
from edge_ser.runtime.tensorrt.build import (
    HARDWARE_COMPATIBLE,
    build_engine,
    check_target,
    compute_capabilities,
    engine_key,
    runs_on,
)
from edge_ser.runtime.tensorrt.cuda_layer import load_cuda
from edge_ser.runtime.tensorrt.session import TensorRtSession

NO_DEVICE = "graph written, engine not built: no CUDA device"

Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class EngineReport:
    """One engine of one graph.

    Attributes:
        graph: name of the graph.
        target: ``sm86`` or ``hardware-compatible``.
        size: bytes.
        seconds: build time; 0 where it was in the cache.
        cached: whether it was there already.
        milliseconds: median time of one run on this machine's GPU, None where it cannot run here.
    """

    graph: GraphName
    target: str
    size: int
    seconds: float
    cached: bool
    milliseconds: float | None


def device_capability() -> str | None:
    """``sm87`` of the first CUDA device, or None."""
    try:
        cuda = load_cuda()
    except MissingExtraError:
        return None
    return cuda.capability(0) if cuda.devices() else None


def build_targets(
    backend: TensorRtBackend, wanted: Sequence[str], api: TensorRt, capability: str | None
) -> list[str]:
    """The targets to build for, checked.

    Full TensorRT builds for the GPU that it runs on. TensorRT for RTX builds for any; without
    a wish and without a GPU it builds for all from Ampere on.

    Raises:
        ConfigError: a target is unknown, full TensorRT cannot build for it here, or nothing was
            wished for and the GPU here is none that TensorRT for RTX knows.
    """
    targets = [check_target(api, target) for target in wanted]
    if backend == "tensorrt":
        for target in targets:
            if target not in (capability, HARDWARE_COMPATIBLE):
                raise ConfigError(
                    f"{api.name} builds for the GPU that it runs on, which is {capability}, not "
                    f"for {target}; build on the device itself, or with "
                    f"--target {HARDWARE_COMPATIBLE}"
                )
    if targets:
        return list(dict.fromkeys(targets))
    if capability is None:
        return [HARDWARE_COMPATIBLE]
    if not runs_on(api, capability):
        raise ConfigError(
            f"{api.name} does not know the GPU of this machine, {capability}: its engines run on "
            f"{', '.join(compute_capabilities(api))}. Name the GPU they are for with --target "
            f"({HARDWARE_COMPATIBLE} for all of these from Ampere on); here, use the backend "
            "tensorrt or onnxruntime:cuda"
        )
    return [capability]


def build_engines(
    bundle: Bundle,
    typed: TypedBundle,
    api: TensorRt,
    targets: Sequence[str],
    *,
    cache: EngineCache,
    capability: str | None,
    rebuild: bool = False,
    facts: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> list[EngineReport]:
    """Compile every graph for every target and keep the engines.

    Args:
        bundle: the bundle, for its front-end's shapes.
        typed: its graphs with precision written in.
        api: the TensorRT to build with.
        targets: as `build_targets` gives them.
        cache: where engines go.
        capability: of the GPU here, on which engines that fit are timed; None without one.
        rebuild: whether to build what the cache already holds.
        facts: noted in every record.
        progress: told of every phase.

    Raises:
        EngineError: a graph does not compile.
    """
    tell = progress or (lambda *_: None)
    reports = []
    for name, graph in typed.graphs.items():
        content = typed.contents[name]
        shapes = graph_shapes(bundle.manifest, name)
        sha256 = hashlib.sha256(content).hexdigest()
        for target in targets:
            key = engine_key(api, name, sha256, target, shapes)
            record = None if rebuild else _usable(cache, key)
            seconds, cached = 0.0, record is not None
            if record is None:
                tell(name, f"compiling for {target}")
                timing = _timing_key(api, target)
                built = build_engine(
                    api,
                    content,
                    name,
                    shapes,
                    target,
                    timing_cache=_usable_blob(cache, timing),
                    progress=lambda phase, name=name: tell(name, phase),  # type: ignore[misc]
                )
                seconds = built.seconds
                if built.timing_cache:
                    cache.store(timing, built.timing_cache, {"kind": "timing cache"})
                noted = {"precision": graph.precision, "seconds": seconds, **(facts or {})}
                record = cache.store(key, built.blob, noted).size
            speed = _time(bundle, typed, name, api, cache, target, capability)
            reports.append(EngineReport(name, target, record, seconds, cached, speed))
    return reports


def _usable(cache: EngineCache, key: EngineKey) -> int | None:
    """Bytes of the entry, or None where there is none or it is damaged and must be built anew."""
    blob = _usable_blob(cache, key)
    return len(blob) if blob else None


def _usable_blob(cache: EngineCache, key: EngineKey) -> bytes:
    try:
        return cache.load(key) or b""
    except EngineError:
        cache.remove(key)
        return b""


def _timing_key(api: TensorRt, target: str) -> EngineKey:
    return EngineKey("timing", "", api.backend, api.version, target, {}, {"kind": "timing cache"})


def _time(
    bundle: Bundle,
    typed: TypedBundle,
    name: GraphName,
    api: TensorRt,
    cache: EngineCache,
    target: str,
    capability: str | None,
) -> float | None:
    if capability is None or not runs_on(api, capability):
        return None
    if target not in (capability, HARDWARE_COMPATIBLE):
        return None
    entry = bundle.manifest.graphs[name]
    with temporary_folder() as folder:
        path = folder / f"{name}.onnx"
        path.write_bytes(typed.contents[name])
        shapes = graph_shapes(bundle.manifest, name)
        session = TensorRtSession(path, entry.inputs, entry.outputs, shapes, api=api, cache=cache)
    sample = dict(typed.samples[name][-1])
    try:
        times = []
        for round_ in range(25):
            started = time.perf_counter()
            session.run(sample)
            if round_ >= 5:
                times.append((time.perf_counter() - started) * 1000.0)
        return statistics.median(times)
    finally:
        session.close()


def cpu_milliseconds(typed: TypedBundle, name: GraphName) -> tuple[float, float]:
    """Median times of a graph in float and typed on this CPU, in turn, one thread, one sample."""
    graph = typed.graphs[name]
    times = milliseconds([graph.source, graph.model], [typed.samples[name][-1]])
    return statistics.median(times[0]), statistics.median(times[1])
