"""Train, calibrate and score the default bundle's fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_ser.bundles.schema import SUBSETS, Score, SubsetCalibration
from edge_ser.constants import EMOTIONS, MODALITIES, Modality
from edge_ser.export.examples.example import Example, Tokens
from edge_ser.export.examples.label_paired import Bank, LabelPaired, Pairing, visible_target
from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.scoring.metrics import calibration_error, chance, score
from edge_ser.export.scoring.risk import risk_curve
from edge_ser.export.scoring.temperature import confidence_for_coverage, fit_calibration
from edge_ser.export.training.config import ModalityDropout, Optimisation
from edge_ser.export.training.examples import collate, column_statistics
from edge_ser.export.training.fit import Fitting, fit
from edge_ser.export.training.fusion_task import logits_of
from edge_ser.pipeline.fusion import calibrated as calibrated_probabilities
from recipes.default_bundle.data import Banks
from recipes.default_bundle.rounded_score import rounded_score
from recipes.speech_encoder.transfer import Fit

NEUTRAL: Final = EMOTIONS.index("neutral")
COVERAGE: Final = 0.9
"""Share of the validation examples that a bundle decides on; it abstains on the others."""
OPTIMISATION: Final = Optimisation(
    learning_rate=8e-4, weight_decay=0.05, batch_size=64, epochs=9, alone_weight=0.5, average=0.99
)
AUGMENTATION: Final = TokenAugmentation(
    crop_share=0.3, crop=(0.6, 1.0), time_masks=2, time_mask_share=0.1, noise=0.1, word_dropout=0.1
)
ABSTAIN_SHARE: Final = 0.2
"""Share of the least certain items that are left out to see what abstaining brings."""
CHOOSERS_EVIDENCE: Final = 0.5
"""What a clip of a person who chose the model counts in the fit of its calibration."""
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
    banks: Banks,
    prosody: int,
    speech_head: Mapping[str, Tensor],
    seed: int,
    folder: Path | None,
    *,
    progress: bool = False,
) -> Fusion:
    """Train the hybrid fusion on label-paired examples of the training people.

    Sound alone is answered by the speech encoder's own head: what is known of it on corpora never
    seen holds for the bundle.

    Args:
        banks: tokens of all parts.
        prosody: how many of the last audio columns are prosody.
        speech_head: state of the calibrated head.
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
        speech_head=widths["audio"] - prosody,
        joint_of_several=True,
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
            speech_head=speech_head,
        ),
        LabelPaired(training, EMOTIONS, pairing, AUGMENTATION, seed),
        LabelPaired(
            banks.parts["validation"],
            EMOTIONS,
            pairing.model_copy(update={"examples": 600}),
            None,
            seed + 1,
        ),
        {m: column_statistics(x.variants, config.loudness_column(m)) for m, x in training.items()},
        folder,
    )


def calibrate(fusion: Fusion, banks: Banks, heard: Fit, seed: int) -> Calibrated:
    """Fit temperature and biases for each subset on validation people, score on test people.

    Sound alone is calibrated in the fusion's head already, on corpora that were left out, and its
    threshold comes from them too (`heard`). Another single modality is calibrated on its own
    natural data, every item once; subsets of several on label-paired examples.
    """
    calibration: dict[str, SubsetCalibration] = {}
    scores: list[Score] = []
    for subset in SUBSETS:
        modalities = tuple(m for m in MODALITIES if m in subset.split("+"))
        tested = subset_logits(fusion, banks.parts["test"], modalities, seed + 20)
        if subset == "audio":
            calibration[subset] = SubsetCalibration(
                minimum_confidence=min(heard.threshold, 1.0), risks=heard.risks
            )
            scores += _scores(subset, tested, calibration[subset])
            continue
        given = subset_logits(fusion, banks.parts["validation"], modalities, seed + 10)
        # The few validation actors also chose the model: they flatter it.
        evidence = CHOOSERS_EVIDENCE if "audio" in modalities else 1.0
        fitted = fit_calibration(given.logits, given.true, given.people, evidence=evidence)
        without_threshold = SubsetCalibration(temperature=fitted.temperature, bias=fitted.bias)
        probabilities = calibrated_probabilities(given.logits, without_threshold)
        calibration[subset] = without_threshold.model_copy(
            update={
                "minimum_confidence": confidence_for_coverage(probabilities, COVERAGE),
                "risks": risk_curve([(probabilities, given.true)]).stated(),
            }
        )
        scores += _scores(subset, tested, calibration[subset])
    return Calibrated(fusion, calibration, tuple(scores))


