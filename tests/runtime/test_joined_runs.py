"""Calls that come while a graph is busy are joined; each gets its answer, whatever others do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime import joined_runs
from edge_ser.runtime.backend import open_session
from edge_ser.runtime.joined_runs import JoinedRuns, joinable
from edge_ser.runtime.session import Tensor

TOKENS = TensorSpec(dtype="float32", shape=("batch", "tokens", 2))
MASK = TensorSpec(dtype="float32", shape=("batch", "tokens"))
SUMS = TensorSpec(dtype="float32", shape=("batch", 2))


class Interrupt(BaseException):
    """As Ctrl-C gives it."""


class Graph:
    """Doubles every token and sums those that the mask lets through; it runs when it is let.

    A NaN makes the whole run fail, as a backend does that looks at its tensors.
    """

    backend = "fake"

    def __init__(self) -> None:
        self.inputs = {"tokens": TOKENS, "mask": MASK}
        self.outputs = {"doubled": TOKENS, "sums": SUMS}
        self.may_run = threading.Event()
        self.begun = threading.Event()
        self.shapes: list[tuple[int, ...]] = []
        self.first: list[float] = []
        self.before: Callable[[], None] = lambda: None

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tokens = inputs["tokens"]
        self.shapes.append(tokens.shape)
        self.first.append(float(tokens[0, 0, 0]))
        self.begun.set()
        self.before()
        assert self.may_run.wait(20)
        if np.isnan(tokens).any():
            raise EngineError("there is a NaN")
        return {"doubled": 2 * tokens, "sums": (tokens * inputs["mask"][:, :, None]).sum(1)}

    def close(self) -> None:
        self.may_run.set()


class Crowd:
    """Callers in threads of their own behind one that keeps the graph busy."""

    def __init__(self, graph: Graph, most_rows: int = 64) -> None:
        self.graph = graph
        self.joined = JoinedRuns(graph, most_rows)
        self._pool = ThreadPoolExecutor(40)
        self.calls = 0

    def call(self, tokens: np.ndarray) -> Future[dict[str, Tensor]]:
        """Begin a call and wait until it has come in."""
        given = {"tokens": tokens, "mask": np.ones(tokens.shape[:2], np.float32)}
        future = self._pool.submit(self.joined.run, given)
        if self.calls == 0:
            assert self.graph.begun.wait(20)
        else:
            _until(lambda: len(self.joined._waiting) == self.calls or future.done())
        self.calls += 1
        return future


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _tokens(number: float, count: int = 3, rows: int = 1) -> np.ndarray:
    return number + np.random.default_rng(count).random((rows, count, 2), np.float32) / 8


def _right(tokens: np.ndarray, answer: Mapping[str, Tensor]) -> None:
    np.testing.assert_array_equal(answer["doubled"], 2 * tokens)
    np.testing.assert_allclose(answer["sums"], tokens.sum(1), rtol=1e-6)


def test_a_call_that_finds_the_graph_idle_runs_at_once_and_alone() -> None:
    graph = Graph()
    graph.may_run.set()
    joined = JoinedRuns(graph)
    for number in range(3):
        tokens = _tokens(number)
        _right(tokens, joined.run({"tokens": tokens, "mask": np.ones((1, 3), np.float32)}))
    assert graph.shapes == [(1, 3, 2)] * 3


def test_calls_that_come_during_a_run_share_the_next_one() -> None:
    crowd = Crowd(Graph())
    given = [_tokens(n, rows=1 + n % 3) for n in range(12)]
    futures = [crowd.call(tokens) for tokens in given]
    crowd.graph.may_run.set()
    for tokens, future in zip(given, futures, strict=True):
        _right(tokens, future.result(20))
    # One shape serves for many numbers of rows: 23 become 32.
    assert sum(len(t) for t in given[1:]) == 23
    assert crowd.graph.shapes == [(1, 3, 2), (32, 3, 2)]


def test_only_equal_sizes_are_joined() -> None:
    crowd = Crowd(Graph())
    given = [_tokens(n, count) for n, count in enumerate((3, 3, 5, 3, 5))]
    futures = [crowd.call(tokens) for tokens in given]
    crowd.graph.may_run.set()
    for tokens, future in zip(given, futures, strict=True):
        _right(tokens, future.result(20))
    assert crowd.graph.shapes == [(1, 3, 2), (2, 3, 2), (2, 5, 2)]


def test_the_oldest_call_is_next_however_many_come_behind_it() -> None:
    graph = Graph()
    crowd = Crowd(graph, most_rows=4)
    odd = 7.0
    futures = [crowd.call(_tokens(n)) for n in range(4)]
    futures.append(crowd.call(_tokens(odd, count=9)))
    # A crowd that could go on for ever without the odd one.
    futures += [crowd.call(_tokens(10 + n)) for n in range(20)]
    graph.may_run.set()
    for future in futures:
        future.result(20)
    order = [round(first) for first in graph.first]
    # The first run, the three behind it filled up to four rows, then the odd one.
    assert order.index(round(odd)) == 2
    assert order == sorted(order, key=lambda n: (n >= 10, n))
    assert max(shape[0] for shape in graph.shapes) == 4


def test_a_call_with_too_many_rows_runs_alone() -> None:
    crowd = Crowd(Graph(), most_rows=4)
    given = [_tokens(0), _tokens(1, rows=9), _tokens(2)]
    futures = [crowd.call(tokens) for tokens in given]
    crowd.graph.may_run.set()
    for tokens, future in zip(given, futures, strict=True):
        _right(tokens, future.result(20))
    assert [shape[0] for shape in crowd.graph.shapes] == [1, 9, 1]


def test_one_whose_tensors_fail_costs_nobody_else_an_answer() -> None:
    crowd = Crowd(Graph())
    given = [_tokens(n) for n in range(6)]
    given[3][0, 0, 0] = np.nan
    futures = [crowd.call(tokens) for tokens in given]
    crowd.graph.may_run.set()
    for index, (tokens, future) in enumerate(zip(given, futures, strict=True)):
        if index == 3:
            with pytest.raises(EngineError, match="NaN"):
                future.result(20)
        else:
            _right(tokens, future.result(20))
    _right(given[0], crowd.call(given[0]).result(20))


def test_a_tensor_of_a_wrong_shape_is_refused_before_it_meets_the_others() -> None:
    crowd = Crowd(Graph())
    crowd.call(_tokens(0))
    with pytest.raises(EngineError, match="axis 2 must be 2"):
        crowd.joined.run({"tokens": np.ones((1, 3, 5), np.float32), "mask": np.ones((1, 3), "f4")})
    crowd.graph.may_run.set()


def test_one_who_is_interrupted_while_running_leaves_the_others_their_answers() -> None:
    graph = Graph()
    crowd = Crowd(graph)
    futures = [crowd.call(_tokens(n)) for n in range(5)]

    def interrupted() -> None:
        graph.before = lambda: None
        raise Interrupt

    graph.before = interrupted
    graph.may_run.set()
    _right(_tokens(0), futures[0].result(20))
    with pytest.raises(Interrupt):
        futures[1].result(20)
    for n in range(2, 5):
        _right(_tokens(n), futures[n].result(20))


def test_one_who_is_interrupted_while_waiting_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd(Graph())
    futures = [crowd.call(_tokens(0))]

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            super().wait(timeout)
            raise Interrupt

    made = crowd.joined._call

    def fragile(inputs: Mapping[str, Tensor]) -> joined_runs._Call:
        return replace(made(inputs), woken=Interrupted())

    with monkeypatch.context() as patch:
        patch.setattr(crowd.joined, "_call", fragile)
        futures.append(crowd.call(_tokens(1)))
    futures.append(crowd.call(_tokens(2)))
    crowd.graph.may_run.set()
    with pytest.raises(Interrupt):
        futures[1].result(20)
    for n in (0, 2):
        _right(_tokens(n), futures[n].result(20))


def test_many_threads_for_many_rounds() -> None:
    graph = Graph()
    graph.may_run.set()
    graph.before = lambda: time.sleep(0.001)
    joined = JoinedRuns(graph, most_rows=8)

    def talk(number: int) -> None:
        for turn in range(30):
            tokens = _tokens(number * 100 + turn, count=2 + turn % 2)
            mask = np.ones(tokens.shape[:2], np.float32)
            _right(tokens, joined.run({"tokens": tokens, "mask": mask}))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(talk, range(16)))
    assert len(graph.shapes) < 16 * 30 / 2
    assert not joined._waiting
    assert not joined._busy


def _graph(path: Path, nodes: list[onnx.NodeProto], rows: str | int) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 3])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, str(path))
    return path


def test_what_may_be_joined(tmp_path: Path, affine_graph: Path, sum_graph: Path) -> None:
    for graph in (affine_graph, sum_graph):
        assert joinable(open_session(graph), graph.read_bytes())
    one = _graph(tmp_path / "one.onnx", [helper.make_node("Relu", ["x"], ["y"])], 1)
    assert not joinable(open_session(one), one.read_bytes())
    # Its scale is that of the whole tensor: the rows of others would change the answer.
    dynamic = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    scaled = _graph(tmp_path / "scaled.onnx", dynamic, "N")
    assert not joinable(open_session(scaled), scaled.read_bytes())
