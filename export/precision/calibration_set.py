"""Calibration sets: which clips to calibrate on, and the folder in which their tensors lie.

A set is a folder with one folder a graph, and in it one ``.npz`` a sample that holds the graph's
inputs by name: ``set/acoustic/0000.npz`` with ``log_mel`` and ``prosody``.
"""

from __future__ import annotations

import random
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_ser.bundle_schema import TensorSpec
from edge_ser.errors import ConfigError, EngineError
from edge_ser.runtime.tensor_check import check_inputs


@dataclass(frozen=True)
class Candidate:
    """A clip that calibration may use: what is felt in it and who speaks."""

    name: str
    label: str
    speaker: str


def choose(candidates: Sequence[Candidate], count: int, seed: int = 0) -> list[Candidate]:
    """Pick clips so that labels, and speakers within each label, are as even as the data allow.

    Labels take turns; within a label the speakers take turns; within a speaker the order is
    random. The same seed gives the same set whatever the order of the candidates.

    Args:
        candidates: training clips: test people must not be among them.
        count: how many to pick; more than there are picks all.
        seed: of the random order.

    Raises:
        ConfigError: there is no candidate, two share a name, or the count is not positive.
    """
    if count < 1:
        raise ConfigError(f"a calibration set needs at least one clip, not {count}")
    if not candidates:
        raise ConfigError("no clip was given to choose a calibration set from")
    if len({c.name for c in candidates}) != len(candidates):
        raise ConfigError("two calibration clips have the same name")
    shuffle = random.Random(seed)  # noqa: S311 - sampling, not secrecy
    cells: dict[str, dict[str, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for candidate in sorted(candidates, key=lambda c: c.name):
        cells[candidate.label][candidate.speaker].append(candidate)
    queues = {}
    taken: dict[str, int] = defaultdict(int)
    for label in sorted(cells):
        for clips in cells[label].values():
            shuffle.shuffle(clips)
        queues[label] = cells[label]
    chosen: list[Candidate] = []
    while len(chosen) < min(count, len(candidates)):
        for speakers in queues.values():
            left = [s for s, clips in speakers.items() if clips]
            if not left or len(chosen) >= count:
                continue
            # The speaker who was heard least so far, whatever the label, comes next.
            speaker = min(left, key=lambda s: (taken[s], s))
            taken[speaker] += 1
            chosen.append(speakers[speaker].pop())
    return chosen


def write_sample(folder: Path, graph: str, index: int, tensors: Mapping[str, Any]) -> Path:
    """Add one sample to a set and return its file."""
    target = folder / graph / f"{index:04d}.npz"
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, **tensors)
    return target


def read_samples(
    folder: Path, graph: str, inputs: Mapping[str, TensorSpec], limit: int | None = None
) -> list[dict[str, npt.NDArray[Any]]]:
    """All samples of one graph, each held against what the graph takes.

    Args:
        folder: the set.
        graph: ``acoustic``, ``text`` ...
        inputs: what the graph takes.
        limit: at most so many, evenly spread over the set.

    Raises:
        ConfigError: the set has no sample of this graph, or a file is damaged, holds objects or
            does not fit the graph.
    """
    files = sorted((folder / graph).glob("*.npz"))
    if not files:
        raise ConfigError(
            f"{folder / graph}: there is no calibration sample (.npz) of the graph {graph!r}; "
            "write a set with edge-ser's training command and name its folder with --calibration"
        )
    if limit is not None and len(files) > limit:
        files = [files[i * len(files) // limit] for i in range(limit)]
    samples = []
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as archive:
                tensors = {name: archive[name] for name in archive.files}
            samples.append(check_inputs(inputs, tensors, graph))
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise ConfigError(f"{file}: this calibration sample cannot be read: {error}") from error
        except EngineError as error:
            raise ConfigError(f"{file}: this sample does not fit the graph: {error}") from error
    return samples
