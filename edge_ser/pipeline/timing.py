"""Wall-clock milliseconds of the stages behind one decision."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class StageTimer:
    """Adds up the time of named stages; that of a stage within another counts as its own alone.

    Thread contract: one timer belongs to one thread.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}
        self._within = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; a stage that runs several times is summed."""
        started = time.perf_counter()
        before, self._within = self._within, 0.0
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - started) * 1000
            self.add(name, elapsed - self._within)
            self._within = before + elapsed

    def each(self, name: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """Give the items; getting them is a stage."""
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item

    def beside(self, other: StageTimer) -> None:
        """Take over the stages of what ran beside this: in all they may last longer than it did."""
        for name, elapsed in other._stages.items():
            self.add(name, elapsed)

    def add(self, name: str, elapsed: float) -> None:
        """Add milliseconds to a stage."""
        self._stages[name] = self._stages.get(name, 0.0) + elapsed

    def stages(self) -> dict[str, float]:
        """Milliseconds of each stage so far, and ``total`` since the timer was made."""
        total = (time.perf_counter() - self._started) * 1000
        return {**self._stages, "total": total}
