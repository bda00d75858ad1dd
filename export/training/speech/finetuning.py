"""Train the speech encoder further, end to end on raw sound, before the fusion is trained.

The first layers of the pretrained encoder get a pooling and a classifier; sound is augmented anew
in every epoch (noise, gain, speed, room, microphone; SpecAugment on the log-mel). The epoch is
chosen on the fold's validation people. Then every clip is encoded with the encoder of the fold, and
the run goes on as with the pretrained one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, cross_entropy
from torch.utils.data import DataLoader, Dataset

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.speech import SpeechEncoder
from edge_ser.export.examples.audio_augmentation import augment_audio, speech_window
from edge_ser.export.models.speech_head import SpeechHead
from edge_ser.export.training.resumable import EpochOrder, Loop, train
from edge_ser.export.training.speech.config import SpeechFinetuning
from edge_ser.frontends.audio import AudioFrontend, default_audio_config, even_frames
from edge_ser.kernels import whisper_normalize

Samples = npt.NDArray[np.float32]


class LabelledAudio(NamedTuple):
    """Recordings in memory."""

    samples: Sequence[Samples]
    """float32 [n] each, 16 kHz."""
    targets: Sequence[int]
    people: Sequence[str]


class AudioBatch(NamedTuple):
    """`log_mel` float32 [B, 80, T], `mask` float32 [B, T / 2], `target` int64 [B]."""

    log_mel: Tensor
    mask: Tensor
    target: Tensor


class AudioExamples(Dataset[tuple[npt.NDArray[np.float32], int]]):
    """Log-mels of recordings; what happens to one depends on (seed, epoch, its number) alone."""

    def __init__(
        self, audio: LabelledAudio, config: SpeechFinetuning, seed: int, *, augment: bool
    ) -> None:
        self.epoch = 0
        self._audio = audio
        self._config = config
        self._seed = seed
        self._augment = augment
        self._frontend = AudioFrontend(default_audio_config())

    def __len__(self) -> int:
        """Recordings an epoch."""
        return len(self._audio.targets)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], int]:
        """Log-mel float32 [80, T], T even, and the label."""
        config = self._config
        samples = self._audio.samples[index]
        generator = np.random.default_rng([self._seed, self.epoch, index])
        if self._augment:
            samples = augment_audio(samples, config.audio, generator)
        longest = round(config.longest_seconds * SAMPLE_RATE)
        if len(samples) > longest:
            if self._augment:
                wide = samples.astype(np.float64)
                samples = speech_window(wide, config.longest_seconds, generator).astype(np.float32)
            samples = samples[:longest]
        rows = self._frontend.kernels()[0].compute(np.ascontiguousarray(samples))
        log_mel = whisper_normalize(np.ascontiguousarray(rows.T))
        log_mel = log_mel[:, : even_frames(log_mel.shape[1])]
        if self._augment:
            log_mel = mask_spectrum(log_mel, config, generator)
        return log_mel, self._audio.targets[index]


def mask_spectrum(
    log_mel: npt.NDArray[np.float32], config: SpeechFinetuning, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Hide bands and spans (SpecAugment: Park et al., 2019) behind the picture's mean.

    Args:
        log_mel: float32 [80, T].
        config: how many, and how wide at most.
        generator: decides where.
    """
    bands, frames = log_mel.shape
    out, mean = log_mel.copy(), float(log_mel.mean())
    for _ in range(config.frequency_masks):
        width = int(generator.integers(0, config.frequency_mask_bands + 1))
        start = int(generator.integers(0, max(bands - width, 0) + 1))
        out[start : start + width] = mean
    for _ in range(config.time_masks):
        width = int(generator.integers(0, int(frames * config.time_mask_share) + 1))
        start = int(generator.integers(0, frames - width + 1))
        out[:, start : start + width] = mean
    return np.asarray(out, np.float32)


