"""A piece of a recording, as a manifest's row names it, with its words."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Final

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.channels import Channel
from edge_ser.media.clip import LONGEST_READ, MemoryClip, Samples, VideoFrame
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, Word, sidecar_transcript
from edge_ser.pipeline.words import words_between

_LATE: Final = SAMPLE_RATE // 2
"""A piece may end so much later than its recording: people round times up."""


def read_piece(
    file: str,
    start: float,
    end: float | None,
    frames_per_second: float,
    *,
    channel: Channel,
    audio_track: int | None,
) -> tuple[MemoryClip, Transcript | None]:
    """Read a piece of a recording, on its own clock that begins with 0, and its words.

    Args:
        file: the recording; words are those of a file beside it.
        start: where the piece begins, in seconds.
        end: where it ends; None: where the recording does.
        frames_per_second: pictures sampled a second.
        channel: which channel is heard.
        audio_track: which sound track is heard.

    Raises:
        MediaError: as `open_clip`, if the piece lies outside of the recording or is too long.
    """
    first = round(start * SAMPLE_RATE)
    last = None if end is None else round(end * SAMPLE_RATE)
    samples: list[Samples] = []
    frames: list[VideoFrame] = []
    stop = 0
    with (
        open_clip(file, channel=channel, audio_track=audio_track) as clip,
        closing(clip.segments(10.0, frames_per_second)) as segments,
    ):
        for segment in segments:
            stop = segment.stop
            if min(stop, last or stop) - first > LONGEST_READ * SAMPLE_RATE:
                raise MediaError(
                    f"the piece of {file} from {start:g} s lasts longer than {LONGEST_READ:g} s: "
                    "name several that are shorter"
                )
            low = max(first - segment.start, 0)
            high = None if last is None else max(last - segment.start, 0)
            samples.append(segment.samples[low:high])
            frames += [
                replace(frame, time=frame.time - first)
                for frame in segment.frames
                if frame.time >= first and (last is None or frame.time < last)
            ]
            if last is not None and stop >= last:
                break
        if first >= stop or (last or 0) > stop + _LATE:
            raise MediaError(
                f"{file} is {stop / SAMPLE_RATE:.2f} s long and does not hold the piece from "
                f"{start:g} s to {'its end' if end is None else f'{end:g} s'}"
            )
        stop = stop if last is None else min(last, stop)
        spoken = _words(file, first, stop, stop if last is None else clip.duration)
        return MemoryClip(
            np.concatenate(samples) if clip.has_audio else None,
            tuple(frames) if clip.has_video else None,
            duration=stop - first,
            name=clip.name,
            absent=clip.absent,
            warnings=clip.warnings,
            channel_notes=clip.channel_notes,
        ), spoken


def _words(file: str, first: int, stop: int, duration: int | None) -> Transcript | None:
    """The words of the piece, of those in a file beside the recording."""
    spoken = sidecar_transcript(file)
    if spoken is None or not spoken.text:
        return spoken
    if spoken.words:
        words = tuple(
            Word(word.text, word.start - first, word.end - first)
            for word in spoken.words
            if first <= word.middle < stop
        )
        return replace(spoken, text=" ".join(word.text for word in words), words=words)
    if duration is None:
        note = "words without times cannot be cut to a piece of a clip of unknown length"
        return Transcript("", notes=(note,))
    return replace(spoken, text=words_between(spoken, first, stop, duration))
