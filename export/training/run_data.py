"""From a configuration to items, splits and tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.corpora import read_corpora
from edge_ser.export.data.emodb import read_emodb
from edge_ser.export.data.items import DataSet, Item, Problem
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.parts import published_parts
from edge_ser.export.data.pictures import read_pictures
from edge_ser.export.data.ravdess import read_ravdess
from edge_ser.export.data.splits import (
    Split,
    by_publisher,
    leave_one_corpus_out,
    leave_one_speaker_out,
    published_ravdess_folds,
    random_80_10_10,
    speaker_folds,
)
from edge_ser.export.data.text_tables import read_goemotions, read_meld
from edge_ser.export.training.adaptation import adapt_to_speakers
from edge_ser.export.training.config import (
    EmoDbData,
    ManifestData,
    PictureData,
    RavdessData,
    RunDataConfig,
    SentenceData,
    TrainingConfig,
)
from edge_ser.export.training.tokens.of_run import encode_items, presence

Tokens = npt.NDArray[np.floating]


@dataclass(frozen=True)
class RunData:
    """Everything that a run learns from."""

    data: DataSet
    items: tuple[Item, ...]
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    variants: dict[Modality, tuple[tuple[Tokens, ...], ...]]
    """For each modality and item its variants, the unchanged one first; a modality that an item
    lacks has no tokens."""
    prosody: int
    """How many of the last audio columns are prosody."""
    encoder_parameters: int
    """Parameters of the frozen speech encoder, where the run uses it."""

    @property
    def targets(self) -> list[int]:
        """Index of each item's label."""
        return [self.labels.index(item.label) for item in self.items]


def read_items(of: RunDataConfig, data: Path) -> DataSet:
    """Read a configuration's data set under the data folder.

    Raises:
        ConfigError: if it is not there.
    """
    if isinstance(of, RavdessData):
        return read_ravdess(data / of.folder, calm_is_neutral=of.calm_is_neutral)
    if isinstance(of, EmoDbData):
        return read_emodb(data / "emodb" / of.recordings, labels=of.labels)
    if isinstance(of, ManifestData):
        if of.manifest is None:
            return read_corpora(of.corpora, data)
        return read_manifest(data / of.manifest)
    if isinstance(of, PictureData):
        return published_parts(
            read_pictures(data / of.train, name=Path(of.train).stem),
            read_pictures(data / of.test, name=Path(of.test).stem),
        )
    return read_sentences(of, data)


def read_sentences(of: SentenceData, data: Path) -> DataSet:
    """Read GoEmotions or MELD: sentences with one label, in the publisher's parts.

    Raises:
        ConfigError: if a file is not there.
    """
    if of.name == "meld":
        folder = data / (of.folder or "meld")
        return published_parts(
            read_meld(folder / (of.train or "train_sent_emo.csv"), split="train"),
            read_meld(folder / (of.test or "dev_sent_emo.csv"), split="test"),
        )
    folder = data / (of.folder or "goemotions_ekman")
    labels = folder / "labels.txt"
    return published_parts(
        read_goemotions(folder / (of.train or "train.tsv"), labels),
        read_goemotions(folder / (of.test or "dev.tsv"), labels),
    )


def make_splits(of: RunDataConfig, items: Sequence[Item]) -> tuple[Split, ...]:
    """The configuration's folds over items."""
    if isinstance(of, RavdessData):
        return tuple(published_ravdess_folds(items))
    if isinstance(of, EmoDbData):
        return tuple(leave_one_speaker_out(items))
    if isinstance(of, (SentenceData, PictureData)):
        return (by_publisher(items),)
    if of.split == "corpora":
        tested = [name for name, corpus in of.corpora.items() if not corpus.open_labels]
        return tuple(leave_one_corpus_out(items, tested))
    if of.split == "publisher":
        return (by_publisher(items),)
    if of.split == "random":
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
    read = read_items(of, data)
    encoded = encode_items(of, read.items, data, cache, speech=speech, console=console)
    read = with_problems(read, encoded.items, encoded.problems)
    if console is not None:
        console.print(read.report(), highlight=False)
        for line in presence(encoded):
            console.print(line, highlight=False)
    items, variants = encoded.items, encoded.variants
    if not items:
        raise ConfigError(f"nothing of {read.name} can be used; the report names every reason")
    if of.adaptation != "none":
        variants = {
            modality: adapt_to_speakers(own, items, of.adaptation)
            for modality, own in variants.items()
        }
    return RunData(
        read,
        items,
        read.labels,
        make_splits(of, items),
        variants,
        encoded.prosody,
        encoded.encoder_parameters,
    )


def with_problems(read: DataSet, items: tuple[Item, ...], problems: Iterable[Problem]) -> DataSet:
    """The data set with what was left of it, and why the rest is not."""
    return replace(read, items=items, problems=(*read.problems, *problems))
