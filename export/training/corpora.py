"""Several corpora that train together: how often each is drawn, and which labels count.

An example is drawn: first a corpus (by the square root of its size and its weight), then one of its
labels, then an item of that label. A label that a corpus does not have is masked in the loss of its
examples: that nobody was surprised in it says nothing about surprise. Speech without emotion
(`open_labels`) is not masked: there all other labels are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_ser.export.data.corpora import CorpusSource
from edge_ser.export.examples.example import Example
from edge_ser.export.training.examples import Clips


@dataclass(frozen=True)
class CorpusLabels:
    """What the draw needs to know of a corpus.

    Attributes:
        targets: label numbers of its items, at least one.
        weight: how often it is drawn, beside the square root of its size.
        open_labels: whether the labels that it lacks are wrong for its items, not unknown.
    """

    targets: Sequence[int]
    weight: float = 1.0
    open_labels: bool = False


class CorpusDraw:
    """Draws corpus, label and item, and knows which labels count.

    Args:
        corpora: those that train.
        labels: how many there are.
    """

    def __init__(self, corpora: Sequence[CorpusLabels], labels: int) -> None:
        shares = np.array([c.weight * np.sqrt(len(c.targets)) for c in corpora])
        self._shares = shares / shares.sum()
        self._of_label = [
            [np.flatnonzero(np.asarray(c.targets) == label) for label in sorted(set(c.targets))]
            for c in corpora
        ]
        self.allowed: list[npt.NDArray[np.bool_]] = []
        """bool [labels] of each corpus: the labels that count in its examples' loss."""
        for corpus in corpora:
            allowed = np.full(labels, corpus.open_labels)
            allowed[sorted(set(corpus.targets))] = True
            self.allowed.append(allowed)

    def draw(self, generator: np.random.Generator) -> tuple[int, int]:
        """Number of a corpus, and of one of its items."""
        number = int(generator.choice(len(self._shares), p=self._shares))
        same = self._of_label[number][int(generator.integers(len(self._of_label[number])))]
        return number, int(same[int(generator.integers(len(same)))])


class DrawnClips:
    """A fusion's clips of several corpora; an epoch draws as many as there are.

    Args:
        clips: of all corpora.
        targets: label number of each clip.
        whose: which corpus each clip is of.
        corpora: by name.
        labels: how many there are.
        seed: of the draws.
    """

    def __init__(
        self,
        clips: Clips,
        targets: Sequence[int],
        whose: Sequence[str | None],
        corpora: Mapping[str, CorpusSource],
        labels: int,
        seed: int,
    ) -> None:
        self._clips = clips
        self._seed = seed
        rows = {name: [i for i, own in enumerate(whose) if own == name] for name in corpora}
        self._rows = [own for own in rows.values() if own]
        self._draw = CorpusDraw(
            [
                CorpusLabels(
                    [targets[i] for i in own], corpora[name].weight, corpora[name].open_labels
                )
                for name, own in rows.items()
                if own
            ],
            labels,
        )

    def __len__(self) -> int:
        """Examples an epoch."""
        return len(self._clips)

    def example(self, epoch: int, index: int) -> Example:
        """A drawn clip, in a random variant of it, with the labels that count."""
        generator = np.random.default_rng([self._seed, epoch, index])
        corpus, item = self._draw.draw(generator)
        drawn = self._clips.varied(self._rows[corpus][item], generator)
        return replace(drawn, allowed=self._draw.allowed[corpus])
