"""Labelled texts for fine-tuning the text encoder, and batches that resume to the sample.

A text may carry several labels, as in GoEmotions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from recipes.text_encoder.spoken import SpokenTexts


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels.

    Attributes:
        texts: one string an item.
        targets: float32 [N, 7], 1 where a label of EMOTIONS applies; every row has at least one.
    """

    texts: tuple[str, ...]
    targets: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, index: npt.NDArray[np.int64]) -> LabelledTexts:
        """The items at `index`, in its order."""
        return LabelledTexts(tuple(self.texts[int(i)] for i in index), self.targets[index])


def labelled_texts(items: Sequence[Item]) -> LabelledTexts:
    """Texts and multi-label targets of a reader's items.

    Raises:
        ConfigError: if there is no item, one is no text, or one has a label outside EMOTIONS.
    """
    targets = np.zeros((len(items), len(EMOTIONS)), np.float32)
    for row, item in enumerate(items):
        strange = [label for label in item.labels if label not in EMOTIONS]
        if item.text is None or strange or not item.labels:
            reason = f"its labels {', '.join(strange)} are unknown" if strange else "it is no text"
            raise ConfigError(f"{item.name} cannot train the text encoder: {reason}")
        targets[row, [EMOTIONS.index(label) for label in item.labels]] = 1.0
    if not items:
        raise ConfigError("there are no labelled texts to train on")
    return LabelledTexts(tuple(str(item.text) for item in items), targets)


def joined(several: Sequence[LabelledTexts]) -> LabelledTexts:
    """Texts of several corpora, one after the other."""
    return LabelledTexts(
        tuple(text for data in several for text in data.texts),
        np.concatenate([data.targets for data in several]),
    )


def drop_texts(data: LabelledTexts, unwanted: LabelledTexts) -> LabelledTexts:
    """`data` without the texts that also stand in `unwanted` (case and outer blanks ignored)."""
    seen = {text.strip().casefold() for text in unwanted.texts}
    keep = [i for i, text in enumerate(data.texts) if text.strip().casefold() not in seen]
    return data.select(np.asarray(keep, np.int64))


def split_held_out(
    data: LabelledTexts, share: float, seed: int
) -> tuple[LabelledTexts, LabelledTexts]:
    """Split into a part to train on and a part held out for every choice.

    Equal texts stay on one side. The split depends on the texts and the seed alone.

    Args:
        data: what to split.
        share: share of the distinct texts that is held out, 0 < share < 1.
        seed: of the shuffle.
    """
    if not 0.0 < share < 1.0:
        raise ConfigError(f"the held-out share must lie between 0 and 1, not {share}")
    distinct = sorted({text.strip().casefold() for text in data.texts})
    order = np.random.default_rng(seed).permutation(len(distinct))
    chosen = {distinct[i] for i in order[: max(1, round(share * len(distinct)))]}
    held = np.asarray([text.strip().casefold() in chosen for text in data.texts])
    return data.select(np.flatnonzero(~held)), data.select(np.flatnonzero(held))


class TextBatch(NamedTuple):
    """Padded texts: `input_ids` and `attention_mask` int64 [B, L], `targets` float32 [B, 7]."""

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor


