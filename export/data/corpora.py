"""Several manifests as one data set: label maps, and names that stay apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, standard_label
from edge_ser.export.data.manifest import read_manifest

CORPUS_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Of a corpus: it names folds, and so folders."""
JOINT: Final = " + "
"""Between the tables' names in the name of the whole."""


class CorpusSource(BaseModel):
    """One of several corpora that train together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str
    """CSV or JSONL, relative to the data folder."""
    weight: float = Field(default=1.0, gt=0)
    """How often it is drawn, beside the square root of its size."""
    labels: dict[str, str | None] = Field(default_factory=dict)
    """The manifest's names of labels to those of the run; None leaves a label's rows out. Labels
    that are not named keep their name."""
    open_labels: bool = False
    """Whether the labels that it lacks are wrong for its clips, as for speech without emotion; else
    they are unknown, and count neither for nor against."""


def read_corpora(sources: Mapping[str, CorpusSource], folder: Path) -> DataSet:
    """Read several manifests as one data set; items say which `corpus` they are from.

    A person's name stays as it is unless two corpora use it: then the corpus stands before it.

    Args:
        sources: by name.
        folder: that the manifests' paths are relative to.

    Raises:
        ConfigError: if a manifest cannot be read, or its label map names a label that it lacks.
    """
    read = {name: _mapped(name, of, folder) for name, of in sources.items()}
    whose = Counter(
        speaker for data in read.values() for speaker in {item.speaker for item in data.items}
    )
    items: list[Item] = []
    problems: list[Problem] = []
    for name, data in read.items():
        problems += [Problem(f"{name}/{p.name}", p.reason) for p in data.problems]
        for item in data.items:
            shared = item.speaker is not None and whose[item.speaker] > 1
            items.append(
                replace(
                    item,
                    name=f"{name}/{item.name}",
                    speaker=f"{name} {item.speaker}" if shared else item.speaker,
                    script=f"{name} {item.script}" if item.script else None,
                    corpus=name,
                )
            )
    return DataSet(
        JOINT.join(dict.fromkeys(data.name for data in read.values())),
        tuple(items),
        tuple(sorted({item.label for item in items})),
        "; ".join(dict.fromkeys(data.licence for data in read.values())),
        tuple(problems),
    )


def _mapped(name: str, source: CorpusSource, folder: Path) -> DataSet:
    data = read_manifest(folder / source.manifest)
    given = {standard_label(old): new for old, new in source.labels.items()}
    unknown = sorted(set(given) - set(data.labels))
    if unknown:
        raise ConfigError(
            f"the label map of {name} names {', '.join(unknown)}, which {source.manifest} lacks; "
            f"it has {', '.join(data.labels)}"
        )
    items = []
    for item in data.items:
        new = given.get(item.label, item.label)
        if new is not None:
            items.append(replace(item, labels=(standard_label(new),)))
    if not items:
        raise ConfigError(f"the label map of {name} leaves nothing of {source.manifest}")
    return replace(data, items=tuple(items))
