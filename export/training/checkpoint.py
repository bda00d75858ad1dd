"""Read a trained fusion back from what a run wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from edge_ser.bundles.schema import smaller_subsets, subset_name
from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion, make_fusion
from edge_ser.export.training.config import TrainingConfig
from edge_ser.export.training.fit import average_predictions
from edge_ser.export.training.fusion_task import DESCRIPTION
from edge_ser.export.training.prediction import predict
from edge_ser.export.training.resumable import LAST

Variants = Mapping[Modality, Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class TrainedFusion:
    """One fold's fusion, or several of different seeds whose probabilities are averaged."""

    fusions: tuple[Fusion, ...]
    config: TrainingConfig
    model: FusionConfig
    labels: tuple[str, ...]
    fold: str
    protocol: str
    seeds: tuple[int, ...]
    epochs: int
    """Epochs that were trained, the fewest of the seeds."""
    data: str
    """Name of the data set."""
    licence: str
    """Of the data set."""
    validation_trains: bool
    """Whether the validation people were trained on: nothing was selected on them then."""
    speakers: Mapping[str, tuple[str, ...]]
    """Who is in each part of the split."""
    contents: Mapping[str, tuple[str, ...]]
    """First 16 digits of the SHA-256 of the items of each part."""
    folder: Path
    """Of the fold: a speech encoder that was trained there lies in it."""

    @property
    def parameters(self) -> int:
        """Of all fusions together."""
        return sum(p.numel() for fusion in self.fusions for p in fusion.parameters())

    def logits(self, variants: Variants, items: Sequence[int]) -> Tensor:
        """Logits [items, labels] of some items' tokens; of several seeds, log-probabilities."""
        several = [predict(fusion, variants, items) for fusion in self.fusions]
        return average_predictions(several) if len(several) > 1 else several[0]

    def subset_logits(self, variants: Variants, items: Sequence[int]) -> dict[str, Tensor]:
        """The same for every smaller non-empty subset of the modalities, by its name."""
        return {
            name: self.logits({m: x for m, x in variants.items() if m in name.split("+")}, items)
            for name in smaller_subsets(self.model.inputs)
        }

    @property
    def modalities(self) -> str:
        """Name of the set of modalities that the fusion knows."""
        return subset_name(list(self.model.inputs))


def read_trained(path: Path) -> TrainedFusion:
    """Read a checkpoint, the folder of one, or a fold's folder with those of several seeds.

    Raises:
        ConfigError: if there is none, it is damaged, or it says nothing of itself.
    """
    files = [path]
    if path.is_dir():
        files = [path / LAST] if (path / LAST).is_file() else sorted(path.glob(f"seed-*/{LAST}"))
    if not files or not files[0].is_file():
        raise ConfigError(
            f"{path} holds no checkpoint; name a {LAST}, or the folder of a fold of a run"
        )
    read = [_read(file) for file in files]
    first = read[0][1]
    same = ("config", "fold", "labels", "fusion")
    for file, (_, other, _) in zip(files, read, strict=True):
        if any(other[key] != first[key] for key in same):
            raise ConfigError(f"{file} and {files[0]} are not of one run and fold")
    return TrainedFusion(
        fusions=tuple(fusion for fusion, _, _ in read),
        config=TrainingConfig.model_validate(first["config"]),
        model=FusionConfig.model_validate(first["fusion"]),
        labels=tuple(first["labels"]),
        fold=first["fold"],
        protocol=first["protocol"],
        seeds=tuple(int(description["seed"]) for _, description, _ in read),
        epochs=min(epochs for _, _, epochs in read),
        data=first["data"],
        licence=first["licence"],
        validation_trains=bool(first["validation_trains"]),
        speakers={part: tuple(names) for part, names in first["speakers"].items()},
        contents={part: tuple(digests) for part, digests in first["contents"].items()},
        folder=files[0].parent.parent,
    )


def _read(file: Path) -> tuple[Fusion, dict[str, Any], int]:
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        state: dict[str, Tensor] = saved["state_dict"]
        epochs = int(saved["epoch"]) + 1
        description = saved.get(DESCRIPTION)
    except Exception as error:  # torch raises a dozen kinds for files that are none of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{file} is no checkpoint of a run: {reason}") from error
    if description is None:
        raise ConfigError(
            f"{file} does not say what it was trained on; only checkpoints of edge-ser train "
            "can be evaluated and exported"
        )
    try:
        fusion = make_fusion(FusionConfig.model_validate(description["fusion"]))
        averaged = any(name.startswith("averaged.") for name in state)
        prefix = "averaged." if averaged else "model."
        own = {n.removeprefix(prefix): x for n, x in state.items() if n.startswith(prefix)}
        fusion.load_state_dict(own)
        TrainingConfig.model_validate(description["config"])
    except (KeyError, RuntimeError, TypeError, ValidationError) as error:
        raise ConfigError(f"{file} is damaged: {error}") from error
    return fusion.eval(), description, epochs
