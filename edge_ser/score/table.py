"""The table of scores: its columns, and the parts of it that are kept until it is whole."""

from __future__ import annotations

import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from edge_ser.errors import ConfigError
from edge_ser.files import (
    companion,
    is_unfinished,
    make_folder,
    replaced_file,
    write_atomically,
    writing,
)
from edge_ser.machine.file_lock import lock_file
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.score.clips import ClipToScore
from edge_ser.score.parquet import parquet
from edge_ser.score.rows import Row

SETTINGS_KEY: Final = b"edge_ser.score"
"""Under this key the file's metadata hold, as JSON, what decided its rows."""

_ENDING: Final = ".parts"
_SETTINGS: Final = "settings.json"
_CLIPS: Final = "clips.parquet"
_LOCK: Final = "lock"
_PART: Final = re.compile(r"part-(\d{8})\.parquet")
_ROW_GROUP: Final = 1 << 16
_FIRST_ERRORS: Final = 5


def schema() -> Any:
    """The Arrow schema of the table, the same for every bundle."""
    arrow, _ = parquet()
    text, number = arrow.string(), arrow.float64()
    return arrow.schema(
        [
            arrow.field("file", text, nullable=False),
            arrow.field("channel", text, nullable=False),
            ("window", arrow.int32()),
            ("start", number),
            ("end", number),
            ("label", text),
            ("confidence", number),
            ("probabilities", arrow.map_(text, number)),
            ("abstained", arrow.bool_()),
            ("abstain_reason", text),
            ("present", arrow.list_(text)),
            ("contributions", arrow.map_(text, number)),
            ("absent", arrow.map_(text, text)),
            ("notes", arrow.list_(text)),
            ("error", text),
            arrow.field("bundle", text, nullable=False),
            arrow.field("bundle_version", text, nullable=False),
            arrow.field("bundle_hash", text, nullable=False),
        ]
    )


@dataclass
class ScoreSummary:
    """What the rows of a table come to."""

    clips: int = 0
    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """Rows that name a label, by label."""
    abstained: int = 0
    """Rows that name none."""
    failed: int = 0
    """Rows with an error in place of a decision."""
    first_errors: list[str] = field(default_factory=list)
    """The errors of the first of them."""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {
            "clips": self.clips,
            "rows": self.rows,
            "labels": dict(self.labels.most_common()),
            "abstained": self.abstained,
            "failed": self.failed,
            "first_errors": list(self.first_errors),
        }

    def count(self, table: Any) -> None:
        """Count rows of an Arrow table in."""
        self.rows += table.num_rows
        labels = table.column("label").to_pylist()
        self.labels.update(label for label in labels if label is not None)
        self.abstained += sum(table.column("abstained").fill_null(False).to_pylist())
        errors = [error for error in table.column("error").to_pylist() if error is not None]
        self.failed += len(errors)
        self.first_errors += errors[: _FIRST_ERRORS - len(self.first_errors)]


