"""The gate over a whole bundle: are held-out people recognised as well as in fp32?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import onnx

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphEntry, GraphName
from edge_ser.export.comparison.gate import Verdict, judge
from edge_ser.export.data.clip_set import ClipFeatures
from edge_ser.export.precision.difference import Evaluated
from edge_ser.export.trials.answers import clip_answers
from edge_ser.export.variants.typed_bundle import TypedBundle
from edge_ser.runtime.session import Session, Tensor


class GraphInMemory:
    """A graph that was never a file, run on this CPU exactly as it is written.

    Graphs for TensorRT are judged so too: what differs between this and a GPU is the order of sums.
    """

    def __init__(self, model: onnx.ModelProto, entry: GraphEntry) -> None:
        """Load the graph.

        Raises:
            EngineError: it does not load.
        """
        self._evaluated = Evaluated(model)
        self._names = [value.name for value in model.graph.output]
        self.inputs = entry.inputs
        self.outputs = entry.outputs
        self.backend = "onnxruntime:CPU, exact"

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run it once.

        Raises:
            EngineError: it does not run on these inputs.
        """
        return dict(zip(self._names, self._evaluated(inputs), strict=True))

    def close(self) -> None:
        """Nothing to do: the memory goes with the object."""


def judge_bundle(
    bundle: Bundle, typed: TypedBundle, precision: str, clips: Sequence[ClipFeatures]
) -> dict[str, Verdict]:
    """The gate's verdict for every subset of modalities that the clips have.

    Args:
        bundle: for its manifest.
        typed: its graphs in fp32 and in the precision in question.
        precision: whose bounds hold, one of `edge_ser.export.comparison.gate.BOUNDS`.
        clips: of held-out people, with labels.

    Raises:
        ConfigError: no clip has a label that the bundle knows, or the precision is unknown.
        EngineError: a graph does not run.
    """
    entries = bundle.manifest.graphs
    reference: dict[GraphName, Session] = {}
    other: dict[GraphName, Session] = {}
    for name, graph in typed.graphs.items():
        reference[name] = GraphInMemory(graph.source, entries[name])
        other[name] = GraphInMemory(graph.model, entries[name])
    expected = clip_answers(clips, bundle.manifest, reference)
    given = clip_answers(clips, bundle.manifest, other)
    return {s: judge(expected[s], given[s], precision) for s in expected}


def failures(verdicts: Mapping[str, Verdict]) -> list[str]:
    """What keeps the precision from passing, a phrase each; empty if it passes."""
    return [
        f"{subset}: {loss.metric} is {100 * loss.loss:.2f} points worse "
        f"(at most {100 * verdict.bound:.1f}), on {verdict.clips} clips of {verdict.people} people"
        for subset, verdict in verdicts.items()
        for loss in verdict.losses
        if loss.loss > verdict.bound + 1e-9
    ]


def gate_report(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """The verdicts as plain data, for the bundle's report on its precision."""
    return {
        "passed": all(v.passed for v in verdicts.values()),
        "subsets": {subset: asdict(verdict) for subset, verdict in verdicts.items()},
    }
