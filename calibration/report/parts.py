"""Parts of a report that is being made: what was measured is kept until the report is whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from edge_ser.export.trials.part_store import PartStore
from edge_ser.machine.file_lock import lock_file

_Kind = TypeVar("_Kind")


class ReportParts:
    """A folder beside the report. A context manager; one report at a time may use it."""

    def __init__(self, folder: Path, settled: Mapping[str, Any]) -> None:
        """Name the folder.

        Args:
            folder: made if it is not there.
            settled: everything that decides what is measured, as JSON can hold it: parts of other
                settings are not taken.
        """
        self.folder = folder
        self._settled = dict(settled)
        self._lock: IO[str] | None = None
        self._store = PartStore(None)
        self.resumed = 0
        """Parts that were there already."""
        self.seconds = 0.0
        """Time that all parts took to measure, also those of interrupted runs."""

    def __enter__(self) -> ReportParts:
        self._store = PartStore(self.folder)
        self._lock = lock_file(
            self.folder / "lock",
            f"another edge-ser report is measuring into {self.folder}; wait for it, or name "
            "another --output",
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def once(self, part: str, kind: type[_Kind] | Any, measure: Callable[[], _Kind]) -> _Kind:
        """A part: from the folder, or measured and kept.

        Args:
            part: its name.
            kind: what it is, a pydantic model or a type made of them.
            measure: gives it.
        """
        adapter: TypeAdapter[_Kind] = TypeAdapter(kind)
        key = {"part": part, **self._settled}
        found = self._store.get(key)
        if found is not None:
            try:
                value = adapter.validate_json(str(found["value"][()]))
                self.seconds += float(found["seconds"][()])
                self.resumed += 1
                return value
            except (ValidationError, KeyError):
                self._store.forget(key)
        begun = time.perf_counter()
        value = measure()
        seconds = time.perf_counter() - begun
        text = adapter.dump_json(value).decode()
        self._store.put(key, {"value": np.array(text), "seconds": np.array(seconds)})
        self.seconds += seconds
        return value

    def remove(self) -> None:
        """Forget everything: the report is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)
