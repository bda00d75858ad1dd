"""The precision passes over a whole bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_ser import __version__
from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GRAPHS, GraphName
from edge_ser.errors import BundleError, EngineError
from edge_ser.export.bundles.derived import REPORT_NAME, NewGraph, read_report
from edge_ser.export.data.clip_set import ENCODERS, graph_samples, read_clips
from edge_ser.export.graphs.onnx_graph import load_model
from edge_ser.export.precision.difference import Sample
from edge_ser.export.precision.int8.ranges import Method, Range
from edge_ser.export.precision.lint.rules import Target, lint
from edge_ser.export.precision.probe import probe_inputs
from edge_ser.export.precision.typed_graph import (
    SENSITIVITY_LIMIT,
    TypedGraph,
    float_graph,
    typed_graph,
)
from edge_ser.runtime.onnxruntime import OnnxRuntimeSession
from edge_ser.runtime.shape_profiles import graph_shapes

TOLERANCE: Final[Mapping[str, float]] = {"fp32": 1e-3, "fp16": 0.02, "int8": 0.15, "mixed": 0.15}
"""Largest root mean square error of a graph's outputs, over their own, by precision. More means
that a pass broke the graph; what a precision costs in accuracy is the gate's question."""

_CALIBRATION_CLIPS: Final = 64

Progress = Callable[[str, str], None]
"""Called with the name of a graph and what is being done to it."""


@dataclass(frozen=True)
class PrecisionOptions:
    """What shall be written into the graphs.

    Attributes:
        target: the kind of backend.
        fp16: half precision.
        int8: 8 bits; both together quantise layers and put the rest in half precision.
        calibration: folder of clips (see `clip_set`), or None.
        method: how ranges are picked from the clips.
        exclude: layers to leave in float, by graph.
        limit: error of an int8 graph above which its worst layers stay in float.
        sensitivity: whether to measure every layer's share also where none must stay in float.
        everything: on a CPU, quantise also what is not faster for it here.
        force: whether to go on when a graph's error is over `TOLERANCE`.
    """

    target: Target
    fp16: bool = False
    int8: bool = False
    calibration: Path | None = None
    method: Method = "percentile"
    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: float = SENSITIVITY_LIMIT
    sensitivity: bool = False
    everything: bool = False
    force: bool = False


