"""Torch module to ONNX graph, proved equal to the module before the file gets its name."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from edge_ser.errors import ConfigError, EngineError
from edge_ser.files import temporary_folder, write_atomically
from edge_ser.runtime.onnxruntime_sessions import open_graph

OPSET: Final = 18
"""ONNX opset of every exported graph: LayerNormalization is one node from 17 on, and ONNX Runtime
1.19 and TensorRT 10 read 18 whole."""

_LARGEST_IR: Final = 10


@dataclass(frozen=True)
class Parity:
    """The largest difference between two ways to compute the same outputs.

    Attributes:
        largest_absolute: over all outputs and all shapes.
        largest_relative: the absolute difference over the largest magnitude of that output.
        shapes: how many sets of inputs were compared.
    """

    largest_absolute: float
    largest_relative: float
    shapes: int


def export_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    path: Path,
    *,
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    more_examples: Sequence[Mapping[str, Tensor]] = (),
    tolerance: float = 1e-4,
    opset: int = OPSET,
) -> Parity:
    """Export a module in evaluation mode and prove the graph against it.

    The graph is written to a temporary folder, passes ONNX's checker, is run by ONNX Runtime on
    `example` and on each of `more_examples`, and only then gets its name.

    Args:
        module: takes the tensors of `example` by position; gives one tensor or a tuple of them.
        example: input name to tensor, in the order of the module's arguments.
        path: of the graph; replaced if it exists.
        outputs: names of the outputs, in order.
        dynamic: names of the axes that may vary: tensor (input or output) -> axis -> name. Inputs'
            axes must be listed to vary; an output's are only named here.
        more_examples: inputs of other lengths to prove the graph on; give at least one for each
            dynamic axis.
        tolerance: largest difference allowed, relative to the largest magnitude of an output where
            that is above 1, else absolute.
        opset: of the graph.

    Returns:
        The differences that were found.

    Raises:
        ConfigError: if a dynamic axis is not proved on a second length, the names do not fit, or
            the file cannot be written.
        EngineError: if the module cannot be exported, the checker refuses the graph, or it differs
            from the module by more than `tolerance`.
    """
    dynamic = dynamic or {}
    _require_proof(example, more_examples, dynamic, outputs)
    module = module.eval()
    model = _convert(module, example, list(outputs), dynamic, opset)
    _clean(model, dynamic)
    content = model.SerializeToString()
    with temporary_folder() as folder:
        temporary = folder / path.name
        temporary.write_bytes(content)
        try:
            onnx.checker.check_model(str(temporary), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise EngineError(f"the graph exported to {path} is refused: {error}") from error
        parity = compare_with_torch(module, temporary, [example, *more_examples], list(outputs))
        _require(parity, tolerance, f"the graph exported to {path}", "its torch module")
    write_atomically(path, content, parents=True)
    return parity


def compare_with_torch(
    module: nn.Module,
    graph: Path,
    examples: Sequence[Mapping[str, Tensor]],
    outputs: Sequence[str],
) -> Parity:
    """Run the module and the graph on the same inputs.

    Raises:
        EngineError: if ONNX Runtime cannot load or run the graph, or an output's shape differs.
    """
    expected = []
    for inputs in examples:
        with torch.no_grad():
            answer = module(*inputs.values())
        tensors = answer if isinstance(answer, tuple) else (answer,)
        expected.append([tensor.numpy() for tensor in tensors])
    given = [{name: tensor.numpy() for name, tensor in inputs.items()} for inputs in examples]
    return _compare(expected, run_graph(graph, given, outputs), str(graph))


def run_graph(
    graph: Path,
    examples: Sequence[Mapping[str, npt.NDArray[Any]]],
    outputs: Sequence[str] | None = None,
) -> list[list[npt.NDArray[Any]]]:
    """Outputs of a graph for each set of inputs, on one thread of the CPU.

    Raises:
        EngineError: if ONNX Runtime cannot load or run it.
    """
    session = open_graph(graph)
    return [session.run(outputs, inputs) for inputs in examples]


def _convert(
    module: nn.Module,
    example: Mapping[str, Tensor],
    outputs: list[str],
    dynamic: Mapping[str, Mapping[int, str]],
    opset: int,
) -> onnx.ModelProto:
    axes = tuple(dict.fromkeys(dynamic.get(name, {}), torch.export.Dim.DYNAMIC) for name in example)
    # The exporter tells its progress to stdout and through loggers; a library never prints.
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    try:
        quiet.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(example.values()),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=axes,
                input_names=list(example),
                output_names=outputs,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch.export raises many kinds; the first line names the cause
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"{type(module).__name__} cannot be exported to ONNX: {reason}"
        ) from error
    finally:
        quiet.setLevel(level)
    if program is None:
        raise EngineError(f"{type(module).__name__}: the exporter gave no graph")
    return program.model_proto


def _clean(model: onnx.ModelProto, dynamic: Mapping[str, Mapping[int, str]]) -> None:
    """Name the dynamic axes and drop what only the exporter needed (it names local files)."""
    if model.ir_version > _LARGEST_IR:
        model.ir_version = _LARGEST_IR
    model.producer_name, model.producer_version, model.doc_string = "edge-ser", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = "edge_ser", ""
    del graph.metadata_props[:]
    # Shapes inside are inferred again by whoever loads the graph, with names of its own.
    del graph.value_info[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*graph.input, *graph.output]:
        del value.metadata_props[:]
        named = dynamic.get(value.name, {})
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis in named:
                dim.dim_param = named[axis]
            elif not dim.HasField("dim_value"):
                dim.dim_param = f"{value.name}_{axis}"


def _require_proof(
    example: Mapping[str, Tensor],
    more: Sequence[Mapping[str, Tensor]],
    dynamic: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
) -> None:
    unknown = set(dynamic) - set(example) - set(outputs)
    if unknown:
        raise ConfigError(f"dynamic axes are named for unknown tensors: {', '.join(unknown)}")
    for inputs in more:
        if list(inputs) != list(example):
            raise ConfigError(
                f"every example needs the inputs {', '.join(example)}, not {', '.join(inputs)}"
            )
    for name, axes in dynamic.items():
        if name not in example:
            continue
        for axis, label in axes.items():
            lengths = {inputs[name].shape[axis] for inputs in [example, *more]}
            if len(lengths) < 2:
                raise ConfigError(
                    f"axis {axis} ({label}) of {name} may vary but is proved on one length only; "
                    "give more_examples"
                )


def _compare(
    expected: Sequence[Sequence[npt.NDArray[Any]]],
    found: Sequence[Sequence[npt.NDArray[Any]]],
    name: str,
) -> Parity:
    absolute = relative = 0.0
    for wanted, given in zip(expected, found, strict=True):
        for one, other in zip(wanted, given, strict=True):
            if one.shape != other.shape:
                raise EngineError(f"{name} answers with shape {other.shape}, not {one.shape}")
            if not one.size:
                continue
            difference = float(np.max(np.abs(one.astype(np.float64) - other)))
            if np.isnan(difference):
                raise EngineError(f"{name} answers with values that are not numbers")
            absolute = max(absolute, difference)
            relative = max(relative, difference / max(1e-12, float(np.max(np.abs(one)))))
    return Parity(absolute, relative, len(expected))


def _require(parity: Parity, tolerance: float, what: str, reference: str) -> None:
    if min(parity.largest_absolute, parity.largest_relative) > tolerance:
        raise EngineError(
            f"{what} differs from {reference} by {parity.largest_absolute:.3g} "
            f"({parity.largest_relative:.3g} of the largest value); {tolerance:.3g} is allowed"
        )
