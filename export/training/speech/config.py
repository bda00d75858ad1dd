"""How the speech encoder is trained further: on one data set, or on several corpora."""

from __future__ import annotations

from pydantic import Field

from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.examples.token_augmentation import _Strict


class SpeechFinetuning(_Strict):
    """The speech encoder is trained further on raw sound, fold by fold, before the fusion is.

    The layers that are trained are the data section's ``speech_layers`` and those below them. The
    epoch is chosen on validation people. See `edge_ser.export.training.speech.finetuning`.
    """

    epochs: int = Field(default=8, ge=1)
    batch_size: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak for the last layer."""
    head_learning_rate: float = Field(default=1e-3, gt=0)
    """Peak for pooling and classifier, which start from noise."""
    layer_decay: float = Field(default=0.7, gt=0, le=1)
    """Each layer below learns this much slower."""
    weight_decay: float = Field(default=0.02, ge=0)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    longest_seconds: float = Field(default=4.0, gt=0.3, le=10)
    """Longer clips are cut to a window of speech of this length, another one in every epoch."""
    audio: AudioAugmentation = AudioAugmentation(gain_db=(-6.0, 3.0), speed=(0.9, 1.1))
    """Noise, gain, speed, room, microphone."""
    frequency_masks: int = Field(default=2, ge=0)
    frequency_mask_bands: int = Field(default=12, ge=0, le=40)
    time_masks: int = Field(default=2, ge=0)
    time_mask_share: float = Field(default=0.1, ge=0, lt=1)
    patience: int = Field(default=3, ge=1)
    """Epochs without a better recall after which it ends."""


class CorporaTraining(SpeechFinetuning):
    """How a speech encoder is trained on several corpora.

    An epoch is a number of steps; the last one is kept, so `patience` has nothing to wait for.
    """

    epochs: int = Field(default=20, ge=1)
    audio: AudioAugmentation = AudioAugmentation.of_the_world()
    steps_an_epoch: int = Field(default=50, ge=1)
    clean_share: float = Field(default=0.2, ge=0, le=1)
    """Of the examples as recorded; the others are disturbed copies."""
    silence_share: float = Field(default=0.25, ge=0, le=1)
    """Of the examples between up to a second of the recording's own silence on either side: how
    much of it a corpus leaves there must not tell it from another."""
    average: float = Field(default=0.99, ge=0, lt=1)
    """Decay a step of the average of the weights that is kept."""

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.epochs * self.steps_an_epoch
