"""Files that are whole or not there, hashes, and the folder of the cache.

What takes a target's place is written beside it under a name of its own, synced, and put there in
one step. A process that is killed meanwhile leaves a file called ``.NAME.<12 hex>.writing``; the
next write to the target clears it away when it is old. `edge_ser.bundles.replacing` does the same
for folders.

An address is no file: here is said what to do with one that was given as a name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError

WRITING: Final = ".writing"
REPLACED: Final = ".replaced"
"""Ending of a whole folder whose place is empty for a moment."""

_HEX: Final = r"\.[0-9a-f]{12}"
_UNFINISHED: Final = re.compile(rf"\..+{_HEX}\.(writing|replaced)", re.DOTALL)
_LONGEST_NAME: Final = 100
"""Bytes of a target's name that its temporary name repeats; some systems allow 143 in all."""
_OLD: Final = 3600.0
"""Seconds after which nobody writes any more to what cannot be locked."""
_TO_SYNC: Final = os.O_RDWR if os.name == "nt" else os.O_RDONLY
_NO_SYNC: Final = {errno.EINVAL, errno.EOPNOTSUPP}

LIVE_SCHEMES: Final = ("rtsp", "rtsps", "http", "https", "rtp", "udp", "srt", "tcp")
"""Addresses that live capture opens."""

# One letter before the colon is a drive; `Path` makes one slash of two.
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]+):/+(\S+)", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"//[^/@]*@")

_FORBIDDEN: Final = "name a place that you may write to, or change its permissions"
_FULL: Final = "make room on that disk, or name another place"
_NO_FOLDER: Final = "a part of its path is a file, not a folder; name another place"
_FIXED: Final = "it is mounted, or part of an image, and cannot be moved; name another place"
_ADVICE: Final = {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: "it is a folder; name a file",
    errno.ENOTEMPTY: "another program put something there meanwhile; try again",
    errno.EBUSY: _FIXED,
    errno.EXDEV: _FIXED,
}


def write_atomically(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file by way of a temporary one beside it, so that an interruption leaves no half.

    Args:
        target: the file; its folder must exist.
        content: what it shall hold.
        mode: permissions of the new file, less what the process's mask takes away.

    Raises:
        ConfigError: if the folder is missing, may not be written to, or the disk is full.
    """
    temporary = beside(target, WRITING)
    try:
        clear_leftovers(target)
        # O_EXCL: nobody else's file, nor a link that somebody planted, is written to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, mode)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(target)
        sync_path(target.parent)
    except OSError as error:
        raise refusal(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def is_unfinished(path: Path) -> bool:
    """Whether a file or folder is what a killed write left behind, by its name."""
    return _UNFINISHED.fullmatch(path.name) is not None


def beside(target: Path, ending: str) -> Path:
    """A new temporary name in a target's folder, with one of the two endings."""
    return target.with_name(f"{_stem(target)}.{secrets.token_hex(6)}{ending}")


def _stem(target: Path) -> str:
    """How temporary names of a target begin; of a long name a hash stands for the end."""
    name = os.fsencode(target.name)
    if len(name) <= _LONGEST_NAME:
        return f".{target.name}"
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f".{name[: _LONGEST_NAME - 17].decode('utf-8', 'ignore')}~{digest}"


def leftovers(target: Path, ending: str) -> list[Path]:
    """What lies in a target's folder under a temporary name of it."""
    pattern = re.compile(re.escape(_stem(target)) + _HEX + re.escape(ending))
    try:
        return [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]
    except OSError:  # a folder that one may write to, but not list
        return []


def clear_leftovers(target: Path) -> None:
    """Delete what writers of a file who were killed left behind, once it is old."""
    for leftover in leftovers(target, WRITING):
        if is_old(leftover):
            with suppress(OSError):
                leftover.unlink()


def is_old(path: Path) -> bool:
    """Whether nobody can be writing to a leftover any more."""
    try:
        return time.time() - os.lstat(path).st_mtime > _OLD
    except OSError:
        return False


def sync_path(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk.

    Raises:
        OSError: if the disk fails.
    """
    folder = path.is_dir()
    if folder and os.name == "nt":  # which opens no folder
        return
    try:
        handle = os.open(path, _TO_SYNC)
    except PermissionError:
        if folder:  # that one may write to, but not list
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if not folder or error.errno not in _NO_SYNC:  # some file systems sync no folder
            raise
    finally:
        os.close(handle)


def refusal(target: Path, error: OSError) -> ConfigError:
    """What the system refused when a target was written, in a line that says what to do."""
    named = [Path(os.fsdecode(x)) for x in (error.filename, error.filename2) if x is not None]
    own = any(is_unfinished(part) for at in named for part in (at, *at.parents)) or target in named
    reason = (error.strerror or str(error)) + ("" if own or not named else f" ({named[0]})")
    advice = _ADVICE.get(
        error.errno or 0, "check that its folder exists, may be written to, and has room"
    )
    return ConfigError(f"cannot write {target}: {reason}; {advice}")


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
        return _expanded(chosen) / "engines"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _expanded("~") / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _expanded("~") / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _expanded("~") / ".cache")
    return base / "edge-ser" / "engines"


def _expanded(path: str) -> Path:
    """With the user's folder for ``~``; a container's user may be in no list and have none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(os.sep, "nonexistent")


def without_password(address: str) -> str:
    """The address as it may be shown."""
    return _PASSWORD.sub("//", address)


def address_advice(name: str | os.PathLike[str], *, recording: bool = False) -> str | None:
    """What to do with an address that was given as a file; None if it is no address.

    Args:
        name: what was given.
        recording: whether sound or pictures are wanted, which live capture can take from there.
    """
    text = os.fspath(name)
    found = _ADDRESS.fullmatch(text)
    if found is None or ("://" not in text and os.path.exists(text)):  # noqa: PTH110 - raises never
        return None
    scheme = found[1].lower()
    address = f"{without_password(f'{scheme}://{found[2]}')} is an address, not a file"
    if scheme == "file":
        return f"{text} is an address, not a file: give its path, /{found[2]}"
    live = recording and scheme in LIVE_SCHEMES
    listen = ", or listen to it (edge-ser live --url ADDRESS, NetworkSource in Python)"
    return f"{address}: download it first{listen if live else ''}"
