"""What an ONNX graph may ask for, looked at before any backend sees it.

A graph is a program of its own: it may name files to read weights from, addresses in memory,
compiled engines, and operators that libraries bring. A bundle's graph brings all that it needs
itself, in operators of ONNX and ONNX Runtime. This reads the protobuf's fields without its library,
which the runtime does not need otherwise, and never skips what that library would read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}

_OWN_DOMAINS: Final = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
_OUTSIDE_OPERATORS: Final = frozenset({b"EPContext"})
"""Of ONNX Runtime: they run compiled code out of a file that they name."""
_ORT_FORMAT: Final = b"ORTM"
_DEEPEST: Final = 60
"""Messages in messages; the deepest of graphs in graphs that occur have a tenth of it."""
_MOST_FIELDS: Final = 4_000_000
"""More than graphs of 2 GiB have: longer lists of numbers are kept as one field."""

# Fields that are followed, by the kind of message: number -> kind of what is there.
_FOLLOWED: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_NAMES: Final = {"node": (4, 7), "function": (1, 10)}
"""Fields of the operator's name and of its domain."""
_EXTERNAL_DATA: Final = 13
_DATA_LOCATION: Final = 14

_Field: TypeAlias = tuple[int, int, int, int]


def why_not_allowed(content: bytes) -> str | None:
    """Why a graph must not be run; None if it may.

    Args:
        content: of an ONNX file.
    """
    if content[4:8] == _ORT_FORMAT:
        return "it is in ONNX Runtime's own format, not in that of ONNX"
    try:
        return _Walk(content).reason()
    except (IndexError, ValueError):
        return "it is no ONNX graph"


class _Walk:
    """One pass over a model's messages."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = _MOST_FIELDS
        self._operators: set[tuple[bytes, bytes]] = set()
        self._functions: set[tuple[bytes, bytes]] = set()

    def reason(self) -> str | None:
        waiting = [("model", 0, len(self._content), 0)]
        while waiting:
            kind, start, stop, depth = waiting.pop()
            if depth > _DEEPEST:
                return "its parts are nested too deeply"
            followed = _FOLLOWED[kind]
            names = _NAMES.get(kind)
            name = domain = b""
            for number, wire, first, end in self._fields(start, stop):
                inner = followed.get(number)
                if inner is not None and wire == _BYTES:
                    waiting.append((inner, first, end, depth + 1))
                elif names is not None and wire == _BYTES and number in names:
                    value = self._content[first:end]
                    name, domain = (value, domain) if number == names[0] else (name, value)
                elif kind == "tensor" and (
                    number == _EXTERNAL_DATA or (number == _DATA_LOCATION and first != 0)
                ):
                    return (
                        "a tensor of it lies in another file; a bundle's graph holds its own "
                        "weights: save it without external data"
                    )
            if kind == "node":
                self._operators.add((domain, name))
            elif kind == "function":
                self._functions.add((domain, name))
        return self._foreign()

    def _foreign(self) -> str | None:
        for domain, name in sorted(self._operators - self._functions):
            shown = f"{domain.decode('ascii', 'replace')}:{name.decode('ascii', 'replace')}"
            if name in _OUTSIDE_OPERATORS:
                return f"its operator {shown[:80]!r} runs compiled code that lies elsewhere"
            if domain not in _OWN_DOMAINS:
                return (
                    f"it has the custom operator {shown[:80]!r}; a bundle's graph uses those of "
                    "ONNX and ONNX Runtime alone"
                )
        return None

    def _fields(self, start: int, stop: int) -> Iterator[_Field]:
        """Number, wire type, and where the value lies; of a number, its value and 0."""
        content, at = self._content, start
        while at < stop:
            self._left -= 1
            if self._left < 0:
                raise ValueError
            tag, at = self._varint(at)
            if tag > 0xFFFF_FFFF:
                raise ValueError
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                value, at = self._varint(at)
                yield number, wire, value, 0
                continue
            if wire == _BYTES:
                size, at = self._varint(at)
            else:
                size = _FIXED.get(wire, -1)
            if size < 0 or number == 0:
                raise ValueError
            yield number, wire, at, at + size
            at += size
        if at != stop or stop > len(content):
            raise ValueError

    def _varint(self, at: int) -> tuple[int, int]:
        content = self._content
        byte = content[at]
        if byte < 0x80:
            return byte, at + 1
        value, shift = byte & 0x7F, 7
        while True:
            at += 1
            byte = content[at]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
            shift += 7
            if shift > 63:
                raise ValueError
