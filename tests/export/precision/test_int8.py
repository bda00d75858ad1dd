"""Both int8 passes and the way back: they share their networks and their ranges."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from fixtures.run_model import run_model
from fixtures.small_networks import Network
from onnx import TensorProto

from edge_ser.errors import ConfigError
from edge_ser.export.graphs import onnx_graph as og
from edge_ser.export.precision.dequantize import dequantized, is_quantised
from edge_ser.export.precision.difference import difference
from edge_ser.export.precision.fp16 import to_fp16
from edge_ser.export.precision.int8 import onnxruntime_pass, tensorrt_pass
from edge_ser.export.precision.int8.embeddings import to_int8_embeddings
from edge_ser.export.precision.int8.ranges import Range, measure_ranges
from edge_ser.export.precision.lint.rules import lint


def _errors(model: onnx.ModelProto, target: str) -> list[str]:
    return [str(f) for f in lint(model, target) if f.level == "error"]  # type: ignore[arg-type]


def _ranges(network: Network) -> dict[str, Range]:
    names = tensorrt_pass.activations_of(network.model)
    names += onnxruntime_pass.activations_of(network.model)
    return measure_ranges(network.model, network.samples, names, "minmax")


@pytest.fixture
def for_tensorrt(network: Network) -> onnx.ModelProto:
    return tensorrt_pass.to_int8_tensorrt(network.model, _ranges(network))


@pytest.fixture
def for_onnxruntime(network: Network) -> onnx.ModelProto:
    return onnxruntime_pass.to_int8_onnxruntime(network.model, _ranges(network))


def test_tensorrt_answers_stay_near(network: Network, for_tensorrt: onnx.ModelProto) -> None:
    assert 0 < difference(network.model, for_tensorrt, network.samples).relative < 0.03


def test_onnxruntime_answers_stay_near(network: Network, for_onnxruntime: onnx.ModelProto) -> None:
    assert 0 < difference(network.model, for_onnxruntime, network.samples).relative < 0.03


def test_tensorrt_graphs_are_symmetric_and_clean(for_tensorrt: onnx.ModelProto) -> None:
    assert _errors(for_tensorrt, "tensorrt") == []
    constants = og.initializers(for_tensorrt.graph)
    pairs = [n for n in for_tensorrt.graph.node if n.op_type.endswith("quantizeLinear")]
    pairs += [n for n in for_tensorrt.graph.node if n.op_type == "QuantizeLinear"]
    assert pairs
    for node in pairs:
        assert constants[node.input[1]].data_type == TensorProto.FLOAT
        assert constants[node.input[2]].data_type == TensorProto.INT8
        assert not og.as_array(constants[node.input[2]]).any()


def test_onnxruntime_graphs_are_clean_there_and_refused_for_tensorrt(
    for_onnxruntime: onnx.ModelProto,
) -> None:
    assert _errors(for_onnxruntime, "onnxruntime") == []
    rules = {f.rule for f in lint(for_onnxruntime, "tensorrt")}
    assert "unsigned" in rules


def test_seven_bit_weights_run_the_same_with_and_without_exact_sums(
    network: Network, for_onnxruntime: onnx.ModelProto
) -> None:
    """Full s8 weights overflow the 16-bit sums of processors without VNNI; these must not."""
    from edge_ser.export.precision.difference import Evaluated

    for sample in network.samples[:2]:
        for a, b in zip(
            Evaluated(for_onnxruntime, exact=True)(sample),
            Evaluated(for_onnxruntime, exact=False)(sample),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, float(np.abs(a).max())))


def test_weights_of_onnxruntime_are_bytes_in_the_file(networks: dict[str, Network]) -> None:
    for name in ("face", "acoustic"):
        network = networks[name]
        quantised = onnxruntime_pass.to_int8_onnxruntime(network.model, _ranges(network))
        constants = og.initializers(quantised.graph)
        for node in quantised.graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] in constants:
                dtype = constants[node.input[0]].data_type
                assert dtype in (TensorProto.INT8, TensorProto.INT32)
    face = networks["face"]
    quantised = onnxruntime_pass.to_int8_onnxruntime(face.model, _ranges(face))
    assert quantised.ByteSize() < 0.45 * face.model.ByteSize()


def test_recurrent_layers_stay_as_they_are(networks: dict[str, Network]) -> None:
    network = networks["acoustic"]
    for quantize in (tensorrt_pass.to_int8_tensorrt, onnxruntime_pass.to_int8_onnxruntime):
        model = quantize(network.model, _ranges(network))
        producer = og.producers(model.graph)
        (gru,) = (n for n in model.graph.node if n.op_type == "GRU")
        assert all(producer[n].op_type != "DequantizeLinear" for n in gru.input if n in producer)


def test_an_excluded_layer_stays_float(networks: dict[str, Network]) -> None:
    network = networks["face"]
    layers = [n.name for n in tensorrt_pass.quantisable_layers(network.model)]
    ranges = _ranges(network)
    for quantize in (tensorrt_pass.to_int8_tensorrt, onnxruntime_pass.to_int8_onnxruntime):
        model = quantize(network.model, ranges, layers[:1])
        producer = og.producers(model.graph)
        (node,) = (n for n in model.graph.node if n.name == layers[0])
        assert node.input[1] in og.initializers(model.graph)
        (other,) = (n for n in model.graph.node if n.name == layers[1])
        assert producer[other.input[1]].op_type == "DequantizeLinear"
        assert not is_quantised(quantize(network.model, ranges, layers))
        with pytest.raises(ConfigError, match="no node 'nobody'"):
            quantize(network.model, ranges, ["nobody"])


def test_a_missing_range_is_an_error(networks: dict[str, Network]) -> None:
    with pytest.raises(ConfigError, match="was not measured"):
        tensorrt_pass.to_int8_tensorrt(networks["face"].model, {})
    with pytest.raises(ConfigError, match="was not measured"):
        onnxruntime_pass.to_int8_onnxruntime(networks["face"].model, {})


def test_int8_and_fp16_together(network: Network, for_tensorrt: onnx.ModelProto) -> None:
    both = to_fp16(for_tensorrt)
    assert _errors(both, "tensorrt") == []
    assert difference(network.model, both, network.samples).relative < 0.03
    types = og.tensor_types(both)
    for node in both.graph.node:
        if node.op_type == "DequantizeLinear":
            assert types[node.output[0]] == TensorProto.FLOAT


def test_the_way_back_gives_the_float_graph_and_its_ranges(
    network: Network, for_onnxruntime: onnx.ModelProto
) -> None:
    model, ranges = dequantized(for_onnxruntime)
    assert not is_quantised(model)
    assert difference(network.model, model, network.samples).relative < 0.02
    measured = _ranges(network)
    for name in tensorrt_pass.activations_of(model):
        low, high = ranges[name]
        span = measured[name][1] - measured[name][0]
        assert low <= measured[name][0] + span / 255
        assert high >= measured[name][1] - span / 255
    again = tensorrt_pass.to_int8_tensorrt(model, ranges)
    assert _errors(again, "tensorrt") == []
    assert difference(network.model, again, network.samples).relative < 0.04


def test_the_way_back_of_tensorrt_graphs(network: Network, for_tensorrt: onnx.ModelProto) -> None:
    model, _ = dequantized(for_tensorrt)
    assert not is_quantised(model)
    assert difference(network.model, model, network.samples).relative < 0.02


def test_a_float_graph_comes_back_unchanged(network: Network) -> None:
    model, ranges = dequantized(network.model)
    assert ranges == {}
    assert difference(network.model, model, network.samples).largest == 0


def test_embedding_tables_become_bytes_and_come_back(networks: dict[str, Network]) -> None:
    network = networks["text"]
    small = to_int8_embeddings(network.model)
    table = next(t for t in network.model.graph.initializer if list(t.dims) == [1000, 48])
    saved = network.model.ByteSize() - small.ByteSize()
    assert saved > 0.68 * 4 * 48_000
    assert difference(network.model, small, network.samples).relative < 0.01
    model, _ = dequantized(small)
    found = og.as_array(og.initializers(model.graph)[table.name]).astype(np.float64)
    original = og.as_array(table).astype(np.float64)
    bound = np.abs(original).max(axis=1, keepdims=True) / 254
    assert (np.abs(found - original) <= bound * 1.001).all()
    for a, b in zip(
        run_model(small, network.samples[0]), run_model(model, network.samples[0]), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)
