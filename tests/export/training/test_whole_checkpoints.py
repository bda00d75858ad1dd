"""A run that is killed while it writes a checkpoint still has the one before."""

from __future__ import annotations

from pathlib import Path

import torch
from fixtures.file_faults import FileCalls, killed_at

from edge_ser.export.training.whole_checkpoints import WholeCheckpoints


def test_a_checkpoint_is_the_old_or_the_new_one_wherever_its_writer_is_killed(
    tmp_path: Path, file_calls: FileCalls
) -> None:
    path = tmp_path / "run" / "last.ckpt"
    checkpoints = WholeCheckpoints()

    def write(epoch: int) -> None:
        checkpoints.save_checkpoint({"epoch": epoch, "weights": torch.ones(100)}, str(path))

    write(1)
    found = []
    while killed_at(file_calls, len(found), lambda: write(2)):
        found.append(torch.load(path, weights_only=True)["epoch"])
    assert found == sorted(found)
    assert set(found) == {1, 2}
    assert checkpoints.load_checkpoint(path, weights_only=True)["epoch"] == 2
