"""What the speech encoder is worth on corpora it never saw: figures, calibration, abstention.

Reads the answers of the five runs that left a corpus out (`recipes.speech_encoder.training`). Each
corpus is judged with a temperature, a neutral bias and a threshold that were fitted on the other
four; the encoder that ships gets those of all five.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_ser.constants import EMOTIONS
from edge_ser.export.scoring.metrics import calibration_columns, calibration_figure
from edge_ser.export.scoring.people_draws import (
    confusion_columns,
    draw_people,
    recall_figure,
)
from edge_ser.export.scoring.result import Interval
from edge_ser.export.scoring.risk import risk_curve
from edge_ser.export.scoring.transfer import TransferCalibration, fit_transfer
from recipes.speech_encoder.answers import Answers, joined, read_answers
from recipes.speech_encoder.data import ACTED, CorpusName

NEUTRAL: Final = EMOTIONS.index("neutral")
RISK: Final = 0.35
"""Of the answers given for corpora never seen, at most so many are wrong at the threshold."""
NAMES: Final[Mapping[CorpusName, str]] = {
    "ravdess": "RAVDESS (English, Canada)",
    "cremad": "CREMA-D, test actors (English, USA)",
    "emodb": "Emo-DB (German)",
    "emovo": "EMOVO (Italian)",
    "nemo": "nEMO (Polish)",
}


@dataclass(frozen=True)
class Judged:
    """How good answers are, and how honest.

    Attributes:
        clips: how many.
        people: of how many people.
        labels: how many of the seven occur.
        plain: unweighted average recall before calibration.
        recall: after it, with 95 % over people.
        error_before: expected calibration error of the logits as they are.
        error: after calibration.
        answered: share that is answered at the threshold.
        right: share of the answers that is right; NaN where nothing is answered.
        named: share that is answered and not neutral.
    """

    clips: int
    people: int
    labels: int
    plain: float
    recall: Interval
    error_before: float
    error: float
    answered: float
    right: float
    named: float


@dataclass(frozen=True)
class Fit:
    """A calibration with the confidence below which nothing is answered.

    Attributes:
        calibration: of logits.
        threshold: the lowest confidence that is answered.
        risks: (risk, confidence) as a bundle states them.
    """

    calibration: TransferCalibration
    threshold: float
    risks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Transfer:
    """What is known of the world.

    Attributes:
        left_out: every corpus, judged by a model and a fit that never saw it.
        read_named: share of ordinary read speech, of people who train nothing, that is answered and
            not neutral; mean over the same five.
        by_sex: the same for the people of one sex, where it is known.
        shipped: the fit of all five, for the encoder that was trained on all.
        curve: coverage at risks, of the left-out corpora with the fits of the others.
    """

    left_out: Mapping[CorpusName, Judged]
    read_named: float
    by_sex: Mapping[CorpusName, Mapping[str, Judged]]
    shipped: Fit
    curve: tuple[tuple[float, float, float], ...]


def left_out_answers(runs: Path) -> dict[CorpusName, Answers]:
    """What each of the five runs answered for the corpus that it left out.

    Raises:
        ConfigError: if a run has not ended.
    """
    found: dict[CorpusName, Answers] = {}
    for corpus in ACTED:
        files = sorted((runs / corpus).glob(f"{corpus}-*.npz"))
        # Without any, the reader names the run that is missing.
        found[corpus] = joined(
            [read_answers(f) for f in files or [runs / corpus / f"{corpus}-test.npz"]]
        )
    return found


def fit(corpora: Sequence[Answers], risk: float = RISK) -> Fit:
    """Fit calibration and threshold on corpora that were left out."""
    calibration = fit_transfer(corpora, NEUTRAL)
    curve = risk_curve([(calibration.probabilities(c.logits), c.true) for c in corpora])
    return Fit(calibration, curve.threshold(risk), curve.stated())


def judge(answers: Answers, fitted: Fit) -> Judged:
    """Judge answers with a fit that has not seen them."""
    plain = TransferCalibration(1.0, 0.0, NEUTRAL).probabilities(answers.logits)
    given = fitted.calibration.probabilities(answers.logits)
    predicted, confidence = given.argmax(1), given.max(1)
    answered = confidence >= fitted.threshold
    count, true = len(EMOTIONS), answers.true
    recall = draw_people(answers.people).interval(
        confusion_columns(predicted, true, count), recall_figure(count)
    )
    plain_columns = confusion_columns(plain.argmax(1), true, count).sum(0, keepdims=True)
    return Judged(
        len(true),
        len(set(answers.people)),
        len(set(true.tolist())),
        float(recall_figure(count)(plain_columns)[0]),
        recall,
        _error(plain, true),
        _error(given, true),
        float(answered.mean()),
        float((predicted == true)[answered].mean()) if answered.any() else float("nan"),
        float((answered & (predicted != NEUTRAL)).mean()),
    )


def transfer(runs: Path, risk: float = RISK) -> Transfer:
    """Judge every left-out corpus with the fit of the other four, and fit what ships on all five.

    Raises:
        ConfigError: if a run has not ended.
    """
    answers = left_out_answers(runs)
    fits = {c: fit([a for o, a in answers.items() if o != c], risk) for c in ACTED}
    judged = {c: judge(answers[c], fits[c]) for c in ACTED}
    read = [judge(read_answers(runs / c / "read-test.npz"), fits[c]).named for c in ACTED]
    by_sex = {
        c: {
            sex: judge(answers[c].of(np.array(answers[c].sexes) == sex), fits[c])
            for sex in sorted(set(answers[c].sexes) - {""})
        }
        for c in ACTED
    }
    return Transfer(
        judged, float(np.mean(read)), by_sex, fit(list(answers.values()), risk), _curve(answers)
    )


def _curve(answers: Mapping[CorpusName, Answers]) -> tuple[tuple[float, float, float], ...]:
    """(Risk asked for, mean coverage, mean risk) of left-out corpora, thresholds of the others."""
    points = []
    for risk in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
        reached = []
        for corpus, own in answers.items():
            fitted = fit([a for o, a in answers.items() if o != corpus], risk)
            given = fitted.calibration.probabilities(own.logits)
            reached.append(risk_curve([(given, own.true)]).at(fitted.threshold))
        coverage, wrong = np.array(reached).T
        points.append(
            (
                risk,
                float(coverage.mean()),
                float((coverage * wrong)[coverage > 0].sum() / coverage.sum())
                if coverage.any()
                else float("nan"),
            )
        )
    return tuple(points)


def _error(probabilities: np.ndarray, true: np.ndarray) -> float:
    return float(calibration_figure(calibration_columns(probabilities, true).sum(0)[None])[0])
