"""The cache of compiled forms of graphs. Optimised graphs of ONNX Runtime lie beside the engines.

An entry belongs to exactly one (graph hash, backend and version, device, shapes, options). It is
disposable: whatever does not match is built anew. Each entry is one file, a line of JSON that
holds the identity and the SHA-256 of the engine that follows it, and is put in place in one step:
a reader sees a whole entry or none, also with several writers and after a power cut.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_ser.errors import ConfigError, EngineError
from edge_ser.files import (
    default_cache_folder,
    is_old,
    is_owners_alone,
    is_unfinished,
    make_folder,
    write_atomically,
)

_LOG = logging.getLogger(__name__)
_RECORD_VERSION: Final = 1
_LONGEST_RECORD: Final = 1 << 20
_SUFFIX: Final = ".engine"
_LAST_YEAR: Final = 1e11
"""Seconds since the epoch; no calendar of Python goes further."""
_ENGINE_FILE: Final = re.compile(r".+-[0-9a-f]{24}\.engine")
_GRAPH_FILE: Final = re.compile(r".+-[0-9a-f]{24}-[0-9a-f]{8}\.onnx")

Shapes = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]
"""Smallest, usual and largest shape of each input."""


@dataclass(frozen=True)
class EngineKey:
    """What an engine was compiled from and for.

    Attributes:
        graph: name of the graph, for people: it is not part of the identity.
        graph_sha256: hash of the ONNX file.
        backend: ``tensorrt``, ``tensorrt-rtx``, ``onnxruntime``.
        backend_version: as the backend gives it.
        device: ``sm86``, ``ampere-plus``, or a name of the processor.
        shapes: per input the smallest, usual and largest shape; empty where shapes are free.
        options: everything else that changes the outcome.
    """

    graph: str
    graph_sha256: str
    backend: str
    backend_version: str
    device: str
    shapes: Shapes = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 of the identity as canonical JSON."""
        identity = asdict(self)
        del identity["graph"]
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class EngineRecord:
    """One entry of the cache, as its first line tells it."""

    key: EngineKey
    path: Path
    offset: int
    """Where the engine begins in the file."""
    sha256: str
    size: int
    created: float
    """Seconds since the epoch."""
    facts: Mapping[str, Any]
    """What the builder noted: precision, seconds, versions, whether the gate was forced."""


