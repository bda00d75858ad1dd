"""The default bundle's section ``adaptation``, from the banks that its fusion was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import EMOTIONS
from edge_ser.export.data.splits import PARTS
from edge_ser.export.examples.example import Example
from edge_ser.export.training.adaptation import Tokens
from edge_ser.export.training.examples import collate
from edge_ser.export.training.fusion_task import logits_of
from edge_ser.export.training.tokens.torch_encoders import AudioTokens
from edge_ser.pipeline.fusion import calibrated
from recipes.default_bundle.data import Banks
from recipes.default_bundle.fitted_adaptation import FittedAdaptation, People, fit_adaptation
from recipes.default_bundle.fusion import Calibrated

BATCH: Final = 64


def default_adaptation(
    banks: Banks, audio: AudioTokens, made: Calibrated, prosody: int
) -> FittedAdaptation:
    """Fit and score the section for a trained fusion.

    Args:
        banks: of all parts; the first variant of a sound is the whole, unchanged recording.
        audio: encodes the speech that people enrol with.
        made: the fusion after training, with its calibration.
        prosody: how many of the last audio columns are prosody.

    Raises:
        ConfigError: if some recordings could not be encoded.
        MediaError: if a recording cannot be read.
    """
    whole = {
        part: [np.asarray(own[0], np.float32) for own in banks.parts[part]["audio"].variants]
        for part in PARTS
    }

    def judge(clips: Sequence[Tokens]) -> npt.NDArray[np.float64]:
        answers = []
        for start in range(0, len(clips), BATCH):
            some = clips[start : start + BATCH]
            batch = collate([Example({"audio": x}, 0, {"audio": 0}) for x in some])
            logits = logits_of(made.fusion, batch.tokens).detach().double().numpy()
            answers.append(calibrated(logits, made.calibration["audio"]))
        return np.concatenate(answers)

    people = People(banks.items["audio"].parts, whole)
    return fit_adaptation(people, audio.encode, judge, EMOTIONS, prosody)
