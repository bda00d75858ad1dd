"""Train the face encoder on grey faces, from nothing or from weights that a run saved.

The default bundle's encoder was made in two rounds, a long one that was stopped halfway and a short
one that lets the learning rate fall to nothing:

    python -m recipes.face_encoder.finetuning DATA runs/face-first --stop-after 13
    python -m recipes.face_encoder.finetuning DATA runs/face
        --source runs/face-first/face.safetensors --epochs 5 --learning-rate 2e-3 --seed 8

``DATA`` holds ``fer2013_train.zip`` and ``fer2013_publictest.zip``. The epoch is chosen on a tenth
of the training pictures, picked by content hash, the same that the default bundle's fusion holds
out; PublicTest is scored once, at the end. A run that was stopped goes on when started again.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import lightning
import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.pictures import read_pictures
from edge_ser.export.examples.picture_augmentation import PictureAugmentation
from edge_ser.export.scoring.metrics import score
from edge_ser.export.training import resumable
from edge_ser.export.training.resumable import Loop, claim
from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.face_encoder.cnn import FaceCnn, load_face_encoder, save_face_encoder
from recipes.face_encoder.data import FaceBatch, FaceBatches, face_parts

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaceFinetuning:
    """A whole run; the defaults are the default bundle's.

    Attributes:
        epochs: at most.
        batch_size: faces a step.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        dropout: on the features.
        label_smoothing: FER2013's labels are right for two faces in three.
        class_power: a class counts (largest class / its size) ** class_power.
        erase: see `FaceBatches`.
        augmentation: see `PictureAugmentation`.
        patience: epochs without a better recall before the run ends.
        checkpoint_minutes: time between resumable checkpoints.
        seed: of everything.
        average: decay a step of an exponential moving average of weights and batch statistics,
            which is what is judged and kept; 0 for none.
        stop_after: epochs after which the run ends, wherever its schedule stands; None for none.
    """

    epochs: int = 26
    batch_size: int = 96
    learning_rate: float = 4e-3
    weight_decay: float = 2e-2
    dropout: float = 0.3
    label_smoothing: float = 0.1
    class_power: float = 0.3
    erase: float = 0.35
    augmentation: PictureAugmentation = field(default_factory=PictureAugmentation)
    patience: int = 30
    checkpoint_minutes: float = 5.0
    seed: int = 7
    average: float = 0.0
    stop_after: int | None = None


class FaceTask(lightning.LightningModule):
    """Trains a face encoder and its classifier.

    Args:
        encoder: with its own classifier.
        config: of the run.
        counts: pictures of each class, for the class weights.
        steps: of the whole run.
    """

    def __init__(
        self, encoder: FaceCnn, config: FaceFinetuning, counts: list[int], steps: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.steps = steps
        share = np.asarray(counts, np.float64)
        weight = (share.max() / np.maximum(share, 1)) ** config.class_power
        self.register_buffer("class_weight", torch.tensor(weight, dtype=torch.float32))
        self._seen: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: FaceBatch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of one batch."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)
        features = functional.dropout(
            self.encoder.features(batch.faces.contiguous(memory_format=torch.channels_last)),
            self.config.dropout,
            self.training,
        )
        logits = self.encoder.classifier(features)
        loss = functional.cross_entropy(
            logits,
            batch.labels,
            self.get_buffer("class_weight"),
            label_smoothing=self.config.label_smoothing,
        )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: FaceBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Collect the answers on the held-out part."""
        logits = self.encoder.classifier(self.encoder.features(batch.faces))
        self._seen.append((logits.argmax(dim=1).cpu(), batch.labels.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the held-out part's unweighted average recall."""
        predicted = torch.cat([p for p, _ in self._seen]).numpy()
        labels = torch.cat([t for _, t in self._seen]).numpy()
        self._seen.clear()
        scores = score(predicted, labels, len(EMOTIONS))
        self.log("held_out/recall", scores.recall, prog_bar=True)
        self.log("held_out/accuracy", scores.accuracy)

    def configure_optimizers(self) -> Any:
        """AdamW under one cycle."""
        parameters = list(self.encoder.parameters())
        groups: list[dict[str, Any]] = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            groups,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.config.learning_rate, total_steps=self.steps + 1, pct_start=0.15
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def finetune_face(
    encoder: FaceCnn,
    train: FaceBatches,
    held_out: FaceBatches,
    output: Path,
    config: FaceFinetuning,
    *,
    extra_callbacks: tuple[lightning.Callback, ...] = (),
) -> FaceCnn:
    """Train, resuming from `output` if a run stands there, and save the best epoch.

    Args:
        encoder: changed in place.
        train: augmented batches.
        held_out: unchanged batches that choose the epoch.
        output: folder for checkpoints, logs (CSV and TensorBoard) and ``face.safetensors``.
        config: of the run.
        extra_callbacks: run beside the run's own, for instance a progress display.

    Raises:
        ConfigError: if `output` holds a run with another configuration.
    """
    described = {**asdict(config), "augmentation": config.augmentation.model_dump()}
    claim(output, json.dumps(described))
    lightning.seed_everything(config.seed, verbose=False)
    counts = np.bincount(train.labels, minlength=len(EMOTIONS)).tolist()
    task = FaceTask(encoder, config, counts, config.epochs * len(train))
    # Convolutions of few channels run 1.4 times as fast on the CPU in this layout.
    encoder.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    resumable.train(
        task,
        train,
        held_out,
        output / "checkpoints",
        Loop(
            epochs=config.epochs,
            monitor="held_out/recall",
            patience=config.patience,
            checkpoint_minutes=config.checkpoint_minutes,
            stop_after=config.stop_after,
            average=config.average,
            threads=torch.get_num_threads(),
            callbacks=extra_callbacks,
            trainer={"log_every_n_steps": 50},
        ),
        logs=output,
    )
    save_face_encoder(encoder.eval(), output / "face.safetensors")
    return encoder


def score_faces(encoder: FaceCnn, test: FaceBatches) -> dict[str, Any]:
    """Unweighted average recall, accuracy and recall a class, on pictures nothing was chosen on."""
    encoder.eval()
    with torch.inference_mode():
        answers = [encoder.classifier(encoder.features(b.faces)).argmax(dim=1) for b in test]
    scores = score(torch.cat(answers).numpy(), test.labels, len(EMOTIONS))
    return {
        "faces": scores.count,
        "unweighted_average_recall": scores.recall,
        "accuracy": scores.accuracy,
        "recall": {name: row[1] for name, row in zip(EMOTIONS, scores.per_label, strict=True)},
        "chance": 1.0 / len(EMOTIONS),
    }


def command(
    data: Annotated[Path, typer.Argument(help="Folder with the two FER2013 zips.")],
    output: Annotated[Path, typer.Argument(help="Folder of the run; an old run goes on.")],
    source: Annotated[Path | None, typer.Option(help="Weights to go on from, safetensors.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Peak.")] = FaceFinetuning.learning_rate,
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = FaceFinetuning.epochs,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Epochs (default: the whole schedule).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything.")] = FaceFinetuning.seed,
    class_power: Annotated[
        float, typer.Option(help="0 takes classes as they come.")
    ] = FaceFinetuning.class_power,
    average: Annotated[
        float, typer.Option(help="Decay of averaged weights.")
    ] = FaceFinetuning.average,
    threads: Annotated[int, typer.Option(min=1, help="Of the CPU.")] = 1,
    score_only: Annotated[
        bool, typer.Option("--score-only", help="Score --source, train nothing.")
    ] = False,
) -> None:
    """Train the face encoder on FER2013's training part, and score PublicTest once at the end.

    A complete command: python -m recipes.face_encoder.finetuning data runs/face
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(threads)
    config = FaceFinetuning(
        epochs=epochs,
        learning_rate=learning_rate,
        class_power=class_power,
        seed=seed,
        average=average,
        stop_after=stop_after,
    )
    if score_only and source is None:
        raise ConfigError("--score-only scores the weights that --source names")
    torch.manual_seed(seed)
    parts = face_parts(
        read_pictures(data / "fer2013_train.zip", name="FER2013 train"),
        read_pictures(data / "fer2013_publictest.zip", name="FER2013 PublicTest"),
    )
    _log.info("%d faces train, %d choose the epoch, %d test", *(len(part) for part in parts))
    encoder = FaceCnn() if source is None else load_face_encoder(source)
    test = FaceBatches(parts[2], EMOTIONS, batch_size=64)
    if not score_only:
        training = FaceBatches(
            parts[0],
            EMOTIONS,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            erase=config.erase,
            seed=config.seed,
        )
        held_out = FaceBatches(parts[1], EMOTIONS, batch_size=64)
        encoder = finetune_face(encoder, training, held_out, output, config)
    report = json.dumps(score_faces(encoder, test), indent=2)
    write_atomically(output / "scores.json", (report + "\n").encode(), parents=True)
    _log.info(report)


if __name__ == "__main__":
    sys.exit(run(command))
