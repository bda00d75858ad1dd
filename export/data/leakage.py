"""What the parts of a split share: people, prescribed words, equal contents.

A score over a leaky split says little about people who were never heard; it is refused unless the
caller accepts the leak, and then every table carries `Leaks.warning`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item, content_hash
from edge_ser.export.data.splits import PARTS, Split


@dataclass(frozen=True)
class Leaks:
    """What more than one part of a split holds."""

    speakers: tuple[str, ...]
    scripts: tuple[str, ...]
    contents: tuple[tuple[str, ...], ...]
    """Groups of item names whose contents are equal though they are in different parts."""

    @property
    def fatal(self) -> bool:
        """Whether the score would be about known people or known contents.

        Scripts alone are not fatal: in sets where everybody speaks the same few sentences they are
        shared by design and say nothing about the label. They still make a text model's score
        meaningless there, and the warning says so.
        """
        return bool(self.speakers or self.contents)

    @property
    def warning(self) -> str:
        """One sentence to stand beside a score; empty when nothing is shared."""
        parts = []
        if self.speakers:
            parts.append(f"{len(self.speakers)} speakers ({_some(self.speakers)})")
        if self.contents:
            parts.append(f"{len(self.contents)} equal contents ({_some(self.contents[0])})")
        if self.scripts:
            parts.append(f"{len(self.scripts)} scripts ({_some(self.scripts)})")
        if not parts:
            return ""
        return ("LEAKY SPLIT: " if self.fatal else "Shared by design: ") + (
            f"training, validation and test share {', '.join(parts)}"
        )


def find_leaks(items: Sequence[Item], split: Split, *, contents: bool = True) -> Leaks:
    """Compare speaker, script and (if `contents`) the SHA-256 of the content over the parts."""
    speakers: dict[str, set[str]] = defaultdict(set)
    scripts: dict[str, set[str]] = defaultdict(set)
    hashes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for part in PARTS:
        for index in split.part(part):
            item = items[index]
            if item.speaker is not None:
                speakers[item.speaker].add(part)
            if item.script is not None:
                scripts[item.script].add(part)
            if contents:
                hashes[content_hash(item)].append((part, item.name))
    return Leaks(
        speakers=tuple(sorted(x for x, parts in speakers.items() if len(parts) > 1)),
        scripts=tuple(sorted(x for x, parts in scripts.items() if len(parts) > 1)),
        contents=tuple(
            tuple(name for _, name in group)
            for group in hashes.values()
            if len({part for part, _ in group}) > 1
        ),
    )


def require_no_leak(
    items: Sequence[Item], split: Split, *, accept: bool = False, contents: bool = True
) -> Leaks:
    """Find the leaks of a split and refuse the fatal ones.

    Raises:
        ConfigError: if a leak is fatal and not accepted.
    """
    leaks = find_leaks(items, split, contents=contents)
    if leaks.fatal and not accept:
        raise ConfigError(
            f"{split.name}: {leaks.warning}. Its score would not hold for new people; split by "
            "speaker, or accept the leak explicitly (every table will say so)"
        )
    return leaks


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
