"""Speaker adaptation: a person's own statistics instead of everybody's.

Three protocols, from what was seen of a test person before: nothing; k = 4 neutral clips; all of
the person's clips without their labels. The person's tokens are normalised by the mean and the
deviation of what was seen, a column at a time. Training people are normalised by the same protocol,
so that the model meets at test what it met while training.

A bundle carries the same normalisation as its section ``adaptation``: `enrol_speakers` hears
training people as the runtime hears somebody who enrols, `speaker_adaptation` makes the section of
them, and `moved_to_population` gives the tokens that the fusion will see of an enrolled person, to
train and to test with. Formula and statistics are the runtime's (`edge_ser.speaker.adaptation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import SpeakerAdaptation
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.export.data.audio import Samples, read_audio
from edge_ser.export.data.items import Item
from edge_ser.speaker.adaptation import RunningStatistics, SpeakerMap, shrunken
from edge_ser.speaker.voice import VoiceStatistics

Tokens = npt.NDArray[np.floating]
Protocol = Literal["neutral-4", "all-unlabelled"]
NEUTRAL_CLIPS = 4
NEUTRAL_TRUST = 0.7
"""How far four neutral clips move a person's mean from everybody's; chosen on people held out of
the training parts (0.5 to 0.8 do alike, 1 loses a point)."""
PRIOR_WEIGHT = 0.25
"""What the population's deviation keeps however much is seen of a person."""
PRIOR_COUNT = 50.0
"""Tokens (two seconds of speech) of a person at which person and population weigh the same."""

_SHORTEST = SAMPLE_RATE // 4


def adapt_to_speakers(
    variants: Sequence[Sequence[Tokens]], items: Sequence[Item], protocol: Protocol
) -> tuple[tuple[Tokens, ...], ...]:
    """Normalise the tokens of each person by the person's own statistics.

    All clips: by mean and deviation, the deviation drawn towards everybody's by a quarter. Four
    neutral clips: by the mean alone, which moves by 0.7 of what the person's neutral clips differ
    from everybody's neutral clips by; how a voice varies is not to be heard from neutral speech.
    Statistics come from the unchanged variants alone.

    Args:
        variants: of each item; the first is the unchanged one.
        items: with speakers.
        protocol: what of a person is seen.

    Raises:
        ConfigError: if an item has no speaker, or a speaker too few neutral clips.
    """
    width = variants[0][0].shape[1]
    everybody = RunningStatistics(width)
    people = {
        speaker: RunningStatistics(width) for speaker in {_speaker_of(item) for item in items}
    }
    for index in seen_clips(items, protocol):
        everybody.add(variants[index][0])
        people[_speaker_of(items[index])].add(variants[index][0])
    few = protocol == "neutral-4"
    normalised = []
    for item, own_variants in zip(items, variants, strict=True):
        person = people[_speaker_of(item)]
        mean, spread = shrunken(
            person,
            everybody.mean,
            everybody.deviation,
            prior_count=person.count * (1 / NEUTRAL_TRUST - 1) if few else 0.0,
            prior_weight=1.0 if few else PRIOR_WEIGHT,
        )
        scale = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)
        normalised.append(tuple(((x - mean) * scale).astype(np.float32) for x in own_variants))
    return tuple(normalised)


def enrol_speakers(
    items: Sequence[Item],
    encode: Callable[[Samples], Tokens | None],
    columns: Sequence[int],
    protocol: Protocol,
) -> dict[str, RunningStatistics]:
    """Hear each person as the runtime does when somebody enrols: the spans of speech, no silence.

    Args:
        items: recordings with speakers.
        encode: the acoustic encoder, from float32 [n] samples to tokens [tokens, width]: for
            instance `edge_ser.export.training.tokens.torch_encoders.AudioTokens.encode`.
        columns: of the tokens that are adapted.
        protocol: which of a person's clips are heard.

    Raises:
        ConfigError: if an item has no speaker, or a speaker too few neutral clips.
        MediaError: if a recording cannot be read.
    """
    heard: dict[str, VoiceStatistics] = {}
    for index in seen_clips(items, protocol):
        speaker = _speaker_of(items[index])
        if speaker not in heard:
            heard[speaker] = VoiceStatistics(
                lambda samples: encode(samples) if len(samples) >= _SHORTEST else None, columns
            )
        heard[speaker].accept(read_audio(items[index]))
        heard[speaker].finish()
    return {speaker: voice.seen for speaker, voice in heard.items()}


