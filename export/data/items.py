"""What every reader gives: labelled items, and the items that could not be read, by name."""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from edge_ser.errors import MediaError

Sex = Literal["female", "male"]
Kind = Literal["audio", "picture", "text"]

DEFAULT_LABEL_NAMES: Mapping[str, str] = {
    "anger": "angry",
    "boredom": "boredom",
    "calm": "calm",
    "disgusted": "disgust",
    "fear": "fearful",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}
"""Names that published sets use, to the names of `edge_ser.constants.EMOTIONS`."""


def standard_label(name: str) -> str:
    """The name that this project uses for an emotion, in lower case."""
    plain = name.strip().lower()
    return DEFAULT_LABEL_NAMES.get(plain, plain)


@dataclass(frozen=True)
class Item:
    """One labelled piece of sound, picture or text.

    Exactly one of `path` (a file, or an archive when `member` is given) and `text` is the content.
    `start` and `end` cut a piece out of a recording, in seconds.
    """

    name: str
    """Unique inside its data set: what reports and splits call it."""
    kind: Kind
    labels: tuple[str, ...]
    """At least one; more than one only where the set was annotated so."""
    path: Path | None = None
    member: str | None = None
    text: str | None = None
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    sex: Sex | None = None
    script: str | None = None
    """Which prescribed words are spoken: equal scripts on both sides of a split can leak."""
    split: str | None = None
    """The part that the publisher put the item into."""
    transcript: str | None = None
    corpus: str | None = None
    """Which of several corpora it is of, where several train together."""

    @property
    def label(self) -> str:
        """The only label.

        Raises:
            MediaError: if the item has several.
        """
        if len(self.labels) != 1:
            raise MediaError(f"{self.name} has {len(self.labels)} labels where one is needed")
        return self.labels[0]


@dataclass(frozen=True)
class Problem:
    """An item that cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class DataSet:
    """A reader's answer."""

    name: str
    items: tuple[Item, ...]
    labels: tuple[str, ...]
    licence: str
    problems: tuple[Problem, ...] = field(default=())

    def report(self) -> str:
        """One paragraph for the start of a run: how many items, and every problem by name."""
        counts = Counter(label for item in self.items for label in item.labels)
        of_each = ", ".join(f"{label} {counts[label]}" for label in self.labels)
        lines = [f"{self.name}: {len(self.items)} items ({of_each}); {len(self.problems)} unusable"]
        lines += [f"  {problem.name}: {problem.reason}" for problem in self.problems]
        return "\n".join(lines)

    def part(self, split: str) -> tuple[Item, ...]:
        """The items that the publisher put into one part."""
        return tuple(item for item in self.items if item.split == split)


def content(item: Item) -> bytes:
    """The bytes of an item's file, archive member or text.

    Raises:
        MediaError: if the file or the member is missing or damaged.
    """
    if item.text is not None:
        return item.text.encode()
    if item.path is None:
        raise MediaError(f"{item.name} has neither a file nor a text")
    try:
        if item.member is None:
            return item.path.read_bytes()
        stat = item.path.stat()
        return _archive(item.path, stat.st_mtime_ns, stat.st_size).read(item.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise MediaError(f"{item.name} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _archive(path: Path, _changed: int, _size: int) -> zipfile.ZipFile:
    # Reading the table of contents of 30,000 members for every member would be quadratic.
    return zipfile.ZipFile(path)


@lru_cache(maxsize=65536)
def _digest(path: Path, _changed: int, _size: int) -> hashlib._Hash:
    # A recording may hold hundreds of items, and every fold of a run asks for them again.
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest


def content_hash(item: Item) -> str:
    """SHA-256 of the content and of the span that is cut out of it, in hexadecimal.

    Raises:
        MediaError: if the file or the member is missing or damaged.
    """
    if item.text is None and item.member is None and item.path is not None:
        try:
            stat = item.path.stat()
            digest = _digest(item.path, stat.st_mtime_ns, stat.st_size).copy()
        except OSError as error:
            raise MediaError(f"{item.name} cannot be read: {error}") from error
    else:
        digest = hashlib.sha256(content(item))
    if item.start is not None or item.end is not None:
        digest.update(f"|{item.start}|{item.end}".encode())
    return digest.hexdigest()


def unique_names(items: Iterable[Item]) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
    """Keep the first item of every name; the others become problems."""
    kept: dict[str, Item] = {}
    problems = []
    for item in items:
        if item.name in kept:
            problems.append(Problem(item.name, "the name is given twice; the first one is kept"))
        else:
            kept[item.name] = item
    return tuple(kept.values()), tuple(problems)