@dataclass(frozen=True)
class TypedBundle:
    """The graphs, ready to be written and compiled.

    Attributes:
        graphs: every graph of the bundle.
        contents: the bytes of each; a graph that did not change keeps its file's bytes.
        samples: what each graph was measured on.
        calibrated: whether these are real clips.
        forced: graphs whose error is over the tolerance and that were let through; with ``gate``
            where the gate was overruled.
        seconds: what writing each took.
    """

    graphs: Mapping[GraphName, TypedGraph]
    contents: Mapping[GraphName, bytes]
    samples: Mapping[GraphName, Sequence[Sample]]
    calibrated: bool
    forced: tuple[str, ...]
    seconds: Mapping[GraphName, float]

    def new_graphs(self) -> dict[GraphName, NewGraph]:
        """What `write_derived` takes."""
        return {n: NewGraph(self.contents[n], g.precision) for n, g in self.graphs.items()}

    def report(
        self, options: PrecisionOptions, gate: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What was done and what it changes, as plain data.

        Args:
            options: that were used.
            gate: what held-out people lose; None where nobody was asked.
        """
        return {
            "made_by": f"edge-ser {__version__}",
            "target": options.target,
            "measured_on": "calibration clips" if self.calibrated else "synthetic probes",
            "method": options.method if self.calibrated and options.int8 else None,
            "forced": list(self.forced),
            "gate": gate,
            "graphs": {
                name: {
                    "precision": graph.precision,
                    "difference": asdict(graph.difference),
                    "left_in_float": list(graph.left_in_float),
                    "sensitivity": [asdict(row) for row in graph.sensitivity],
                    "warnings": [str(finding) for finding in graph.warnings],
                    "ranges": {tensor: list(found) for tensor, found in graph.ranges.items()},
                }
                for name, graph in self.graphs.items()
            },
        }


def typed_bundle(
    bundle: Bundle, options: PrecisionOptions, progress: Progress | None = None
) -> TypedBundle:
    """Write a precision into every graph of a bundle.

    Args:
        bundle: a verified bundle, float or int8.
        options: what to write.
        progress: told of every step.

    Raises:
        ConfigError: int8 without calibration clips or ranges; a clip or a layer's name is wrong.
        EngineError: a pass fails, a graph is not fit for the target, or its error is over the
            tolerance and `force` is off.
    """
    tell = progress or (lambda *_: None)
    manifest = bundle.manifest
    clips = []
    if options.calibration is not None:
        clips = read_clips(options.calibration, manifest, _CALIBRATION_CLIPS)
    carried = carried_ranges(bundle)
    graphs: dict[GraphName, TypedGraph] = {}
    contents: dict[GraphName, bytes] = {}
    samples: dict[GraphName, Sequence[Sample]] = {}
    forced: list[str] = []
    seconds: dict[GraphName, float] = {}
    with ExitStack() as stack:
        sessions = {}
        for graph, _ in ENCODERS.values() if clips else ():
            session = OnnxRuntimeSession(bundle.graph(graph))
            stack.callback(session.close)
            sessions[graph] = session
        for name in GRAPHS:
            tell(name, "reading")
            started = time.monotonic()
            content = bundle.graph(name)
            source = float_graph(name, content, carried.get(name))
            real = graph_samples(clips, manifest, name, sessions) if clips else []
            inputs = manifest.graphs[name].inputs
            samples[name] = real or probe_inputs(inputs, graph_shapes(manifest, name))
            tell(name, "writing precision")
            try:
                typed = typed_graph(
                    source,
                    options.target,
                    fp16=options.fp16,
                    int8=options.int8,
                    samples=samples[name],
                    calibrated=bool(real),
                    method=options.method,
                    exclude=tuple(options.exclude.get(name, ())),
                    limit=options.limit,
                    sensitivity=options.sensitivity,
                    everything=options.everything,
                )
            except EngineError as error:
                raise EngineError(f"{name}: {error}") from error
            if typed.difference.relative > TOLERANCE[typed.precision]:
                if not options.force:
                    raise EngineError(_too_far(typed))
                forced.append(name)
            graphs[name] = typed
            same = typed.precision == manifest.graphs[name].precision == "fp32"
            kept = same and not lint(load_model(content), options.target)
            contents[name] = content.content if kept else typed.model.SerializeToString()
            seconds[name] = time.monotonic() - started
    return TypedBundle(graphs, contents, samples, bool(clips), tuple(forced), seconds)


def carried_ranges(bundle: Bundle) -> dict[str, dict[str, Range]]:
    """Ranges of activations, by graph and tensor, that an earlier calibration left in the bundle.

    Raises:
        BundleError: the bundle's report on its precision cannot be read.
    """
    try:
        # A bundle derived without calibration has a report that lists no graph.
        graphs = read_report(bundle).get("graphs", {})
        return {
            graph: {t: (float(low), float(high)) for t, (low, high) in facts["ranges"].items()}
            for graph, facts in graphs.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        where = bundle.folder / REPORT_NAME
        raise BundleError(f"{where}: this report cannot be read ({error})") from error


def _too_far(typed: TypedGraph) -> str:
    worst = typed.sensitivity[0].layer if typed.sensitivity else None
    advice = f"leave {worst!r} in float (--exclude {typed.name}:{worst})" if worst else "use fp16"
    return (
        f"the graph {typed.name!r} in {typed.precision} is {typed.difference.relative:.1%} off its "
        f"float answers, more than {TOLERANCE[typed.precision]:.0%}; {advice}, or go on with "
        "--force, which is recorded in the bundle"
    )