def speaker_adaptation(
    training: Mapping[str, RunningStatistics],
    columns: Sequence[int],
    protocol: Protocol,
    *,
    scale: bool = True,
    prior_count: float = PRIOR_COUNT,
    prior_weight: float = PRIOR_WEIGHT,
) -> SpeakerAdaptation:
    """Make a bundle's section ``adaptation`` from training people; every person counts the same.

    Args:
        training: of `enrol_speakers`, of training people only.
        columns: the same that were given to it.
        protocol: the same that was given to it.
        scale: whether the deviation is adapted, too.
        prior_count: see `edge_ser.speaker.adaptation.shrunken`.
        prior_weight: likewise.

    Raises:
        ConfigError: if there are fewer than two people.
    """
    if len(training) < 2:
        raise ConfigError("a population needs at least two people")
    means = np.stack([seen.mean for seen in training.values()])
    variances = np.stack([np.square(seen.deviation) for seen in training.values()])
    return SpeakerAdaptation(
        enrol_with="neutral" if protocol == "neutral-4" else "any",
        columns=tuple(int(column) for column in columns),
        mean=tuple(float(value) for value in means.mean(axis=0)),
        deviation=tuple(float(value) for value in np.sqrt(variances.mean(axis=0))),
        scale=scale,
        prior_count=prior_count,
        prior_weight=prior_weight,
        people=len(training),
    )


def moved_to_population(
    variants: Sequence[Sequence[Tokens]],
    items: Sequence[Item],
    seen: Mapping[str, RunningStatistics],
    adaptation: SpeakerAdaptation,
) -> tuple[tuple[Tokens, ...], ...]:
    """Give the tokens that the fusion gets of people who enrolled.

    A fusion that is trained on these beside the unchanged tokens serves both: people with a profile
    and people without.

    Args:
        variants: of each item.
        items: with speakers.
        seen: of `enrol_speakers`, of everybody in `items`.
        adaptation: of the bundle.

    Raises:
        ConfigError: if an item has no speaker, or one who did not enrol.
    """
    width = variants[0][0].shape[1]
    maps = {speaker: SpeakerMap(adaptation, own, width) for speaker, own in seen.items()}
    missing = {_speaker_of(item) for item in items} - set(maps)
    if missing:
        raise ConfigError(f"{', '.join(sorted(missing))} did not enrol")
    return tuple(
        tuple(maps[_speaker_of(item)](np.asarray(x, np.float32)) for x in own)
        for item, own in zip(items, variants, strict=True)
    )


def seen_clips(items: Sequence[Item], protocol: Protocol) -> list[int]:
    """Indices of the clips that are seen of each person, in the order of their names.

    Raises:
        ConfigError: if an item has no speaker, or a speaker too few neutral clips.
    """
    order = sorted(range(len(items)), key=lambda i: items[i].name)
    if protocol == "all-unlabelled":
        return order
    count = dict.fromkeys((_speaker_of(item) for item in items), 0)
    chosen = []
    for index in order:
        speaker = _speaker_of(items[index])
        if "neutral" in items[index].labels and count[speaker] < NEUTRAL_CLIPS:
            count[speaker] += 1
            chosen.append(index)
    poor = sorted(speaker for speaker, clips in count.items() if clips < NEUTRAL_CLIPS)
    if poor:
        raise ConfigError(f"{', '.join(poor)} have fewer than {NEUTRAL_CLIPS} neutral clips")
    return chosen


def _speaker_of(item: Item) -> str:
    if item.speaker is None:
        raise ConfigError(f"{item.name} names no speaker to adapt to")
    return item.speaker
