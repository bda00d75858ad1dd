"""Reader of TensorFlow Lite files, without TensorFlow: a small part of flatbuffers and the schema.

A flatbuffer starts with the offset of its root table. A table starts with the signed distance back
to its vtable, which says where each field lies (FlatBuffers, "Internals"). Field numbers are those
of ``tensorflow/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError

OPERATORS: Final = {
    0: "add",
    2: "concatenation",
    3: "conv_2d",
    4: "depthwise_conv_2d",
    6: "dequantize",
    17: "max_pool_2d",
    19: "relu",
    22: "reshape",
    34: "pad",
}
"""The operators that the readers of this project understand, by their builtin code."""

_DTYPES: Final = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}
# Options of an operator: name -> (field number, struct code, default).
_OPTIONS: Final[dict[str, dict[str, tuple[int, str, int]]]] = {
    "add": {"activation": (0, "b", 0)},
    "concatenation": {"axis": (0, "i", 0), "activation": (1, "b", 0)},
    "conv_2d": {
        "padding": (0, "b", 0),
        "stride_x": (1, "i", 0),
        "stride_y": (2, "i", 0),
        "activation": (3, "b", 0),
        "dilation_x": (4, "i", 1),
        "dilation_y": (5, "i", 1),
    },
    "depthwise_conv_2d": {
        "padding": (0, "b", 0),
        "stride_x": (1, "i", 0),
        "stride_y": (2, "i", 0),
        "multiplier": (3, "i", 0),
        "activation": (4, "b", 0),
        "dilation_x": (5, "i", 1),
        "dilation_y": (6, "i", 1),
    },
    "max_pool_2d": {
        "padding": (0, "b", 0),
        "stride_x": (1, "i", 0),
        "stride_y": (2, "i", 0),
        "width": (3, "i", 0),
        "height": (4, "i", 0),
        "activation": (5, "b", 0),
    },
}


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor: its shape (batch, height, width, channels), and its values where it is constant."""

    name: str
    shape: tuple[int, ...]
    values: npt.NDArray[Any] | None


@dataclass(frozen=True)
class TfliteOperator:
    """A step: what it does, on which tensors, with which options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TfliteGraph:
    """The only subgraph of a file; operators stand in the order in which they run."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(data: bytes) -> TfliteGraph:
    """Read a TensorFlow Lite file of schema version 3 with one subgraph.

    Raises:
        ConfigError: if it is no such file, is cut short, or uses an operator not in OPERATORS.
    """
    if data[4:8] != b"TFL3":
        raise ConfigError("this is no TensorFlow Lite file (the mark TFL3 is missing)")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"the TensorFlow Lite file is damaged: {error}") from error


def _read(data: bytes) -> TfliteGraph:
    model = _Table(data, struct.unpack_from("<I", data)[0])
    codes = []
    for code in model.tables(1):
        codes.append(max(code.number(0, "b", 0), code.number(3, "i", 0)))
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise ConfigError(f"the TensorFlow Lite file has {len(subgraphs)} subgraphs, not one")
    buffers = [buffer.vector(0, "u1") for buffer in model.tables(4)]
    graph = subgraphs[0]
    tensors = tuple(_tensor(table, buffers) for table in graph.tables(0))
    operators = tuple(_operator(table, codes) for table in graph.tables(3))
    return TfliteGraph(
        tensors,
        operators,
        tuple(graph.vector(1, "<i4").tolist()),
        tuple(graph.vector(2, "<i4").tolist()),
    )


def _tensor(table: _Table, buffers: list[npt.NDArray[Any]]) -> TfliteTensor:
    shape = tuple(int(n) for n in table.vector(0, "<i4"))
    raw = buffers[table.number(2, "I", 0)]
    values = None
    if len(raw):
        kind = table.number(1, "b", 0)
        if kind not in _DTYPES:
            raise ConfigError(f"the TensorFlow Lite file holds a constant of unknown type {kind}")
        values = np.frombuffer(raw.tobytes(), _DTYPES[kind]).reshape(shape)
    return TfliteTensor(table.text(3), shape, values)


def _operator(table: _Table, codes: list[int]) -> TfliteOperator:
    code = codes[table.number(0, "I", 0)]
    if code not in OPERATORS:
        raise ConfigError(
            f"the TensorFlow Lite file uses operator {code}; understood are "
            + ", ".join(OPERATORS.values())
        )
    kind = OPERATORS[code]
    given = table.table(4)
    options = {
        name: default if given is None else given.number(place, form, default)
        for name, (place, form, default) in _OPTIONS.get(kind, {}).items()
    }
    inputs, outputs = table.vector(1, "<i4"), table.vector(2, "<i4")
    return TfliteOperator(kind, tuple(inputs.tolist()), tuple(outputs.tolist()), options)


class _Table:
    """A flatbuffers table: fields by number."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._vtable = at - struct.unpack_from("<i", data, at)[0]
        if self._vtable < 0:
            raise ValueError("a table points before the file")
        self._vtable_size = struct.unpack_from("<H", data, self._vtable)[0]

    def _field(self, number: int) -> int | None:
        slot = 4 + 2 * number
        if slot >= self._vtable_size:
            return None
        offset = struct.unpack_from("<H", self._data, self._vtable + slot)[0]
        return self._at + int(offset) if offset else None

    def _target(self, number: int) -> int | None:
        place = self._field(number)
        if place is None:
            return None
        return place + int(struct.unpack_from("<I", self._data, place)[0])

    def number(self, number: int, form: str, default: int) -> int:
        """A scalar field."""
        place = self._field(number)
        return (
            default if place is None else int(struct.unpack_from("<" + form, self._data, place)[0])
        )

    def table(self, number: int) -> _Table | None:
        """A field that is a table."""
        target = self._target(number)
        return None if target is None else _Table(self._data, target)

    def tables(self, number: int) -> list[_Table]:
        """A field that is a vector of tables."""
        target = self._target(number)
        if target is None:
            return []
        count = struct.unpack_from("<I", self._data, target)[0]
        if target + 4 + 4 * count > len(self._data):
            raise ValueError("a vector ends behind the file")
        places = [target + 4 + 4 * i for i in range(count)]
        return [
            _Table(self._data, place + int(struct.unpack_from("<I", self._data, place)[0]))
            for place in places
        ]

    def vector(self, number: int, dtype: str) -> npt.NDArray[Any]:
        """A field that is a vector of numbers; empty where it is absent."""
        target = self._target(number)
        if target is None:
            return np.zeros(0, dtype)
        count = struct.unpack_from("<I", self._data, target)[0]
        return np.frombuffer(self._data, dtype, count, target + 4)

    def text(self, number: int) -> str:
        """A field that is a string."""
        return self.vector(number, "u1").tobytes().decode("utf-8")
