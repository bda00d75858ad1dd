"""From a bundle to one in another precision that passes the gate, with engines for a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphName
from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.bundles.derived import check_output, write_derived
from edge_ser.export.comparison.bundle_gate import failures, gate_report, judge_bundle
from edge_ser.export.comparison.gate import Verdict
from edge_ser.export.data.clip_set import read_clips
from edge_ser.export.engines.compiling import (
    EngineReport,
    build_engines,
    build_targets,
    cpu_milliseconds,
    device_capability,
)
from edge_ser.export.precision.int8.ranges import Method
from edge_ser.export.variants.typed_bundle import PrecisionOptions, TypedBundle, typed_bundle
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt.api import as_tensorrt_backend, load_tensorrt

BuildBackend = Literal["tensorrt", "tensorrt-rtx", "onnxruntime"]

_GATES: Final = {"fp32": "fp32", "fp16": "fp16", "int8": "int8", "int8-fp16": "mixed"}
"""Whose bounds a precision must keep."""


@dataclass(frozen=True)
class BuildRequest:
    """What shall be built.

    Attributes:
        backend: what the graphs are for.
        fp16: half precision.
        int8: 8 bits; with `fp16` the rest in half precision.
        targets: ``sm86``, ``sm89`` ... or ``hardware-compatible``; none is this machine's device.
        output: folder of the bundle with the new graphs; None is named after the bundle.
        engines: folder of the engines; None is the engine cache.
        calibration: folder of clips that int8 ranges are measured on.
        method: how ranges are picked from them.
        exclude: layers that stay in float, each ``GRAPH:LAYER``.
        sensitivity: whether to measure what each int8 layer alone costs.
        everything: on a CPU, int8 also where it is not faster here.
        clips: folder of clips of held-out people, on whom it must pass the gate; None asks nobody.
        rebuild: whether engines in the cache are ignored.
        force: whether to go on when an error is too large or the gate fails, which is recorded, and
            with half precision on a CPU.
    """

    backend: BuildBackend = "tensorrt"
    fp16: bool = False
    int8: bool = False
    targets: Sequence[str] = ()
    output: Path | None = None
    engines: Path | None = None
    calibration: Path | None = None
    method: Method = "percentile"
    exclude: Sequence[str] = ()
    sensitivity: bool = False
    everything: bool = False
    clips: Path | None = None
    rebuild: bool = False
    force: bool = False

    @property
    def precision(self) -> str:
        """``fp32``, ``fp16``, ``int8`` or ``int8-fp16``."""
        return "-".join(n for n, on in (("int8", self.int8), ("fp16", self.fp16)) if on) or "fp32"


@dataclass(frozen=True)
class Built:
    """What came of it.

    Attributes:
        bundle: as it was written.
        typed: its graphs, with what each precision changed.
        engines: what was compiled.
        milliseconds: of one run of each graph on this CPU, before and after, for the backend
            ``onnxruntime``.
        verdicts: of the gate, by modality; empty where it was not asked.
        without_device: whether engines were wanted and there is no device to build them on.
    """

    bundle: Bundle
    typed: TypedBundle
    engines: Sequence[EngineReport] = ()
    milliseconds: Mapping[GraphName, tuple[float, float]] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    without_device: bool = False


def build(
    source: Bundle, request: BuildRequest, tell: Callable[[str], None] = lambda _: None
) -> Built:
    """Write a precision into a bundle's graphs, ask the gate, write the bundle, compile engines.

    Args:
        source: a verified bundle.
        request: what is wanted.
        tell: takes a line for people at each step.

    Raises:
        ConfigError: what is wanted does not go together, or the output must not be replaced.
        EngineError: a graph is not fit, its error is too large, or the gate is not passed.
    """
    manifest, precision = source.manifest, request.precision
    named = f"{manifest.name}-{manifest.version}-{request.backend}-{precision}"
    folder = request.output or Path(named)
    check_output(folder, source)
    if request.targets and request.backend == "onnxruntime":
        raise ConfigError("--target names a GPU; the backend onnxruntime builds no engine")
    if request.fp16 and request.backend == "onnxruntime" and not request.force:
        raise ConfigError(
            "fp16 is slower than fp32 on a CPU (0.93 times as fast live, see docs/engines.md): "
            "ONNX Runtime converts to float and back there. Take --int8, or --backend tensorrt "
            "for a GPU; --force writes it all the same, in half the space"
        )
    options = PrecisionOptions(
        target="onnxruntime" if request.backend == "onnxruntime" else "tensorrt",
        fp16=request.fp16,
        int8=request.int8,
        calibration=request.calibration,
        method=request.method,
        exclude=_excluded(request.exclude, list(manifest.graphs)),
        sensitivity=request.sensitivity,
        everything=request.everything,
        force=request.force,
    )
    held_out = read_clips(request.clips, manifest) if request.clips is not None else []
    typed = typed_bundle(source, options, lambda graph, step: tell(f"{graph}: {step}"))
    verdicts: dict[str, Verdict] = {}
    if held_out:
        tell(f"gate: recognising {len(held_out)} clips twice")
        verdicts = judge_bundle(source, typed, _GATES[precision], held_out)
        typed = _passed(typed, verdicts, precision, force=request.force)
    tell("writing the bundle")
    gate = gate_report(verdicts) if verdicts else None
    written = write_derived(source, folder, typed.new_graphs(), typed.report(options, gate))
    built = Built(written, typed, verdicts=verdicts)
    if request.backend == "onnxruntime":
        tell("timing")
        times = {name: cpu_milliseconds(typed, name) for name in typed.graphs}
        return replace(built, milliseconds=times)
    capability = device_capability()
    if request.backend == "tensorrt" and capability is None:
        return replace(built, without_device=True)
    return replace(built, engines=_compiled(built, request, capability, tell))


def _passed(
    typed: TypedBundle, verdicts: Mapping[str, Verdict], precision: str, *, force: bool
) -> TypedBundle:
    failed = failures(verdicts)
    if not failed:
        return typed
    if not force:
        raise EngineError(
            f"{precision} does not pass the gate: {'; '.join(failed)}; nothing was written. Give "
            "more calibration clips, leave layers in float (--sensitivity shows which, --exclude), "
            "or go on with --force, which is recorded in the bundle"
        )
    return replace(typed, forced=(*typed.forced, "gate"))


def _compiled(
    built: Built, request: BuildRequest, capability: str | None, tell: Callable[[str], None]
) -> list[EngineReport]:
    name = as_tensorrt_backend(request.backend)
    api = load_tensorrt(name)
    return build_engines(
        built.bundle,
        built.typed,
        api,
        build_targets(name, request.targets, api, capability),
        cache=EngineCache(request.engines),
        capability=capability,
        rebuild=request.rebuild,
        facts={"bundle": built.bundle.manifest.name, "forced": list(built.typed.forced)},
        progress=lambda graph, step: tell(f"{graph}: {step}"),
    )


def _excluded(pairs: Sequence[str], graphs: Sequence[str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for pair in pairs:
        graph, colon, layer = pair.partition(":")
        if not colon or not layer or graph not in graphs:
            raise ConfigError(
                f"--exclude takes GRAPH:LAYER with a graph out of {', '.join(graphs)}, not {pair!r}"
            )
        layers.setdefault(graph, []).append(layer)
    return layers
