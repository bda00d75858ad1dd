"""An exported graph is the module, at every length, or it is not written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.graphs.torch_export import (
    OPSET,
    Parity,
    export_onnx,
    run_graph,
)
from edge_ser.export.precision.weight_storage import quantize_dynamic, store_half


class Tokens(nn.Module):
    """Two inputs of one varying length, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.linear = nn.Linear(8, 40)
        self.norm = nn.LayerNorm(40)

    def forward(self, audio: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.norm(self.linear(audio))
        return tokens, (tokens * weight[:, :, None]).sum(dim=1)


class Random(nn.Module):
    """Differs from its graph whatever one does: dropout stays on."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Embedded(nn.Module):
    """A table large enough to be worth int8, and two matrix products."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.table = nn.Embedding(3000, 64)
        self.first = nn.Linear(64, 96)
        self.second = nn.Linear(96, 64)

    def forward(self, ids: Tensor) -> Tensor:
        result: Tensor = self.second(torch.relu(self.first(self.table(ids))))
        return result


def example(length: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(length)
    return {
        "audio": torch.randn(1, length, 8, generator=generator),
        "weight": torch.rand(1, length, generator=generator),
    }


DYNAMIC = {"audio": {1: "frames"}, "weight": {1: "frames"}, "tokens": {1: "frames"}}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Parity]:
    path = tmp_path_factory.mktemp("graphs") / "tokens.onnx"
    parity = export_onnx(
        Tokens(),
        example(6),
        path,
        outputs=["tokens", "sum"],
        dynamic=DYNAMIC,
        more_examples=[example(2), example(50)],
    )
    return path, parity


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "embedded.onnx"
    export_onnx(
        Embedded(),
        {"ids": torch.arange(5)[None]},
        path,
        outputs=["tokens"],
        dynamic={"ids": {1: "length"}},
        more_examples=[{"ids": torch.arange(11)[None]}],
    )
    return path


def test_the_graph_answers_as_the_module_at_lengths_that_were_not_checked(
    exported: tuple[Path, Parity],
) -> None:
    path, parity = exported
    assert parity.shapes == 3
    assert parity.largest_absolute < 1e-5
    module = Tokens().eval()
    inputs = example(123)
    with torch.no_grad():
        expected = module(*inputs.values())
    (found,) = run_graph(path, [{name: x.numpy() for name, x in inputs.items()}])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one.numpy(), atol=1e-4)


def test_the_graph_is_of_the_stated_opset_names_its_axes_and_no_local_file(
    exported: tuple[Path, Parity],
) -> None:
    path, _ = exported
    model = onnx.load(str(path))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert model.ir_version <= 10
    audio = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in audio] == [1, "frames", 8]
    raw = path.read_bytes()
    assert b".py" not in raw
    assert str(Path.cwd()).encode() not in raw


def test_no_temporary_file_is_left(exported: tuple[Path, Parity]) -> None:
    path, _ = exported
    assert [p.name for p in path.parent.iterdir()] == ["tokens.onnx"]


def test_a_graph_that_differs_is_not_written_and_an_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "random.onnx"
    path.write_bytes(b"old")
    with pytest.raises(EngineError, match=r"differs from its torch module by .* is allowed"):
        export_onnx(Random(), {"x": torch.zeros(1, 4)}, path, outputs=["y"])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["random.onnx"]


def test_a_module_that_cannot_be_traced_is_named(tmp_path: Path) -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(EngineError, match="Branching cannot be exported"):
        export_onnx(Branching(), {"x": torch.ones(2)}, tmp_path / "b.onnx", outputs=["y"])


def test_a_dynamic_axis_must_be_proved_on_two_lengths(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"axis 1 \(frames\) of audio .* one length only"):
        export_onnx(
            Tokens(), example(6), tmp_path / "t.onnx", outputs=["tokens", "sum"], dynamic=DYNAMIC
        )


def test_a_dynamic_axis_of_an_unknown_tensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown tensors: pitch"):
        export_onnx(
            Tokens(),
            example(6),
            tmp_path / "t.onnx",
            outputs=["tokens", "sum"],
            dynamic={"pitch": {0: "n"}},
        )


def test_examples_with_other_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every example needs the inputs audio, weight"):
        export_onnx(
            Tokens(),
            example(6),
            tmp_path / "t.onnx",
            outputs=["tokens", "sum"],
            more_examples=[{"audio": torch.zeros(1, 2, 8)}],
        )


def _largest_relative(reference: Path, graph: Path, ids: list[dict[str, np.ndarray]]) -> float:
    pairs = zip(run_graph(reference, ids), run_graph(graph, ids), strict=True)
    return max(float(np.abs(b - a).max() / np.abs(a).max()) for (a,), (b,) in pairs)


def test_half_storage_halves_the_file_and_computes_in_single_precision(
    embedded: Path, tmp_path: Path
) -> None:
    small = tmp_path / "half.onnx"
    assert store_half(embedded, small) == 3
    assert small.stat().st_size < 0.52 * embedded.stat().st_size
    onnx.checker.check_model(str(small), full_check=True)
    ids = [{"ids": np.arange(40, dtype=np.int64)[None]}]
    assert 0 < _largest_relative(embedded, small, ids) < 2e-3
    assert run_graph(small, ids)[0][0].dtype == np.float32


def test_half_storage_keeps_what_it_cannot_hold(tmp_path: Path) -> None:
    module = nn.Linear(64, 64, bias=False)
    with torch.no_grad():
        module.weight[0, 0] = 1e6
    path = tmp_path / "large.onnx"
    export_onnx(module, {"x": torch.ones(1, 64)}, path, outputs=["y"])
    assert store_half(path, path) == 0
    assert np.isfinite(run_graph(path, [{"x": np.ones((1, 64), np.float32)}])[0][0]).all()


def test_dynamic_int8_is_near_a_quarter_of_the_size_and_stays_close(
    embedded: Path, tmp_path: Path
) -> None:
    small = tmp_path / "int8.onnx"
    quantize_dynamic(embedded, small)
    assert small.stat().st_size < 0.32 * embedded.stat().st_size
    operators = {node.op_type for node in onnx.load(str(small)).graph.node}
    assert "MatMulInteger" in operators
    ids = [{"ids": np.arange(n, dtype=np.int64)[None]} for n in (3, 200)]
    assert 0 < _largest_relative(embedded, small, ids) < 0.05


def test_excluded_products_stay_single_precision(embedded: Path, tmp_path: Path) -> None:
    graph = onnx.load(str(embedded)).graph
    products = [node.name for node in graph.node if node.op_type == "MatMul"]
    assert products
    small = tmp_path / "int8.onnx"
    quantize_dynamic(embedded, small, exclude=products)
    assert "MatMulInteger" not in {n.op_type for n in onnx.load(str(small)).graph.node}


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a graph")
    for work in (store_half, quantize_dynamic):
        with pytest.raises(EngineError, match=r"bad\.onnx"):
            work(bad, tmp_path / "out.onnx")
    with pytest.raises(EngineError, match=r"bad\.onnx.*cannot load"):
        run_graph(bad, [{}])
