"""Grid search: which sizes and rates do best on people who were held out to choose by.

A search is a base configuration and a grid of values. Every point of the grid is trained on the
training people of every fold and scored on people of that fold's own validation part (or, by
cross-validation, on all people of its training and validation parts in turn). The test people of a
fold have no part in its choice. `edge_ser.export.search.ray_jobs` runs the jobs.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.console import Console

from edge_ser.errors import ConfigError
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.splits import Split, speaker_folds
from edge_ser.export.scoring.metrics import score
from edge_ser.export.training.config import TrainingConfig, read_yaml, validated
from edge_ser.export.training.fit import average_predictions
from edge_ser.export.training.prediction import predict
from edge_ser.export.training.run import fit_part
from edge_ser.export.training.run_data import RunData, load_run_data
from edge_ser.files import make_folder, write_atomically

SEARCH: Final = "search_config.json"
RESULT: Final = "result.json"


class SearchConfig(BaseModel):
    """A search. Written as YAML; `load_search` reads it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    base: str
    """File of the training configuration, relative to the search's own."""
    grid: dict[str, tuple[Any, ...]] = Field(min_length=1)
    """Dotted names of the configuration's fields, each with the values that are tried."""
    cross_validation: int = Field(default=0, ge=0)
    """0 scores on each fold's validation people; 2 or more deals the fold's training and
    validation people into so many parts, each of which is scored once."""
    folds: int | None = Field(default=None, ge=1)
    """How many of the configuration's folds are searched, from the first; None takes all."""


@dataclass(frozen=True)
class Point:
    """One combination of values."""

    number: int
    values: Mapping[str, Any]
    config: TrainingConfig

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"point-{self.number:03d}"

    def __str__(self) -> str:
        return ", ".join(f"{key.split('.')[-1]}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Search:
    """A search that was read and understood: every point is a valid configuration."""

    config: SearchConfig
    points: tuple[Point, ...]


@dataclass(frozen=True)
class JobResult:
    """One point on one fold."""

    point: int
    fold: str
    recall: float
    """Unweighted average recall on the people who were held out to choose by."""
    seconds: float


def load_search(path: Path) -> Search:
    """Read a YAML search and make every point of its grid.

    Raises:
        ConfigError: if a file cannot be read, a field is unknown, or a point is no valid
            configuration.
    """
    raw = read_yaml(path)
    try:
        config = SearchConfig.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{path} is not a search:\n" + "\n".join(lines)) from None
    if any(not values for values in config.grid.values()):
        raise ConfigError(f"{path}: every field of the grid needs at least one value")
    base = path.parent / config.base
    document = read_yaml(base)
    if not isinstance(document, dict):
        raise ConfigError(f"{base} is not a training configuration")
    points = []
    for number, values in enumerate(itertools.product(*config.grid.values())):
        chosen = dict(zip(config.grid, values, strict=True))
        changed = json.loads(json.dumps(document))
        for key, value in chosen.items():
            _put(changed, key, value)
        if changed.get("finetune") is not None:
            raise ConfigError(f"{base}: a search works on encoders as they are; leave finetune out")
        points.append(Point(number, chosen, validated(changed, f"{path}, {chosen}")))
    return Search(config, tuple(points))


def search_splits(search: Search, loaded: RunData) -> list[tuple[str, tuple[Split, ...]]]:
    """The folds that are searched, each with the splits that a point is scored on.

    No split holds a test person of its fold: their part is empty.

    Raises:
        ConfigError: if a fold has no validation people, or a split is leaky.
    """
    found: list[tuple[str, tuple[Split, ...]]] = []
    for split in loaded.splits[: search.config.folds]:
        if search.config.cross_validation:
            inner = _inner(loaded, split, search.config.cross_validation)
        else:
            inner = (Split(split.name, split.train, split.validation, (), split.protocol),)
        if not all(part.validation for part in inner):
            raise ConfigError(
                f"{split.name} has nobody to choose by; use cross_validation, or a split with a "
                "validation part"
            )
        for part in inner:
            require_no_leak(loaded.items, part, accept=search.points[0].config.accept_leaks)
        found.append((split.name, inner))
    return found


def run_job(point: Point, loaded: RunData, splits: Sequence[Split], folder: Path) -> float:
    """Train a point on one fold and give its recall on who was held out to choose by.

    With cross-validation the answers of all parts are scored together.
    """
    true: list[int] = []
    answers: list[np.ndarray] = []
    for split in splits:
        logits = [
            predict(
                fit_part(
                    point.config,
                    loaded,
                    split.train,
                    split.validation,
                    seed,
                    folder / split.name / f"seed-{seed}",
                ),
                loaded.variants,
                split.validation,
            )
            for seed in point.config.seeds
        ]
        answers.append(average_predictions(logits).argmax(1).numpy())
        true += [loaded.targets[i] for i in split.validation]
    predicted = np.concatenate(answers).astype(np.int64)
    return score(predicted, np.array(true, np.int64), len(loaded.labels)).recall


def load_data(
    config: TrainingConfig, data: Path, cache: Path, console: Console | None = None
) -> RunData:
    """Read what the points of a search train on."""
    torch.set_num_threads(config.optimisation.threads)
    return load_run_data(config, data, cache, console=console)


def job_folder(output: Path, point: Point, fold: str) -> Path:
    """Where one point's training on one fold lies."""
    return output / point.name / fold


def read_job(folder: Path) -> JobResult | None:
    """The result of a job that is done, else None."""
    try:
        return JobResult(**json.loads((folder / RESULT).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_job(folder: Path, result: JobResult) -> None:
    """Write a job's result, atomically: it is never done again."""
    write_atomically(folder / RESULT, json.dumps(result.__dict__).encode(), parents=True)


def guard_search(output: Path, search: Search) -> None:
    """Write the search into its folder, or refuse a folder of another one.

    Raises:
        ConfigError: if `output` holds another search.
    """
    document = {
        "search": search.config.model_dump(mode="json"),
        "points": [point.config.model_dump(mode="json") for point in search.points],
    }
    text = json.dumps(document, indent=1)
    make_folder(output)
    file = output / SEARCH
    try:
        same = not file.is_file() or json.loads(file.read_text("utf-8")) == json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} is damaged ({error}); choose another output folder") from None
    if not same:
        raise ConfigError(f"{output} holds another search; choose another output folder")
    write_atomically(file, text.encode())


def write_best(output: Path, point: Point) -> Path:
    """Write the configuration of a point as YAML, ready for `edge-ser train`."""
    document = point.config.model_dump(mode="json", exclude_defaults=True)
    document["data"] = {**document.get("data", {}), "name": point.config.data.name}
    file = output / "best.yaml"
    write_atomically(file, yaml.safe_dump(document, sort_keys=False).encode())
    return file


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    place = document
    for name in path:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{key} names no field of a training configuration")
    place[last] = value


def _inner(loaded: RunData, split: Split, parts: int) -> tuple[Split, ...]:
    """Deal the people of a fold's training and validation parts into parts."""
    known = sorted((*split.train, *split.validation))
    items = [loaded.items[i] for i in known]
    inner = []
    for dealt in speaker_folds(items, parts, validation_speakers=0):
        inner.append(
            Split(
                f"{split.name}-{dealt.name}",
                tuple(known[i] for i in dealt.train),
                tuple(known[i] for i in dealt.test),
                (),
                split.protocol,
            )
        )
    return tuple(inner)
