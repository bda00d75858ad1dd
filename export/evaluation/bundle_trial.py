"""A bundle on labelled items, as a user's device would answer: from whatever an item shows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import smaller_subsets, subset_name
from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.protocols import Trial
from edge_ser.export.scoring.result import DataDescription
from edge_ser.export.training.predictions import FoldResult
from edge_ser.export.trials.answers import answer
from edge_ser.export.trials.data import EvaluationData
from edge_ser.export.trials.logits import ItemReader, encode_items
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.variant import Variant
from edge_ser.runtime.backend import DEFAULT_BACKEND


def run_trial(
    bundle: Bundle,
    trial: Trial,
    *,
    backend: str = DEFAULT_BACKEND,
    speech_gate: bool = True,
    console: Console | None = None,
) -> FoldResult:
    """Test a bundle on the items of a trial, every one of them scored.

    An answer that the bundle would withhold counts with its likeliest label; a note says how many
    those are and how good the others were. An item that shows nothing at all counts with the first
    label.

    Raises:
        ConfigError: if no item can be read.
        EngineError: if a backend fails.
    """
    started = time.monotonic()
    data = _data(bundle, trial, speech_gate)
    full = subset_name(list(trial.modalities))
    subsets = (full, *smaller_subsets(trial.modalities))
    reader = ItemReader(data, WindowReader(bundle, data))
    indices = track(
        range(len(data.items)),
        description=trial.data.name,
        console=console,
        disable=console is None,
    )
    with VariantSessions(bundle, Variant(backend, "bundle")) as opened:
        tokens, unread = encode_items(data, opened, reader, indices)
        if not tokens:
            raise ConfigError(f"no item can be read; the first one: {unread[0]}")
        fusion = opened.sessions["fusion"]
        rows = {
            subset: [answer(of, subset, bundle.manifest, fusion) for of in tokens.values()]
            for subset in subsets
        }
    used = [data.items[index] for index in tokens]
    true = np.array([data.labels.index(item.label) for item in used], np.int64)
    answers = {
        name: np.log(np.clip(np.stack([row for row, _ in found]), 1e-12, 1.0))
        for name, found in rows.items()
    }
    answered = np.array([sure for _, sure in rows[full]])
    empty = sum(not set(of) & set(trial.modalities) for of in tokens.values())
    return FoldResult(
        fold="bundle",
        labels=data.labels,
        protocol=f"{trial.sentence}; {full} through the runtime ({backend})",
        warning=trial.warning,
        names=tuple(item.name for item in used),
        speakers=tuple(item.speaker or "" for item in used),
        sexes=tuple(item.sex or "" for item in used),
        true=true,
        log_probabilities=answers[full],
        parameters=0,
        seconds=time.monotonic() - started,
        subsets={name: x for name, x in answers.items() if name != full},
        notes=(
            *trial.notes,
            *_notes(answers[full].argmax(1) == true, answered, empty, unread, data.labels),
        ),
    )


def _data(bundle: Bundle, trial: Trial, speech_gate: bool) -> EvaluationData:
    """The trial's items as the judge takes them, each with the modalities that are shown."""
    description = DataDescription(
        name=trial.data.name,
        pairing="paired",
        protocol=trial.sentence,
        clips={m: len(trial.items) for m in trial.modalities},
        people={},
        left_out=trial.notes,
        leak_warning=trial.warning,
        seed=0,
    )
    return EvaluationData(
        description,
        bundle.manifest.labels,
        trial.items,
        (trial.modalities,) * len(trial.items),
        dict.fromkeys(trial.modalities, trial.sentence),
        0,
        "text" in trial.modalities,
        speech_gate,
    )


def _notes(
    hit: npt.NDArray[np.bool_],
    answered: npt.NDArray[np.bool_],
    empty: int,
    unread: Sequence[str],
    labels: Sequence[str],
) -> list[str]:
    notes = []
    withheld = int((~answered).sum())
    if withheld:
        good = f"; accuracy where it decided: {hit[answered].mean():.3f}" if answered.any() else ""
        notes.append(
            f"The bundle abstained from {withheld} of {len(hit)} items, which count with their "
            f"likeliest label{good}"
        )
    if empty:
        notes.append(f"{empty} items show nothing at all and count as {labels[0]}")
    if unread:
        more = f"; and {len(unread) - 5} more" if len(unread) > 5 else ""
        notes.append(f"{len(unread)} items cannot be read ({'; '.join(unread[:5])}{more})")
    return notes
