"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the steps that are done, and the steps in all."""


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""
