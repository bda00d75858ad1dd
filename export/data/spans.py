"""Pieces of recordings: what a manifest's rows name, no longer than a window may be, with words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError, MediaError
from edge_ser.export.data.items import Item, Problem
from edge_ser.media.clip import LONGEST_READ, Samples, VideoFrame
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, find_sidecar, read_transcript
from edge_ser.pipeline.words import words_between

_LATE = SAMPLE_RATE // 2
"""A span may end so much later than its recording: people round times up."""


@dataclass(frozen=True, eq=False)
class Span:
    """The media of one piece, on its own clock that begins with 0."""

    samples: Samples | None
    """float32 [n], 16 kHz; None when there is no sound."""
    frames: tuple[VideoFrame, ...]
    """Empty when there are no pictures."""


def cut_to_windows(
    items: Sequence[Item], maximum_seconds: float
) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
    """Cut items that are too long into equal pieces, and give every piece its words.

    Words are the row's transcript, else those of a file beside the clip (.srt, .vtt, .txt, .json)
    that lie in the span; untimed words are spread evenly. What cannot be opened is a problem.
    """
    pieces: list[Item] = []
    problems: list[Problem] = []
    for item in items:
        try:
            pieces += _pieces(item, maximum_seconds)
        except EdgeSerError as error:
            problems.append(Problem(item.name, str(error)))
    return tuple(pieces), tuple(problems)


def read_spans(items: Sequence[Item], frames_per_second: float | None) -> list[Span]:
    """Read the pieces of one recording in a single pass.

    Args:
        items: of the same file, in any order.
        frames_per_second: pictures sampled a second; None leaves them undecoded, and the sound is
            left undecoded otherwise.

    Raises:
        MediaError: if the recording cannot be read, or a span lies outside of it.
    """
    path = items[0].path
    if path is None or any(item.path != path for item in items):
        raise MediaError(f"{items[0].name} is no piece of a recording")
    bounds = [_bounds(item) for item in items]
    last = None if any(b is None for _, b in bounds) else max(b or 0 for _, b in bounds)
    pieces: list[list[Samples]] = [[] for _ in items]
    frames: list[list[VideoFrame]] = [[] for _ in items]
    stop = 0
    audio = frames_per_second is None
    with open_clip(path, want_audio=audio, want_video=not audio) as clip:
        if not (clip.has_audio if audio else clip.has_video):
            return [Span(None, ()) for _ in items]
        with closing(clip.segments(10.0, frames_per_second)) as segments:
            for segment in segments:
                stop = segment.stop
                for (first, end), heard, seen in zip(bounds, pieces, frames, strict=True):
                    low = max(first - segment.start, 0)
                    high = None if end is None else max(end - segment.start, 0)
                    heard.append(segment.samples[low:high])
                    seen += [
                        VideoFrame(f.image, f.time - first)
                        for f in segment.frames
                        if f.time >= first and (end is None or f.time < end)
                    ]
                if last is not None and stop >= last:
                    break
    for item, (first, end) in zip(items, bounds, strict=True):
        if first >= stop or (end or 0) > stop + _LATE:
            raise MediaError(
                f"{item.name}: the recording is {stop / SAMPLE_RATE:.2f} s long and does not hold "
                f"the span from {item.start or 0.0:g} to {item.end if item.end else 'the end'}"
            )
    return [
        Span(np.concatenate(h, dtype=np.float32) if audio else None, tuple(f))
        for h, f in zip(pieces, frames, strict=True)
    ]


def _pieces(item: Item, maximum_seconds: float) -> list[Item]:
    if item.path is None or item.kind != "audio":
        return [item]
    duration = _duration(item.path)
    first, end = _bounds(item)
    if first >= duration or (end or 0) > duration + _LATE:
        raise MediaError(
            f"the recording is {duration / SAMPLE_RATE:.2f} s long and does not hold the span"
        )
    end = duration if end is None else min(end, duration)
    longest = round(maximum_seconds * SAMPLE_RATE)
    count = max(math.ceil((end - first) / longest), 1)
    spoken, begin, length = _transcript(item, first, end, duration)
    if count == 1:
        words = (
            None if spoken is None else words_between(spoken, begin, begin + end - first, length)
        )
        return [replace(item, transcript=words)]
    edges = [first + round((end - first) * i / count) for i in range(count + 1)]
    made: list[Item] = []
    for low, high in pairwise(edges):
        words = None
        if spoken is not None:
            words = words_between(spoken, begin + low - first, begin + high - first, length)
        start, stop = low / SAMPLE_RATE, high / SAMPLE_RATE
        made.append(
            replace(
                item,
                name=f"{item.name}#{len(made) + 1}",
                start=start,
                end=stop,
                transcript=words,
            )
        )
    return made


def _transcript(
    item: Item, first: int, end: int, duration: int
) -> tuple[Transcript | None, int, int]:
    """The words, where the item begins on their clock, and how long that clock runs."""
    if item.transcript is not None:
        # A row's transcript is what is said in the row's span.
        return Transcript(item.transcript), 0, end - first
    sidecar = None if item.path is None else find_sidecar(item.path)
    if sidecar is None:
        return None, 0, duration
    return read_transcript(sidecar), first, duration


def _duration(path: Path) -> int:
    with open_clip(path) as clip:
        if clip.duration is not None and clip.duration < LONGEST_READ * SAMPLE_RATE * 10:
            return clip.duration
        stop = 0
        with closing(clip.segments(10.0, None if clip.has_audio else 1.0)) as segments:
            for segment in segments:
                stop = segment.stop
        return stop


def _bounds(item: Item) -> tuple[int, int | None]:
    end = None if item.end is None else round(item.end * SAMPLE_RATE)
    return round((item.start or 0.0) * SAMPLE_RATE), end
