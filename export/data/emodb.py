"""Emo-DB: acted German speech of ten speakers (Burkhardt et al., 2005).

A file's name holds the speaker (2 digits), the sentence (letter, 2 digits), the emotion's German
initial and a version letter, for instance ``03a01Fa``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import DataSet, Item, Problem, Sex, unique_names

LETTERS: Final = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SEX: Final[dict[str, Sex]] = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
SUFFIXES: Final = (".flac", ".wav")
LICENCE: Final = "free for research"

_NAME = re.compile(r"(?P<speaker>\d\d)(?P<script>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])")


def read_emodb(folder: Path, *, labels: tuple[str, ...] = tuple(LETTERS.values())) -> DataSet:
    """Read the recordings of a folder, keeping those whose emotion is one of `labels`.

    Raises:
        ConfigError: if no such recording is there.
    """
    unknown = sorted(set(labels) - set(LETTERS.values()))
    if unknown:
        raise ConfigError(f"Emo-DB has no emotion {', '.join(unknown)}")
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the one that holds Emo-DB's recordings")
    items: list[Item] = []
    problems: list[Problem] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        found = _NAME.fullmatch(path.stem)
        if found is None or found["speaker"] not in SEX:
            problems.append(Problem(path.name, "the name is not Emo-DB's"))
        elif path.stat().st_size == 0:
            problems.append(Problem(path.name, "the file is empty"))
        elif LETTERS[found["emotion"]] in labels:
            items.append(
                Item(
                    name=path.stem,
                    kind="audio",
                    labels=(LETTERS[found["emotion"]],),
                    path=path,
                    speaker=found["speaker"],
                    sex=SEX[found["speaker"]],
                    script=found["script"],
                )
            )
    if not items:
        raise ConfigError(f"{folder} holds no Emo-DB recording of {', '.join(labels)}")
    kept, repeated = unique_names(items)
    return DataSet("Emo-DB", kept, labels, LICENCE, (*problems, *repeated))
