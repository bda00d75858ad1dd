"""Counts of everything that went wrong in one stream."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import Final

from edge_ser.result import StreamHealth

_COUNTERS: Final = frozenset(f.name for f in fields(StreamHealth) if f.type == "int")


class Tally:
    """Counters of `StreamHealth`. Thread contract: every method from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(sorted(_COUNTERS), 0)
        self._last_error: str | None = None

    def add(self, counter: str, amount: int = 1) -> None:
        """Count `amount` more; `counter` is a field of `StreamHealth`."""
        with self._lock:
            self._counts[counter] += amount

    def put(self, counter: str, value: int) -> None:
        """Set a counter that somebody else keeps."""
        with self._lock:
            self._counts[counter] = value

    def error(self, counter: str, what: str, error: BaseException) -> None:
        """Count an error and remember it."""
        with self._lock:
            self._counts[counter] += 1
            self._last_error = f"{what}: {type(error).__name__}: {error}"

    def health(
        self,
        *,
        drift_ppm: float | None = None,
        drift_sd_ppm: float | None = None,
        load: str = "",
    ) -> StreamHealth:
        """All counts as they are now."""
        with self._lock:
            return StreamHealth(
                **self._counts,
                last_error=self._last_error,
                drift_ppm=drift_ppm,
                drift_sd_ppm=drift_sd_ppm,
                load=load,
            )
