"""Sound to the features of the acoustic graph, through the compiled kernels.

Training and runtime read their features here. All columns share one clock: frame t is centred at
sample 160 * t of 16 kHz sound, and a piece of n samples has n // 160 frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import AudioFrontendConfig
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError
from edge_ser.kernels import (
    LogEnergy,
    LogEnergyOptions,
    LogMel,
    MelOptions,
    Mfcc,
    MfccOptions,
    Pitch,
    PitchOptions,
    whisper_normalize,
)

FloatArray = npt.NDArray[np.float32]

HOP: Final = 160
"""Samples between two frames: 10 ms."""
REFERENCE_HZ: Final = 100.0
"""Pitch is given as the natural logarithm of its ratio to this."""
_HNR_SCALE: Final = 0.1
_PATH, _VOICING, _HNR = 1, 2, 3
_SHORTEST: Final = 400


@dataclass(frozen=True)
class AcousticFeatures:
    """Features of one piece of sound, equally long."""

    log_mel: FloatArray
    """float32 [80, T]: Whisper's log-mel, normalised over the piece."""
    prosody: FloatArray
    """float32 [T, P]: MFCC, log energy, ln(f0 / 100 Hz), voicing probability, hnr in dB / 10."""

    def tensors(self) -> dict[str, FloatArray]:
        """Inputs of the acoustic graph: log_mel [1, 80, T] and prosody [1, T, P], T even."""
        even = even_frames(len(self.prosody))
        return {"log_mel": self.log_mel[None, :, :even], "prosody": self.prosody[None, :even]}


def default_audio_config() -> AudioFrontendConfig:
    """The front-end of the default bundle: Whisper's log-mel, 20 MFCC like librosa's, pitch."""
    mfcc = MfccOptions.librosa().as_dict()
    mfcc["num_ceps"] = 20
    mfcc["mel"]["drop_last_frame"] = True
    return AudioFrontendConfig(
        log_mel=MelOptions.whisper().as_dict(),
        mfcc=mfcc,
        pitch=PitchOptions(first_center=0).as_dict(),
    )


class AudioFrontend:
    """Thread contract: immutable; may be called from any thread, also at once."""

    def __init__(self, config: AudioFrontendConfig) -> None:
        """Check the options of the kernels.

        Raises:
            ConfigError: if a kernel refuses them or they leave the common clock.
        """
        try:
            self._log_mel = MelOptions.from_dict(config.log_mel)
            self._mfcc = MfccOptions.from_dict(config.mfcc)
            self._pitch = PitchOptions.from_dict(config.pitch)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ConfigError(f"the sound front-end's options are wrong: {error}") from error
        self._energy = LogEnergyOptions(
            frame_length=self._mfcc.mel.frame_length,
            hop_length=self._mfcc.mel.hop_length,
            framing=self._mfcc.mel.framing,
            drop_last_frame=self._mfcc.mel.drop_last_frame,
        )
        for name, mel in (("log_mel", self._log_mel), ("mfcc", self._mfcc.mel)):
            on_clock = mel.framing != "snipped" and mel.drop_last_frame
            if mel.sample_rate != SAMPLE_RATE or mel.hop_length != HOP or not on_clock:
                raise ConfigError(
                    f"{name} leaves the common clock: it needs 16 kHz, a hop of {HOP}, centred "
                    "frames and drop_last_frame"
                )
        if self._pitch.first_center != 0:
            raise ConfigError(
                f"pitch leaves the common clock: first_center is {self._pitch.first_center}, not 0"
            )

    @property
    def bands(self) -> int:
        """Rows of the log-mel."""
        return int(self._log_mel.num_mels)

    @property
    def columns(self) -> int:
        """Columns of the prosody."""
        return int(self._mfcc.num_ceps) + 4

    def __call__(self, samples: npt.NDArray[Any]) -> AcousticFeatures:
        """Compute the features of one piece of sound.

        Args:
            samples: float32 [n], 16 kHz mono, finite, nominally -1 to 1, at least 25 ms.

        Raises:
            MediaError: if there are too few samples, or one is not finite.
        """
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise MediaError(
                f"sound must be one-dimensional float32, not {samples.dtype} of shape "
                f"{samples.shape}"
            )
        if len(samples) < _SHORTEST:
            raise MediaError(f"{len(samples)} samples of sound are less than 25 ms")
        return self.normalised(self.rows(samples))

    def rows(self, samples: npt.NDArray[Any]) -> FloatArray:
        """Compute the features of one piece of sound before they are normalised over it.

        Args:
            samples: float32 [n], 16 kHz mono, finite; any n.

        Returns:
            float32 [n // 160, bands + columns]: a frame's log-mel, then its prosody.

        Raises:
            MediaError: if a sample is not finite.
        """
        frames = len(samples) // HOP
        if frames == 0:
            return np.empty((0, self.bands + self.columns), np.float32)
        try:
            return self.joined(
                LogMel(self._log_mel).compute(samples),
                Mfcc(self._mfcc).compute(samples),
                LogEnergy(self._energy).compute(samples),
                stretched(Pitch(self._pitch).compute(samples), frames),
            )
        except ValueError as error:
            raise MediaError(f"the sound cannot be used: {error}") from error

    def kernels(self) -> tuple[LogMel, Mfcc, LogEnergy, Pitch]:
        """New kernels with this front-end's options, in the order in which `joined` takes rows."""
        return LogMel(self._log_mel), Mfcc(self._mfcc), LogEnergy(self._energy), Pitch(self._pitch)

    def joined(
        self, log_mel: FloatArray, cepstra: FloatArray, energy: FloatArray, pitch: FloatArray
    ) -> FloatArray:
        """Join the kernels' rows of the same frames: float32 [n, bands + columns]."""
        bands = self.bands
        rows = np.empty((len(log_mel), bands + self.columns), np.float32)
        rows[:, :bands] = log_mel
        rows[:, bands:-4] = cepstra
        rows[:, -4:-3] = energy
        rows[:, -3] = np.log(pitch[:, _PATH] / np.float32(REFERENCE_HZ))
        rows[:, -2] = pitch[:, _VOICING]
        rows[:, -1] = pitch[:, _HNR] * np.float32(_HNR_SCALE)
        return rows

    def normalised(self, rows: FloatArray) -> AcousticFeatures:
        """Normalise the log-mel over a piece, or over a window that was cut from a stream's rows.

        Args:
            rows: float32 [T, bands + columns], T at least 1.
        """
        log_mel = np.ascontiguousarray(rows[:, : self.bands].T)
        prosody = np.ascontiguousarray(rows[:, self.bands :])
        return AcousticFeatures(whisper_normalize(log_mel), prosody)


def even_frames(frames: int) -> int:
    """How many frames the acoustic graph takes: it halves the rate, an odd one has no partner."""
    return frames // 2 * 2


def stretched(rows: FloatArray, frames: int) -> FloatArray:
    """Exactly `frames` rows: near its end the tracker may have one more or less."""
    if len(rows) >= frames:
        return rows[:frames]
    return np.concatenate([rows, np.repeat(rows[-1:], frames - len(rows), axis=0)])
