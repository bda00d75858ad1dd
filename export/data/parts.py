"""A publisher's training and test parts as one data set, without anything that is on both sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from edge_ser.export.data.items import DataSet, Item, Problem, content_hash
from edge_ser.export.data.pictures import without_duplicates

VALIDATION_SHARE: Final = 0.1


def published_parts(train: DataSet, test: DataSet) -> DataSet:
    """Join two parts: a tenth of the training part, chosen by content hash, becomes validation.

    Items with several labels are left out. So are exact copies, and what of the training part the
    test part also holds: left in, they would be known already when they are tested. One line says
    how many of each there were; FER2013 alone has over a thousand.
    """
    labels = tuple(dict.fromkeys((*train.labels, *test.labels)))
    problems: list[Problem] = []
    tested, trained = (_distinct(_single(x, problems), problems) for x in (test, train))
    known = {content_hash(item) for item in tested.items}
    items = [replace(item, split="test", name=f"test/{item.name}") for item in tested.items]
    both = 0
    for item in trained.items:
        digest = content_hash(item)
        if digest in known:
            both += 1
            continue
        held = int(digest[:8], 16) / 2**32 < VALIDATION_SHARE
        part = "validation" if held else "train"
        items.append(replace(item, split=part, name=f"train/{item.name}"))
    if both:
        problems.append(Problem(train.name, f"{both} items that the test part also holds"))
    return DataSet(
        train.name if train.name == test.name else f"{train.name} and {test.name}",
        tuple(items),
        labels,
        train.licence,
        tuple(problems),
    )


def _single(data: DataSet, problems: list[Problem]) -> DataSet:
    kept: list[Item] = [item for item in data.items if len(item.labels) == 1]
    several = len(data.items) - len(kept)
    problems += data.problems
    if several:
        problems.append(Problem(data.name, f"{several} items with more than one label"))
    return replace(data, items=tuple(kept), problems=())


def _distinct(data: DataSet, problems: list[Problem]) -> DataSet:
    distinct = without_duplicates(data)
    reasons = Counter(
        "items equal to another" if problem.reason.startswith("equal to ") else problem.reason
        for problem in distinct.problems
    )
    problems += [Problem(data.name, f"{count}: {reason}") for reason, count in reasons.items()]
    return replace(distinct, problems=())
