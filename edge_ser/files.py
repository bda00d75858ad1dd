"""Files: writes that are whole or not there, hashes, and the folder of the cache."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError

# A leading dot, a random part and an ending are put around it.
_LONGEST_NAME: Final = 200

_UNFINISHED: Final = re.compile(r"\..+\.[0-9a-f]{12}\.writing")


def write_atomically(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file by way of a temporary one beside it, so that an interruption leaves no half.

    Args:
        target: the file; its folder must exist.
        content: what it shall hold.
        mode: permissions of the new file, less what the process's mask takes away.

    Raises:
        ConfigError: if the folder is missing, may not be written to, or the disk is full.
    """
    temporary = target.with_name(f".{shortened(target.name)}.{secrets.token_hex(6)}.writing")
    try:
        # O_EXCL: nobody else's file, nor a link that somebody planted, is written to.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise ConfigError(
            f"cannot write {target}: {error.strerror}; "
            "check that its folder exists, may be written to, and has room"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names in a folder last over a power cut; nothing where folders cannot be synced.

    Raises:
        OSError: if the folder cannot be opened or the disk fails.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def shortened(name: str) -> str:
    """A name that leaves room for a prefix and an ending in the 255 bytes that systems allow."""
    data = name.encode(errors="surrogateescape")
    if len(data) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(data).hexdigest()[:12]
    return f"{data[: _LONGEST_NAME - 13].decode(errors='ignore')}~{digest}"


def is_unfinished(path: Path) -> bool:
    """Whether a file is what a killed `write_atomically` left behind, by its name."""
    return _UNFINISHED.fullmatch(path.name) is not None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read piecewise."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def default_cache_folder() -> Path:
    """``$EDGE_SER_CACHE``, else the platform's folder for caches, with ``edge-ser/engines``."""
    chosen = os.environ.get("EDGE_SER_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "engines"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edge-ser" / "engines"
