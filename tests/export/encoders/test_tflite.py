"""The reader of TensorFlow Lite files gives tensors, operators and options as they were written."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.tflite import read_tflite

CONV, CONCATENATION, DEQUANTIZE, SOFTMAX = 3, 2, 6, 25


@dataclass
class Op:
    code: int
    inputs: list[int]
    outputs: list[int]
    # field number -> (kind of scalar, value)
    options: dict[int, tuple[str, int]] = field(default_factory=dict)


@dataclass
class Tensor:
    name: str
    shape: list[int]
    values: np.ndarray | None = None


KINDS = {"float32": 0, "float16": 1, "int32": 2}


def tflite_file(
    tensors: list[Tensor], operators: list[Op], inputs: list[int], outputs: list[int]
) -> bytes:
    """A file of schema version 3, written with the public flatbuffers builder."""
    b = flatbuffers.Builder(1024)

    def vector(offsets: list[int]) -> int:
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        return int(b.EndVector())

    def table(fields: dict[int, tuple[str, int]], count: int) -> int:
        b.StartObject(count)
        for slot, (kind, value) in fields.items():
            if kind == "offset":
                b.PrependUOffsetTRelativeSlot(slot, value, 0)
            elif kind == "byte":
                b.PrependInt8Slot(slot, value, 0)
            else:
                b.PrependInt32Slot(slot, value, 0)
        return int(b.EndObject())

    def numbers(values: list[int]) -> int:
        return int(b.CreateNumpyVector(np.asarray(values, np.int32)))

    buffers = [table({}, 1)]
    made = []
    for tensor in tensors:
        number = 0
        if tensor.values is not None:
            raw = b.CreateNumpyVector(np.frombuffer(tensor.values.tobytes(), np.uint8))
            number = len(buffers)
            buffers.append(table({0: ("offset", raw)}, 1))
        kind = KINDS[str(tensor.values.dtype)] if tensor.values is not None else 0
        name, shape = b.CreateString(tensor.name), numbers(tensor.shape)
        made.append(
            table(
                {
                    0: ("offset", shape),
                    1: ("byte", kind),
                    2: ("int", number),
                    3: ("offset", name),
                },
                8,
            )
        )
    codes = sorted({op.code for op in operators})
    code_tables = [table({0: ("byte", code), 3: ("int", code)}, 4) for code in codes]
    steps = []
    for op in operators:
        ins, outs = numbers(op.inputs), numbers(op.outputs)
        fields = {0: ("int", codes.index(op.code)), 1: ("offset", ins), 2: ("offset", outs)}
        if op.options:
            fields[3] = ("byte", 1)
            fields[4] = ("offset", table(op.options, 8))
        steps.append(table(fields, 9))
    parts = [vector(made), numbers(inputs), numbers(outputs), vector(steps)]
    graph = table({slot: ("offset", part) for slot, part in enumerate(parts)}, 5)
    codes_vector, graphs, buffers_vector = vector(code_tables), vector([graph]), vector(buffers)
    model = table(
        {
            0: ("int", 3),
            1: ("offset", codes_vector),
            2: ("offset", graphs),
            4: ("offset", buffers_vector),
        },
        8,
    )
    b.Finish(model, file_identifier=b"TFL3")
    return bytes(b.Output())


WEIGHT = np.arange(18, dtype=np.float16).reshape(2, 3, 3, 1)
FILE = tflite_file(
    [
        Tensor("picture", [1, 8, 6, 1]),
        Tensor("weight_half", [2, 3, 3, 1], WEIGHT),
        Tensor("weight", [2, 3, 3, 1]),
        Tensor("result", [1, 4, 3, 2]),
        Tensor("twice", [1, 4, 3, 4]),
    ],
    [
        Op(DEQUANTIZE, [1], [2]),
        Op(CONV, [0, 2], [3], {0: ("byte", 0), 1: ("int", 2), 2: ("int", 2), 3: ("byte", 1)}),
        Op(CONCATENATION, [3, 3], [4], {0: ("int", 3)}),
    ],
    [0],
    [4],
)


def test_tensors_and_constants_come_back() -> None:
    graph = read_tflite(FILE)
    assert [t.name for t in graph.tensors] == [
        "picture",
        "weight_half",
        "weight",
        "result",
        "twice",
    ]
    assert graph.tensors[3].shape == (1, 4, 3, 2)
    assert graph.tensors[0].values is None
    values = graph.tensors[1].values
    assert values is not None
    assert values.dtype == np.float16
    np.testing.assert_array_equal(values, WEIGHT)
    assert (graph.inputs, graph.outputs) == ((0,), (4,))


def test_operators_come_back_with_their_options_and_defaults() -> None:
    graph = read_tflite(FILE)
    assert [op.kind for op in graph.operators] == ["dequantize", "conv_2d", "concatenation"]
    assert graph.operators[1].inputs == (0, 2)
    assert graph.operators[1].options == {
        "padding": 0,
        "stride_x": 2,
        "stride_y": 2,
        "activation": 1,
        "dilation_x": 1,
        "dilation_y": 1,
    }
    assert graph.operators[2].options == {"axis": 3, "activation": 0}


def test_an_operator_that_is_not_understood_is_refused() -> None:
    data = tflite_file([Tensor("x", [1])], [Op(SOFTMAX, [0], [0])], [0], [0])
    with pytest.raises(ConfigError, match="uses operator 25"):
        read_tflite(data)


def test_a_file_of_another_kind_is_refused() -> None:
    for data in (b"", b"TFL3", b"\0" * 64, b"ONNX----"):
        with pytest.raises(ConfigError, match="no TensorFlow Lite file"):
            read_tflite(data)


def test_a_file_cut_anywhere_is_an_error_of_the_project() -> None:
    whole = read_tflite(FILE)
    for length in range(8, len(FILE), 3):
        try:
            graph = read_tflite(FILE[:length])
        except ConfigError:
            continue
        assert graph == whole or length > len(FILE) - 8


def test_damaged_bytes_are_an_error_of_the_project_or_another_graph() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        data = bytearray(FILE)
        for place in rng.integers(8, len(data), 4):
            data[place] = rng.integers(0, 256)
        try:
            read_tflite(bytes(data))
        except ConfigError:
            refused += 1
    assert refused > 0
