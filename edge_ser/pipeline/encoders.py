"""The encoders of a loaded bundle: each modality from raw media to tokens."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from edge_ser.bundles.loading import Bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.frontends.audio import AcousticFeatures, AudioFrontend
from edge_ser.frontends.audio_stream import AudioFeatureStream
from edge_ser.frontends.face_tracks import FaceTracker, Sighting
from edge_ser.frontends.language import why_foreign
from edge_ser.frontends.level import why_unheard
from edge_ser.frontends.text import TextFrontend
from edge_ser.frontends.video import FaceFrontend
from edge_ser.media.media import VideoFrame
from edge_ser.pipeline.fusion import Fusion
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.bundle_sessions import open_graphs
from edge_ser.runtime.session import FloatTensor


@dataclass(frozen=True)
class Encoded:
    """Tokens of one modality over one span, or the reason why there are none."""

    tokens: FloatTensor | None
    """float32 [tokens, width]; None when the modality is absent."""
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EncodedFaces:
    """One token for each picture in which a face was found."""

    tokens: FloatTensor
    """float32 [faces, width]."""
    times: tuple[int, ...]
    """Presentation time of each token's picture, in samples of 16 kHz sound."""
    sightings: tuple[Sighting, ...]
    """Whose face each token is of."""
    pictures: int
    """Pictures that were looked at."""
    reason: str | None
    notes: tuple[str, ...]


class Encoders:
    """Thread contract: immutable after construction; every method may be called from any thread."""

    def __init__(
        self,
        bundle: Bundle,
        backend: str,
        threads: int = 1,
        *,
        risk: float | None = None,
        join: bool = False,
    ) -> None:
        """Open every graph of the bundle.

        Args:
            bundle: a verified bundle.
            backend: one of `edge_ser.runtime.backend.BACKENDS`.
            threads: threads that one run of a graph may use on the CPU.
            risk: see `EdgeRecognizer`; so is `join`.
            join: whether calls that come at once are joined into one run.

        Raises:
            EngineError: if the backend cannot run a graph.
            ConfigError: if the backend's name is unknown, or the bundle states no risks.
        """
        manifest = bundle.manifest
        calibration = manifest.calibration
        if risk is not None:
            calibration = {subset: own.at_risk(risk) for subset, own in calibration.items()}
        with ExitStack() as stack:
            graphs = open_graphs(bundle, backend, stack, threads=threads, join=join)
            self._acoustic, self._text, self._face = (
                graphs[m] for m in ("acoustic", "text", "face")
            )
            self.fusion = Fusion(graphs["fusion"], calibration, len(manifest.labels))
            # A graph that leaves the number of its answers open is caught now, not as it decides.
            self.fusion.fuse({"audio": np.zeros((1, manifest.audio_width), np.float32)})
            self._audio_config = manifest.frontend.audio
            self._audio_frontend = AudioFrontend(manifest.frontend.audio)
            self._text_frontend = TextFrontend(
                manifest.frontend.text, bundle.read(manifest.tokenizer)
            )
            self._languages = manifest.frontend.text.languages
            self._face_frontend = FaceFrontend(manifest.frontend.video, graphs["detector"])
            self._resources = stack.pop_all()

    def close(self) -> None:
        """Free the graphs; a second call does nothing."""
        self._resources.close()

    @property
    def maximum_samples(self) -> int:
        """Longest piece of sound, in samples, that the acoustic graph takes at once."""
        return round(self._audio_config.maximum_seconds * SAMPLE_RATE)

    @property
    def face_frontend(self) -> FaceFrontend:
        """Front-end of the pictures, as configured by the bundle."""
        return self._face_frontend

    def audio(self, samples: FloatTensor, timer: StageTimer) -> Encoded:
        """Encode one piece of sound.

        Args:
            samples: float32 [n], 16 kHz mono, at most `maximum_samples`.
            timer: gets the stages ``audio_features`` and ``acoustic``.
        """
        reason = self.why_no_audio(samples)
        if reason is not None:
            return Encoded(None, reason)
        with timer.stage("audio_features"):
            features = self._audio_frontend(samples)
        return self._acoustic_tokens(features, timer)

    def why_no_audio(self, samples: FloatTensor) -> str | None:
        """Say why a piece of sound, float32 [n], is too short or too quiet; None if it is not."""
        return why_unheard(samples, self._audio_config)

    def audio_features(self) -> AudioFeatureStream:
        """A new stream of feature rows, for sound that comes in piece by piece."""
        return AudioFeatureStream(self._audio_frontend)

    def acoustic(self, rows: FloatTensor, timer: StageTimer) -> Encoded:
        """Encode a window of a stream's feature rows.

        Args:
            rows: float32 [T, columns] as `audio_features` gives them, at most `maximum_samples`
                long; level and length have been checked.
            timer: gets the stages ``audio_features`` and ``acoustic``.
        """
        with timer.stage("audio_features"):
            features = self._audio_frontend.normalised(rows)
        return self._acoustic_tokens(features, timer)

    def _acoustic_tokens(self, features: AcousticFeatures, timer: StageTimer) -> Encoded:
        with timer.stage("acoustic"):
            tokens = self._acoustic.run(features.tensors())["audio_tokens"][0]
        return Encoded(tokens)

    def text(self, words: str, timer: StageTimer, language: str | None = None) -> Encoded:
        """Encode the words of one window, unless their language is none that the encoder knows.

        Args:
            words: what was said, separated by spaces.
            timer: gets the stage ``text``.
            language: of the whole conversation, as far as it is known; None looks at the words.
        """
        with timer.stage("text"):
            foreign = why_foreign(words, language, self._languages)
            if foreign is not None:
                return Encoded(None, foreign)
            tokenized = self._text_frontend(words)
            tensors = tokenized.tensors()
            if tensors is None:
                return Encoded(None, tokenized.reason, tokenized.notes)
            tokens = self._text.run(tensors)["text_tokens"][0]
        return Encoded(tokens, None, tokenized.notes)

    def faces(
        self, frames: Iterable[VideoFrame], timer: StageTimer, tracker: FaceTracker
    ) -> EncodedFaces:
        """Encode the face of each picture that shows one.

        Args:
            frames: RGB pictures with their presentation times.
            timer: gets the stages ``face_detection`` and ``face``.
            tracker: has followed people through the pictures before.
        """
        with timer.stage("face_detection"):
            crops = self._face_frontend.crops(frames, tracker)
        if len(crops.times) == 0:
            width = self._face.outputs["video_tokens"].shape[-1]
            empty = np.zeros((0, int(width)), np.float32)
            return EncodedFaces(empty, (), (), crops.pictures, crops.reason, crops.notes)
        with timer.stage("face"):
            tokens = self._face.run({"faces": crops.tensor})["video_tokens"]
        return EncodedFaces(tokens, crops.times, crops.sightings, crops.pictures, None, crops.notes)
