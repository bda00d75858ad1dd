"""A bundle's section ``adaptation``, chosen on validation people and scored on test people.

Nothing is trained: the fusion stays as it is, and a person's tokens are moved to where it was
trained. What is chosen is which columns move, whether their spread moves too, and how much speech
outweighs the population.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import Score, SpeakerAdaptation
from edge_ser.errors import ConfigError
from edge_ser.export.data.audio import Samples
from edge_ser.export.data.items import Item
from edge_ser.export.data.splits import PARTS, Part
from edge_ser.export.scoring.metrics import Metrics, score
from edge_ser.export.training.adaptation import (
    Protocol,
    Tokens,
    enrol_speakers,
    moved_to_population,
    seen_clips,
    speaker_adaptation,
)
from edge_ser.speaker.adaptation import RunningStatistics
from recipes.default_bundle.rounded_score import rounded_score

PRIOR_COUNTS: Final = (50.0, 100.0, 200.0, 300.0, 400.0, 800.0)
"""Tokens at which person and population may weigh the same; 25 are a second."""

Judge = Callable[[Sequence[Tokens]], npt.NDArray[Any]]
"""From the sound's tokens [tokens, width] of each of n clips to the fusion's answers, sound alone:
[n, labels], the likeliest label has the largest."""


@dataclass(frozen=True)
class People:
    """Recordings of people who are kept apart, with the tokens of each whole recording."""

    items: Mapping[Part, Sequence[Item]]
    tokens: Mapping[Part, Sequence[Tokens]]

    def __post_init__(self) -> None:
        for part in PARTS:
            if len(self.items[part]) != len(self.tokens[part]):
                raise ConfigError(
                    f"{len(self.items[part])} recordings of the {part} part have "
                    f"{len(self.tokens[part])} sequences of tokens: some could not be encoded"
                )


@dataclass(frozen=True)
class FittedAdaptation:
    """The section, and what it brings people whom nothing was trained or chosen on."""

    section: SpeakerAdaptation
    scores: tuple[Score, ...]


def fit_adaptation(
    people: People,
    encode: Callable[[Samples], Tokens | None],
    judge: Judge,
    labels: Sequence[str],
    prosody: int,
) -> FittedAdaptation:
    """Choose the section for people who enrol with neutral speech, and score it.

    The four neutral clips that a person enrols with are not scored, in no protocol.

    Args:
        people: training people make the population, validation people choose, test people score.
        encode: the acoustic encoder, from float32 [n] samples to tokens [tokens, width].
        judge: the fusion on sound alone.
        labels: of the fusion, in its order.
        prosody: how many of the last columns are prosody.

    Raises:
        ConfigError: if a recording names no speaker, a speaker has too few neutral clips, or a
            label is not the fusion's.
        MediaError: if a recording cannot be read.
    """
    width = people.tokens["train"][0].shape[1]
    seen = {p: enrol_speakers(people.items[p], encode, range(width), "neutral-4") for p in PARTS}

    def moved(
        part: Part, columns: Sequence[int], protocol: Protocol, **options: Any
    ) -> tuple[SpeakerAdaptation, Metrics]:
        section = speaker_adaptation(
            {who: _only(own, columns) for who, own in seen["train"].items()},
            columns,
            protocol,
            **options,
        )
        own = {who: _only(s, columns) for who, s in seen[part].items()}
        variants = [(tokens,) for tokens in people.tokens[part]]
        tokens = moved_to_population(variants, people.items[part], own, section)
        return section, _metrics(people.items[part], [t[0] for t in tokens], judge, labels)

    chosen: dict[str, Any] = {}
    best = -1.0
    for columns, scale, prior_count in product(
        (range(width - prosody), range(width)), (False, True), PRIOR_COUNTS
    ):
        options: dict[str, Any] = {"columns": columns, "scale": scale, "prior_count": prior_count}
        recall = moved("validation", protocol="neutral-4", **options)[1].recall
        if recall > best:
            best, chosen = recall, options
    section, neutral = moved("test", protocol="neutral-4", **chosen)
    plain = _metrics(people.items["test"], people.tokens["test"], judge, labels)
    for part in ("train", "test"):
        seen[part] = enrol_speakers(people.items[part], encode, range(width), "all-unlabelled")
    everything = moved("test", protocol="all-unlabelled", **{**chosen, "prior_count": 0.0})[1]
    names = sorted({str(item.speaker) for item in people.items["test"]})
    scores = [
        made
        for what, metrics in (
            ("nothing seen of the person", plain),
            ("the person enrolled with 4 neutral clips (a profile)", neutral),
            ("all clips of the person seen without their labels", everything),
        )
        for made in _scores(metrics, f"{what}; test people {', '.join(names)}", labels)
    ]
    return FittedAdaptation(section, tuple(scores))


def _only(seen: RunningStatistics, columns: Sequence[int]) -> RunningStatistics:
    some = np.array(columns, np.int64)
    return RunningStatistics.of(seen.count, seen.mean[some], seen.deviation[some])


def _metrics(
    items: Sequence[Item], tokens: Sequence[Tokens], judge: Judge, labels: Sequence[str]
) -> Metrics:
    strange = {item.label for item in items} - set(labels)
    if strange:
        raise ConfigError(f"the labels {', '.join(sorted(strange))} are not the bundle's")
    left = sorted(set(range(len(items))) - set(seen_clips(items, "neutral-4")))
    predicted = judge([tokens[i] for i in left]).argmax(axis=1)
    true = np.array([labels.index(items[i].label) for i in left], np.int64)
    return score(predicted, true, len(labels))


def _scores(metrics: Metrics, protocol: str, labels: Sequence[str]) -> list[Score]:
    share = np.array([row[3] for row in metrics.per_label], np.float64) / metrics.count
    spread = float(np.sqrt(metrics.accuracy * (1 - metrics.accuracy) / metrics.count))
    task = "emotion from audio, speaker adaptation"
    where = f"{protocol}; whole clips without those four, {metrics.count} in all"
    return [
        rounded_score(task, "accuracy", metrics.accuracy, float(share.max()), where, spread),
        rounded_score(task, "unweighted average recall", metrics.recall, 1 / len(labels), where),
    ]
