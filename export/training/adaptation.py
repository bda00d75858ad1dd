"""Speaker adaptation: a person's own statistics instead of everybody's.

Three protocols, from what was seen of a test person before: nothing; k = 4 neutral clips; all of
the person's clips without their labels. The person's tokens are normalised by the mean and the
deviation of what was seen, a column at a time. Training people are normalised by the same protocol,
so that the model meets at test what it met while training. On a device the same two vectors can be
kept for a person and updated by `RunningStatistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item

Tokens = npt.NDArray[np.floating]
Protocol = Literal["neutral-4", "all-unlabelled"]
NEUTRAL_CLIPS = 4
_PRIOR = 0.25


class RunningStatistics:
    """Mean and deviation of columns over all tokens so far (Chan, Golub and LeVeque, 1979)."""

    def __init__(self, columns: int) -> None:
        self.count = 0
        self.mean = np.zeros(columns, np.float64)
        self._squares = np.zeros(columns, np.float64)

    def add(self, tokens: Tokens) -> None:
        """Take float [n, columns] more tokens."""
        wide = tokens.astype(np.float64)
        count = self.count + len(wide)
        shift = wide.mean(0) - self.mean
        self._squares += np.square(wide - wide.mean(0)).sum(0)
        self._squares += np.square(shift) * self.count * len(wide) / count
        self.mean = self.mean + shift * len(wide) / count
        self.count = count

    @property
    def deviation(self) -> npt.NDArray[np.float64]:
        """Standard deviation of every column; zeros before the second token."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)), np.float64)


def adapt_to_speakers(
    variants: Sequence[Sequence[Tokens]], items: Sequence[Item], protocol: Protocol
) -> tuple[tuple[Tokens, ...], ...]:
    """Normalise the tokens of each person by the person's own statistics.

    The deviation is drawn towards everybody's (a quarter of its weight), because that of a few
    clips of one person is uncertain. Statistics come from the unchanged variants alone.

    Args:
        variants: of each item; the first is the unchanged one.
        items: with speakers.
        protocol: what of a person is seen.

    Raises:
        ConfigError: if an item has no speaker, or a speaker too few neutral clips.
    """
    width = variants[0][0].shape[1]
    everybody = RunningStatistics(width)
    people: dict[str, RunningStatistics] = {}
    seen_clips: dict[str, int] = {}
    order = sorted(range(len(items)), key=lambda i: items[i].name)
    for index in order:
        speaker = items[index].speaker
        if speaker is None:
            raise ConfigError(f"{items[index].name} names no speaker to adapt to")
        own = people.setdefault(speaker, RunningStatistics(width))
        everybody.add(variants[index][0])
        if protocol == "neutral-4":
            enough = seen_clips.get(speaker, 0) >= NEUTRAL_CLIPS
            if enough or "neutral" not in items[index].labels:
                continue
        seen_clips[speaker] = seen_clips.get(speaker, 0) + 1
        own.add(variants[index][0])
    if protocol == "neutral-4":
        poor = [s for s in people if seen_clips.get(s, 0) < NEUTRAL_CLIPS]
        if poor:
            raise ConfigError(f"{', '.join(poor)} have fewer than {NEUTRAL_CLIPS} neutral clips")
    normalised = []
    for item, own_variants in zip(items, variants, strict=True):
        statistics = people[item.speaker or ""]
        spread = (1 - _PRIOR) * statistics.deviation + _PRIOR * everybody.deviation
        scale = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)
        normalised.append(
            tuple(((x - statistics.mean) * scale).astype(np.float32) for x in own_variants)
        )
    return tuple(normalised)
