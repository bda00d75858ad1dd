from __future__ import annotations

import numpy as np
import onnx
import pytest
from fixtures.small_networks import Network
from onnx import TensorProto, helper

from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.precision.int8.ranges import METHODS, measure_ranges


def _relu() -> onnx.ModelProto:
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["r"], name="relu"),
            helper.make_node("Neg", ["r"], ["y"], name="negate"),
        ],
        "relu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_minmax_is_the_extremes_over_all_samples_and_holds_zero() -> None:
    samples = [{"x": np.float32([-3, 1])}, {"x": np.float32([5, 2])}]
    assert measure_ranges(_relu(), samples, ["x", "r", "y"], "minmax") == {
        "x": (-3.0, 5.0),
        "r": (0.0, 5.0),
        "y": (-5.0, 0.0),
    }


def test_percentile_cuts_an_outlier_off() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 100_000).astype(np.float32)
    values[0] = 100.0
    found = measure_ranges(_relu(), [{"x": values}], ["x"], "percentile", percentile=99.9)["x"]
    # Half of 0.1 per cent on each side: 3.29 deviations, plus at most one bin of 104 / 2048.
    assert found[0] == pytest.approx(-3.29, abs=0.15)
    assert found[1] == pytest.approx(3.29, abs=0.15)


def test_entropy_cuts_an_outlier_off_and_keeps_a_flat_distribution() -> None:
    rng = np.random.default_rng(0)
    normal = np.abs(rng.normal(0, 1, 200_000)).astype(np.float32)
    normal[0] = 60.0
    flat = rng.uniform(-1, 1, 200_000).astype(np.float32)
    assert measure_ranges(_relu(), [{"x": normal}], ["x"], "entropy")["x"][1] < 12
    low, high = measure_ranges(_relu(), [{"x": flat}], ["x"], "entropy")["x"]
    assert low == pytest.approx(-1, abs=0.05)
    assert high == pytest.approx(1, abs=0.05)


def test_many_exact_zeros_do_not_shrink_the_entropy_range() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, 100_000).astype(np.float32)
    low, high = measure_ranges(_relu(), [{"x": values}], ["r"], "entropy")["r"]
    assert low == 0
    assert high > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_a_dead_tensor_has_an_empty_range(method: str) -> None:
    samples = [{"x": np.float32([-1, -2])}]
    assert measure_ranges(_relu(), samples, ["r"], method)["r"] == (0.0, 0.0)  # type: ignore[arg-type]


def test_ranges_do_not_depend_on_the_order_of_samples(networks: dict[str, Network]) -> None:
    network = networks["text"]
    names = [n.input[0] for n in network.model.graph.node if n.op_type == "LayerNormalization"]
    forth = measure_ranges(network.model, network.samples, names, "entropy")
    assert forth == measure_ranges(network.model, network.samples[::-1], names, "entropy")


def test_nan_in_a_sample_is_an_error_that_names_the_tensor() -> None:
    with pytest.raises(EngineError, match="'x' is not finite"):
        measure_ranges(_relu(), [{"x": np.float32([np.nan])}], ["x"], "minmax")


def test_wrong_options_are_errors() -> None:
    sample = {"x": np.float32([1])}
    with pytest.raises(ConfigError, match="methods are minmax, entropy, percentile"):
        measure_ranges(_relu(), [sample], ["x"], "median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="percentile must be"):
        measure_ranges(_relu(), [sample], ["x"], "percentile", percentile=10)
    with pytest.raises(ConfigError, match="at least one"):
        measure_ranges(_relu(), [], ["x"])
    with pytest.raises(ConfigError, match="no tensor 'z'"):
        measure_ranges(_relu(), [sample], ["z"])
    with pytest.raises(EngineError, match=r"graph .*failed on the inputs x \[1\]"):
        measure_ranges(_relu(), [{"x": np.float64([1])}], ["r"])
