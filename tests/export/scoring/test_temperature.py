"""The fit of temperature and biases: it finds what is there, and does not trust a few people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.errors import ConfigError
from edge_ser.export.scoring.metrics import calibration_error, negative_log_likelihood
from edge_ser.export.scoring.temperature import fit_calibration
from edge_ser.pipeline.fusion import calibrated

LABELS = 4
Floats = npt.NDArray[np.float64]


def _drawn(
    count: int, temperature: float, bias: tuple[float, ...], seed: int = 0
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Logits whose true calibration is known, and labels drawn from it."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, (count, LABELS))
    truth = calibrated(logits, SubsetCalibration(temperature=temperature, bias=bias))
    true = (truth.cumsum(1) > generator.random((count, 1))).argmax(1)
    return logits, true


def _names(count: int, people: int) -> list[str]:
    return [f"person {i % people}" for i in range(count)]


def test_much_evidence_finds_temperature_and_biases() -> None:
    bias = (-0.9, 0.9, 0.4, -0.4)
    logits, true = _drawn(6000, 2.5, bias)
    found = fit_calibration(logits, true, _names(6000, 6000))
    assert found.temperature == pytest.approx(2.5, rel=0.06)
    assert found.bias == pytest.approx(bias, abs=0.12)
    assert sum(found.bias) == pytest.approx(0, abs=1e-9)


def test_what_few_people_show_moves_it_less_than_what_many_show() -> None:
    logits, true = _drawn(480, 0.75, ())
    many = fit_calibration(logits, true, _names(480, 480), with_bias=False).temperature
    few = fit_calibration(logits, true, _names(480, 4), with_bias=False).temperature
    chooser = fit_calibration(logits, true, _names(480, 4), evidence=0.5, with_bias=False)
    assert many < 0.9
    assert abs(np.log(few)) < 0.6 * abs(np.log(many))
    assert abs(np.log(chooser.temperature)) < abs(np.log(few))


def test_a_model_that_is_far_too_sure_is_corrected_also_from_ten_people() -> None:
    logits, true = _drawn(500, 3.0, ())
    found = fit_calibration(logits, true, _names(500, 10), with_bias=False)
    assert found.temperature > 2.2
    new_logits, new_true = _drawn(4000, 3.0, (), seed=1)
    before = calibrated(new_logits, SubsetCalibration())
    after = calibrated(new_logits, SubsetCalibration(temperature=found.temperature))
    assert calibration_error(after, new_true) < 0.5 * calibration_error(before, new_true)
    assert negative_log_likelihood(after, new_true) < negative_log_likelihood(before, new_true)


def test_a_label_that_hardly_occurs_is_not_said_to_be_impossible() -> None:
    logits, true = _drawn(400, 1.0, ())
    keep = true != 2
    found = fit_calibration(logits[keep], true[keep], _names(int(keep.sum()), 50))
    assert found.bias == ()


def test_the_fit_does_not_depend_on_a_common_change_of_all_logits() -> None:
    logits, true = _drawn(600, 1.4, (0.5, -0.5, 0.0, 0.0))
    names = _names(600, 60)
    plain, moved = fit_calibration(logits, true, names), fit_calibration(logits + 7, true, names)
    assert moved.temperature == pytest.approx(plain.temperature, rel=1e-3)
    assert moved.bias == pytest.approx(plain.bias, abs=1e-3)


def test_too_little_or_unequal_data_are_refused() -> None:
    logits, true = _drawn(19, 1.0, ())
    with pytest.raises(ConfigError, match="20 are needed"):
        fit_calibration(logits, true, _names(19, 5))
    with pytest.raises(ConfigError, match="5 people"):
        fit_calibration(logits, true, _names(5, 5))
