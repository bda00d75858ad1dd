"""GELU in the form that backends know: PyTorch's exporters write it in an order that none fuses.

They write ``x * (0.5 * (1 + erf(x / sqrt 2)))``; ONNX Runtime fuses ``(x * (1 + erf(x / sqrt 2))) *
0.5`` into one pass over the memory. Multiplying by a half is exact, so both give the same bits.
"""

from __future__ import annotations

import onnx

from edge_ser.export.graphs import onnx_graph as og


def reorder_gelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function, to the bit, with every GELU in the order that is fused.

    Args:
        model: a float graph whose constants are initializers; it is not changed.
    """
    model = og.copy_of(model)
    graph = model.graph
    producer, readers = og.producers(graph), og.consumers(graph)
    constants = og.initializers(graph)
    outputs = {value.name for value in graph.output}

    def is_half(name: str) -> bool:
        tensor = constants.get(name)
        return tensor is not None and bool((og.as_array(tensor) == 0.5).all())

    for node in graph.node:
        if node.op_type != "Mul":
            continue
        for x, inner in (tuple(node.input), tuple(reversed(node.input))):
            scaled = producer.get(inner)
            if scaled is None or scaled.op_type != "Mul" or inner in outputs:
                continue
            halves = [name for name in scaled.input if is_half(name)]
            sums = [name for name in scaled.input if _is_one_plus_erf(name, producer)]
            if len(halves) == 1 and len(sums) == 1 and len(readers[inner]) == 1:
                scaled.input[:] = [x, sums[0]]
                node.input[:] = [inner, halves[0]]
                break
    return og.finished(model)


def _is_one_plus_erf(name: str, producer: dict[str, onnx.NodeProto]) -> bool:
    node = producer.get(name)
    return (
        node is not None
        and node.op_type == "Add"
        and any(n in producer and producer[n].op_type == "Erf" for n in node.input)
    )