class EngineCache:
    """Entries in one folder. Thread contract: any thread, any number of processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder` (default: `default_cache_folder`); it is made at the first store."""
        self.folder = default_cache_folder() if folder is None else folder

    def room(self) -> int:
        """Bytes that are free where entries are stored; 0 where none can be."""
        place = self.folder
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        try:
            return shutil.disk_usage(place).free if os.access(place, os.W_OK | os.X_OK) else 0
        except OSError:
            return 0

    def check(self, entry: Path | None = None) -> None:
        """Make sure that nobody else can have written what the cache holds.

        An entry is a program: who may write one decides what this process runs, and can write the
        hash that goes with it.

        Args:
            entry: a file of the cache; None looks at the folder alone.

        Raises:
            EngineError: if another user owns or may write the folder or the entry.
        """
        for path in filter(None, (self.folder, entry)):
            try:
                if is_owners_alone(path):
                    continue
            except OSError:  # nothing is there that could be run
                continue
            raise EngineError(
                f"the engine cache: other users may write {path}, so that nothing of it is used; "
                f"run: chmod -R go-w {self.folder} (as its owner), or name a folder of your own "
                "with EDGE_SER_CACHE"
            )

    def clear_leftovers(self) -> None:
        """Delete what killed writers left here, of whatever entry, once it is old."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if is_unfinished(path) and is_old(path):
                    with suppress(OSError):
                        path.unlink()

    def load(self, key: EngineKey) -> bytes | None:
        """The blob for `key`, or None if there is none.

        The bytes that are returned are the bytes that were hashed.

        Raises:
            EngineError: the entry is damaged (its hash, size or record is wrong).
        """
        record = self.find(key)
        return None if record is None else load_blob(record)

    def find(self, key: EngineKey) -> EngineRecord | None:
        """The record for `key`, or None; the blob is not read.

        Raises:
            EngineError: the record cannot be read, or others may write it; see `check`.
        """
        path = self._path(key)
        if not path.is_file():
            return None
        self.check(path)
        return _read_record(path)

    def store(self, key: EngineKey, blob: bytes, facts: Mapping[str, Any]) -> EngineRecord:
        """Put an entry in place of whatever was there for this key.

        Raises:
            EngineError: the folder cannot be written.
        """
        path = self._path(key)
        record = {
            "record_version": _RECORD_VERSION,
            "key": asdict(key),
            "sha256": hashlib.sha256(blob).hexdigest(),
            "size": len(blob),
            "created": time.time(),
            "facts": dict(facts),
        }
        head = json.dumps(record, sort_keys=True).encode() + b"\n"
        try:
            make_folder(self.folder, mode=0o700)
            self.clear_leftovers()
            write_atomically(path, head + blob)
        except ConfigError as error:
            raise EngineError(
                f"the engine cache: {error}; EDGE_SER_CACHE names another folder"
            ) from error
        return _parse_record(path, head)

    def entries(self) -> list[EngineRecord]:
        """Every entry whose record can be read, newest first; damaged ones are logged."""
        found = []
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                found.append(_read_record(path))
            except EngineError as error:
                _LOG.warning("%s", error)
        return sorted(found, key=lambda r: r.created, reverse=True)

    def graphs(self) -> list[Path]:
        """Optimised graphs of ONNX Runtime: see `edge_ser.runtime.onnxruntime_cache`."""
        try:
            files = sorted(self.folder.iterdir())
        except OSError:
            return []
        return [path for path in files if _GRAPH_FILE.fullmatch(path.name)]

    def remove(self, key: EngineKey) -> None:
        """Forget the entry for `key`, if there is one, damaged or not."""
        self._path(key).unlink(missing_ok=True)

    def clean(self) -> tuple[int, int]:
        """Delete every entry and optimised graph, also damaged and half-written ones.

        Only files with the names that this cache gives are touched.

        Returns:
            how many files went, and their bytes.

        Raises:
            EngineError: the system refuses.
        """
        count = size = 0
        names = (_ENGINE_FILE, _GRAPH_FILE)
        try:
            for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
                ours = is_unfinished(path) or any(name.fullmatch(path.name) for name in names)
                if not ours or not path.is_file():
                    continue
                size += path.stat().st_size
                path.unlink(missing_ok=True)
                count += 1
        except OSError as error:
            raise EngineError(
                f"{error.filename} cannot be deleted: {error.strerror}; change its permissions"
            ) from error
        return count, size

    @staticmethod
    def stem(key: EngineKey) -> str:
        """Name of the key's file, without its ending."""
        name = re.sub(r"[^A-Za-z0-9]+", "_", key.graph).strip("_") or "graph"
        return f"{name[:40]}-{key.digest()[:24]}"

    def _path(self, key: EngineKey) -> Path:
        return self.folder / (self.stem(key) + _SUFFIX)


def _read_record(path: Path) -> EngineRecord:
    try:
        with path.open("rb") as stream:
            head = stream.readline(_LONGEST_RECORD)
    except OSError as error:
        raise EngineError(f"{path}: this engine cannot be read: {error.strerror}") from error
    return _parse_record(path, head)


def _parse_record(path: Path, head: bytes) -> EngineRecord:
    try:
        raw = json.loads(head)
        if raw["record_version"] != _RECORD_VERSION:
            raise ValueError("it is of an unknown version")
        fields = dict(raw["key"])
        fields["shapes"] = {
            name: tuple(tuple(int(d) for d in shape) for shape in triple)
            for name, triple in fields["shapes"].items()
        }
        size, created = int(raw["size"]), float(raw["created"])
        if size < 0 or not 0 <= created < _LAST_YEAR:
            raise ValueError("its size or its date makes no sense")
        return EngineRecord(
            key=EngineKey(**fields),
            path=path,
            offset=len(head),
            sha256=str(raw["sha256"]),
            size=size,
            created=created,
            facts=dict(raw["facts"]),
        )
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise EngineError(
            f"{path}: this entry of the engine cache is damaged ({error}); "
            "run: edge-ser engines clean"
        ) from error


def load_blob(record: EngineRecord) -> bytes:
    """Read an engine and hold it against the hash in its record before anybody parses it.

    Raises:
        EngineError: the file is gone, or its bytes are not those that were stored.
    """
    try:
        with record.path.open("rb") as stream:
            stream.seek(record.offset)
            blob = stream.read()
    except OSError as error:
        raise EngineError(
            f"{record.path}: the engine of {record.key.graph} cannot be read: {error.strerror}; "
            "build it again: edge-ser build-engine"
        ) from error
    if len(blob) != record.size or hashlib.sha256(blob).hexdigest() != record.sha256:
        raise EngineError(
            f"{record.path}: the engine of {record.key.graph} is damaged (its SHA-256 is not the "
            "one that was noted when it was built); build it again: edge-ser build-engine"
        )
    return blob
