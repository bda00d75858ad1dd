"""pyarrow, and what is said where it is not installed."""

from __future__ import annotations

from typing import Any

from edge_ser.errors import MissingExtraError


def parquet() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        MissingExtraError: if they are not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "scale") from None
    return pyarrow, pyarrow.parquet
