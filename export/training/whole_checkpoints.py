"""Checkpoints of a training run that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from edge_ser.files import write_atomically


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a run's checkpoints so that one that is killed goes on from the one before.

    Lightning's own way moves a file out of the system's temporary folder: where that lies on
    another disk the move is a copy, and half of one stays.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; see `TorchCheckpointIO.save_checkpoint`."""
        if storage_options is not None:
            raise TypeError("a checkpoint on this machine has no storage options")
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_atomically(Path(path), content.getvalue(), parents=True)
