"""Which clips are to be scored: files, folders, patterns, manifests, Parquet files of paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_ser.errors import ConfigError
from edge_ser.media.clip_table import TABLE_SUFFIXES, row_text, seconds_of, table_rows
from edge_ser.media.folders import find_clips
from edge_ser.score.parquet import parquet

_PATH_COLUMNS: Final = ("clip", "file", "path")
"""Columns that may hold the path of a clip; the first that is there does."""


@dataclass(frozen=True)
class ClipToScore:
    """A recording, or a piece of one; travels to other processes."""

    file: str
    start: float | None = None
    """Seconds at which the piece begins; None: where the recording does."""
    end: float | None = None
    transcript: str | None = None
    """What is said in it; None: a file beside it may tell."""


def clips_to_score(inputs: Iterable[str | os.PathLike[str]]) -> list[ClipToScore]:
    """List what inputs name, each recording or piece of one once, in their order.

    A name that ends in .csv, .jsonl or .ndjson is a manifest, one in .parquet a Parquet file: of
    both the column `clip` (or `file`, or `path`) holds paths relative to the file itself; `start`,
    `end` and `transcript` are used where they are there. Everything else is what
    `edge_ser.media.folders.find_clips` makes of it.

    Raises:
        MediaError: if this is no list of names.
        ConfigError: if a table cannot be read, or nothing is named.
    """
    found: dict[tuple[str, float | None, float | None], ClipToScore] = {}
    for name in find_clips(inputs):
        clips = _listed(Path(name)) if _is_table(name) else [ClipToScore(name)]
        for clip in clips:
            place = os.path.normpath(Path(clip.file).absolute())
            found.setdefault((place, clip.start, clip.end), clip)
    if not found:
        raise ConfigError("there is nothing to score: name files, folders, patterns or a manifest")
    return list(found.values())


def _is_table(name: str) -> bool:
    return Path(name).suffix.lower() in (*TABLE_SUFFIXES, ".parquet")


def _listed(table: Path) -> Iterator[ClipToScore]:
    """The clips in a table.

    Raises:
        ConfigError: if it cannot be read, or a row of it is none.
    """
    rows = _parquet_rows(table) if table.suffix.lower() == ".parquet" else table_rows(table)
    for number, row in rows:
        clip = next(filter(None, (row_text(row, name) for name in _PATH_COLUMNS)), None)
        if clip is None:
            raise ConfigError(
                f"{table.name}:{number} names no clip: a column {' or '.join(_PATH_COLUMNS)} must "
                "hold its path"
            )
        try:
            start, end = seconds_of(row)
        except ValueError as error:
            raise ConfigError(f"{table.name}:{number}: {error}") from error
        yield ClipToScore(str(table.parent / clip), start, end, row_text(row, "transcript"))


def _parquet_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    arrow, pq = parquet()
    try:
        with pq.ParquetFile(table) as file:
            names = set(file.schema_arrow.names) & {*_PATH_COLUMNS, "start", "end", "transcript"}
            number = 0
            for batch in file.iter_batches(columns=sorted(names)):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, arrow.ArrowInvalid) as error:
        raise ConfigError(f"{table} cannot be read: {error}") from error
