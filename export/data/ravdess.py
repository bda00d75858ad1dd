"""RAVDESS: acted speech of 24 actors (Livingstone and Russo, 2018), and its action-unit table.

A file's name holds seven two-digit fields: modality (01 audio-video, 02 video, 03 audio), vocal
channel (01 speech, 02 song), emotion, intensity, statement, repetition, actor.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, unique_names

LABELS: Final = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
)
"""Emotion 01 to 08, in the order of the file names."""

TRANSCRIPTS: Final = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}
SUFFIXES: Final = (".flac", ".wav", ".mp4")
LICENCE: Final = "CC BY-NC-SA 4.0"

_NAME = re.compile(r"0[123]-(?P<rest>0[12]-0[1-8]-0[12]-0[12]-0[12]-\d\d)")


def read_ravdess(folder: Path, *, calm_is_neutral: bool = False) -> DataSet:
    """Read the speech recordings below a folder.

    Args:
        folder: holds ``Actor_NN`` folders, or the files themselves.
        calm_is_neutral: count calm as neutral (seven labels) instead of a label of its own.

    Raises:
        ConfigError: if no recording is there.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the one that holds RAVDESS's Actor_NN")
    items: list[Item] = []
    problems: list[Problem] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        item = _item(path, calm_is_neutral)
        if isinstance(item, Problem):
            problems.append(item)
        else:
            items.append(item)
    if not items:
        raise ConfigError(f"{folder} holds no RAVDESS recording (03-01-...{SUFFIXES[0]})")
    kept, repeated = unique_names(items)
    labels = tuple(x for x in LABELS if not (calm_is_neutral and x == "calm"))
    return DataSet("RAVDESS speech", kept, labels, LICENCE, (*problems, *repeated))


def _item(path: Path, calm_is_neutral: bool) -> Item | Problem:
    found = _NAME.fullmatch(path.stem)
    if found is None:
        return Problem(path.name, "the name is not RAVDESS's seven two-digit fields")
    fields = path.stem.split("-")
    if fields[1] != "01":
        return Problem(path.name, "song, not speech")
    if fields[0] == "02":
        return Problem(path.name, "a video without sound")
    actor = int(fields[6])
    if not 1 <= actor <= 24:
        return Problem(path.name, f"actor {actor} does not exist")
    if path.stat().st_size == 0:
        return Problem(path.name, "the file is empty")
    label = LABELS[int(fields[2]) - 1]
    return Item(
        name=found["rest"],
        kind="audio",
        labels=("neutral" if calm_is_neutral and label == "calm" else label,),
        path=path,
        speaker=f"{actor:02d}",
        sex="female" if actor % 2 == 0 else "male",
        script=fields[4],
        transcript=TRANSCRIPTS[fields[4]],
    )


def read_action_units(table: Path) -> tuple[tuple[str, ...], Mapping[str, npt.NDArray[np.float32]]]:
    """Read the mean OpenFace action units of every clip.

    Args:
        table: ``;``-separated, columns ``AUnn_r`` (intensity 0 to 5), ``AUnn_c`` (share of frames
            in which the unit is active, 0 to 1) and ``name``.

    Returns:
        The columns' names, and for each clip, by the last six fields of its name, float32
        [columns].

    Raises:
        ConfigError: if the table cannot be read or holds no action unit.
    """
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} cannot be read: {error}") from error
    columns = tuple(c for c in (rows[0] if rows else {}) if re.fullmatch(r"AU\d\d_[rc]", c))
    if not columns or "name" not in rows[0]:
        raise ConfigError(f"{table} is no action-unit table: it has no AUnn_r and name columns")
    units: dict[str, npt.NDArray[np.float32]] = {}
    for number, row in enumerate(rows, start=2):
        found = _NAME.search(row["name"] or "")
        if found is None:
            raise ConfigError(f"{table}, line {number}: {row['name']!r} is not a RAVDESS name")
        try:
            units[found["rest"]] = np.array([float(row[c]) for c in columns], np.float32)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{table}, line {number}: {error}") from error
    return columns, units
