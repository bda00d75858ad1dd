"""Training of a fusion as a Lightning module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from edge_ser.constants import Modality
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion, Tokens, make_fusion
from edge_ser.export.training.config import ModalityDropout, Optimisation
from edge_ser.export.training.examples import Batch, ColumnStatistics
from edge_ser.export.training.masked_loss import masked_cross_entropy

DESCRIPTION: Final = "edge_ser"
"""Key of a checkpoint's own description."""


class FusionTask(lightning.LightningModule):
    """Cross-entropy of the fusion and, with a smaller weight, of each modality's own head.

    While training, modalities are hidden at random (all non-empty subsets are seen). Where an
    example shows its emotion in some modalities only and just these are hidden, the target is
    neutral: the model learns to say what can be told from what it is given.

    Args:
        config: sizes of the fusion.
        optimisation: optimiser and losses.
        dropout: how modalities are hidden.
        steps: optimiser steps of the whole run, for the schedule.
        neutral: index of the label neutral, or None where examples show their label everywhere.
        class_weights: float [labels], or None.
        noise: deviation of the noise that is added to standardised tokens.
        mixup: alpha of mixup's beta distribution; 0 for none.
        seed: decides dropout, hidden modalities, noise and mixup of every step.
        description: plain data that checkpoints carry, see `DESCRIPTION`.
    """

    def __init__(
        self,
        config: FusionConfig,
        optimisation: Optimisation,
        dropout: ModalityDropout,
        steps: int,
        *,
        neutral: int | None = None,
        class_weights: Tensor | None = None,
        noise: float = 0.0,
        mixup: float = 0.0,
        seed: int = 0,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.description = description
        self.model: Fusion = make_fusion(config)
        self.averaged: Fusion | None = None
        if optimisation.average:
            self.averaged = make_fusion(config)
            self.averaged.load_state_dict(self.model.state_dict())
            self.averaged.requires_grad_(requires_grad=False)
        self.optimisation = optimisation
        self.keep_all = dropout.keep_all
        self.total_steps = max(steps, 1)
        self.neutral = neutral
        self.noise = noise
        self.mixup = mixup
        self.run_seed = seed
        self.register_buffer("class_weights", class_weights)
        self.subsets = torch.tensor(
            [
                [float(m in chosen) for m in self.model.modalities]
                for size in range(1, len(self.model.modalities) + 1)
                for chosen in combinations(self.model.modalities, size)
            ]
        )
        self._answers: list[tuple[Tensor, Tensor]] = []

    def fit_statistics(self, statistics: Mapping[Modality, ColumnStatistics]) -> None:
        """Set what the branches standardise with, of the training tokens."""
        for fusion in (self.model, self.averaged):
            if fusion is not None:
                for modality, own in statistics.items():
                    branch: Any = fusion.branches[modality]
                    branch.standardise.fit(own.mean, own.deviation)
                    if branch.statistics:
                        branch.standardise_statistics.fit(own.clip_mean, own.clip_deviation)

    def give_speech_head(self, state: Mapping[str, Tensor]) -> None:
        """Give a hybrid fusion the finished head of its sound."""
        for fusion in (self.model, self.averaged):
            head: Any = None if fusion is None else fusion.speech_head
            if head is not None:
                head.load_state_dict(state)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint what it is."""
        if self.description is not None:
            checkpoint[DESCRIPTION] = dict(self.description)

    @property
    def best(self) -> Fusion:
        """The model to evaluate and to export: the averaged one where averages are kept."""
        return self.averaged if self.averaged is not None else self.model

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of one batch.

        Every step seeds itself: a resumed run draws what an uninterrupted one would have, however
        many numbers the loader drew when it was made.
        """
        torch.manual_seed((self.run_seed << 40) + (self.global_rank << 32) + self.global_step)
        present, visible = self._hide(batch)
        if self.noise:
            present = {m: (self._noisy(m, x), mask) for m, (x, mask) in present.items()}
        share, order, allowed = 1.0, torch.arange(len(batch.target)), batch.allowed
        if self.mixup:
            share = float(
                np.random.default_rng([self.run_seed, self.global_step]).beta(
                    self.mixup, self.mixup
                )
            )
            order = torch.randperm(len(batch.target))
            present = {m: _mixed(x, mask, order, share) for m, (x, mask) in present.items()}
            visible = torch.minimum(visible + visible[order], torch.ones(()))
            allowed = None if allowed is None else allowed | allowed[order]
        output = self.model.fuse(present)
        target = self._target(batch, visible)
        loss = self._loss(output.logits, target, order, share, allowed)
        for index, modality in enumerate(self.model.modalities):
            if modality in output.alone and self.optimisation.alone_weight:
                rows = visible[:, index] > 0
                if rows.any():
                    own = self._loss(
                        output.alone[modality], batch.own[modality], order, share, allowed, rows
                    )
                    loss = loss + self.optimisation.alone_weight * own * rows.float().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average of the weights."""
        if self.averaged is not None:
            decay = min(self.optimisation.average, (1 + self.global_step) / (10 + self.global_step))
            with torch.no_grad():
                for kept, new in zip(
                    self.averaged.parameters(), self.model.parameters(), strict=True
                ):
                    kept.lerp_(new, 1.0 - decay)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the answers of one batch."""
        logits = self.best.fuse(batch.tokens).logits
        self._answers.append((logits.detach().float().cpu(), batch.target.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log loss and unweighted average recall."""
        logits = torch.cat([x for x, _ in self._answers])
        target = torch.cat([y for _, y in self._answers])
        self._answers.clear()
        hit = (logits.argmax(1) == target).float()
        recalls = [hit[target == label].mean() for label in set(target.tolist())]
        self.log("validation_loss", cross_entropy(logits, target), prog_bar=True)
        self.log("validation_recall", torch.stack(recalls).mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW; biases, gains and learned vectors do not decay."""
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        free = [p for p in self.model.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.optimisation.weight_decay},
                {"params": free, "weight_decay": 0.0},
            ],
            lr=self.optimisation.learning_rate,
        )
        warmup = max(int(self.total_steps * self.optimisation.warmup_share), 1)

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            done = min((step - warmup) / max(self.total_steps - warmup, 1), 1.0)
            return 0.5 * (1.0 + math.cos(math.pi * done))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _hide(self, batch: Batch) -> tuple[dict[Modality, tuple[Tensor, Tensor]], Tensor]:
        """Tokens with hidden modalities, and which are visible: float [batch, modalities]."""
        count = len(batch.target)
        choice = torch.randint(0, max(len(self.subsets) - 1, 1), (count,))
        choice[torch.rand(count) < self.keep_all] = len(self.subsets) - 1
        visible = self.subsets[choice].to(batch.target.device)
        there = torch.stack([batch.tokens[m][1].amax(1) for m in self.model.modalities], 1)
        # An example that came without what was chosen keeps what it has.
        visible = torch.where((visible * there).sum(1, keepdim=True) > 0, visible * there, there)
        hidden: dict[Modality, tuple[Tensor, Tensor]] = {}
        for index, modality in enumerate(self.model.modalities):
            tokens, mask = batch.tokens[modality]
            shown = mask * visible[:, index : index + 1]
            hidden[modality] = (tokens * shown.unsqueeze(-1), shown)
        return hidden, visible

    def _target(self, batch: Batch, visible: Tensor) -> Tensor:
        if self.neutral is None:
            return batch.target
        shown = torch.zeros_like(batch.target, dtype=torch.bool)
        for index, modality in enumerate(self.model.modalities):
            shown |= (batch.own[modality] == batch.target) & (visible[:, index] > 0)
        return torch.where(shown, batch.target, torch.full_like(batch.target, self.neutral))

    def _loss(
        self,
        logits: Tensor,
        target: Tensor,
        order: Tensor,
        share: float,
        allowed: Tensor | None,
        rows: Tensor | None = None,
    ) -> Tensor:
        weight = cast("Tensor | None", self.class_weights)
        chosen = slice(None) if rows is None else rows
        smoothing = self.optimisation.label_smoothing
        losses = [
            cross_entropy(logits[chosen], own[chosen], weight=weight, label_smoothing=smoothing)
            if allowed is None
            else masked_cross_entropy(logits[chosen], own[chosen], allowed[chosen], smoothing)
            for own in ((target, target[order]) if share < 1.0 else (target,))
        ]
        return losses[0] if len(losses) == 1 else share * losses[0] + (1 - share) * losses[1]

    def _noisy(self, modality: Modality, tokens: Tensor) -> Tensor:
        branch: Any = self.model.branches[modality]
        scale = branch.standardise.scale
        spread = torch.where(scale > 0, 1.0 / scale.clamp_min(1e-6), torch.zeros_like(scale))
        return torch.randn_like(tokens).mul_(self.noise * spread).add_(tokens)


def _mixed(tokens: Tensor, mask: Tensor, order: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mixup of padded sequences: where only one of the two is present, it stands alone."""
    other, other_mask = tokens[order], mask[order]
    weight = share * mask / (share * mask + (1 - share) * other_mask).clamp_min(1e-6)
    mixed = weight.unsqueeze(-1) * tokens + (1 - weight).unsqueeze(-1) * other
    both = torch.maximum(mask, other_mask)
    return mixed * both.unsqueeze(-1), both


@torch.inference_mode()
def logits_of(model: nn.Module, tokens: Tokens) -> Tensor:
    """Logits of a batch in evaluation mode: float [batch, labels].

    Modalities that the model knows but the tokens lack count as absent.
    """
    fusion = model
    if not isinstance(fusion, Fusion):
        raise TypeError("logits_of needs a fusion")
    fusion.eval()
    first = next(iter(tokens.values()))[0]
    whole = {
        m: tokens[m]
        if m in tokens
        else (
            torch.zeros(len(first), 1, fusion.config.inputs[m]),
            torch.zeros(len(first), 1),
        )
        for m in fusion.modalities
    }
    return fusion.fuse(whole).logits
