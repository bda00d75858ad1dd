"""Calls of several conversations that come at once, joined into one run of a graph.

A GPU takes hardly longer for many rows than for one, so conversations that share a recognizer share
its runs. Nobody waits for company: a call that finds the graph idle runs at once, alone. Calls that
come during a run wait for its end; then the oldest of them runs, together with all of the same
sizes. So a call waits for the run in progress and, where more wait than one run takes or sizes
differ, for those before it. Nothing is padded: masks do not hide it from every kind of layer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge_ser.errors import EngineError
from edge_ser.runtime.session import Session, Tensor
from edge_ser.runtime.tensor_check import check_inputs

MOST_ROWS: Final = 64
"""Rows of one run on a GPU: of faces, or of windows with one modality more or less."""

_DEPENDS_ON_THE_OTHERS: Final = b"DynamicQuantizeLinear"
"""An operator that takes its scale from the whole tensor: joined rows would change each other."""


@dataclass(eq=False)
class _Call:
    """One caller's run: its tensors, and the answer once somebody has run it.

    Attributes:
        inputs: checked.
        rows: of every input.
        sizes: of everything but the rows; only equal ones are joined.
        woken: set when there is an answer, when it is this caller's turn to run, or when a joined
            run failed.
        leads: whether it is this caller's turn.
        answer: of the graph; None while there is none.
    """

    inputs: Mapping[str, Tensor]
    rows: int
    sizes: tuple[tuple[int, ...], ...]
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answer: dict[str, Tensor] | None = None


class JoinedRuns:
    """A session whose calls are joined while it is busy; see `joinable`.

    Thread contract: `run` may be called from any thread, also at once; `close` waits for nobody.
    """

    def __init__(self, session: Session, most_rows: int = MOST_ROWS) -> None:
        """Take over a session.

        Args:
            session: of a graph that is `joinable`.
            most_rows: of one joined run; a call that has more runs alone.
        """
        self.inputs = dict(session.inputs)
        self.outputs = dict(session.outputs)
        self.backend = session.backend
        self._session = session
        self._most_rows = most_rows
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[_Call] = deque()

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on these tensors, with those of others if it is busy.

        Raises:
            EngineError: a tensor is missing, of a wrong dtype or shape, or the backend fails on
                these tensors; what others give is never the reason.
        """
        call = self._call(check_inputs(self.inputs, inputs, self.backend))
        with self._lock:
            call.leads = not self._busy
            self._busy = True
            self._waiting.append(call)
        try:
            if not call.leads:
                call.woken.wait()
            if call.leads:
                self._lead(call)
        finally:
            self._leave(call)
        # A joined run that failed has no answers: whose tensors it was shows when each runs alone.
        return self._session.run(call.inputs) if call.answer is None else call.answer

    def close(self) -> None:
        """Free the graph; a second call does nothing."""
        self._session.close()

    def _lead(self, own: _Call) -> None:
        """Run the own call with all that fit, oldest first."""
        with self._lock:
            joined = self._taken(own)
        if len(joined) == 1:
            own.answer = self._session.run(own.inputs)
            return
        try:
            answers = self._run(joined)
        except EngineError:
            return
        else:
            for call, answer in zip(joined, answers, strict=True):
                call.answer = answer
        finally:
            for call in joined:
                call.woken.set()

    def _taken(self, own: _Call) -> list[_Call]:
        """Take the calls that run with the own one out of the queue."""
        joined, rows = [own], own.rows
        for call in self._waiting:
            fits = rows + call.rows <= self._most_rows
            if fits and call is not own and call.sizes == own.sizes:
                joined.append(call)
                rows += call.rows
        for call in joined:
            self._waiting.remove(call)
        return joined

    def _leave(self, call: _Call) -> None:
        """Pass the lead on, also where the caller was interrupted while it waited or ran."""
        with self._lock:
            if call in self._waiting:
                self._waiting.remove(call)
            if not call.leads:
                return
            call.leads = False
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].woken.set()
            else:
                self._busy = False

    def _run(self, joined: list[_Call]) -> list[dict[str, Tensor]]:
        rows = sum(call.rows for call in joined)
        # Few different numbers of rows: a GPU looks for its fastest kernels anew for each.
        spare = max(min(1 << (rows - 1).bit_length(), self._most_rows) - rows, 0)
        tensors = {}
        for name in self.inputs:
            parts = [call.inputs[name] for call in joined]
            tensors[name] = np.concatenate([*parts, np.repeat(parts[-1][-1:], spare, axis=0)])
        found = self._session.run(tensors)
        answers = []
        begin = 0
        for call in joined:
            end = begin + call.rows
            # A copy: a view would keep everybody's rows alive.
            answers.append({name: found[name][begin:end].copy() for name in self.outputs})
            begin = end
        return answers

    def _call(self, inputs: Mapping[str, Tensor]) -> _Call:
        rows = next(iter(inputs.values())).shape[0]
        return _Call(inputs, rows, tuple(value.shape[1:] for value in inputs.values()))


def joinable(session: Session, graph: bytes) -> bool:
    """Whether rows of several calls may be joined: every tensor has them, and none sees another.

    Args:
        session: of the graph.
        graph: its ONNX file.
    """
    tensors = [*session.inputs.values(), *session.outputs.values()]
    rows = {spec.shape[0] if spec.shape else None for spec in tensors}
    if len(rows) != 1 or not isinstance(rows.pop(), str):
        return False
    return _DEPENDS_ON_THE_OTHERS not in graph
