"""Replacing a folder as a whole: afterwards the old one or the new one is there, complete.

The new folder is written beside the old one, synced to the disk, and exchanged with it in one step
where the system can (Linux, macOS); elsewhere the old one is moved aside for a moment, and whoever
opens or writes the folder next puts it back if that moment was the last of a process. What a killed
run left behind is known by its name and its lost lock, and is removed by the next run.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError
from edge_ser.files import shortened, sync_folder

_NEW: Final = ".new"
_OLD: Final = ".old"

_AT_FDCWD: Final = -100 if sys.platform == "linux" else -2
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of renameat2(2), RENAME_SWAP of renamex_np(2)
_CANNOT_EXCHANGE: Final = frozenset(
    {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV}
)


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Give a new, empty folder that takes the target's name if the block ends without an error.

    Two at once on one target: the one that ends last wins, whole.

    Args:
        target: the folder; its parents are made if they are not there.

    Raises:
        ConfigError: if the place cannot be written to; the target is then as it was.
    """
    target = target.absolute()
    lock: int | None = None
    fresh: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        recover(target)
        fresh = _beside(target, _NEW)
        fresh.mkdir()
        lock = _locked(fresh)
        yield fresh
        _sync_tree(fresh)
        _swap(fresh, target)
        sync_folder(target.parent)
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror or error}; check permissions and room"
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def recover(target: Path) -> None:
    """Put back a folder that a killed run had moved aside, and remove what such runs left.

    Args:
        target: the folder that was being replaced; nothing is done where its parent is not there.
    """
    target = target.absolute()
    name = re.escape(shortened(target.name))
    leftover = re.compile(rf"\.{name}\.[0-9a-f]{{12}}\.(new|old)")
    with suppress(OSError):
        found = [p for p in target.parent.iterdir() if leftover.fullmatch(p.name)]
        aside = sorted((p for p in found if p.suffix == _OLD), key=lambda p: p.stat().st_mtime_ns)
        if aside and not target.exists():
            aside.pop().rename(target)
        for path in found:
            if path.exists() and not _in_use(path):
                shutil.rmtree(path, ignore_errors=True)


def _swap(fresh: Path, target: Path) -> None:
    """Give `fresh` the name `target`; what had it is removed."""
    if not target.exists():
        fresh.rename(target)
        return
    if _exchange(fresh, target):
        return  # `fresh` is the old one now, and is removed like any other rest
    old = _beside(target, _OLD)
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    if sys.platform not in ("linux", "darwin"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*paths, _EXCHANGE)
        else:
            failed = library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _EXCHANGE)
    except AttributeError:
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    sync_folder(folder)


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{shortened(target.name)}.{secrets.token_hex(6)}{ending}")


def _locked(folder: Path) -> int | None:
    """Hold a folder as being written, until the process ends; None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _in_use(folder: Path) -> bool:
    """Whether a living process writes the folder."""
    try:
        import fcntl
    except ImportError:
        return True  # nobody can tell: it is left alone
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
