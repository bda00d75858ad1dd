"""The clip that latency is measured with, in memory, so that no disk and no decoder is timed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_ser.bundles.schema import BundleManifest
from edge_ser.calibration.performance.result import MeasuredClip
from edge_ser.constants import DEMO_CLIP, SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.files import file_sha256
from edge_ser.media.clip import Clip, MemoryClip, VideoFrame
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, find_sidecar, read_transcript, spread
from edge_ser.recognizer import DEFAULT_WINDOW

LIVE_FRAMES_PER_SECOND: Final = 15.0
"""Pictures a second that the replay delivers, as a camera would; a stream looks at fewer."""
_LONGEST: Final = 10.0
"""Seconds of the clip that are used: its pictures stay in memory."""


@dataclass(frozen=True)
class LatencyClip:
    """A clip in memory with its words.

    Attributes:
        path: the file, for the fresh processes that decode it.
        live: sound and all pictures that a replay delivers.
        transcript: words with times.
    """

    path: Path
    live: MemoryClip
    transcript: Transcript

    def window(self, manifest: BundleManifest) -> MemoryClip:
        """What one decision looks at: the clip's last window, pictures as the bundle samples them.

        Each caller gets a clip of its own: a clip belongs to one thread.
        """
        length = min(round(DEFAULT_WINDOW * SAMPLE_RATE), self.live.duration or 0)
        start = (self.live.duration or 0) - length
        rate = manifest.frontend.video.frames_per_second
        samples = self.live.samples[start:] if self.live.has_audio else None
        frames = None
        if self.live.has_video:
            kept = [f for f in _sampled(self.live, rate) if f.time >= start]
            frames = tuple(VideoFrame(f.image, f.time - start) for f in kept)
        return MemoryClip(samples, frames, duration=length, name=self.path.name)

    def replayed(self) -> MemoryClip:
        """The clip for one replay, which closes it at its end."""
        live = self.live
        return MemoryClip(
            live.samples if live.has_audio else None,
            live.frames if live.has_video else None,
            duration=live.duration or 0,
            name=live.name,
        )

    def describe(self, manifest: BundleManifest, modalities: tuple[str, ...]) -> MeasuredClip:
        """What a report says of it."""
        frames = self.window(manifest).frames
        height, width = frames[0].image.shape[:2] if frames else (0, 0)
        return MeasuredClip(
            name=self.path.name,
            sha256=file_sha256(self.path),
            words_sha256=hashlib.sha256(self.transcript.text.encode()).hexdigest(),
            seconds=(self.live.duration or 0) / SAMPLE_RATE,
            pictures=len(frames),
            width=int(width),
            height=int(height),
            modalities=modalities,
        )


def load_latency_clip(path: Path | None = None) -> LatencyClip:
    """Read a clip and the words beside it.

    Args:
        path: a media file; None for the clip that ships with the package. What lies behind its
            first ten seconds is left out.

    Raises:
        MediaError: the file cannot be used, or is too short to fill a decision.
    """
    path = DEMO_CLIP if path is None else path
    with open_clip(path) as opened:
        live = _read(opened)
    seconds = (live.duration or 0) / SAMPLE_RATE
    if seconds < 1:
        raise MediaError(
            f"{path} lasts {seconds:.2f} s: latency is measured with a clip of a second or more"
        )
    sidecar = find_sidecar(path)
    transcript = read_transcript(sidecar) if sidecar is not None else Transcript("")
    if not transcript.words and transcript.text:
        words = tuple(spread(transcript.text, 0, live.duration or 0))
        transcript = Transcript(transcript.text, words)
    return LatencyClip(path, live, transcript)


def _read(clip: Clip) -> MemoryClip:
    first = next(iter(clip.segments(_LONGEST, LIVE_FRAMES_PER_SECOND)), None)
    if first is None:
        raise MediaError(f"{clip.name}: nothing in this clip can be decoded")
    return MemoryClip(
        first.samples if clip.has_audio else None,
        first.frames if clip.has_video else None,
        duration=first.stop,
        name=clip.name,
    )


def _sampled(clip: MemoryClip, rate: float) -> list[VideoFrame]:
    return [frame for segment in clip.segments(_LONGEST, rate) for frame in segment.frames]