@dataclass(frozen=True)
class SubsetAnswers:
    """Logits [n, labels], labels [n], and who each example is of, as far as that is known."""

    logits: FloatArray
    true: IntArray
    people: tuple[str, ...]


def subset_logits(
    fusion: Fusion, banks: Mapping[Modality, Bank], modalities: tuple[Modality, ...], seed: int
) -> SubsetAnswers:
    """Logits of one part, with only some modalities visible.

    The person of a label-paired example is that of its first visible modality.
    """
    if len(modalities) == 1:
        bank = banks[modalities[0]]
        examples = [
            Example({modalities[0]: tokens}, label, {modalities[0]: label})
            for variants, label in zip(bank.variants, bank.labels, strict=True)
            for tokens in variants
        ]
        people = [
            person
            for variants, person in zip(bank.variants, bank.people, strict=True)
            for _ in variants
        ]
    else:
        examples, people = _triples(banks, modalities, seed)
    logits = []
    for start in range(0, len(examples), 64):
        batch = collate(examples[start : start + 64])
        logits.append(logits_of(fusion, batch.tokens))
    return SubsetAnswers(
        torch.cat(logits).double().numpy(),
        np.array([x.target for x in examples], np.int64),
        tuple(people),
    )


def _triples(
    banks: Mapping[Modality, Bank], modalities: tuple[Modality, ...], seed: int
) -> tuple[list[Example], list[str]]:
    # Numbers stand for tokens while examples are drawn, so that it is known whose they are.
    numbered = {
        m: Bank(
            [
                [np.array([[item, variant]], np.float64) for variant in range(len(variants))]
                for item, variants in enumerate(bank.variants)
            ],
            bank.labels,
        )
        for m, bank in banks.items()
    }
    source = LabelPaired(numbered, EMOTIONS, Pairing(examples=PAIRS), None, seed)
    examples, people = [], []
    for index in range(PAIRS):
        drawn = source.example(0, index)
        numbers = {m: drawn.tokens[m].astype(int) for m in modalities}
        tokens = {
            m: _joined([banks[m].variants[item][variant] for item, variant in rows])
            for m, rows in numbers.items()
        }
        target = visible_target(drawn, modalities, NEUTRAL)
        examples.append(Example(tokens, target, {m: drawn.own[m] for m in modalities}))
        people.append(banks[modalities[0]].people[int(numbers[modalities[0]][0, 0])])
    return examples, people


def _joined(pieces: Sequence[Tokens]) -> Tokens:
    # Sound is one large piece: a copy of it for every example would fill the memory.
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


_NATURAL: Final[Mapping[str, str]] = {
    "audio": "test actors of RAVDESS (02 05 14 15 16) and CREMA-D, whole clips and one random "
    "window of 1.5 to 3 s each, disturbed (noise, voices, room, bands, telephone, codec, losses)",
    "text": "GoEmotions dev, texts with one label",
    "video": "FER2013 PublicTest, single pictures",
}


def _scores(subset: str, tested: SubsetAnswers, calibration: SubsetCalibration) -> list[Score]:
    protocol = _NATURAL.get(
        subset,
        f"{PAIRS} label-paired examples of test people ({subset}); one modality may show neutral "
        "instead; not comparable with scores on clips of one person",
    )
    true = tested.true
    before = calibrated_probabilities(tested.logits, SubsetCalibration())
    after = calibrated_probabilities(tested.logits, calibration)
    metrics = score(after.argmax(1), true, len(EMOTIONS))
    confidence = after.max(1)
    answered = confidence >= calibration.minimum_confidence
    certain = confidence >= np.quantile(confidence, ABSTAIN_SHARE)
    hit = after.argmax(1) == true
    deviation = float(np.sqrt(metrics.accuracy * (1 - metrics.accuracy) / metrics.count))
    task = f"emotion from {subset}"
    often, _ = chance(true)

    def made(
        metric: str, value: float, chance: float, spread: float | None = None, note: str = ""
    ) -> Score:
        return rounded_score(task, metric, value, chance, protocol + note, spread)

    share = f"; {answered.mean():.0%} of the items are answered"
    fifth = f"; the least certain {ABSTAIN_SHARE:.0%} are not answered"
    scores = [
        made("accuracy", metrics.accuracy, often, deviation),
        made("unweighted average recall", metrics.recall, 1 / len(EMOTIONS)),
        made("accuracy of the most certain", float(hit[certain].mean()), often, None, fifth),
        made("calibration error before", calibration_error(before, true), 0.0),
        made("calibration error after", calibration_error(after, true), 0.0),
    ]
    if answered.any():
        right = float(hit[answered].mean())
        scores.insert(2, made("accuracy where not abstained", right, often, None, share))
    return scores
