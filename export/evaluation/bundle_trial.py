"""A bundle on labelled items, through the runtime: what a user's device would answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import smaller_subsets, subset_name
from edge_ser.constants import MODALITIES, SAMPLE_RATE, Modality
from edge_ser.errors import ConfigError, EdgeSerError
from edge_ser.export.data.items import Item, Problem
from edge_ser.export.data.spans import read_spans
from edge_ser.export.evaluation.protocols import Trial
from edge_ser.export.examples.face_picture import face_picture
from edge_ser.export.training.predictions import FoldResult
from edge_ser.media.clip import Clip, MemoryClip
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript
from edge_ser.pipeline.decide import decide_encoded, merge
from edge_ser.pipeline.encoders import Encoded, Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.pipeline.words import WordEncoder
from edge_ser.result import Decision, Window
from edge_ser.runtime.backend import DEFAULT_BACKEND, open_session
from edge_ser.runtime.session import Session

Piece = tuple[Window, dict[Modality, Encoded]]
"""One window with what was encoded of it."""

_NOTHING = Encoded(None, "not shown")


class BundleTrial:
    """Runs items through a bundle, with all modalities and with fewer.

    Media go the way of `EdgeRecognizer.recognize`; each modality is encoded once and then fused in
    every combination, so that removing one costs a fusion and no more.
    """

    def __init__(self, bundle: Bundle, backend: str = DEFAULT_BACKEND) -> None:
        """Open the bundle's graphs.

        Raises:
            EngineError: if the backend cannot run one.
        """
        self.bundle = bundle
        self._backend = backend
        self._encoders = Encoders(bundle, backend)
        self._faces: Session | None = None

    def close(self) -> None:
        """Free the graphs."""
        self._encoders.close()
        if self._faces is not None:
            self._faces.close()

    def decisions(
        self, item: Item, modalities: Sequence[Modality], subsets: Sequence[str]
    ) -> dict[str, Decision]:
        """Decide for an item from each subset of what is shown.

        Args:
            item: a recording, a picture of a face, or a text.
            modalities: that are shown.
            subsets: names of subsets of them.

        Raises:
            MediaError: if the item cannot be read.
        """
        pieces = list(self._pieces(item, modalities))
        if not pieces:
            pieces = [(Window(0, 0), dict.fromkeys(MODALITIES, _NOTHING))]
        timer = StageTimer()
        made = {}
        for subset in subsets:
            left = subset.split("+")
            windows = [
                decide_encoded(
                    self.bundle,
                    self._encoders.fusion,
                    window,
                    {m: e if m in left else _NOTHING for m, e in encoded.items()},
                    timer,
                )
                for window, encoded in pieces
            ]
            made[subset] = merge(self.bundle, windows, timer)
        return made

    def _pieces(self, item: Item, modalities: Sequence[Modality]) -> Iterator[Piece]:
        timer = StageTimer()
        nothing: dict[Modality, Encoded] = dict.fromkeys(MODALITIES, _NOTHING)
        if item.kind == "text":
            yield Window(0, 0), {**nothing, "text": self._encoders.text(item.text or "", timer)}
            return
        if item.kind == "picture":
            yield Window(0, 0), {**nothing, "video": self._picture(item)}
            return
        words = None if item.transcript is None else Transcript(item.transcript)
        spoken = WordEncoder(self._encoders, words)
        rate = self.bundle.manifest.frontend.video.frames_per_second
        with self._opened(item, rate) as clip:
            seconds = self._encoders.maximum_samples / SAMPLE_RATE
            segments = list(clip.segments(seconds, rate if "video" in modalities else None))
            duration = segments[-1].stop if segments else 0
            for segment in segments:
                encoded = dict(nothing)
                if "audio" in modalities and clip.has_audio and segment.audio_present:
                    encoded["audio"] = self._encoders.audio(segment.samples, timer)
                if "text" in modalities:
                    encoded["text"] = spoken.encode(segment.start, segment.stop, duration, timer)
                if "video" in modalities and clip.has_video:
                    seen = self._encoders.faces(segment.frames, timer)
                    some = len(seen.tokens) > 0
                    encoded["video"] = Encoded(seen.tokens if some else None, seen.reason)
                yield Window(segment.start, segment.stop), encoded

    def _picture(self, item: Item) -> Encoded:
        if self._faces is None:
            entry = self.bundle.manifest.graphs["face"]
            self._faces = open_session(
                self.bundle.graph_path("face"), entry.inputs, entry.outputs, backend=self._backend
            )
        faces = face_picture(item, None, 0)[None]
        return Encoded(np.asarray(self._faces.run({"faces": faces})["video_tokens"], np.float32))

    @contextmanager
    def _opened(self, item: Item, rate: float) -> Iterator[Clip]:
        if item.path is None:
            raise ConfigError(f"{item.name} has no file")
        if item.start is None and item.end is None:
            with open_clip(item.path) as clip:
                yield clip
            return
        heard = read_spans([item], None)[0].samples
        frames = read_spans([item], rate)[0].frames
        last = max((f.time + 1 for f in frames), default=0)
        length = max(0 if heard is None else len(heard), last)
        yield MemoryClip(heard, frames or None, duration=length)


def run_trial(
    bundle: Bundle,
    trial: Trial,
    *,
    backend: str = DEFAULT_BACKEND,
    console: Console | None = None,
) -> FoldResult:
    """Test a bundle on the items of a trial, every one of them scored.

    A decision that abstains counts with its likeliest label; a note says how many abstained and
    how good the others were. An item that shows nothing at all counts with the first label.

    Raises:
        ConfigError: if no item can be read.
        EngineError: if a backend fails.
    """
    started = time.monotonic()
    full = subset_name(list(trial.modalities))
    subsets = (full, *smaller_subsets(trial.modalities))
    labels = bundle.manifest.labels
    rows: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in subsets}
    abstained: list[bool] = []
    used: list[Item] = []
    problems: list[Problem] = []
    empty = 0
    runner = BundleTrial(bundle, backend)
    try:
        for item in track(
            trial.items,
            description=trial.data.name,
            console=console,
            disable=console is None,
        ):
            try:
                decided = runner.decisions(item, trial.modalities, subsets)
            except EdgeSerError as error:
                problems.append(Problem(item.name, str(error)))
                continue
            used.append(item)
            abstained.append(decided[full].abstained)
            empty += not decided[full].present
            for name, decision in decided.items():
                rows[name].append(_row(decision.probabilities, labels))
    finally:
        runner.close()
    if not used:
        raise ConfigError(f"no item can be read; the first one: {problems[0].reason}")
    true = np.array([labels.index(item.label) for item in used], np.int64)
    answers = {name: np.log(np.clip(np.stack(x), 1e-12, 1.0)) for name, x in rows.items()}
    return FoldResult(
        fold="bundle",
        labels=labels,
        protocol=f"{trial.sentence}; {full} through the runtime ({backend})",
        warning=trial.warning,
        names=tuple(item.name for item in used),
        speakers=tuple(item.speaker or "" for item in used),
        sexes=tuple(item.sex or "" for item in used),
        true=true,
        log_probabilities=answers[full],
        parameters=0,
        seconds=time.monotonic() - started,
        subsets={name: x for name, x in answers.items() if name != full},
        notes=(
            *trial.notes,
            *_notes(answers[full].argmax(1) == true, np.array(abstained), empty, problems, labels),
        ),
    )


def _row(probabilities: Mapping[str, float], labels: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([probabilities[label] for label in labels], np.float64)


def _notes(
    hit: npt.NDArray[np.bool_],
    abstained: npt.NDArray[np.bool_],
    empty: int,
    problems: Sequence[Problem],
    labels: Sequence[str],
) -> list[str]:
    notes = []
    answered = ~abstained
    if abstained.any():
        good = f"; accuracy where it decided: {hit[answered].mean():.3f}" if answered.any() else ""
        notes.append(
            f"The bundle abstained from {int(abstained.sum())} of {len(hit)} items, which count "
            f"with their likeliest label{good}"
        )
    if empty:
        notes.append(f"{empty} items show nothing at all and count as {labels[0]}")
    if problems:
        listed = "; ".join(f"{p.name}: {p.reason}" for p in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        notes.append(f"{len(problems)} items cannot be read ({listed}{more})")
    return notes
