"""What `with` does for everything that has to be closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

_Opened = TypeVar("_Opened", bound="ClosedOnExit")


class ClosedOnExit(ABC):
    """Base of what can be used in a ``with`` statement, which closes it at the end."""

    @abstractmethod
    def close(self) -> object:
        """End all work and give back what is held; closing twice is harmless."""

    def __enter__(self: _Opened) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
