"""Tables of clips: CSV with a header, or JSONL, with one clip, or one piece of a clip, a row."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edge_ser.errors import ConfigError

TABLE_SUFFIXES: Final = (".csv", ".jsonl", ".ndjson")


def table_rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a table, each with the number of its line.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        yield from _rows(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} cannot be read: {error}") from error


def row_text(row: Mapping[str, Any], column: str) -> str | None:
    """What a row holds in a column; None if that is nothing but space."""
    value = row.get(column)
    return None if value is None or not str(value).strip() else str(value).strip()


def seconds_of(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Where a row's piece of the recording begins and ends, in seconds; None where that is open.

    Raises:
        ValueError: if `start` or `end` is no time, or the end not after the start.
    """
    start, end = _number(row, "start"), _number(row, "end")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"the end {end} is not after the start {start or 0.0}")
    return start, end


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


def _number(row: Mapping[str, Any], column: str) -> float | None:
    text = row_text(row, column)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{column} is {text!r}, not a time in seconds")
    return value
