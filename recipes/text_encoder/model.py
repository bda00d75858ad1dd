"""The text encoder with an emotion head: the module, its files, and its Lightning task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lightning
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.bundles.replacing import replaced_folder
from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.text import TextEncoder, load_text_encoder
from edge_ser.export.scoring.metrics import multi_label_f1
from recipes.text_encoder.data import TextBatch
from recipes.text_encoder.metrics import choose_thresholds

HEAD_WEIGHTS: Final = "emotion_head.safetensors"
HEAD_CONFIG: Final = "emotion_head.json"


class TextEmotionModel(nn.Module):
    """A text encoder, its pooled embedding, and one logit a label.

    Args:
        encoder: any text encoder.
        labels: names of the logits.
        dropout: on the pooled embedding, while training.
    """

    def __init__(
        self, encoder: TextEncoder, labels: tuple[str, ...] = EMOTIONS, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.labels = labels
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.width, len(labels))
        self.register_buffer("thresholds", torch.full((len(labels),), 0.5))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [B, labels] of independent labels (a sigmoid each), from int64 [B, L] twice."""
        tokens = self.encoder(input_ids, attention_mask)
        pooled = self.encoder.pool(tokens, attention_mask)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    def save(self, folder: Path) -> None:
        """Write the encoder in the Hugging Face layout and the head beside it.

        The folder is replaced whole, see `edge_ser.bundles.replacing.replaced_folder`.
        """
        head = {"weight": self.head.weight.detach().contiguous(), "bias": self.head.bias.detach()}
        thresholds = [float(value) for value in self.get_buffer("thresholds")]
        config = {"labels": list(self.labels), "thresholds": thresholds}
        with replaced_folder(folder) as fresh:
            self.encoder.save(fresh)
            save_file(head, str(fresh / HEAD_WEIGHTS))
            (fresh / HEAD_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_text_emotion_model(folder: Path) -> TextEmotionModel:
    """Read what `TextEmotionModel.save` wrote, in evaluation mode.

    Raises:
        ConfigError: if the encoder or the head is missing or damaged.
    """
    encoder = load_text_encoder(Path(folder))
    try:
        config = json.loads((folder / HEAD_CONFIG).read_text(encoding="utf-8"))
        weights = load_file(str(folder / HEAD_WEIGHTS))
        model = TextEmotionModel(encoder, tuple(config["labels"]))
        model.head.load_state_dict(weights)
        model.get_buffer("thresholds").copy_(torch.tensor(config["thresholds"]))
    except Exception as error:  # json, safetensors and torch each raise their own kind
        raise ConfigError(f"{folder} holds no usable emotion head: {error}") from error
    return model.eval()


@dataclass(frozen=True)
class TextOptimisation:
    """How the weights move.

    Attributes:
        learning_rate: peak for the head's neighbour, the last layer.
        head_factor: the head learns this much faster; it starts from noise.
        layer_decay: each layer below learns this much slower.
        weight_decay: of AdamW, on matrices only.
        warmup_share: share of the steps in which the rate climbs; then it falls to 0 linearly.
        weight_power: a positive of a label counts (negatives / positives) ** weight_power.
        freeze_embeddings: keep the word vectors; they are half of the parameters, hardly move in
            a few epochs, and words that the training texts lack keep their place among the rest.
        total_steps: length of the schedule.
        seed: of dropout, which depends on (seed, step) alone so that a resumed run repeats it.
    """

    learning_rate: float = 1e-4
    head_factor: float = 10.0
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    weight_power: float = 0.25
    freeze_embeddings: bool = True
    total_steps: int = 1000
    seed: int = 0


class TextEmotionTask(lightning.LightningModule):
    """Trains a `TextEmotionModel` with binary cross-entropy, one label beside the other.

    Args:
        model: what is trained.
        optimisation: how.
        positives: share of the training texts that carry each label, for the class weights.
    """

    def __init__(
        self,
        model: TextEmotionModel,
        optimisation: TextOptimisation,
        positives: npt.NDArray[np.float64],
    ) -> None:
        super().__init__()
        self.model = model
        self.optimisation = optimisation
        odds = (1.0 - positives) / np.clip(positives, 1e-4, 1.0)
        weight = np.asarray(odds**optimisation.weight_power, np.float32)
        self.register_buffer("positive_weight", torch.from_numpy(weight))
        self._seen: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: TextBatch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of one batch."""
        torch.manual_seed(self.optimisation.seed * 1_000_003 + self.global_step)
        logits = self.model(batch.input_ids, batch.attention_mask)
        loss = functional.binary_cross_entropy_with_logits(
            logits, batch.targets, pos_weight=self.get_buffer("positive_weight")
        )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.targets))
        return loss

    def validation_step(self, batch: TextBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Collect the probabilities of the held-out part."""
        logits = self.model(batch.input_ids, batch.attention_mask)
        self._seen.append((torch.sigmoid(logits).cpu(), batch.targets.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Choose thresholds on the held-out part and log its macro F1."""
        probabilities = torch.cat([p for p, _ in self._seen]).numpy()
        targets = torch.cat([t for _, t in self._seen]).numpy()
        self._seen.clear()
        thresholds = choose_thresholds(probabilities, targets)
        self.model.get_buffer("thresholds").copy_(torch.from_numpy(thresholds))
        scores = multi_label_f1(probabilities >= thresholds, targets > 0.5)
        self.log("held_out/macro_f1", float(scores.mean()), prog_bar=True)
        for label, score in zip(self.model.labels, scores, strict=True):
            self.log(f"held_out/f1_{label}", float(score))
        clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
        loss = -(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped)).mean()
        self.log("held_out/loss", float(loss))

    def configure_optimizers(self) -> Any:
        """AdamW with a rate a layer, warm-up and linear fall."""
        options = self.optimisation
        groups = parameter_groups(self.model, options)
        optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98))
        warmup = max(1, int(options.warmup_share * options.total_steps))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return max(0.0, (options.total_steps - step) / max(1, options.total_steps - warmup))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def parameter_groups(model: TextEmotionModel, options: TextOptimisation) -> list[dict[str, Any]]:
    """Parameters with their own learning rate: the head fastest, each layer below slower.

    The depth of a parameter is the first number in its name (``encoder.layer.3.``); what has none
    (the embeddings) lies below the first layer.
    """
    depths = {name: _depth(name) for name, _ in model.encoder.named_parameters()}
    top = max(depths.values())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.encoder.named_parameters():
        if options.freeze_embeddings and depths[name] < 0:
            parameter.requires_grad_(False)
            continue
        rate = options.learning_rate * options.layer_decay ** (top - depths[name])
        decay = options.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    for parameter in model.head.parameters():
        decay = options.weight_decay if parameter.ndim > 1 else 0.0
        rate = options.learning_rate * options.head_factor
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _depth(name: str) -> int:
    numbers = [int(part) for part in name.split(".") if part.isdecimal()]
    return numbers[0] if numbers else -1
