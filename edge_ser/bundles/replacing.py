"""Replacing a folder as a whole: afterwards the old one or the new one is there, complete.

The new folder is written beside the old one, synced to the disk, and exchanged with it in one step
where the system can (Linux, macOS); elsewhere the old one is set aside for a moment, and whoever
opens or writes the folder next puts it back if that moment was the last of a process. What a killed
run left behind is known by its name and its lost lock, and is removed by the next run.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError
from edge_ser.files import (
    REPLACED,
    WRITING,
    beside,
    held_folder,
    is_old,
    leftovers,
    lock_folder,
    sync_path,
    unlock,
    writing,
)

_AT_FDCWD: Final = -100
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of renameat2(2), RENAME_SWAP of renamex_np(2)
_CANNOT_EXCHANGE: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` that takes its place when the block ends without an error.

    Until then, and if anything fails or the process is killed, the target stays as it is. All that
    is in the new folder is synced before it is put in place; the old folder is removed after that.
    Where the system can exchange two folders, the target is there at every moment. Elsewhere a
    process that is killed between two renames leaves it set aside, and `recover` (which
    the next write calls, and whoever opens a bundle) puts it back. Of two writers at once one wins
    whole; the other's folder is replaced by it, or it gets an error.

    Args:
        target: the folder; whatever it holds goes. Missing parents are made, a link is followed.

    Raises:
        ConfigError: if the target is a file, may not be written to or moved, has too long a name,
            or the disk is full, also while the block writes.
    """
    real = Path(os.path.realpath(target))
    with writing(target):
        real.parent.mkdir(parents=True, exist_ok=True)
        _require_folder(real)
        recover(real)
        _clear_away(real)
        fresh, lock = held_folder(lambda: beside(real, WRITING))
        try:
            yield fresh
            for folder, _, files in os.walk(fresh):
                for name in (*files, ""):
                    sync_path(Path(folder, name))
            _put_in_place(fresh, real)
            sync_path(real.parent)
        finally:
            # By now, what is called so is the old folder, or one that did not become whole.
            shutil.rmtree(fresh, ignore_errors=True)
            unlock(lock)


def replace_link(link: Path, leads_to: Path) -> None:
    """Let a link lead elsewhere, in one step; it is made if it is not there.

    Args:
        link: the link.
        leads_to: as seen from the link's folder.

    Raises:
        ConfigError: if it cannot be made, or something else has its name.
    """
    fresh = link.with_name(f".{link.name}.next")
    with writing(link):
        fresh.unlink(missing_ok=True)  # of a process that was killed just here
        fresh.symlink_to(leads_to)
        fresh.replace(link)
        sync_path(link.parent)


def remove_others(folder: Path, kept: Collection[str | None]) -> None:
    """Remove the folders in a folder whose names are not kept; those being written are left alone.

    What cannot be removed stays.
    """
    with suppress(OSError):
        for other in folder.iterdir():
            if other.name not in kept and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)


def recover(target: Path) -> None:
    """Put a folder back that a killed `replaced_folder` set aside, if its place is empty.

    Raises:
        ConfigError: if it lies there, but may not be moved.
    """
    real = Path(os.path.realpath(target))
    for aside in leftovers(real, REPLACED):
        if os.path.lexists(real):
            return
        lock = None
        try:
            with suppress(FileNotFoundError):
                lock = lock_folder(aside.with_suffix(WRITING))
            aside.rename(real)
            sync_path(real.parent)
        except (BlockingIOError, FileNotFoundError):
            continue  # its writer lives, and puts a folder there this moment
        except OSError as error:
            raise ConfigError(
                f"{target} was being replaced when that was interrupted, and cannot be put back: "
                f"{error.strerror}; rename {aside} to it"
            ) from error
        finally:
            unlock(lock)


def _require_folder(path: Path) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _clear_away(target: Path) -> None:
    """Remove what killed writers of a folder left, once nothing of it is needed."""
    for aside in leftovers(target, REPLACED):
        if os.path.lexists(target):
            # Half removed, it must not be taken for a folder that can be put back.
            with suppress(OSError):
                aside.rename(beside(target, WRITING))
    for leftover in leftovers(target, WRITING):
        with suppress(OSError):
            lock = lock_folder(leftover)
            if lock is not None or is_old(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
            unlock(lock)


def _put_in_place(fresh: Path, target: Path) -> None:
    """Give a folder the target's name; a folder that stood there is then called `fresh`."""
    try:
        _exchange(fresh, target)
    except FileNotFoundError:
        fresh.rename(target)
    except OSError as error:
        if error.errno not in _CANNOT_EXCHANGE:
            raise
        _put_in_place_by_renaming(fresh, target)


def _put_in_place_by_renaming(fresh: Path, target: Path) -> None:
    aside = fresh.with_suffix(REPLACED)
    try:
        target.rename(aside)
    except FileNotFoundError:
        fresh.rename(target)
        return
    try:
        fresh.rename(target)
    except BaseException:
        with suppress(OSError):
            aside.rename(target)
        raise
    with suppress(OSError):
        aside.rename(fresh)


def _exchange(one: Path, other: Path) -> None:
    """Let two paths change places in one step.

    Raises:
        OSError: with `_CANNOT_EXCHANGE` where system, library or file system have no such step.
    """
    paths = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = library.renamex_np(*paths, _EXCHANGE)
        else:
            failed = library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _EXCHANGE)
    except (AttributeError, TypeError):  # no such function; no such library, on Windows
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
