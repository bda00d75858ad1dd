"""What a few recordings of a site are worth: each corpus that was left out is treated as the site.

    python -m recipes.documents.site runs/speech

Reads what the runs that left a corpus out answered for it (`recipes.speech_encoder.training`). Half
of its people are heard at the site beforehand, the others test; clips are drawn so that as many as
in the corpus, or 40, 60 or 85 % of them are neutral, since people who act are neutral less often
than people who talk. The bundle's calibration comes from the other corpora.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console

from edge_ser.calibration.site.fitting import (
    estimated_mix,
    fit_labelled,
    fit_neutral_share,
    softmax,
)
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import (
    Probabilities,
    calibration_error,
    negative_log_likelihood,
    score,
)
from edge_ser.export.scoring.temperature import LogitCalibration, Logits
from recipes.command_line import run
from recipes.documents.markdown import table
from recipes.documents.measured_section import write_section
from recipes.speech_encoder.answers import Answers, joined, read_answers
from recipes.speech_encoder.data import ACTED
from recipes.speech_encoder.transfer import NEUTRAL, fit

SECTION: Final = "measured: calibration at a site"
MIXES: Final = (None, 0.4, 0.6, 0.85)
"""Share of neutral clips at the site; None takes the corpus's own."""
LABELLED: Final = (20, 60)
WINDOWS: Final = 100
"""Unlabelled windows of 3 s: five minutes."""
PSEUDO_CLIPS: Final = 30.0
TESTED: Final = 1000

Figures = tuple[float, float, float, float, float, float]


def measure(
    answers: Mapping[str, Answers], draws: int = 20, seed: int = 0
) -> dict[tuple[float | None, str], Figures]:
    """Mean figures over corpora and draws, by mix and way of calibrating.

    Figures are accuracy, unweighted average recall, expected calibration error, negative
    log-likelihood, the share answered at the bundle's threshold, and the share of that which is
    right.

    Args:
        answers: of runs that left the corpus out, by corpus; at least two.
        draws: of people and clips.
        seed: of them.

    Raises:
        ConfigError: if there are fewer than two corpora.
    """
    if len(answers) < 2:
        raise ConfigError("a site needs a calibration from another corpus: train two runs at least")
    found: dict[tuple[float | None, str], list[Figures]] = {}
    for corpus, own in answers.items():
        shipped = fit([a for other, a in answers.items() if other != corpus])
        logits = np.log(np.maximum(shipped.calibration.probabilities(own.logits.copy()), 1e-12))
        for mix in MIXES:
            for draw in range(draws):
                generator = np.random.default_rng([seed, draw])
                heard, tested = _parted(own, mix, generator)
                share = float((own.true == NEUTRAL).mean()) if mix is None else mix
                for way, fitted in _fits(own, logits, heard, share).items():
                    given = _moved(logits[tested], fitted)
                    found.setdefault((mix, way), []).append(
                        _figures(given, own.true[tested], shipped.threshold)
                    )
    return {key: _mean(rows) for key, rows in found.items()}


def _parted(
    own: Answers, mix: float | None, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Clips heard at the site and clips that test, of different people, in the mix of the site."""
    people = sorted(set(own.people))
    half = set(generator.permutation(people)[: max(1, len(people) // 2)].tolist())
    inside = np.array([person in half for person in own.people])
    neutral = own.true == NEUTRAL
    weights = np.ones(len(own.true))
    if mix is not None:
        weights = np.where(neutral, mix / neutral.mean(), (1 - mix) / (1 - neutral.mean()))
    drawn = []
    for part, count in ((inside, max(*LABELLED, WINDOWS)), (~inside, TESTED)):
        rows = np.flatnonzero(part)
        drawn.append(generator.choice(rows, count, p=weights[rows] / weights[rows].sum()))
    return drawn[0], drawn[1]


def _fits(
    own: Answers, logits: Logits, heard: npt.NDArray[np.int64], share: float
) -> dict[str, LogitCalibration]:
    count = logits.shape[1]
    windows = logits[heard[:WINDOWS]]
    mix = np.log(estimated_mix(windows, PSEUDO_CLIPS))
    fits = {
        "the bundle as it is": LogitCalibration(1.0, (0.0,) * count),
        "5 minutes, neutral share known": fit_neutral_share(windows, NEUTRAL, share),
        "5 minutes, told 20 points too little": fit_neutral_share(
            windows, NEUTRAL, max(share - 0.2, 0.05)
        ),
        "5 minutes, nothing known": fit_neutral_share(windows, NEUTRAL, None),
        "5 minutes, mix estimated (EM)": LogitCalibration(1.0, tuple((mix - mix.mean()).tolist())),
    }
    for clips in LABELLED:
        some = heard[:clips]
        people = [own.people[i] for i in some]
        fits[f"{clips} labelled clips"] = fit_labelled(logits[some], own.true[some], people)
    return fits


def _moved(logits: Logits, fitted: LogitCalibration) -> Probabilities:
    return softmax(logits / fitted.temperature + np.asarray(fitted.bias or 0.0))


def _figures(given: Probabilities, true: npt.NDArray[np.int64], threshold: float) -> Figures:
    predicted = given.argmax(1)
    scored = score(predicted, true, given.shape[1])
    answered = given.max(1) >= threshold
    right = float((predicted == true)[answered].mean()) if answered.any() else float("nan")
    return (
        float((predicted == true).mean()),
        scored.recall,
        calibration_error(given, true),
        negative_log_likelihood(given, true),
        float(answered.mean()),
        right,
    )


def _mean(rows: Sequence[Figures]) -> Figures:
    accuracy, recall, error, likelihood, answered, right = np.nanmean(np.array(rows), axis=0)
    return (
        float(accuracy),
        float(recall),
        float(error),
        float(likelihood),
        float(answered),
        float(right),
    )


def markdown(found: Mapping[tuple[float | None, str], Figures], corpora: Sequence[str]) -> str:
    """One table."""
    heads = (
        *("neutral at the site", "calibrated with", "accuracy", "recall", "ECE", "NLL"),
        *("answered", "right of these"),
    )
    rows = [
        (
            "as in the corpus" if mix is None else f"{mix:.0%}",
            way,
            *(f"{figure:.3f}" for figure in figures[:4]),
            *(f"{figure:.0%}" for figure in figures[4:]),
        )
        for (mix, way), figures in found.items()
    ]
    return "\n".join(
        [f"Mean over the corpora left out: {', '.join(corpora)}.", "", *table(heads, rows)]
    )


def command(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A corpus; may be given again (default: all five).")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Document whose measured block is replaced.")
    ] = None,
) -> None:
    """Say what a few recordings of a site are worth.

    A complete command: python -m recipes.documents.site runs/speech
    """
    corpora = only or list(ACTED)
    answers = {}
    for corpus in corpora:
        files = sorted((runs / corpus).glob(f"{corpus}-*.npz"))
        # Without any, the reader names the run that is missing.
        missing = [runs / corpus / f"{corpus}-test.npz"]
        answers[corpus] = joined([read_answers(file) for file in files or missing])
    text = markdown(measure(answers), corpora)
    if write is not None:
        write_section(write, SECTION, text)
    Console(highlight=False, markup=False, soft_wrap=True).print(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
