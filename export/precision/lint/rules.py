"""Lint of a graph before any builder sees it: every finding names the layer and what to do.

A builder that meets one of these errors stops with a message about its own internals, or worse,
builds an engine that is slow, wrong, or fails on one chip only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import onnx
from onnx import TensorProto

from edge_ser.errors import EngineError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.graphs import operators
from edge_ser.export.precision.lint.quantization_rules import QUANTIZATION_RULES

Target = Literal["tensorrt", "onnxruntime"]

OPSETS: Final = range(13, 22)
"""Per-channel Q/DQ begin with opset 13; ONNX Runtime 1.18 ends with 21."""

_TENSORRT_OPSET: Final = 20
"""The newest that the parser of TensorRT 10.3 (JetPack 6.1) reads."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a graph.

    Attributes:
        level: an ``error`` stops the build, a ``warning`` does not.
        rule: short name of the rule, for instance ``zero-point``.
        layer: name of the node, tensor, or graph.
        problem: what is wrong.
        advice: what to do.
    """

    level: Literal["error", "warning"]
    rule: str
    layer: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.level}: {self.layer}: {self.problem}; {self.advice} [{self.rule}]"


def lint(model: onnx.ModelProto, target: Target) -> list[Finding]:
    """Everything that is wrong with the graph for that target, errors first."""
    rules: tuple[Callable[[onnx.ModelProto, str], Iterator[tuple[str, ...]]], ...]
    rules = (_opset, _structure, _operators, _borders, _weights, _types, *QUANTIZATION_RULES)
    found = []
    for rule in rules:
        for level, name, layer, problem, advice in rule(model, target):
            found.append(
                Finding("error" if level == "error" else "warning", name, layer, problem, advice)
            )
    return sorted(found, key=lambda f: f.level != "error")


def require_clean(model: onnx.ModelProto, target: Target, graph: str) -> list[Finding]:
    """Raise on errors; give the warnings back.

    Raises:
        EngineError: lists every error of the graph.
    """
    found = lint(model, target)
    errors = [str(f) for f in found if f.level == "error"]
    if errors:
        raise EngineError(
            f"the graph {graph!r} is not fit for {target} ({len(errors)} errors): "
            + " | ".join(errors[:8])
            + (f" | and {len(errors) - 8} more" if len(errors) > 8 else "")
        )
    return found


def _opset(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    versions = {o.domain: o.version for o in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    name = model.graph.name or "graph"
    if version not in OPSETS:
        yield (
            "error",
            "opset",
            name,
            f"opset {version} is not between {OPSETS.start} and {OPSETS.stop - 1}",
            "export it again with opset_version=17",
        )
    elif target == "tensorrt" and version > _TENSORRT_OPSET:
        yield (
            "warning",
            "opset",
            name,
            f"opset {version} is newer than the parser of TensorRT 10.3 (JetPack 6.1) reads",
            f"export with opset {_TENSORRT_OPSET} or less if it shall run there",
        )


def _structure(model: onnx.ModelProto, _: str) -> Iterator[tuple[str, ...]]:
    graph = model.graph
    known = {t.name for t in graph.initializer} | {v.name for v in graph.input}
    seen: set[str] = set()
    for node in graph.node:
        layer = node.name or f"{node.op_type} of {', '.join(node.output)}"
        if not node.name or node.name in seen:
            yield (
                "error",
                "name",
                layer,
                "the node has no name of its own",
                "run the graph through edge_ser.export.graphs.onnx_graph.prepared",
            )
        seen.add(node.name)
        for name in node.input:
            if name and name not in known:
                yield (
                    "error",
                    "order",
                    layer,
                    f"it reads {name!r} before anything makes it",
                    "sort the graph (onnx_graph.sort_nodes) or mend the pass that wrote it",
                )
        known.update(node.output)
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield (
                "error",
                "external-data",
                tensor.name,
                "its values lie in another file",
                "save the graph without external data",
            )


def _operators(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield (
                "error",
                "operator",
                node.name,
                f"{node.domain}.{node.op_type} is no standard operator",
                "export without fused or contributed operators",
            )
        elif node.op_type in operators.RANDOM or (
            node.op_type == "Dropout" and _trains(node, model.graph)
        ):
            yield (
                "error",
                "random",
                node.name,
                f"{node.op_type} makes the answer random",
                "export the model in eval() mode",
            )
        elif target == "tensorrt" and node.op_type in operators.INTEGER:
            yield (
                "error",
                "integer",
                node.name,
                f"TensorRT has no {node.op_type}",
                "build from the float graph, or make this one float again (dequantized)",
            )
        elif target == "tensorrt" and node.op_type in operators.DATA_DEPENDENT:
            yield (
                "error",
                "data-dependent",
                node.name,
                f"the output shape of {node.op_type} depends on the data",
                "express it with a mask of fixed size",
            )
        elif target == "tensorrt" and node.op_type in {"If", "Loop", "Scan"}:
            yield (
                "warning",
                "control-flow",
                node.name,
                f"{node.op_type} keeps the engine from being captured in a CUDA graph",
                "unroll it, or export the branch that is taken",
            )


def _trains(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    if len(node.input) < 3 or not node.input[2]:
        return False
    flag = og.initializers(graph).get(node.input[2])
    return flag is None or bool(og.as_array(flag))


def _borders(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    constants = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in constants]
    for kind, values in (("input", inputs), ("output", list(model.graph.output))):
        for value in values:
            tensor = value.type.tensor_type
            allowed = {og.FLOAT, TensorProto.INT64, TensorProto.INT32}
            if tensor.elem_type not in allowed:
                dtype = TensorProto.DataType.Name(tensor.elem_type)
                yield (
                    "error",
                    "border",
                    value.name,
                    f"the {kind} is {dtype}",
                    "keep inputs and outputs float32 (token ids int64) and cast inside",
                )
            for axis, dim in enumerate(tensor.shape.dim):
                unnamed = not dim.HasField("dim_value") and not dim.dim_param
                if unnamed and kind == "input" and target == "tensorrt":
                    yield (
                        "error",
                        "dynamic-shape",
                        value.name,
                        f"axis {axis} of the {kind} has neither a size nor a name",
                        "name it with dynamic_axes (dynamic_shapes) at export",
                    )


def _weights(model: onnx.ModelProto, _: str) -> Iterator[tuple[str, ...]]:
    readers = og.consumers(model.graph)
    for tensor in model.graph.initializer:
        elsewhere = tensor.data_location == TensorProto.EXTERNAL
        if tensor.data_type not in (og.FLOAT, og.FLOAT16) or elsewhere:
            continue
        values = og.as_array(tensor)
        layer = readers[tensor.name][0].name if tensor.name in readers else tensor.name
        if np.isnan(values).any():
            yield (
                "error",
                "nan",
                layer,
                f"the constant {tensor.name!r} holds NaN",
                "look for a diverged training run, or a division by zero at export",
            )
        elif tensor.data_type == og.FLOAT16 and np.isinf(values).any() and values.size > 1:
            yield (
                "error",
                "overflow",
                layer,
                f"the fp16 constant {tensor.name!r} holds infinity",
                "keep this layer in fp32",
            )


def _types(model: onnx.ModelProto, target: str) -> Iterator[tuple[str, ...]]:
    try:
        types = og.tensor_types(model)
    except EngineError as error:
        yield (
            "error",
            "types",
            model.graph.name or "graph",
            str(error),
            "mend the pass that wrote the graph",
        )
        return
    for node in model.graph.node:
        if any(types.get(n) == TensorProto.DOUBLE for n in (*node.input, *node.output)):
            yield (
                "error",
                "double",
                node.name,
                "it computes in float64",
                "cast to float32 in the model: no engine has fast doubles",
            )
        if node.op_type in operators.UNSAFE_IN_FP16 and types.get(node.input[0]) == og.FLOAT16:
            yield (
                "warning" if target == "onnxruntime" else "error",
                "fp16-sum",
                node.name,
                f"{node.op_type} sums or scales in fp16",
                "use the fp16 pass of edge-ser, which keeps it in fp32",
            )
