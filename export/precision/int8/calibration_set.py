"""Which clips to calibrate on: even over labels and speakers."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edge_ser.errors import ConfigError


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
    heard: dict[str, int] = defaultdict(int)
    heard_with: dict[tuple[str, str], int] = defaultdict(int)
    for label in sorted(cells):
        for clips in cells[label].values():
            shuffle.shuffle(clips)
        queues[label] = cells[label]
    chosen: list[Candidate] = []
    while len(chosen) < min(count, len(candidates)):
        for label, speakers in queues.items():
            left = [s for s, clips in speakers.items() if clips]
            if not left or len(chosen) >= count:
                continue
            ranked = [(heard_with[label, s], heard[s], s) for s in left]
            speaker = min(ranked)[2]
            heard[speaker] += 1
            heard_with[label, speaker] += 1
            chosen.append(speakers[speaker].pop())
    return chosen
