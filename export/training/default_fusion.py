"""Train, calibrate and score the default bundle's fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from edge_ser.bundle_schema import SUBSETS, Score, SubsetCalibration
from edge_ser.constants import EMOTIONS, MODALITIES, Modality
from edge_ser.export.evaluation.metrics import calibration_error, score
from edge_ser.export.evaluation.temperature import (
    confidence_for_coverage,
    fit_temperature,
    probabilities_at,
)
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.training.config import ModalityDropout, Optimisation, TokenAugmentation
from edge_ser.export.training.default_data import Banks
from edge_ser.export.training.example import Example
from edge_ser.export.training.examples import collate, column_statistics
from edge_ser.export.training.fit import Fitting, fit
from edge_ser.export.training.fusion_task import logits_of
from edge_ser.export.training.label_paired import Bank, LabelPaired, Pairing, visible_target

NEUTRAL: Final = EMOTIONS.index("neutral")
COVERAGE: Final = 0.9
"""Share of the validation examples that a bundle decides on; it abstains on the others."""
OPTIMISATION: Final = Optimisation(
    learning_rate=8e-4, weight_decay=0.05, batch_size=64, epochs=9, alone_weight=0.5, average=0.99
)
AUGMENTATION: Final = TokenAugmentation(
    crop_share=0.3, crop=(0.6, 1.0), time_masks=2, time_mask_share=0.1, noise=0.1, word_dropout=0.1
)
PAIRS: Final = 1500
"""Label-paired examples that each of validation and test hold."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calibrated:
    """A trained fusion with what it knows of itself."""

    fusion: Fusion
    calibration: Mapping[str, SubsetCalibration]
    scores: tuple[Score, ...]


def train_default_fusion(
    banks: Banks, prosody: int, seed: int, folder: Path | None, *, progress: bool = False
) -> Fusion:
    """Train the hybrid fusion on label-paired examples of the training people.

    Args:
        banks: tokens of all parts.
        prosody: how many of the last audio columns are prosody.
        seed: of everything.
        folder: for checkpoints and logs, or None.
        progress: whether a progress bar is drawn.
    """
    training = banks.parts["train"]
    widths = {m: int(bank.variants[0][0].shape[1]) for m, bank in training.items()}
    config = FusionConfig(
        kind="hybrid",
        head="transformer",
        labels=len(EMOTIONS),
        inputs=widths,
        prosody=prosody,
        width=96,
        dropout=0.3,
        input_dropout=0.15,
    )
    pairing = Pairing()
    return fit(
        Fitting(
            config,
            OPTIMISATION,
            AUGMENTATION,
            ModalityDropout(keep_all=0.25),
            seed,
            neutral=NEUTRAL,
            progress=progress,
        ),
        LabelPaired(training, EMOTIONS, pairing, AUGMENTATION, seed),
        LabelPaired(
            banks.parts["validation"],
            EMOTIONS,
            pairing.model_copy(update={"examples": 600}),
            None,
            seed + 1,
        ),
        {m: column_statistics(bank.variants) for m, bank in training.items()},
        folder,
    )


def calibrate(fusion: Fusion, banks: Banks, seed: int) -> Calibrated:
    """Fit a temperature for each subset of modalities on validation people, score on test people.

    A single modality is calibrated and scored on its own natural data, every item once (sound:
    whole clips and random windows); subsets of several on label-paired examples.
    """
    calibration: dict[str, SubsetCalibration] = {}
    scores: list[Score] = []
    for subset in SUBSETS:
        modalities = tuple(m for m in MODALITIES if m in subset.split("+"))
        logits, true = subset_logits(fusion, banks.parts["validation"], modalities, seed + 10)
        temperature = fit_temperature(logits, true)
        confidence = confidence_for_coverage(probabilities_at(logits, temperature), COVERAGE)
        calibration[subset] = SubsetCalibration(
            temperature=temperature, minimum_confidence=confidence
        )
        logits, true = subset_logits(fusion, banks.parts["test"], modalities, seed + 20)
        scores += _scores(subset, logits, true, temperature, confidence)
    return Calibrated(fusion, calibration, tuple(scores))


def subset_logits(
    fusion: Fusion, banks: Mapping[Modality, Bank], modalities: tuple[Modality, ...], seed: int
) -> tuple[FloatArray, IntArray]:
    """Logits [n, labels] and labels [n] of one part, with only some modalities visible."""
    if len(modalities) == 1:
        bank = banks[modalities[0]]
        examples = [
            Example({modalities[0]: tokens}, label, {modalities[0]: label})
            for variants, label in zip(bank.variants, bank.labels, strict=True)
            for tokens in variants
        ]
    else:
        source = LabelPaired(banks, EMOTIONS, Pairing(examples=PAIRS), None, seed)
        drawn = [source.example(0, index) for index in range(PAIRS)]
        examples = [
            Example(
                {m: x.tokens[m] for m in modalities},
                visible_target(x, modalities, NEUTRAL),
                {m: x.own[m] for m in modalities},
            )
            for x in drawn
        ]
    logits = []
    for start in range(0, len(examples), 64):
        batch = collate(examples[start : start + 64])
        logits.append(logits_of(fusion, batch.tokens))
    return (
        torch.cat(logits).double().numpy(),
        np.array([x.target for x in examples], np.int64),
    )


_NATURAL: Final[Mapping[str, str]] = {
    "audio": "RAVDESS speech, actors 02 05 14 15 16 (never seen), whole clips and one random "
    "window of 1.5 to 3 s each, with noise, gain and room",
    "text": "GoEmotions dev, texts with one label",
    "video": "FER2013 PublicTest, single pictures",
}


def _scores(
    subset: str, logits: FloatArray, true: IntArray, temperature: float, confidence: float
) -> list[Score]:
    protocol = _NATURAL.get(
        subset,
        f"{PAIRS} label-paired examples of test people ({subset}); one modality may show neutral "
        "instead; not comparable with scores on clips of one person",
    )
    before, after = probabilities_at(logits, 1.0), probabilities_at(logits, temperature)
    metrics = score(after.argmax(1), true, len(EMOTIONS))
    answered = after.max(1) >= confidence
    hit = after.argmax(1) == true
    deviation = float(np.sqrt(metrics.accuracy * (1 - metrics.accuracy) / metrics.count))
    task = f"emotion from {subset}"
    often = float(np.bincount(true).max() / len(true))

    def made(
        metric: str, value: float, chance: float, spread: float | None = None, note: str = ""
    ) -> Score:
        return Score(
            task=task,
            metric=metric,
            value=round(value, 4),
            spread=None if spread is None else round(spread, 4),
            chance=round(chance, 4),
            protocol=protocol + note,
        )

    share = f"; {answered.mean():.0%} of the items are answered"
    return [
        made("accuracy", metrics.accuracy, often, deviation),
        made("unweighted average recall", metrics.recall, 1 / len(EMOTIONS)),
        made("accuracy where not abstained", float(hit[answered].mean()), often, None, share),
        made("calibration error before", calibration_error(before, true), 0.0),
        made("calibration error after", calibration_error(after, true), 0.0),
    ]
