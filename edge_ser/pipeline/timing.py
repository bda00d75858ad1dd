"""Wall-clock milliseconds of the stages behind one decision."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimer:
    """Adds up the time of named stages. Thread contract: one timer belongs to one thread."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; a stage that runs several times is summed."""
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - started) * 1000
            self._stages[name] = self._stages.get(name, 0.0) + elapsed

    def stages(self) -> dict[str, float]:
        """Milliseconds of each stage so far, and ``total`` since the timer was made."""
        total = (time.perf_counter() - self._started) * 1000
        return {**self._stages, "total": total}
