"""Labelled sentences: GoEmotions' and XED's TSV, and MELD's CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, standard_label, unique_names

GOEMOTIONS_LICENCE: Final = "CC BY 4.0"
XED_LICENCE: Final = "CC BY 4.0"
MELD_LICENCE: Final = "GPL-3.0"
_MASKED: Final = re.compile(r"\[(?:PERSON|LOCATION)\]")
_BEFORE_MARK: Final = re.compile(r"\s+([.,!?;:]+)")
_MELD_TIME: Final = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})")


def read_goemotions(table: Path, label_file: Path, *, split: str | None = None) -> DataSet:
    """Read ``text<TAB>label ids<TAB>id`` rows; ids count the lines of `label_file` from 0.

    Raises:
        ConfigError: if a file cannot be read or holds no usable row.
    """
    names = tuple(standard_label(x) for x in _lines(label_file) if x.strip())
    items: list[Item] = []
    problems: list[Problem] = []
    for number, line in enumerate(_lines(table), start=1):
        where = f"{table.name}:{number}"
        fields = line.split("\t")
        if len(fields) != 3 or not fields[0].strip():
            problems.append(Problem(where, "not text, label ids and id, separated by tabs"))
            continue
        try:
            labels = tuple(names[_index(x, len(names))] for x in fields[1].split(","))
        except ValueError as error:
            problems.append(Problem(where, str(error)))
            continue
        items.append(Item(fields[2], "text", labels, text=fields[0], split=split))
    return _data_set("GoEmotions", table, items, names, GOEMOTIONS_LICENCE, problems)


def read_xed(folder: Path, language: str = "en") -> DataSet:
    """Read XED's film subtitles, ``LANGUAGE.tsv`` in the form of GoEmotions.

    Names are masked as GoEmotions masks them, and marks stand where people write them: the
    published texts are cut into tokens.

    Raises:
        ConfigError: if a file cannot be read or holds no usable row.
    """
    table = folder / f"{language}.tsv"
    read = read_goemotions(table, folder / "labels.txt")
    items = [replace(item, text=_subtitle(item.text or "")) for item in read.items]
    kept = [item for item in items if any(map(str.isalnum, item.text or ""))]
    return _data_set("XED", table, kept, read.labels, XED_LICENCE, [*read.problems])


def read_meld(table: Path, *, split: str | None = None) -> DataSet:
    """Read MELD's utterances, with the dialogue as script and the times of the episode.

    Raises:
        ConfigError: if the table cannot be read or lacks a column.
    """
    items: list[Item] = []
    problems: list[Problem] = []
    rows = csv.DictReader(_lines(table))
    needed = {"Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"}
    lacking = needed - set(rows.fieldnames or ())
    if lacking:
        raise ConfigError(f"{table} is no MELD table: it lacks {', '.join(sorted(lacking))}")
    for row in rows:
        name = f"{split or table.stem}/dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        text = _mend(row["Utterance"] or "").strip()
        if not text or not (row["Emotion"] or "").strip():
            problems.append(Problem(name, "no words or no emotion"))
            continue
        items.append(
            Item(
                name=name,
                kind="text",
                labels=(standard_label(row["Emotion"]),),
                text=text,
                start=_seconds(row.get("StartTime")),
                end=_seconds(row.get("EndTime")),
                speaker=(row["Speaker"] or "").strip() or None,
                script=f"{split or table.stem}/dia{row['Dialogue_ID']}",
                split=split,
            )
        )
    labels = tuple(sorted({x.label for x in items}))
    return _data_set("MELD", table, items, labels, MELD_LICENCE, problems)


def _lines(path: Path) -> Iterator[str]:
    try:
        # Not splitlines(): a row may hold U+2028 or U+0085, which do not end it.
        yield from (x.rstrip("\r") for x in path.read_text("utf-8").split("\n") if x.strip("\r"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _index(field: str, count: int) -> int:
    if not field.strip().isdecimal() or int(field) >= count:
        raise ValueError(f"{field!r} is not a label id below {count}")
    return int(field)


def _mend(text: str) -> str:
    # The published table holds Windows-1252 control codes where apostrophes and dashes were.
    return text.translate({0x91: "‘", 0x92: "’", 0x93: "“", 0x94: "”", 0x96: "–", 0x97: "—"})  # noqa: RUF001


def _subtitle(text: str) -> str:
    text = _MASKED.sub("[NAME]", text.strip().lstrip("-*# ").strip())
    text = _BEFORE_MARK.sub(r"\1", text)
    return text.replace(" - ", "-")


def _seconds(time: str | None) -> float | None:
    found = _MELD_TIME.fullmatch((time or "").strip())
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000


def _data_set(
    name: str,
    table: Path,
    items: Sequence[Item],
    labels: tuple[str, ...],
    licence: str,
    problems: list[Problem],
) -> DataSet:
    if not items:
        raise ConfigError(f"{table} holds no usable row")
    kept, repeated = unique_names(items)
    return DataSet(name, kept, labels, licence, (*problems, *repeated))
