"""Fusion: calibrated for exactly what is present, and contributions that are real removals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edge_ser.bundles.schema import SUBSETS, SubsetCalibration, TensorSpec
from edge_ser.constants import MODALITIES
from edge_ser.errors import BundleError
from edge_ser.pipeline.fusion import Fusion

WIDTHS = {"audio": 3, "text": 2, "video": 4}
LABELS = 3


class AdditiveSession:
    """Stands in for a graph: logits are the masked sums of the tokens' first three columns."""

    backend = "test"
    outputs: Mapping[str, TensorSpec] = {}

    def __init__(self, width_of_text: int | str = 2) -> None:
        self.inputs = {
            f"{m}_{kind}": TensorSpec(
                dtype="float32",
                shape=("b", "n", (width_of_text if m == "text" else WIDTHS[m]))
                if kind == "tokens"
                else ("b", "n"),
            )
            for m in MODALITIES
            for kind in ("tokens", "mask")
        }
        self.seen: list[Mapping[str, Any]] = []

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.seen.append(inputs)
        rows = len(inputs["audio_mask"])
        logits = np.zeros((rows, LABELS), np.float32)
        for m in MODALITIES:
            masked = (inputs[f"{m}_tokens"] * inputs[f"{m}_mask"][:, :, None]).sum(axis=1)
            logits[:, : min(LABELS, WIDTHS[m])] += masked[:, :LABELS]
        return {"logits": logits}

    def close(self) -> None:
        pass


def _calibration(**temperatures: float) -> dict[str, SubsetCalibration]:
    return {
        s: SubsetCalibration(temperature=temperatures.get(s.replace("+", "_"), 1.0))
        for s in SUBSETS
    }


def _tokens(*modalities: str) -> dict[Any, Any]:
    values = {
        "audio": np.array([[1.0, 0, 0], [1.0, 0, 0]], np.float32),
        "text": np.array([[0, 1.0]], np.float32),
        "video": np.array([[0.5, 0, 0, 9.0]], np.float32),
    }
    return {m: values[m] for m in modalities}


def _softmax(*logits: float) -> Any:
    e = np.exp(np.array(logits))
    return e / e.sum()


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_probabilities_are_those_of_the_graph() -> None:
    fused = Fusion(AdditiveSession(), _calibration(), LABELS).fuse(_tokens(*MODALITIES))
    assert fused.probabilities == pytest.approx(_softmax(2.5, 1, 0))
    assert fused.probabilities.sum() == pytest.approx(1)


def test_the_temperature_is_that_of_the_subset_that_is_present() -> None:
    calibration = _calibration(audio_text=2.0, audio=0.5)
    fusion = Fusion(AdditiveSession(), calibration, LABELS)
    assert fusion.fuse(_tokens("audio", "text")).probabilities == pytest.approx(_softmax(1, 0.5, 0))
    assert fusion.fuse(_tokens("audio")).probabilities == pytest.approx(_softmax(4, 0, 0))
    assert fusion.fuse(_tokens(*MODALITIES)).probabilities == pytest.approx(_softmax(2.5, 1, 0))


def test_a_contribution_is_the_change_when_the_modality_is_removed() -> None:
    fusion = Fusion(AdditiveSession(), _calibration(audio_video=3.0), LABELS)
    fused = fusion.fuse(_tokens(*MODALITIES))
    whole = _log_odds(_softmax(2.5, 1, 0)[0])
    assert fused.contributions["audio"] == pytest.approx(whole - _log_odds(_softmax(0.5, 1, 0)[0]))
    assert fused.contributions["text"] == pytest.approx(
        whole - _log_odds(_softmax(2.5 / 3, 0, 0)[0])
    )


def test_a_single_modality_is_compared_with_equal_probabilities() -> None:
    fused = Fusion(AdditiveSession(), _calibration(), LABELS).fuse(_tokens("audio"))
    expected = _log_odds(_softmax(2, 0, 0)[0]) - _log_odds(1 / 3)
    assert fused.contributions == {"audio": pytest.approx(expected)}


def test_what_is_absent_reaches_the_graph_as_zeros_under_a_zero_mask() -> None:
    session = AdditiveSession()
    Fusion(session, _calibration(), LABELS).fuse(_tokens("audio", "video"))
    (batch,) = session.seen
    assert batch["text_tokens"].shape == (3, 1, 2)
    assert not batch["text_mask"].any()
    assert not batch["text_tokens"].any()
    assert batch["audio_mask"].tolist() == [[1, 1], [0, 0], [1, 1]]
    assert not batch["audio_tokens"][1].any()


def test_tokens_of_another_width_are_refused() -> None:
    fusion = Fusion(AdditiveSession(), _calibration(), LABELS)
    with pytest.raises(BundleError, match="do not belong together"):
        fusion.fuse({"audio": np.zeros((1, 5), np.float32)})


def test_a_graph_that_hides_a_width_is_refused() -> None:
    with pytest.raises(BundleError, match="text_tokens"):
        Fusion(AdditiveSession("width"), _calibration(), LABELS)


def test_labels_that_do_not_fit_the_graph_are_refused() -> None:
    with pytest.raises(BundleError, match="labels do not fit"):
        Fusion(AdditiveSession(), _calibration(), LABELS + 1).fuse(_tokens("audio"))


def test_extreme_logits_stay_finite() -> None:
    fusion = Fusion(AdditiveSession(), _calibration(), LABELS)
    fused = fusion.fuse({"audio": np.array([[1e30, -1e30, 0]], np.float32)})
    assert np.isfinite(fused.probabilities).all()
    assert np.isfinite(list(fused.contributions.values())).all()


def test_biases_of_the_present_subset_are_added_after_the_temperature() -> None:
    calibration = _calibration(audio=2.0)
    calibration["audio"] = SubsetCalibration(temperature=2.0, bias=(0.5, -0.25, -0.25))
    fusion = Fusion(AdditiveSession(), calibration, LABELS)
    tokens = {"audio": np.array([[1.0, 2.0, 4.0]], np.float32)}
    expected = np.exp(np.array([1.0, 2.0, 4.0]) / 2 + np.array([0.5, -0.25, -0.25]))
    got = fusion.fuse(tokens).probabilities
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-12)
