"""A user's own clips: a CSV or JSONL table with one clip, or one piece of a clip, a row.

Columns (only `clip` and `label` are required): ``clip`` (path relative to the table), ``start`` and
``end`` (seconds), ``label``, ``speaker``, ``sex`` (female or male), ``script``, ``split`` (free
text, usually train, validation or test), ``transcript``.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, Sex, standard_label, unique_names

COLUMNS: Final = (
    "clip",
    "start",
    "end",
    "label",
    "speaker",
    "sex",
    "script",
    "split",
    "transcript",
)


def read_manifest(table: Path, *, licence: str = "the user's own") -> DataSet:
    """Read a manifest; rows whose clip is missing or whose fields are wrong become problems.

    Raises:
        ConfigError: if the table cannot be read, has an unknown column or holds no usable row.
    """
    items: list[Item] = []
    problems: list[Problem] = []
    try:
        for number, row in _rows(table):
            where = f"{table.name}:{number}"
            unknown = sorted(set(row) - set(COLUMNS))
            if unknown:
                raise ConfigError(
                    f"{where} has the unknown column {', '.join(unknown)}; "
                    f"known are {', '.join(COLUMNS)}"
                )
            try:
                items.append(_item(table.parent, row))
            except ValueError as error:
                problems.append(Problem(where, str(error)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} cannot be read: {error}") from error
    if not items:
        reasons = "".join(f"\n  {p.name}: {p.reason}" for p in problems)
        raise ConfigError(f"{table} holds no usable row{reasons}")
    kept, repeated = unique_names(items)
    labels = tuple(sorted({item.label for item in kept}))
    return DataSet(table.stem, kept, labels, licence, (*problems, *repeated))


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with table.open(newline="", encoding="utf-8-sig") as lines:
        if table.suffix.lower() in (".jsonl", ".ndjson"):
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise ConfigError(f"{table.name}:{number} is not JSON: {error}") from error
                if not isinstance(row, dict):
                    raise ConfigError(f"{table.name}:{number} is not a JSON object")
                yield number, row
        elif table.suffix.lower() == ".csv":
            reader = csv.DictReader(lines)
            for row in reader:
                if None in row:
                    raise ConfigError(f"{table.name}:{reader.line_num} has too many fields")
                yield reader.line_num, row
        else:
            raise ConfigError(f"{table} is neither .csv nor .jsonl")


def _item(folder: Path, row: Mapping[str, Any]) -> Item:
    clip, label = _text(row, "clip"), _text(row, "label")
    if clip is None or label is None:
        raise ValueError("clip and label are needed")
    path = folder / clip
    if not path.is_file():
        raise ValueError(f"the clip {path} does not exist")
    if path.stat().st_size == 0:
        raise ValueError(f"the clip {path} is empty")
    start, end = _number(row, "start"), _number(row, "end")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"the end {end} is not after the start {start or 0.0}")
    sex = _text(row, "sex")
    if sex not in (None, "female", "male"):
        raise ValueError(f"sex is {sex!r}, neither female nor male")
    span = "" if start is None and end is None else f"@{start or 0.0:g}-{end if end else 'end'}"
    return Item(
        name=clip + span,
        kind="audio",
        labels=(standard_label(label),),
        path=path,
        start=start,
        end=end,
        speaker=_text(row, "speaker"),
        sex=cast("Sex | None", sex),
        script=_text(row, "script"),
        split=_text(row, "split"),
        transcript=_text(row, "transcript"),
    )


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return None if value is None or not str(value).strip() else str(value).strip()


def _number(row: Mapping[str, Any], column: str) -> float | None:
    text = _text(row, column)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{column} is {text!r}, not a time in seconds")
    return value
