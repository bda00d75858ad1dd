"""Pictures in a folder a class (FER2013's usual form), as a tree of files or as a zip archive."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from edge_ser.errors import ConfigError, MediaError
from edge_ser.export.data.items import (
    DataSet,
    Item,
    Problem,
    content_hash,
    standard_label,
    unique_names,
)

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp")


def read_pictures(
    source: Path, *, name: str = "pictures", licence: str = "", split: str | None = None
) -> DataSet:
    """Read the pictures of a folder or a zip; the folder that holds a picture names its class.

    Raises:
        ConfigError: if the source is missing, no archive, or holds no picture in a class folder.
    """
    if source.is_dir():
        items = [
            _item(path.relative_to(source).as_posix(), path, None, split)
            for path in sorted(source.rglob("*"))
            if path.suffix.lower() in SUFFIXES and path.parent != source
        ]
        problems: list[Problem] = []
    else:
        items, problems = _archive(source, split)
    if not items:
        raise ConfigError(f"{source} holds no picture inside a folder a class")
    kept, repeated = unique_names(items)
    labels = tuple(sorted({item.label for item in kept}))
    return DataSet(name, kept, labels, licence, (*problems, *repeated))


def _archive(source: Path, split: str | None) -> tuple[list[Item], list[Problem]]:
    items: list[Item] = []
    problems: list[Problem] = []
    try:
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                member = PurePosixPath(info.filename)
                if member.suffix.lower() not in SUFFIXES or member.parent.name == "":
                    continue
                if info.file_size == 0:
                    problems.append(Problem(info.filename, "the file is empty"))
                    continue
                items.append(_item(info.filename, source, info.filename, split))
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{source} is neither a folder nor a zip archive: {error}") from error
    return items, problems


def _item(name: str, path: Path, member: str | None, split: str | None) -> Item:
    return Item(
        name=name,
        kind="picture",
        labels=(standard_label(PurePosixPath(name).parent.name),),
        path=path,
        member=member,
        split=split,
    )


def without_duplicates(data: DataSet) -> DataSet:
    """Keep the first of exactly equal pictures; where their labels differ, keep none of them.

    FER2013's training part holds over a thousand exact copies: left in, a random validation part
    shares pictures with training. Every picture left out is a problem with its reason.
    """
    groups: dict[str, list[Item]] = {}
    problems = list(data.problems)
    for item in data.items:
        try:
            groups.setdefault(content_hash(item), []).append(item)
        except MediaError as error:
            problems.append(Problem(item.name, str(error)))
    kept: list[Item] = []
    for group in groups.values():
        if len({item.label for item in group}) > 1:
            problems += [Problem(x.name, "equal pictures with different labels") for x in group]
            continue
        kept.append(group[0])
        problems += [Problem(x.name, f"equal to {group[0].name}") for x in group[1:]]
    return DataSet(data.name, tuple(kept), data.labels, data.licence, tuple(problems))
