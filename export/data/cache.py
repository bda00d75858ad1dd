"""Features on disk, keyed by what was encoded and how.

A feature's key is the SHA-256 of the item's content and of all settings (front-end options, hash of
the encoder's graph, augmentation): a changed setting never meets a stale feature. An interrupted
run leaves whole features or none and goes on where it stopped; a damaged file is computed again.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge_ser.errors import EdgeSerError
from edge_ser.export.data.items import Item, Problem, content_hash
from edge_ser.files import write_atomically

Array = npt.NDArray[Any]
Compute = Callable[[Sequence[Item]], Sequence[Array]]
"""Encodes a batch of items: one array each. May raise an EdgeSerError for the batch."""


@dataclass(frozen=True)
class Features:
    """Features of the items that could be encoded, in their order."""

    items: tuple[Item, ...]
    arrays: tuple[Array, ...]
    problems: tuple[Problem, ...]
    computed: int
    """How many were not in the cache."""


class FeatureCache:
    """A folder of features of one kind; several processes may share it."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Use `folder` for features made with `settings` (anything that JSON can hold)."""
        canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
        self._folder = folder / hashlib.sha256(canonical.encode()).hexdigest()[:24]
        write_atomically(self._folder / "settings.json", canonical.encode(), parents=True)

    def path(self, key: str) -> Path:
        """Where the feature of a content hash lies."""
        return self._folder / key[:2] / f"{key}.npy"

    def get(self, key: str) -> Array | None:
        """The feature of a content hash, or None if it is not there or damaged."""
        try:
            return np.asarray(np.load(self.path(key), allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None

    def put(self, key: str, feature: Array) -> None:
        """Store a feature, atomically."""
        path = self.path(key)
        buffer = io.BytesIO()
        np.save(buffer, feature, allow_pickle=False)
        write_atomically(path, buffer.getvalue(), parents=True)

    def features(
        self,
        items: Sequence[Item],
        compute: Compute,
        *,
        batch: int = 1,
        description: str = "features",
        console: Console | None = None,
    ) -> Features:
        """Features of all items, computing those that are not there.

        A batch whose encoding fails is tried again item by item, so that only the culprits are
        reported.

        Args:
            items: what to encode.
            compute: encodes a batch.
            batch: items a call.
            description: stands beside the progress bar.
            console: where the progress bar is drawn; None draws none.
        """
        found: dict[int, Array] = {}
        keys: dict[int, str] = {}
        problems: dict[int, Problem] = {}
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=console is None,
        )
        with bar:
            task = bar.add_task(description, total=len(items))
            missing: list[int] = []
            for index, item in enumerate(items):
                try:
                    keys[index] = content_hash(item)
                except EdgeSerError as error:
                    problems[index] = Problem(item.name, str(error))
                    bar.advance(task)
                    continue
                feature = self.get(keys[index])
                if feature is None:
                    missing.append(index)
                else:
                    found[index] = feature
                    bar.advance(task)
            for start in range(0, len(missing), batch):
                some = missing[start : start + batch]
                for index, feature in self._attempt(items, some, compute, problems).items():
                    self.put(keys[index], feature)
                    found[index] = feature
                bar.advance(task, len(some))
        order = sorted(found)
        return Features(
            tuple(items[i] for i in order),
            tuple(found[i] for i in order),
            tuple(problems[i] for i in sorted(problems)),
            len(missing) - sum(i in problems for i in missing),
        )

    def _attempt(
        self,
        items: Sequence[Item],
        some: list[int],
        compute: Compute,
        problems: dict[int, Problem],
    ) -> dict[int, Array]:
        try:
            return dict(zip(some, compute([items[i] for i in some]), strict=True))
        except EdgeSerError as error:
            if len(some) == 1:
                problems[some[0]] = Problem(items[some[0]].name, str(error))
                return {}
        return {
            index: feature
            for one in some
            for index, feature in self._attempt(items, [one], compute, problems).items()
        }