class TextBatches:
    """Batches of texts of like length: little padding, a different order every epoch.

    An iterable with a state: a run that stops in the middle of an epoch goes on with the very
    batch that would have come next, with the same words dropped. Every random choice depends on
    (seed, epoch, batch) alone.

    Args:
        data: texts and targets.
        tokenizer: without padding and truncation.
        batch_size: texts a batch, at least 1.
        maximum_tokens: longer texts are cut.
        shuffle: off gives every text once, shortest first.
        word_dropout: probability that a token (not the first or last) is hidden behind
            `unknown_id`.
        unknown_id: token id that stands for a hidden word.
        spoken: writes some texts anew in every epoch, as a speech recogniser would.
        seed: of order and dropout.
    """

    def __init__(
        self,
        data: LabelledTexts,
        tokenizer: Tokenizer,
        *,
        batch_size: int,
        maximum_tokens: int = 128,
        shuffle: bool = False,
        word_dropout: float = 0.0,
        unknown_id: int = 0,
        spoken: SpokenTexts | None = None,
        seed: int = 0,
    ) -> None:
        if batch_size < 1 or maximum_tokens < 3:
            raise ConfigError("a batch holds at least 1 text and a text at least 3 tokens")
        self._tokenizer = tokenizer
        self._maximum_tokens = maximum_tokens
        self._texts = data.texts
        self._spoken = spoken
        self._ids = self._encoded(data.texts)
        self._targets = torch.from_numpy(data.targets)
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._word_dropout = word_dropout
        self._unknown_id = unknown_id
        self._seed = seed
        self._epoch = 0
        self._position = 0  # where the next iteration starts
        self._reached = 0  # what the running iteration has given

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self._ids) // self._batch_size)

    def order(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """The item numbers of every batch of an epoch."""
        lengths = np.asarray([len(ids) for ids in self._ids])
        if not self._shuffle:
            order = np.argsort(lengths, kind="stable")
            return _pieces(order, self._batch_size)
        rng = np.random.default_rng([self._seed, epoch])
        # Length plus noise: neighbours are of like length, but not the same ones every time.
        order = np.argsort(lengths + rng.uniform(0.0, 3.0, len(lengths)), kind="stable")
        pieces = _pieces(order, self._batch_size)
        return [pieces[i] for i in rng.permutation(len(pieces))]

    def __iter__(self) -> Iterator[TextBatch]:
        """One epoch, or what was left of it when the state was saved.

        The state moves to the next epoch with the last batch, not after it: a training loop that
        knows the number of batches never asks for one more.
        """
        epoch, batches = self._epoch, self.order(self._epoch)
        start, self._position = self._position, 0
        for number in range(start, len(batches)):
            last = number + 1 == len(batches)
            self._epoch, self._reached = (epoch + 1, 0) if last else (epoch, number + 1)
            yield self._collate(batches[number], epoch, number)

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands."""
        return {"epoch": self._epoch, "position": self._reached}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` stood."""
        self._epoch = int(state["epoch"])
        self._position = self._reached = int(state["position"])

    def _collate(self, items: npt.NDArray[np.int64], epoch: int, number: int) -> TextBatch:
        rows = self._rows(items, epoch, number)
        length = max(len(row) for row in rows)
        ids = np.zeros((len(rows), length), np.int64)
        mask = np.zeros((len(rows), length), np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        if self._word_dropout > 0:
            rng = np.random.default_rng([self._seed, epoch, number, 0])
            hide = rng.random(ids.shape) < self._word_dropout
            inner = mask.copy()
            inner[:, 0] = 0
            inner[np.arange(len(rows)), mask.sum(axis=1) - 1] = 0
            ids = np.where(hide & (inner == 1), self._unknown_id, ids)
        return TextBatch(torch.from_numpy(ids), torch.from_numpy(mask), self._targets[items])

    def _rows(
        self, items: npt.NDArray[np.int64], epoch: int, number: int
    ) -> Sequence[Sequence[int]]:
        if self._spoken is None:
            return [self._ids[int(i)] for i in items]
        generator = np.random.default_rng([self._seed, epoch, number, 1])
        return self._encoded([self._spoken.write(self._texts[int(i)], generator) for i in items])

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch(list(texts))
        return [_cut(item.ids, self._maximum_tokens) for item in encoded]


def _cut(ids: Sequence[int], maximum: int) -> list[int]:
    """At most `maximum` ids; the closing token stays."""
    return list(ids) if len(ids) <= maximum else [*ids[: maximum - 1], ids[-1]]


def _pieces(order: npt.NDArray[Any], size: int) -> list[npt.NDArray[np.int64]]:
    return [order[i : i + size].astype(np.int64) for i in range(0, len(order), size)]
