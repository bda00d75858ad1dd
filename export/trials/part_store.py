"""Parts of a long measurement, kept so that an interrupted one goes on where it stopped.

A part is named by everything that decides what it holds: what is found under a key is what would be
computed again. Files are whole or not there; a damaged one counts as not there.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.files import make_folder, write_atomically

Arrays = dict[str, npt.NDArray[Any]]
Key = Mapping[str, Any]
"""Anything that JSON can hold."""


class PartStore:
    """Keeps arrays by key: in a folder, or in memory where none is given."""

    def __init__(self, folder: Path | None) -> None:
        """Use a folder, which is made if it is not there.

        Raises:
            ConfigError: if the folder cannot be made.
        """
        self._folder = folder
        self._memory: dict[str, Arrays] = {}
        if folder is not None:
            make_folder(folder)

    def get(self, key: Key) -> Arrays | None:
        """The part of a key, or None if it is not there."""
        name = _name(key)
        if self._folder is None:
            return self._memory.get(name)
        try:
            with np.load(self._folder / name, allow_pickle=False) as archive:
                return {n: archive[n] for n in archive.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None

    def put(self, key: Key, arrays: Arrays) -> None:
        """Keep a part.

        Raises:
            ConfigError: if the folder may not be written to, or the disk is full.
        """
        name = _name(key)
        if self._folder is None:
            self._memory[name] = arrays
            return
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomically(self._folder / name, buffer.getvalue())

    def forget(self, key: Key) -> None:
        """Drop a part that is of no more use."""
        name = _name(key)
        if self._folder is None:
            self._memory.pop(name, None)
        else:
            (self._folder / name).unlink(missing_ok=True)

    def once(self, key: Key, compute: Callable[[], Arrays]) -> Arrays:
        """The part of a key, computed and kept if it is not there."""
        found = self.get(key)
        if found is None:
            found = compute()
            self.put(key, found)
        return found


def _name(key: Key) -> str:
    canonical = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{key.get('part', 'part')}-{hashlib.sha256(canonical.encode()).hexdigest()[:32]}.npz"
