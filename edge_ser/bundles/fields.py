"""Kinds of fields of a manifest: texts that can be shown, numbers that mean something."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from edge_ser.shown.plain import is_plain

LOWEST_TEMPERATURE: Final = 0.01
HIGHEST_TEMPERATURE: Final = 100.0
LARGEST_BIAS: Final = 30.0
"""A temperature below, or a bias beyond, leaves one label whatever is heard, a temperature above
none."""


def _line(value: str) -> str:
    if not is_plain(value):
        raise ValueError("it holds control characters or marks of direction")
    return value


def _prose(value: str) -> str:
    if not is_plain(value, also="\n"):
        raise ValueError("it holds control characters or marks of direction")
    return value


def _trimmed(value: str) -> str:
    if value != value.strip():
        raise ValueError("it begins or ends with a space")
    return value


Line = Annotated[str, Field(max_length=4000), AfterValidator(_line)]
"""One line for people, or a name that is shown."""
Prose = Annotated[str, Field(max_length=20_000), AfterValidator(_prose)]
"""Text of several lines."""
Label = Annotated[
    str, Field(min_length=1, max_length=40), AfterValidator(_line), AfterValidator(_trimmed)
]
"""What a decision answers."""
Figure = Annotated[float, Field(ge=-1e9, le=1e9)]
"""Anything that was measured."""
Statistic = Annotated[float, Field(ge=-1e6, le=1e6)]
"""Mean of a column of tokens; embeddings are far smaller."""
Deviation = Annotated[float, Field(ge=0, le=1e6)]
Column = Annotated[int, Field(ge=0, lt=65_536)]
"""Index of a column of tokens."""
Share = Annotated[float, Field(ge=0, le=1)]
