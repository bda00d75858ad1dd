"""Who holds a file: one run at a time, whatever ends it."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from edge_ser.errors import ConfigError
from edge_ser.files import writing


def lock_file(path: Path, busy: str) -> IO[str]:
    """Hold a file, made if it is not there, until what is given is closed or the process ends.

    Args:
        path: the file; nothing is written into it.
        busy: what to tell where another process, or another thread, holds it.

    Raises:
        ConfigError: if somebody else holds it, or it cannot be made.
    """
    with writing(path):
        handle = path.open("a", encoding="ascii")
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once are the caller's mistake
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise ConfigError(busy) from error
    return handle
