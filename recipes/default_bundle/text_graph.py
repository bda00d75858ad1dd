"""The text encoder of a bundle as it is: tokens are made by the very graph that will ship."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_ser.bundles.loading import Bundle
from edge_ser.runtime.backend import open_session


class TextGraph(nn.Module):
    """A finished text graph behind a torch module's door; it cannot be trained.

    Args:
        bundle: whose text graph and tokenizer are used.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.graph: Path = bundle.graph_path("text")
        self.tokenizer_file: Path = bundle.path(bundle.manifest.tokenizer)
        self.entry = bundle.manifest.graphs["text"]
        content = self.graph.read_bytes()
        # Part of the state, so that features are keyed by the graph that made them.
        digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8).copy()
        self.register_buffer("digest", torch.from_numpy(digest))
        self._session = open_session(self.graph, self.entry.inputs, self.entry.outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """int64 [B, L] ids and mask to float32 [B, L, width]."""
        given = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
        return torch.from_numpy(self._session.run(given)["text_tokens"])
