"""From a configuration to items, splits and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.emodb import read_emodb
from edge_ser.export.data.items import DataSet, Item, Problem
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.ravdess import read_action_units, read_ravdess
from edge_ser.export.data.splits import (
    Split,
    by_publisher,
    leave_one_speaker_out,
    published_ravdess_folds,
    random_80_10_10,
    speaker_folds,
)
from edge_ser.export.encoders.speech import load_speech_encoder
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.training.adaptation import adapt_to_speakers
from edge_ser.export.training.config import (
    EmoDbData,
    ManifestData,
    RavdessData,
    TrainingConfig,
)
from edge_ser.export.training.encoding import SoundTokens, gather
from edge_ser.export.training.sound_augmentation import SoundAugmentation
from edge_ser.frontends.audio import default_audio_config

Tokens = npt.NDArray[np.floating]

GENTLE = SoundAugmentation(
    gain_db=(-3.0, 3.0),
    noise_share=0.3,
    noise_snr_db=(15.0, 35.0),
    room_share=0.2,
    speed_share=0.7,
    speed=(0.88, 1.14),
)
"""Augmentation of studio recordings that are tested in the same studio."""


@dataclass(frozen=True)
class RunData:
    """Everything that a run learns from."""

    data: DataSet
    items: tuple[Item, ...]
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    variants: dict[Modality, tuple[tuple[Tokens, ...], ...]]
    """For each modality and item its variants, the unchanged one first."""
    prosody: int
    """How many of the last audio columns are prosody."""
    encoder_parameters: int
    """Parameters of the frozen speech encoder, where the run uses it."""

    @property
    def targets(self) -> list[int]:
        """Index of each item's label."""
        return [self.labels.index(item.label) for item in self.items]


def read_items(config: TrainingConfig, data: Path) -> DataSet:
    """Read the configuration's data set under the data folder.

    Raises:
        ConfigError: if it is not there.
    """
    of = config.data
    if isinstance(of, RavdessData):
        return read_ravdess(data / "ravdess_speech", calm_is_neutral=of.calm_is_neutral)
    if isinstance(of, EmoDbData):
        return read_emodb(data / "emodb" / of.recordings, labels=of.labels)
    return read_manifest(data / of.manifest)


def make_splits(config: TrainingConfig, items: Sequence[Item]) -> tuple[Split, ...]:
    """The configuration's folds over items."""
    of = config.data
    if isinstance(of, RavdessData):
        return tuple(published_ravdess_folds(items))
    if isinstance(of, EmoDbData):
        return tuple(leave_one_speaker_out(items))
    if isinstance(of, ManifestData) and of.split == "publisher":
        return (by_publisher(items),)
    if isinstance(of, ManifestData) and of.split == "random":
        return (random_80_10_10(items),)
    return tuple(speaker_folds(items, of.folds))


def load_run_data(
    config: TrainingConfig,
    data: Path,
    cache: Path,
    *,
    speech: Path | None = None,
    console: Console | None = None,
) -> RunData:
    """Read, encode and split.

    Args:
        config: of the run.
        data: folder with the data sets.
        cache: folder for encoded tokens.
        speech: Whisper weights; None takes the installed package.
        console: for the report of problems and progress bars.

    Raises:
        ConfigError: if data is missing, or a modality cannot be had from it.
    """
    of = config.data
    read = read_items(config, data)
    items = read.items
    problems: list[Problem] = list(read.problems)
    variants: dict[Modality, tuple[tuple[Tokens, ...], ...]] = {}
    prosody = encoder_parameters = 0
    if "text" in of.modalities:
        raise ConfigError("words are trained with the text encoder, not in this run")
    if "audio" in of.modalities:
        frontend = default_audio_config()
        encoder = load_speech_encoder(speech)
        columns = int(frontend.mfcc["num_ceps"]) + 4
        acoustic = AcousticEncoder(encoder, columns, encoder.width)
        sound = SoundTokens(acoustic, frontend, cache)
        several = [sound.variants(items, console=console)]
        several += [
            sound.variants(items, GENTLE, number=number + 1, console=console)
            for number in range(of.augmented)
        ]
        problems += several[0].problems
        items, gathered = gather(several[0], *several[1:])
        prosody = acoustic.prosody_width
        if of.features == "prosody":
            gathered = tuple(tuple(x[:, -prosody:] for x in own) for own in gathered)
        else:
            encoder_parameters = sum(p.numel() for p in encoder.parameters())
        variants["audio"] = gathered
    if "video" in of.modalities:
        if not isinstance(of, RavdessData):
            raise ConfigError(f"{of.name} has no action-unit table; leave video out")
        units = read_action_units(data / "ravdess_au" / "average_aus.csv")[1]
        lacking = [item.name for item in items if item.name not in units]
        if lacking:
            raise ConfigError(f"the action-unit table lacks {len(lacking)} clips: {lacking[0]}")
        variants["video"] = tuple((units[item.name][None],) for item in items)
    read = replace(read, items=items, problems=tuple(problems))
    if console is not None:
        console.print(read.report(), highlight=False)
    if of.adaptation != "none":
        variants = {
            modality: adapt_to_speakers(own, items, of.adaptation)
            for modality, own in variants.items()
        }
    splits = make_splits(config, items)
    return RunData(read, items, read.labels, splits, variants, prosody, encoder_parameters)
