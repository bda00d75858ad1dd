"""Workers that are actors of a Ray cluster, each with a recognizer of its own."""

from __future__ import annotations

import logging
import socket
from typing import Any, Final

from edge_ser.errors import ConfigError, EdgeSerError, MissingExtraError
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.score.processes import Recipe
from edge_ser.score.rows import ScoreOptions
from edge_ser.score.workers import Clips, Outcome, Refused, outcome_of

_CONNECT_SECONDS: Final = 10.0
_PATIENCE: Final = 60.0
"""Seconds within which the cluster must have started the first actor."""


class RayActors(ClosedOnExit):
    """Thread contract: belongs to one thread."""

    def __init__(
        self, address: str, recipe: Recipe, options: ScoreOptions, count: int | None
    ) -> None:
        """Join a cluster and start actors, each on one of its processors.

        Args:
            address: of the cluster, ``auto`` for the one that this machine belongs to; a program
                that has called `ray.init` stays with what it has.
            recipe: makes each one's recognizer; all machines must see the bundle, and the clips,
                under the same names.
            options: how it scores.
            count: how many; None: one a processor of the cluster.

        Raises:
            MissingExtraError: if Ray is not installed.
            ConfigError: if the cluster does not answer, or its machines cannot open the bundle.
        """
        try:
            import ray
        except ImportError:
            raise MissingExtraError("--ray", "ray") from None
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            _check_somebody_listens(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # Ray raises a dozen kinds when a cluster does not answer
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ConfigError(
                    f"the Ray cluster at {address} cannot be used: {reason}"
                ) from error
        self._arguments = (recipe, options)
        self._actor = self._ray.remote(num_cpus=1, max_restarts=0)(_Actor)
        self._actors: list[Any] = []
        self._running: dict[Any, int] = {}
        try:
            wanted = count or max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
            self._actors = [self._actor.remote(*self._arguments) for _ in range(wanted)]
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._actors)

    def give(self, worker: int, clips: Clips) -> None:
        """Let an actor score clips."""
        self._running[self._actors[worker].score.remote(clips)] = worker

    def take(self) -> tuple[int, Outcome]:
        """Wait for any actor that was given clips."""
        (done, *_), _ = self._ray.wait(list(self._running), num_returns=1)
        worker = self._running.pop(done)
        outcome: Outcome
        try:
            outcome = self._ray.get(done)
        except self._ray.exceptions.RayActorError:
            outcome = None
            self._actors[worker] = self._actor.remote(*self._arguments)
        return worker, outcome

    def close(self) -> None:
        """End all actors, and leave the cluster if it was joined here."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        if self._ours:
            self._ours = False
            self._ray.shutdown()

    def _wait_until_ready(self) -> None:
        """Wait for the first actor alone: the others may have to wait for a machine."""
        told, _ = self._ray.wait(
            [actor.ready.remote() for actor in self._actors], num_returns=1, timeout=_PATIENCE
        )
        if not told:
            raise ConfigError(
                f"the Ray cluster started nobody who scores within {_PATIENCE:.0f} s: are its "
                "processors busy? `ray status` tells"
            )
        try:
            refused: str | None = self._ray.get(told[0])
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ConfigError(
                f"a machine of the Ray cluster cannot score: {reason}; is edge-ser installed there?"
            ) from error
        if refused is not None:
            raise ConfigError(f"a machine of the Ray cluster cannot score: {refused}")


def _check_somebody_listens(address: str) -> None:
    """Find out in seconds what Ray takes minutes to tell.

    Raises:
        ConfigError: if nobody listens at a host and port.
    """
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"the Ray cluster at {address} does not answer: {error}") from error


class _Actor:
    """Runs on a machine of the cluster."""

    def __init__(self, recipe: Recipe, options: ScoreOptions) -> None:
        make, arguments = recipe
        self._options = options
        self._refused: str | None = None
        try:
            self._recognizer = make(*arguments)
        except EdgeSerError as error:
            self._refused = str(error)

    def ready(self) -> str | None:
        """Why nothing can be scored here; None if it can."""
        return self._refused

    def score(self, clips: Clips) -> Outcome:
        """What becomes of clips."""
        if self._refused is not None:
            return Refused(self._refused)
        return outcome_of(self._recognizer, clips, self._options)
