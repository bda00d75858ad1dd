"""Which int8 form a graph gets where there are no clips to calibrate with."""

from __future__ import annotations

import pytest
from fixtures.small_networks import Network

from edge_ser.errors import ConfigError
from edge_ser.export.precision.difference import difference
from edge_ser.export.precision.int8.choice import Int8Options, activations_of, to_int8
from edge_ser.export.precision.int8.ranges import measure_ranges
from edge_ser.export.precision.int8.tensorrt_pass import quantisable_layers

OPTIONS = Int8Options(method="minmax", exclude=(), limit=0.05, sensitivity=False)


def test_a_layer_whose_carried_range_is_too_wide_stays_in_float(
    networks: dict[str, Network],
) -> None:
    """A bundle carries ranges of layers, too, that its own int8 form never used them for."""
    network = networks["face"]
    ranges = measure_ranges(network.model, network.samples, activations_of(network.model), "minmax")
    layers = quantisable_layers(network.model)
    wide = layers[1]
    ranges[wide.input[0]] = (-1000.0 * ranges[wide.input[0]][1], 1000.0 * ranges[wide.input[0]][1])

    made = to_int8("face", network.model, ranges, "tensorrt", network.samples, False, OPTIONS)

    assert wide.name in made.left
    assert len(made.left) < len(layers)
    assert made.table
    assert difference(network.model, made.model, network.samples).relative <= OPTIONS.limit


def test_a_layer_without_a_carried_range_stays_in_float(networks: dict[str, Network]) -> None:
    network = networks["face"]
    ranges = measure_ranges(network.model, network.samples, activations_of(network.model), "minmax")
    first = quantisable_layers(network.model)[0]
    del ranges[first.input[0]]
    made = to_int8("face", network.model, ranges, "tensorrt", network.samples, False, OPTIONS)
    assert made.left == (first.name,)


def test_nothing_carried_and_no_clips_is_refused(networks: dict[str, Network]) -> None:
    network = networks["face"]
    with pytest.raises(ConfigError, match="--calibration"):
        to_int8("face", network.model, {}, "tensorrt", network.samples, False, OPTIONS)
