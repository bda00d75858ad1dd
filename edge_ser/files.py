"""Files that are whole or not there, hashes, and the folder of the cache.

What takes a target's place is written beside it under a name of its own, synced, and put there in
one step. A process that is killed meanwhile leaves a file called ``.NAME.<12 hex>.writing``; the
next write to the target clears it away when it is old. `edge_ser.bundles.replacing` does the same
for folders. Folders are held by a lock, which a killed process loses: so the next one knows which
temporary folders are left over, and removes them.

An address is no file: here is said what to do with one that was given as a name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from edge_ser.errors import ConfigError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

WRITING: Final = ".writing"
REPLACED: Final = ".replaced"
"""Ending of a whole folder whose place is empty for a moment."""

_HEX: Final = r"\.[0-9a-f]{12}"
_UNFINISHED: Final = re.compile(rf"\..+{_HEX}\.(writing|replaced)", re.DOTALL)
_TEMPORARY: Final = re.compile(r"edge-ser-[0-9a-f]{12}")
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
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

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


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Whatever the system refuses in this block is told as a refusal to write the target.

    Raises:
        ConfigError: in place of an `OSError`; it says what to do.
    """
    try:
        yield
    except OSError as error:
        raise refusal(target, error) from error


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make a folder, and what is missing above it, where it is not there.

    Args:
        folder: its path.
        mode: permissions of a new one, less what the process's mask takes away.

    Raises:
        ConfigError: if it cannot be made.
    """
    with writing(folder):
        folder.mkdir(mode, parents=True, exist_ok=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for what is gone at the block's end, where the system keeps such things.

    Those that killed processes left there are removed first.

    Raises:
        ConfigError: if there is no such place, or no room left in it, also while the block writes.
    """
    try:
        place = Path(tempfile.gettempdir())
        _clear_temporary(place)
        folder, lock = held_folder(lambda: place / f"edge-ser-{secrets.token_hex(6)}", mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            unlock(lock)
    except OSError as error:
        if error.errno not in _NO_ROOM and "temporary directory" not in (error.strerror or ""):
            raise
        raise ConfigError(
            f"there is no room for temporary files: {error.strerror}; TMPDIR names their folder"
        ) from error


def _clear_temporary(place: Path) -> None:
    """Remove temporary folders that nobody holds any more; never another user's, nor a link."""
    with suppress(OSError):
        for folder in place.iterdir():
            if _TEMPORARY.fullmatch(folder.name) and _is_own_folder(folder):
                with suppress(OSError):
                    lock = lock_folder(folder)
                    if lock is not None:
                        shutil.rmtree(folder, ignore_errors=True)
                    unlock(lock)


def _is_own_folder(path: Path) -> bool:
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == getattr(os, "geteuid", lambda: 0)()


def held_folder(name: Callable[[], Path], *, mode: int = 0o777) -> tuple[Path, int | None]:
    """An empty new folder, held until its lock is given back with `unlock`.

    Args:
        name: gives a name that is not taken, another one each time.
        mode: permissions, less what the process's mask takes away.

    Raises:
        OSError: if it cannot be made.
    """
    while True:
        fresh = name()
        fresh.mkdir(mode)
        # Before it is held, another process may take it for a leftover.
        with suppress(BlockingIOError, FileNotFoundError):
            lock = lock_folder(fresh)
            if fresh.is_dir():
                return fresh, lock
            unlock(lock)


def lock_folder(folder: Path) -> int | None:
    """Hold a folder while the handle is open, also against threads; None where nothing is locked.

    Raises:
        BlockingIOError: if somebody else holds it.
        FileNotFoundError: if it is gone.
    """
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        unlock(handle)
        raise
    except (OSError, AttributeError):  # some network file systems lock no folders, nor does Windows
        unlock(handle)
        return None
    return handle


def unlock(lock: int | None) -> None:
    """Give a lock of `lock_folder` back."""
    if lock is not None:
        os.close(lock)


def is_there(path: Path) -> bool:
    """Whether something has this name, before it is written to.

    Raises:
        ConfigError: if the system does not say, as the name is too long or its folder closed.
    """
    with writing(path):
        return path.exists()


def write_atomically(
    target: Path, content: bytes, *, mode: int = 0o666, parents: bool = False
) -> None:
    """Write a file by way of a temporary one beside it, so that an interruption leaves no half.

    Args:
        target: the file. Of a link, what it leads to is replaced; a device or a pipe is written to.
        content: what it shall hold.
        mode: permissions of the new file, less what the process's mask takes away.
        parents: whether to make missing folders above it.

    Raises:
        ConfigError: if the folder is missing, may not be written to, or the disk is full.
    """
    with writing(target):
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        if _passes_on(target):
            _write(os.open(target, os.O_WRONLY), content)
            return
        with _replacing(target, mode) as handle:
            _write(handle, content, sync=True)


@contextmanager
def replaced_file(target: Path) -> Iterator[IO[bytes]]:
    """A new file, to be written piece by piece, that takes the target's place at the block's end.

    If the block fails or the process is killed, the target stays as it is.

    Args:
        target: the file; of a link, what it leads to is replaced.

    Raises:
        ConfigError: as `write_atomically`, also while the block writes; if it is a device or a
            pipe, whose place no file can take.
    """
    with (
        writing(target),
        _replacing(target, 0o666) as handle,
        os.fdopen(handle, "wb") as stream,
    ):
        yield stream
        stream.flush()
        os.fsync(handle)


@contextmanager
def _replacing(target: Path, mode: int) -> Iterator[int]:
    """The handle, to be closed in the block, of a file that then takes the target's place."""
    real = Path(os.path.realpath(target))
    if _passes_on(real):
        raise ConfigError(
            f"{target} is a device or a pipe, whose place no file can take; name a file"
        )
    temporary = beside(real, WRITING)
    try:
        clear_leftovers(real)
        # O_EXCL: nobody else's file, nor a link that somebody planted, is written to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        yield os.open(temporary, flags, mode)
        temporary.replace(real)
        sync_path(real.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _passes_on(target: Path) -> bool:
    """Whether it is a device, a pipe or a socket, whose place no file can take."""
    try:
        kind = target.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _write(handle: int, content: bytes, *, sync: bool = False) -> None:
    """Write all of it, and close the file."""
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def is_unfinished(path: Path) -> bool:
    """Whether a file or folder is what a killed write left behind, by its name."""
    return _UNFINISHED.fullmatch(path.name) is not None


def beside(target: Path, ending: str) -> Path:
    """A new temporary name in a target's folder, with one of the two endings."""
    return target.with_name(f"{_stem(target)}.{secrets.token_hex(6)}{ending}")


def companion(target: Path, ending: str) -> Path:
    """What lies beside a target for a while under its name and an ending."""
    return target.with_name(_shortened(target.name) + ending)


def _stem(target: Path) -> str:
    """How temporary names of a target begin."""
    return f".{_shortened(target.name)}"


def _shortened(text: str) -> str:
    """Of a long name a hash stands for the end."""
    name = os.fsencode(text)
    if len(name) <= _LONGEST_NAME:
        return text
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[: _LONGEST_NAME - 17].decode('utf-8', 'ignore')}~{digest}"


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


def read_plain(path: Path, limit: int) -> bytes:
    """Read a plain file of a plausible size, whole and in one go.

    Whoever may write its folder may have put a pipe, a device or a loop of links under its name:
    nothing is waited for, and never more is read than a file of that size holds.

    Args:
        path: the file; links are followed.
        limit: most bytes that it may have.

    Raises:
        OSError: if it cannot be read, is not a plain file, has more bytes, or changes meanwhile;
            `strerror` says which.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, f"it is {_kind(facts.st_mode)}, not a plain file", path)
        if facts.st_size > limit:
            large = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
            raise OSError(errno.EFBIG, f"it is larger than {large}", path)
        content = b""
        while len(content) <= facts.st_size:
            piece = stream.read(facts.st_size + 1 - len(content))
            if not piece:
                return content
            content += piece
    raise OSError(errno.EBUSY, "it grew while it was read", path)


def is_owners_alone(path: Path) -> bool:
    """Whether nobody but its owner, who is this process's user or root, may write a file or folder.

    Where the system has no such owners (Windows) the answer is yes.

    Raises:
        OSError: if it cannot be looked at.
    """
    if not hasattr(os, "geteuid"):
        return True
    facts = path.stat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & others


def _kind(mode: int) -> str:
    names = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return names.get(stat.S_IFMT(mode), "a device")


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
