"""`score_clips`: an archive of recordings to one Parquet file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from edge_ser.bundles.loading import Bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.media.channels import Channel, checked_channel
from edge_ser.recognizer import EdgeRecognizer, check_windows
from edge_ser.runtime.backend import DEFAULT_BACKEND
from edge_ser.score.clips import ClipToScore, clips_to_score
from edge_ser.score.processes import Processes, Recipe, available_processors
from edge_ser.score.ray_actors import RayActors
from edge_ser.score.rows import Row, ScoreOptions, failed_row
from edge_ser.score.table import ScoreParts, ScoreSummary, scored_before
from edge_ser.score.workers import Batch, scored

_MOST_TOGETHER: Final = 64
"""Clips that are scored together, at most: what a killed run loses, a worker."""
_BATCHES: Final = 256
"""So many batches there should be at least, where there are clips enough."""


@dataclass(frozen=True)
class Scored:
    """What a run came to."""

    output: Path
    resumed: int
    """Clips that an earlier run had scored."""
    summary: ScoreSummary

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {
            "output": str(self.output),
            "resumed": self.resumed,
            **self.summary.to_dict(),
        }


def score_clips(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] | Bundle | None = None,
    backend: str = DEFAULT_BACKEND,
    risk: float | None = None,
    window: float | None = None,
    hop: float | None = None,
    channel: Channel | str = "mix",
    audio_track: int | None = None,
    asr: bool = False,
    speech_gate: bool = True,
    workers: int | None = None,
    ray: str | None = None,
    resume: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Scored:
    """Score many clips into one Parquet file, with a row a window and channel.

    What is done is kept in a folder beside the output, OUTPUT.parts, until the file is whole and
    put in its place in one step. A clip that cannot be used is a row with its `error`.

    Args:
        inputs: files, folders, patterns, manifests, Parquet files of paths: see
            `edge_ser.score.clips.clips_to_score`.
        output: the file; one that is there is replaced.
        bundle: as for `EdgeRecognizer`; so are `backend` and `risk`.
        backend: what runs the graphs.
        risk: share of the answers that may be wrong.
        window: seconds that a row looks at; None: the bundle's longest window, so that a clip no
            longer than that has one row, with the decision that `recognize` gives.
        hop: seconds between rows; None: the window, so that rows do not overlap (but the last,
            which ends where the clip does).
        channel: mix, left, right, a number, or each.
        audio_track: which sound track of each is heard.
        asr: whether to transcribe clips without a transcript.
        speech_gate: whether sound in which nobody speaks counts as absent.
        workers: processes that score; None: one a processor.
        ray: address of a Ray cluster whose actors score instead, or ``auto``.
        resume: whether to go on with what an interrupted run left, with its list of clips.
        progress: is told the step, how many clips are done, and out of how many.

    Raises:
        MissingExtraError: if pyarrow, or Ray where it is asked for, is not installed.
        ConfigError: if an option is not usable, there is nothing to score, the output cannot be
            written, or what is to be resumed was begun with other settings.
        BundleError, EngineError: as `EdgeRecognizer`.
    """
    if workers is not None and (isinstance(workers, bool) or workers < 1):
        raise ConfigError(f"workers must be a whole number from 1 on, not {workers!r}")
    inputs = [os.fspath(name) for name in inputs]
    target = Path(output)
    heard = "each" if channel == "each" else checked_channel(channel)
    with EdgeRecognizer(bundle, backend=backend, risk=risk) as recognizer:
        longest = recognizer.encoders.maximum_samples
        window = longest / SAMPLE_RATE if window is None else window
        hop = window if hop is None else hop
        check_windows(window, hop, longest)
        options = ScoreOptions(window, hop, heard, audio_track, asr, speech_gate)
        settings = {
            "inputs": inputs,
            "bundle": recognizer.bundle.digest,
            "backend": backend,
            "risk": risk,
            **asdict(options),
        }
        with ScoreParts(target) as parts:
            begun = parts.settings()
            if begun is None and resume:
                before = scored_before(target)
                if before is not None and before[0] == settings:
                    return Scored(target, before[1].clips, before[1])
            if begun is None:
                parts.begin(settings, clips_to_score(inputs))
            else:
                _check_resumable(parts.folder, begun, settings, resume)
            clips = parts.clips()
            batches = _batches(clips)
            done = parts.done()
            waiting = [batch for batch in batches if batch.number not in done]
            resumed = count = len(clips) - sum(len(batch.clips) for batch in waiting)
            tell = progress or (lambda *_: None)
            tell("scored", count, len(clips))

            def failed(clip: ClipToScore, why: str) -> Row:
                return failed_row(recognizer, clip, options, why)

            if waiting:
                recipe = cast("Recipe", recognizer.__reduce__())
                count_of = min(workers or available_processors(), len(waiting))
                with (
                    Processes(recipe, options, count_of)
                    if ray is None
                    else RayActors(ray, recipe, options, workers)
                ) as crew:
                    for number, rows in scored(crew, waiting, failed):
                        parts.keep(number, rows)
                        count += len(batches[number].clips)
                        tell("scored", count, len(clips))
            summary = parts.merge((batch.number for batch in batches), settings)
            parts.forget()
    return Scored(target, resumed, summary)


def _batches(clips: Sequence[ClipToScore]) -> list[Batch]:
    size = max(min(_MOST_TOGETHER, math.ceil(len(clips) / _BATCHES)), 1)
    starts = range(0, len(clips), size)
    return [Batch(n, clips[start : start + size]) for n, start in enumerate(starts)]


def _check_resumable(
    folder: Path, begun: Mapping[str, Any], settings: Mapping[str, Any], resume: bool
) -> None:
    if not resume:
        raise ConfigError(
            f"{folder} holds what an interrupted run has scored: --resume (resume=True) goes on "
            "with it; remove that folder to begin anew"
        )
    names = {*begun, *settings}
    changed = sorted(name for name in names if begun.get(name) != settings.get(name))
    if changed:
        told = ", ".join(f"{n} was {begun.get(n)!r}, is {settings.get(n)!r}" for n in changed)
        raise ConfigError(
            f"the run in {folder} was begun otherwise: {told}; go on as it was begun, or remove "
            "that folder to begin anew"
        )
