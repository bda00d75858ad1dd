"""Workers that score clips: whoever they are, each batch of clips becomes rows exactly once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from edge_ser.errors import ConfigError, EdgeSerError
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.score.clips import ClipToScore
from edge_ser.score.rows import Row, ScoreOptions, score_clip

Clips: TypeAlias = Sequence[ClipToScore]

_DIED: Final = "what scored it died: its decoder crashed, or memory ran out"


@dataclass(frozen=True)
class Refused:
    """What a worker gives where no clip can be scored: the error's text, which always travels."""

    why: str


Outcome: TypeAlias = "list[Row] | Refused | None"
"""What became of clips: rows; a refusal; None if the worker died of them."""


def outcome_of(recognizer: EdgeRecognizer, clips: Clips, options: ScoreOptions) -> Outcome:
    """What a worker gives for clips: their rows, in their order, or why there can be none."""
    try:
        return [row for clip in clips for row in score_clip(recognizer, clip, options)]
    except EdgeSerError as error:
        return Refused(str(error))


class Workers(Protocol):
    """Some workers, each of which scores clips one batch at a time, and is replaced if it dies."""

    @property
    def count(self) -> int:
        """How many there are."""

    def give(self, worker: int, clips: Clips) -> None:
        """Let a worker, by its number from 0 on, score clips; it must have nothing to do."""

    def take(self) -> tuple[int, Outcome]:
        """Wait for any worker that was given clips; which it is, and what became of them."""

    def close(self) -> None:
        """End all workers, whatever they are doing."""


@dataclass
class Batch:
    """Clips whose rows are kept together."""

    number: int
    clips: Clips


@dataclass
class _Task:
    """A batch in work: of one that a worker died of, every clip is tried alone."""

    number: int
    pieces: deque[Clips]
    rows: list[Row] = field(default_factory=list)


def scored(
    workers: Workers, batches: Sequence[Batch], failed: Callable[[ClipToScore, str], Row]
) -> Iterator[tuple[int, list[Row]]]:
    """Let workers score batches; a clip that kills its worker, also alone, fails and no other does.

    Args:
        workers: who score.
        batches: what is to be scored.
        failed: makes the row of a clip that failed.

    Yields:
        The number of a batch and its rows, in the order in which they are done.

    Raises:
        ConfigError: if a worker says that no clip can be scored.
    """
    waiting = deque(_Task(batch.number, deque([batch.clips])) for batch in batches)
    running: dict[int, _Task] = {}

    def begin(worker: int) -> None:
        if waiting:
            running[worker] = waiting.popleft()
            workers.give(worker, running[worker].pieces[0])

    for worker in range(workers.count):
        begin(worker)
    while running:
        worker, outcome = workers.take()
        task = running[worker]
        clips = task.pieces.popleft()
        if isinstance(outcome, Refused):
            raise ConfigError(outcome.why)
        if outcome is not None:
            task.rows += outcome
        elif len(clips) == 1:
            task.rows.append(failed(clips[0], _DIED))
        else:
            task.pieces.extendleft([clip] for clip in reversed(clips))
        if task.pieces:
            workers.give(worker, task.pieces[0])
            continue
        del running[worker]
        yield task.number, task.rows
        begin(worker)
