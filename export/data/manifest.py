"""A user's own clips: a CSV or JSONL table with one clip, or one piece of a clip, a row.

Columns (only `clip` and `label` are required): ``clip`` (path relative to the table), ``start`` and
``end`` (seconds), ``label``, ``speaker``, ``sex`` (female or male), ``script``, ``split`` (free
text, usually train, validation or test), ``transcript``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, Sex, standard_label, unique_names
from edge_ser.media.clip_table import row_text, seconds_of, table_rows

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
    for number, row in table_rows(table):
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
    if not items:
        reasons = "".join(f"\n  {p.name}: {p.reason}" for p in problems)
        raise ConfigError(f"{table} holds no usable row{reasons}")
    kept, repeated = unique_names(items)
    labels = tuple(sorted({item.label for item in kept}))
    return DataSet(table.stem, kept, labels, licence, (*problems, *repeated))


def _item(folder: Path, row: Mapping[str, Any]) -> Item:
    clip, label = row_text(row, "clip"), row_text(row, "label")
    if clip is None or label is None:
        raise ValueError("clip and label are needed")
    path = folder / clip
    if not path.is_file():
        raise ValueError(f"the clip {path} does not exist")
    if path.stat().st_size == 0:
        raise ValueError(f"the clip {path} is empty")
    start, end = seconds_of(row)
    sex = row_text(row, "sex")
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
        speaker=row_text(row, "speaker"),
        sex=cast("Sex | None", sex),
        script=row_text(row, "script"),
        split=row_text(row, "split"),
        transcript=row_text(row, "transcript"),
    )
