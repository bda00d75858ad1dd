"""Write what the speech encoder is worth on corpora it never saw into the documents.

    python -m recipes.documents.corpora_never_seen runs/speech
        --write docs/world.md --first README.md

Reads the answers of `recipes.speech_encoder.training`; `recipes.speech_encoder.transfer` judges.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console

from recipes.command_line import run
from recipes.documents.markdown import table
from recipes.documents.measured_section import write_section
from recipes.speech_encoder.answers import read_answers
from recipes.speech_encoder.data import CONDITIONS
from recipes.speech_encoder.training import ALL
from recipes.speech_encoder.transfer import NAMES, Judged, Transfer, judge, transfer

SECTION: Final = "measured: corpora never seen"
HEADS: Final = (
    *("corpus", "clips (people)", "chance", "recall [95 % over people]", "as it is"),
    *("ECE", "before", "answered", "right of these"),
)
HOME: Final = {"RAVDESS, test actors": "ravdess-test", "CREMA-D, test actors": "cremad-test"}


def first_table(found: Transfer) -> str:
    """What stands in the README: every corpus in one line."""
    rows = [
        (
            NAMES[corpus],
            f"{judged.recall.value:.2f}",
            f"{1 / judged.labels:.2f}",
            f"{judged.error:.2f}",
            f"{judged.answered:.0%}",
            f"{judged.right:.0%}",
        )
        for corpus, judged in found.left_out.items()
    ]
    each = list(found.left_out.values())
    rows.append(
        (
            "mean",
            f"**{np.mean([j.recall.value for j in each]):.2f}**",
            f"{np.mean([1 / j.labels for j in each]):.2f}",
            f"{np.mean([j.error for j in each]):.2f}",
            f"{np.mean([j.answered for j in each]):.0%}",
            f"{np.nanmean([j.right for j in each]):.0%}",
        )
    )
    heads = (
        "sound alone, corpus left out",
        "recall",
        "chance",
        "ECE",
        "answered",
        "right of these",
    )
    return "\n".join(
        [
            *table(heads, rows),
            "",
            f"Of ordinary read speech {found.read_named:.0%} is given an emotion.",
        ]
    )


def all_tables(runs: Path, found: Transfer) -> str:
    """Corpora never seen, by sex, abstention, people of corpora that train, disturbances."""
    rows = [_row(NAMES[c], j) for c, j in found.left_out.items()]
    each = list(found.left_out.values())
    rows.append(
        (
            "mean of the five",
            "",
            "",
            f"**{np.mean([j.recall.value for j in each]):.3f}** "
            f"± {np.std([j.recall.value for j in each]):.3f}",
            f"{np.mean([j.plain for j in each]):.3f}",
            f"{np.mean([j.error for j in each]):.3f}",
            f"{np.mean([j.error_before for j in each]):.3f}",
            f"{np.mean([j.answered for j in each]):.0%}",
            f"{np.nanmean([j.right for j in each]):.0%}",
        )
    )
    by_sex = [
        (NAMES[c], *(_of_sex(found.by_sex[c].get(sex)) for sex in ("female", "male")))
        for c in found.left_out
    ]
    parts = {**HOME, **{f"RAVDESS, {c}": f"ravdess-test {c}" for c in CONDITIONS}}
    at_home = [
        _row(name, judge(read_answers(runs / ALL / f"{part}.npz"), found.shipped))
        for name, part in parts.items()
    ]
    read = judge(read_answers(runs / ALL / "read-test.npz"), found.shipped)
    lines = [
        "Left out of training, choice and calibration, one at a time:",
        "",
        *table(HEADS, rows),
        "",
        f"Of ordinary read speech (LibriSpeech, {read.people} readers who never trained) "
        f"{found.read_named:.1%} is given an emotion (answered and not neutral), mean of the five; "
        f"{read.named:.1%} by the encoder that ships.",
        "",
        "The same by sex, recall [95 % over people], and how many clips:",
        "",
        *table(("corpus", "female", "male"), by_sex),
        "",
        "Abstention, thresholds from the other four corpora:",
        "",
        *table(
            ("risk asked for", "answered", "wrong of these"),
            [(f"{a:.0%}", f"{b:.0%}", f"{c:.0%}") for a, b, c in found.curve],
        ),
        "",
        "The encoder that ships, on people of corpora that it was trained on (others of them):",
        "",
        *table(HEADS, at_home),
    ]
    return "\n".join(lines)


def _of_sex(judged: Judged | None) -> str:
    if judged is None:
        return "not known"
    recall = judged.recall
    return f"{recall.value:.3f} [{recall.low:.3f}, {recall.high:.3f}], {judged.clips}"


def _row(name: str, judged: Judged) -> tuple[str, ...]:
    recall = judged.recall
    return (
        name,
        f"{judged.clips} ({judged.people})",
        f"{1 / judged.labels:.3f}",
        f"{recall.value:.3f} [{recall.low:.3f}, {recall.high:.3f}]",
        f"{judged.plain:.3f}",
        f"{judged.error:.3f}",
        f"{judged.error_before:.3f}",
        f"{judged.answered:.0%}",
        f"{judged.right:.0%}",
    )


def command(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    write: Annotated[
        Path | None, typer.Option(help="Document whose measured block gets all tables.")
    ] = None,
    first: Annotated[
        Path | None, typer.Option(help="Document whose measured block gets the first table.")
    ] = None,
) -> None:
    """Say what the speech encoder is worth on corpora it never saw.

    A complete command: python -m recipes.documents.corpora_never_seen runs/speech
    """
    found = transfer(runs)
    text = all_tables(runs, found)
    if write is not None:
        write_section(write, SECTION, text)
    if first is not None:
        write_section(first, SECTION, first_table(found))
    shipped = found.shipped
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(text)
    console.print(
        f"ships: temperature {shipped.calibration.temperature:.3f}, neutral "
        f"{shipped.calibration.neutral_bias:+.3f}, threshold {shipped.threshold:.3f}"
    )


if __name__ == "__main__":
    sys.exit(run(command))