class ScoreParts(ClosedOnExit):
    """A folder beside the table with what is done of it; one run at a time may use it.

    It holds the settings of the run, its list of clips, and a file for each batch. Each file is
    whole or not there, whenever the process is killed.
    """

    def __init__(self, output: Path) -> None:
        """Take the folder of a table for this run; nobody else can until it is closed.

        Raises:
            ConfigError: if the place cannot be written to, or another run is at work there.
        """
        if output.is_dir():
            raise ConfigError(f"{output} is a folder; --output names a file")
        if output.exists() and not output.is_file():
            raise ConfigError(f"{output} is a device or a pipe; --output names a file")
        self._arrow, self._parquet = parquet()
        self._output = output
        self.folder = companion(output, _ENDING)
        make_folder(self.folder)
        self._lock: IO[str] | None = lock_file(
            self.folder / _LOCK,
            f"another run is writing to {self.folder}; wait for it, or name another --output",
        )

    def settings(self) -> dict[str, Any] | None:
        """What was decided when the run began; None if none is at work here."""
        try:
            found: dict[str, Any] = json.loads((self.folder / _SETTINGS).read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def begin(self, settings: Mapping[str, Any], clips: Sequence[ClipToScore]) -> None:
        """Begin a run anew."""
        self._clear()
        columns = {
            # A name may be no UTF-8.
            "file": [os.fsencode(clip.file) for clip in clips],
            "start": [clip.start for clip in clips],
            "end": [clip.end for clip in clips],
            "transcript": [clip.transcript for clip in clips],
        }
        arrow = self._arrow
        kinds = (arrow.binary(), arrow.float64(), arrow.float64(), arrow.string())
        table = arrow.table(columns, arrow.schema(list(zip(columns, kinds, strict=True))))
        self._write(_CLIPS, table)
        # Last: with it the run has begun.
        write_atomically(self.folder / _SETTINGS, json.dumps(settings).encode())

    def clips(self) -> list[ClipToScore]:
        """The list of the run."""
        rows = self._parquet.read_table(self.folder / _CLIPS).to_pylist()
        return [ClipToScore(os.fsdecode(row.pop("file")), **row) for row in rows]

    def keep(self, number: int, rows: Sequence[Row]) -> None:
        """Keep the rows of a batch."""
        self._write(f"part-{number:08d}.parquet", self._arrow.Table.from_pylist(rows, schema()))

    def done(self) -> set[int]:
        """Numbers of the batches that are kept."""
        found = (_PART.fullmatch(path.name) for path in self.folder.iterdir())
        return {int(match[1]) for match in found if match is not None}

    def merge(self, numbers: Iterable[int], settings: Mapping[str, Any]) -> ScoreSummary:
        """Put the table in its place, made of the batches in this order, and sum it up."""
        summary = ScoreSummary(clips=len(self.clips()))
        told = {"settings": dict(settings), "clips": summary.clips}
        whole = schema().with_metadata({SETTINGS_KEY: json.dumps(told)})
        with (
            replaced_file(self._output) as stream,
            self._parquet.ParquetWriter(stream, whole, compression="zstd") as writer,
        ):
            for table in self._grouped(numbers):
                summary.count(table)
                writer.write_table(table.cast(whole), row_group_size=_ROW_GROUP)
        return summary

    def forget(self) -> None:
        """Remove the folder: the table is whole."""
        self._clear()
        self.close()

    def close(self) -> None:
        """Let other runs use the folder; one in which none has begun is removed."""
        if self._lock is not None:
            if self.settings() is None:
                with suppress(OSError):
                    (self.folder / _LOCK).unlink()
                    self.folder.rmdir()
            self._lock.close()
            self._lock = None

    def _grouped(self, numbers: Iterable[int]) -> Iterator[Any]:
        waiting: list[Any] = []
        for number in numbers:
            waiting.append(self._parquet.read_table(self.folder / f"part-{number:08d}.parquet"))
            if sum(table.num_rows for table in waiting) >= _ROW_GROUP:
                yield self._arrow.concat_tables(waiting)
                waiting = []
        if waiting:
            yield self._arrow.concat_tables(waiting)

    def _write(self, name: str, table: Any) -> None:
        content = io.BytesIO()
        self._parquet.write_table(table, content, compression="zstd")
        write_atomically(self.folder / name, content.getvalue())

    def _clear(self) -> None:
        """Remove what a run left, first that by which it could be gone on with."""
        with writing(self.folder):
            for name in (_SETTINGS, _CLIPS):
                (self.folder / name).unlink(missing_ok=True)
            for path in self.folder.iterdir():
                if _PART.fullmatch(path.name) or is_unfinished(path):
                    path.unlink()


def scored_before(output: Path) -> tuple[dict[str, Any], ScoreSummary] | None:
    """The settings and the sum of a table that is whole; None if there is none."""
    arrow, pq = parquet()
    try:
        with pq.ParquetFile(output) as file:
            told = json.loads(file.schema_arrow.metadata[SETTINGS_KEY])
            settings: dict[str, Any] = told["settings"]
            summary = ScoreSummary(clips=told["clips"])
            for batch in file.iter_batches(columns=["label", "abstained", "error"]):
                summary.count(arrow.Table.from_batches([batch]))
    except (OSError, arrow.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    return settings, summary
