"""What is known of corpora never seen, as scores of the card."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np

from edge_ser.bundles.schema import Score
from recipes.default_bundle.rounded_score import rounded_score
from recipes.speech_encoder.transfer import NAMES, Judged, Transfer

TASK: Final = "emotion from audio, corpus never seen"
_made = partial(rounded_score, TASK)


def transfer_scores(known: Transfer) -> list[Score]:
    """Recall, calibration error, coverage and accuracy of the answers, corpus by corpus."""
    scores = []
    for corpus, judged in known.left_out.items():
        protocol = (
            f"{NAMES[corpus]}, left out of training, choice and calibration; {judged.clips} clips "
            f"of {judged.people} people, {judged.labels} labels, answers among seven"
        )
        scores += _of(judged, protocol)
    each = list(known.left_out.values())
    protocol = "mean of the five corpora, each left out once"
    spread = float(np.std([j.recall.value for j in each]))
    chance = float(np.mean([1 / j.labels for j in each]))
    scores += [
        _made(
            "unweighted average recall",
            float(np.mean([j.recall.value for j in each])),
            chance,
            protocol,
            spread,
        ),
        _made("calibration error after", float(np.mean([j.error for j in each])), 0.0, protocol),
        _made(
            "accuracy where not abstained",
            float(np.nanmean([j.right for j in each])),
            chance,
            f"{protocol}; {np.mean([j.answered for j in each]):.0%} of the clips are answered",
        ),
        _made(
            "share that is given an emotion",
            known.read_named,
            0.0,
            "ordinary read English (LibriSpeech), readers never heard: answered and not neutral, "
            "mean of the same five",
        ),
    ]
    return scores


def _of(judged: Judged, protocol: str) -> list[Score]:
    chance, recall = 1 / judged.labels, judged.recall
    made = [
        _made(
            "unweighted average recall",
            recall.value,
            chance,
            protocol,
            (recall.high - recall.low) / 4,
        ),
        _made("calibration error after", judged.error, 0.0, protocol),
    ]
    if not math.isnan(judged.right):
        answered = f"{protocol}; {judged.answered:.0%} of the clips are answered"
        made.append(_made("accuracy where not abstained", judged.right, chance, answered))
    return made
