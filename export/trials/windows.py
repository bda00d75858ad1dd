"""Labelled items to the one window of each that is measured, and to the encoders' inputs.

The front-ends are the runtime's own. Of a recording longer than the bundle's longest window the
middle is looked at, so that an item is one decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import VideoFrontendConfig
from edge_ser.constants import SAMPLE_RATE, Modality
from edge_ser.errors import MediaError
from edge_ser.export.data.items import Item, content
from edge_ser.export.data.picture_decoding import decoded_rgb, scaled_face
from edge_ser.export.trials.data import EvaluationData
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.frontends.level import why_unheard
from edge_ser.frontends.text import TextFrontend
from edge_ser.frontends.video import FaceFrontend
from edge_ser.media.clip import Clip, Picture, Samples, VideoFrame
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, find_sidecar, read_transcript
from edge_ser.pipeline.words import words_between
from edge_ser.speech.speech_gate import NOBODY_SPEAKS, speech_in

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ClipWindow:
    """What is heard, said and seen in one window; what is not there is None or empty."""

    samples: Samples | None = None
    """float32 [n], 16 kHz mono."""
    words: str | None = None
    frames: tuple[VideoFrame, ...] = ()
    """Sampled pictures; times count from the window's start."""
    face: Picture | None = None
    """uint8 [height, width, 3], RGB: a picture that is a face, cut close, from a set of faces."""
    absent: Mapping[Modality, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EncoderInputs:
    """Inputs of the encoders by name, and why a modality has none."""

    tensors: Tensors
    absent: Mapping[Modality, str]


class WindowReader:
    """Reads windows and turns them into the inputs of a bundle's encoders.

    Thread contract: belongs to one thread.
    """

    def __init__(self, bundle: Bundle, data: EvaluationData) -> None:
        """Load the front-ends; the data tell whether words are read and who must speak."""
        frontend = bundle.manifest.frontend
        self._audio_config = frontend.audio
        self._video_config = frontend.video
        self._with_words = data.with_words
        self._speech_gate = data.speech_gate
        self._audio = AudioFrontend(frontend.audio)
        self._text = TextFrontend(frontend.text, bundle.read(bundle.manifest.tokenizer))

    def read(self, item: Item) -> ClipWindow:
        """The item's window.

        Raises:
            MediaError: if nothing of it can be read, or its span lies outside of the recording.
        """
        if item.kind == "text":
            return ClipWindow(words=item.text or "")
        if item.kind == "picture":
            return ClipWindow(face=decoded_rgb(content(item), item.name))
        if item.path is None:
            raise MediaError(f"{item.name} is no recording")
        with open_clip(item.path) as clip:
            return self._of_clip(item, clip)

    def _of_clip(self, item: Item, clip: Clip) -> ClipWindow:
        begin = round((item.start or 0.0) * SAMPLE_RATE)
        end = clip.duration if item.end is None else round(item.end * SAMPLE_RATE)
        longest = round(self._audio_config.maximum_seconds * SAMPLE_RATE)
        if end is not None and end - begin > longest:
            begin += (end - begin - longest) // 2
        stop = begin + longest if end is None else min(end, begin + longest)
        pieces: list[Samples] = []
        frames: list[VideoFrame] = []
        reached, heard = 0, False
        for segment in clip.segments(2.0, self._video_config.frames_per_second):
            if segment.stop > begin:
                first, last = max(begin - segment.start, 0), max(stop - segment.start, 0)
                pieces.append(segment.samples[first:last])
                heard = heard or segment.audio_present
                frames += [
                    VideoFrame(f.image, f.time - begin)
                    for f in segment.frames
                    if begin <= f.time < stop
                ]
            reached = segment.stop
            if reached >= stop:
                break
        if reached <= begin or (
            item.end is not None
            and reached < round(item.end * SAMPLE_RATE) - SAMPLE_RATE // 2
            and reached < stop
        ):
            raise MediaError(
                f"{item.name}: the recording is {reached / SAMPLE_RATE:.2f} s long and does not "
                f"hold the span from {item.start or 0.0:g} to {item.end or 'the end'}"
            )
        absent: dict[Modality, str] = dict(clip.absent.items())
        if clip.has_audio and not heard:
            absent["audio"] = "the sound does not reach into this window"
        samples = np.concatenate(pieces) if clip.has_audio and heard else None
        words = self._words(item, begin, stop, clip.duration or reached)
        return ClipWindow(samples, words, tuple(frames), None, absent)

    def _words(self, item: Item, begin: int, stop: int, duration: int) -> str | None:
        if not self._with_words:
            return None
        if item.transcript is not None:
            start = round((item.start or 0.0) * SAMPLE_RATE)
            end = duration if item.end is None else round(item.end * SAMPLE_RATE)
            spoken = Transcript(item.transcript)
            return words_between(spoken, begin - start, stop - start, end - start)
        sidecar = None if item.path is None else find_sidecar(item.path)
        return (
            None
            if sidecar is None
            else words_between(read_transcript(sidecar), begin, stop, duration)
        )

    def inputs(self, window: ClipWindow, faces: FaceFrontend | None) -> EncoderInputs:
        """The encoders' inputs of a window.

        Args:
            window: what is heard, said and seen.
            faces: front-end with the detector that finds faces in its pictures; None leaves them.
        """
        tensors: Tensors = {}
        absent: dict[Modality, str] = dict(window.absent)
        self._put_audio(window, tensors, absent)
        if window.words is None:
            absent.setdefault("text", "no transcript")
        else:
            tokens = self._text(window.words)
            given = tokens.tensors()
            if given is None:
                absent["text"] = tokens.reason or "no words"
            else:
                tensors.update(given)
        if window.face is not None:
            tensors["faces"] = face_tensor(window.face, self._video_config)[None]
        elif faces is not None and window.frames:
            crops = faces.crops(window.frames).of_one_person()
            if len(crops.times):
                tensors["faces"] = crops.tensor
            else:
                absent["video"] = crops.reason or "no face was found"
        else:
            absent.setdefault("video", "no pictures were given")
        return EncoderInputs(tensors, absent)

    def _put_audio(self, window: ClipWindow, tensors: Tensors, absent: dict[Modality, str]) -> None:
        if window.samples is None:
            absent.setdefault("audio", "no sound was given")
            return
        reason = why_unheard(window.samples, self._audio_config)
        if reason is None and self._speech_gate and not speech_in(window.samples):
            reason = NOBODY_SPEAKS
        if reason is None:
            tensors.update(self._audio(window.samples).tensors())
        else:
            absent["audio"] = reason


def face_tensor(face: Picture, config: VideoFrontendConfig) -> npt.NDArray[np.float32]:
    """A picture that is a face as the runtime's crops are: float32 [3, side, side], 0 to 255."""
    picture = face
    if config.grey:
        picture = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return np.ascontiguousarray(scaled_face(picture, config.face_size).transpose(2, 0, 1))
