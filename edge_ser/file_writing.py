"""Writes that are whole or not there: a reader never sees half a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from edge_ser.errors import ConfigError


def write_atomically(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file by way of a temporary one beside it, so that an interruption leaves no half.

    Args:
        target: the file; its folder must exist.
        content: what it shall hold.
        mode: permissions of the new file, less what the process's mask takes away.

    Raises:
        ConfigError: if the folder is missing, may not be written to, or the disk is full.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        # O_EXCL: nobody else's file, nor a link that somebody planted, is written to.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise ConfigError(
            f"cannot write {target}: {error.strerror}; "
            "check that its folder exists, may be written to, and has room"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
