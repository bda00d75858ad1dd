"""An encoder of a bundle as it is: tokens are made by the very graph that will ship."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphName
from edge_ser.runtime.backend import open_session


class FinishedGraph(nn.Module):
    """A finished graph with one output behind a torch module's door; it cannot be trained.

    Args:
        bundle: whose graph, and whose tokenizer, are used.
        name: of the graph.
    """

    def __init__(self, bundle: Bundle, name: GraphName) -> None:
        super().__init__()
        self.graph: Path = bundle.graph_path(name)
        self.tokenizer_file: Path = bundle.path(bundle.manifest.tokenizer)
        self.entry = bundle.manifest.graphs[name]
        content = self.graph.read_bytes()
        # Part of the state, so that features are keyed by the graph that made them.
        digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8).copy()
        self.register_buffer("digest", torch.from_numpy(digest))
        self._session = open_session(self.graph, self.entry.inputs, self.entry.outputs)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The graph's inputs in its order to its output."""
        given = {n: x.numpy() for n, x in zip(self.entry.inputs, tensors, strict=True)}
        (answer,) = (self._session.run(given)[name] for name in self.entry.outputs)
        return torch.from_numpy(answer)
