"""Several corpora as one training set of the speech encoder, drawn as `CorpusDraw` says."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edge_ser.errors import ConfigError
from edge_ser.export.training.corpora import CorpusDraw, CorpusLabels
from edge_ser.export.training.masked_loss import masked_cross_entropy
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.finetuning import (
    AudioBatch,
    SpeechTask,
    collate_audio,
    mask_spectrum,
)
from edge_ser.export.training.speech.log_mels import LogMels
from edge_ser.frontends.audio import even_frames
from edge_ser.kernels import whisper_normalize

FRAMES_PER_SECOND: Final = 100


@dataclass(frozen=True)
class Corpus:
    """One corpus.

    Attributes:
        log_mels: of its recordings.
        targets: label numbers of its recordings.
        weight: see `CorpusLabels`.
        open_labels: see `CorpusLabels`.
    """

    log_mels: LogMels
    targets: Sequence[int]
    weight: float = 1.0
    open_labels: bool = False

    def __post_init__(self) -> None:
        if len(self.targets) != len(self.log_mels):
            raise ConfigError("a corpus needs one label for every recording")


class CorporaBatch(NamedTuple):
    """A batch, with `allowed` bool [B, labels]: the labels that count in an example's loss."""

    audio: AudioBatch
    allowed: Tensor


CorporaExample = tuple[npt.NDArray[np.float32], int, npt.NDArray[np.bool_]]


class CorporaExamples(Dataset[CorporaExample]):
    """Drawn examples; what number `index` of an epoch is depends on the seed and the epoch alone.

    Args:
        corpora: by name.
        labels: how many there are.
        config: of the training.
        seed: of the draws.
    """

    def __init__(
        self, corpora: Mapping[str, Corpus], labels: int, config: CorporaTraining, seed: int
    ) -> None:
        self.epoch = 0
        self._config = config
        self._seed = seed
        self._corpora = list(corpora.values())
        self._draw = CorpusDraw(
            [CorpusLabels(c.targets, c.weight, c.open_labels) for c in self._corpora], labels
        )

    def __len__(self) -> int:
        """Examples an epoch."""
        return self._config.steps_an_epoch * self._config.batch_size

    def __getitem__(self, index: int) -> CorporaExample:
        """Log-mel float32 [80, T], T even, its label, and bool [labels]: what may be its label."""
        config = self._config
        generator = np.random.default_rng([self._seed, self.epoch, index])
        number, item = self._draw.draw(generator)
        corpus = self._corpora[number]
        copies = len(corpus.log_mels.copies)
        clean = copies == 1 or generator.random() < config.clean_share
        copy = 0 if clean else int(generator.integers(1, copies))
        frames = np.asarray(corpus.log_mels.frames(item, copy), np.float32)
        longest = round(config.longest_seconds * FRAMES_PER_SECOND)
        frames = window_of_speech(frames, longest, generator)
        if generator.random() < config.silence_share:
            frames = between_silences(frames, min(longest, len(frames) + 200), generator)
        log_mel = normalised(frames)
        log_mel = mask_spectrum(log_mel, config, generator)
        return log_mel, corpus.targets[item], self._draw.allowed[number]


def normalised(frames: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Frames [T, 80] of a file to what the encoder takes, float32 [80, T], T even."""
    log_mel = np.ascontiguousarray(frames[: even_frames(len(frames))].T, np.float32)
    return whisper_normalize(log_mel)


def window_of_speech(
    frames: npt.NDArray[np.float32], longest: int, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """At most `longest` frames: of five drawn windows the one with the most energy."""
    if len(frames) <= longest:
        return frames
    power = np.concatenate([[0.0], np.cumsum(frames.mean(1, dtype=np.float64))])
    starts = generator.integers(0, len(frames) - longest + 1, size=5)
    start = int(starts[np.argmax(power[starts + longest] - power[starts])])
    return frames[start : start + longest]


def between_silences(
    frames: npt.NDArray[np.float32], longest: int, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Put frames between silences at the recording's own floor, to at most `longest` frames."""
    room = longest - len(frames)
    if room < 2:
        return frames
    before, after = (int(generator.integers(0, room // 2 + 1)) for _ in range(2))
    floor = np.quantile(frames, 0.05, axis=0).astype(np.float32)
    silence = generator.normal(0.0, 0.15, (before + after, frames.shape[1])).astype(np.float32)
    silence += floor
    return np.concatenate([silence[:before], frames, silence[before:]])


def collate_corpora(examples: Sequence[CorporaExample]) -> CorporaBatch:
    """Pad the log-mels of a batch."""
    audio = collate_audio([(log_mel, target) for log_mel, target, _ in examples])
    return CorporaBatch(audio, torch.from_numpy(np.stack([allowed for *_, allowed in examples])))


class CorporaTask(SpeechTask):
    """The speech encoder under examples of several corpora."""

    def training_step(self, batch: CorporaBatch, batch_idx: int) -> Tensor:  # type: ignore[override]  # noqa: ARG002
        """Loss of one batch."""
        torch.manual_seed((self.run_seed << 40) + self.global_step)
        logits = self(batch.audio.log_mel, batch.audio.mask)
        loss = masked_cross_entropy(
            logits, batch.audio.target, batch.allowed, self.config.label_smoothing
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(logits))
        return loss


def corpus_seed(name: str, seed: int) -> int:
    """A seed of its own for each corpus, the same in every run."""
    return zlib.crc32(name.encode()) ^ seed