def collate_audio(examples: Sequence[tuple[npt.NDArray[np.float32], int]]) -> AudioBatch:
    """Pad log-mels to the longest of a batch with its quietest value; padding is masked."""
    longest = max(log_mel.shape[1] for log_mel, _ in examples)
    padded = np.empty((len(examples), examples[0][0].shape[0], longest), np.float32)
    mask = np.zeros((len(examples), longest // 2), np.float32)
    for row, (log_mel, _) in enumerate(examples):
        padded[row] = log_mel.min()
        padded[row, :, : log_mel.shape[1]] = log_mel
        mask[row, : log_mel.shape[1] // 2] = 1.0
    target = torch.tensor([target for _, target in examples])
    return AudioBatch(torch.from_numpy(padded), torch.from_numpy(mask), target)


class SpeechTask(lightning.LightningModule):
    """The encoder with attentive statistics and a classifier.

    Args:
        encoder: changed in place.
        labels: how many there are.
        config: of the fine-tuning.
        steps: optimiser steps of the whole run.
        class_weights: float32 [labels].
        seed: of dropout, in every step anew, so that a resumed run repeats it.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        labels: int,
        config: SpeechFinetuning,
        steps: int,
        class_weights: Tensor,
        seed: int,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = encoder
        self.config = config
        self.total_steps = max(steps, 1)
        self.run_seed = seed
        self.head = SpeechHead(encoder.width, labels, config.dropout)
        self.register_buffer("class_weights", class_weights)
        self._answers: list[tuple[Tensor, Tensor]] = []

    def forward(self, log_mel: Tensor, mask: Tensor) -> Tensor:
        """Logits [B, labels]; pairs of features become one, as in `AcousticEncoder`."""
        features = self.encoder(log_mel, mask) * mask.unsqueeze(-1)
        tokens = avg_pool1d(features.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)
        visible = avg_pool1d(mask.unsqueeze(1), 2, ceil_mode=True).squeeze(1)
        logits: Tensor = self.head(
            tokens / visible.clamp_min(0.5).unsqueeze(-1), (visible > 0).float()
        )
        return logits

    def training_step(self, batch: AudioBatch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of one batch."""
        torch.manual_seed((self.run_seed << 40) + (self.global_rank << 32) + self.global_step)
        loss = cross_entropy(
            self(batch.log_mel, batch.mask),
            batch.target,
            self.get_buffer("class_weights"),
            label_smoothing=self.config.label_smoothing,
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.target))
        return loss

    def validation_step(self, batch: AudioBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the answers of one batch."""
        logits = self(batch.log_mel, batch.mask)
        self._answers.append((logits.argmax(1).cpu(), batch.target.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the unweighted average recall."""
        predicted = torch.cat([p for p, _ in self._answers])
        target = torch.cat([t for _, t in self._answers])
        self._answers.clear()
        hit = (predicted == target).float()
        recalls = [hit[target == label].mean() for label in set(target.tolist())]
        self.log("validation_recall", torch.stack(recalls).mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW; each layer learns slower than the one above, the convolutions slowest."""
        config = self.config
        depth = len(self.encoder.layers)
        groups: list[dict[str, Any]] = []
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            rate = config.head_learning_rate
            if name.startswith("encoder."):
                layer = int(name.split(".")[2]) + 1 if name.startswith("encoder.layers.") else 0
                rate = config.learning_rate * config.layer_decay ** (depth - layer)
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.append({"params": [parameter], "lr": rate, "weight_decay": decay})
        warmup = max(int(self.total_steps * config.warmup_share), 1)

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            done = min((step - warmup) / max(self.total_steps - warmup, 1), 1.0)
            return 0.5 * (1.0 + math.cos(math.pi * done))

        optimizer = torch.optim.AdamW(groups)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def finetune_speech(
    encoder: SpeechEncoder,
    training: LabelledAudio,
    validation: LabelledAudio,
    labels: int,
    config: SpeechFinetuning,
    folder: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: bool = False,
    trainer: Mapping[str, Any] | None = None,
) -> SpeechEncoder:
    """Train an encoder further, resuming from `folder` if a fit stands there.

    Args:
        encoder: changed in place.
        training: recordings that train.
        validation: recordings of other people, which choose the epoch.
        labels: how many there are.
        config: of the fine-tuning.
        folder: for checkpoints and logs.
        seed: of everything.
        threads: of the CPU; sums parted among others give other last digits.
        progress: whether a progress bar is drawn.
        trainer: further arguments of Lightning's Trainer.

    Returns:
        The encoder of the best epoch, in evaluation mode.

    Raises:
        ConfigError: if there is nobody to choose the epoch by, or somebody is in both parts.
    """
    both = set(training.people) & set(validation.people) - {""}
    if not validation.targets or both:
        raise ConfigError(
            "the epoch of a fine-tuning is chosen on other people than those who train; "
            + (f"{', '.join(sorted(both))} are in both" if both else "there is nobody")
        )
    examples = AudioExamples(training, config, seed, augment=True)
    held = AudioExamples(validation, config, seed, augment=False)
    loader: DataLoader[Any] = DataLoader(
        examples,
        config.batch_size,
        sampler=EpochOrder(examples, seed),
        collate_fn=collate_audio,
        drop_last=len(examples) > config.batch_size,
    )
    counts = np.bincount(training.targets, minlength=labels).astype(np.float64)
    weights = torch.tensor(counts.sum() / np.maximum(counts, 1) / labels, dtype=torch.float32)
    steps = len(loader) * config.epochs
    task = SpeechTask(encoder.train(), labels, config, steps, weights, seed)
    train(
        task,
        loader,
        DataLoader(held, 2 * config.batch_size, collate_fn=collate_audio),
        folder,
        Loop(
            epochs=config.epochs,
            monitor="validation_recall",
            patience=config.patience,
            threads=threads,
            progress=progress,
            trainer=trainer or {},
        ),
    )
    return encoder.cpu().eval()
