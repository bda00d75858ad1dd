"""Undo dynamic quantisation: integer products whose activation scales are found at run time.

ONNX Runtime writes ``DynamicQuantizeLinear -> MatMulInteger -> Cast -> Mul`` for a product with
constant weights. No TensorRT reads that; the float product behind it can be had again.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_ser.errors import EngineError
from edge_ser.export.graphs import onnx_graph as og


def restore_products(graph: onnx.GraphProto) -> None:
    """Replace every integer product by the float product of what its weights stand for.

    Raises:
        EngineError: a product has another form than ONNX Runtime's quantiser writes.
    """
    constants = og.initializers(graph)
    producer = og.producers(graph)
    readers = og.consumers(graph)
    for node in list(graph.node):
        if node.op_type != "MatMulInteger":
            continue
        quantize = producer.get(node.input[0])
        after = readers.get(node.output[0], [])
        rescale = readers.get(after[0].output[0], []) if len(after) == 1 else []
        fits = (
            node.input[1] in constants
            and quantize is not None
            and quantize.op_type == "DynamicQuantizeLinear"
            and after[0].op_type == "Cast"
            and [r.op_type for r in rescale] == ["Mul"]
        )
        scale = _weight_scale(rescale[0], after[0].output[0], producer, constants) if fits else None
        if quantize is None or scale is None:
            raise EngineError(
                f"graph {graph.name!r}: the integer product {node.name!r} has a form that cannot "
                "be made float again; build from the float graph"
            )
        integers = og.as_array(constants[node.input[1]]).astype(np.float32)
        if len(node.input) > 3 and node.input[3]:
            integers = integers - og.as_array(constants[node.input[3]]).astype(np.float32)
        weights = (integers * scale).astype(np.float32)
        name = node.input[1].removesuffix("_quantized") + "__float"
        if name not in constants:
            constants[name] = numpy_helper.from_array(weights, name)
            graph.initializer.append(constants[name])
        layer = node.name.removesuffix("_quant")
        product = helper.make_node(
            "MatMul", [quantize.input[0], name], list(rescale[0].output), name=layer
        )
        rescale[0].CopyFrom(product)
    og.remove_unused(graph)


def _weight_scale(
    rescale: onnx.NodeProto,
    product: str,
    producer: dict[str, onnx.NodeProto],
    constants: dict[str, onnx.TensorProto],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """The constant factor of ``product * (scale of the activation * scale of the weights)``."""
    other = next((name for name in rescale.input if name != product), None)
    factors = producer.get(other) if other is not None else None
    if factors is None or factors.op_type != "Mul":
        return None
    found = [name for name in factors.input if name in constants]
    return og.as_array(constants[found[0]]).astype(np.float32) if len(found) == 1 else None
