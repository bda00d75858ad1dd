"""An ONNX graph that was read once: what was hashed is what every backend is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_ser.errors import EngineError
from edge_ser.files import read_plain

GRAPH_LIMIT: Final = (1 << 31) - 1
"""Bytes that one graph may have: what its format can hold."""


@dataclass(frozen=True)
class GraphContent:
    """The content of a graph's file. No backend opens the file again by its name."""

    path: Path
    """Where it was read, for messages and names."""
    content: bytes = field(repr=False)
    sha256: str

    @classmethod
    def read(cls, path: Path) -> GraphContent:
        """Read a graph that no manifest lists.

        Raises:
            EngineError: if the file is missing, cannot be read, or is no plain file.
        """
        try:
            content = read_plain(path, GRAPH_LIMIT)
        except FileNotFoundError:
            raise EngineError(
                f"{path}: there is no such graph file; check the bundle's folder"
            ) from None
        except OSError as error:
            raise EngineError(f"{path}: the graph cannot be read: {error.strerror}") from error
        return cls(path, content, hashlib.sha256(content).hexdigest())

    @classmethod
    def of(cls, graph: Path | GraphContent) -> GraphContent:
        """The graph itself, or what is read at a path; see `read`."""
        return graph if isinstance(graph, GraphContent) else cls.read(graph)
