"""Workers that are processes of this machine, each with a recognizer of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias

from edge_ser.errors import ConfigError, EdgeSerError
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.score.rows import ScoreOptions
from edge_ser.score.workers import Clips, Outcome, Refused, outcome_of

Recipe: TypeAlias = tuple[Callable[..., EdgeRecognizer], tuple[Any, ...]]
"""What makes a recognizer elsewhere: a function and its arguments."""


class Processes(ClosedOnExit):
    """Thread contract: belongs to one thread."""

    def __init__(self, recipe: Recipe, options: ScoreOptions, count: int) -> None:
        """Start processes.

        Args:
            recipe: makes each one's recognizer.
            options: how it scores.
            count: how many.

        Raises:
            ConfigError: if a process does not start, or cannot open the bundle.
        """
        # A forked process would inherit locks of threads that are not there.
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (recipe, options)
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._busy: set[int] = set()
        for _ in range(count):
            self._workers.append(self._started())
        try:
            for _, connection in self._workers:
                _wait_until_ready(connection)
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._workers)

    def give(self, worker: int, clips: Clips) -> None:
        """Let a worker score clips."""
        self._busy.add(worker)
        try:
            self._workers[worker][1].send(clips)
        except OSError:
            return  # it is dead: `take` finds that out

    def take(self) -> tuple[int, Outcome]:
        """Wait for any worker that was given clips."""
        ready = wait([self._workers[worker][1] for worker in self._busy])
        worker = next(w for w in self._busy if self._workers[w][1] in ready)
        self._busy.remove(worker)
        process, connection = self._workers[worker]
        try:
            outcome: Outcome = connection.recv()
        except (EOFError, OSError):
            outcome = None
            _end(process, connection)
            self._workers[worker] = self._started()
            _wait_until_ready(self._workers[worker][1])
        return worker, outcome

    def close(self) -> None:
        """End all processes, whatever they are doing; a second call does nothing."""
        while self._workers:
            _end(*self._workers.pop())

    def _started(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, *self._arguments), name="edge-ser score", daemon=True
        )
        process.start()
        theirs.close()
        return process, ours


def available_processors() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _wait_until_ready(connection: Connection) -> None:
    try:
        refused: Refused | None = connection.recv()
    except (EOFError, OSError):
        raise ConfigError(
            "a process that should score clips ended as it began: is there memory enough? "
            "--workers takes a smaller number; in a program of your own, score below "
            '`if __name__ == "__main__":`'
        ) from None
    if refused is not None:
        raise ConfigError(refused.why)


def _end(process: BaseProcess, connection: Connection) -> None:
    connection.close()
    process.kill()
    process.join()
    process.close()


def _serve(connection: Connection, recipe: Recipe, options: ScoreOptions) -> None:
    """Say that it is ready, then score what comes until nobody is there who could ask."""
    # Ctrl-C at a terminal reaches every process; the one that asks decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    make, arguments = recipe
    with suppress(EOFError, OSError):
        try:
            recognizer = make(*arguments)
        except EdgeSerError as error:
            connection.send(Refused(str(error)))
            return
        connection.send(None)
        with recognizer:
            while True:
                connection.send(outcome_of(recognizer, connection.recv(), options))
