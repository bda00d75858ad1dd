"""Accuracy of variants: equal from run to run, resumed without a second encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import logits_of_people, write_labelled_folder

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.calibration.report.accuracy import measure_accuracy
from edge_ser.errors import ConfigError, EngineError
from edge_ser.export.scoring.result import AccuracySection
from edge_ser.export.trials import logits as subset_logits
from edge_ser.export.trials.data import EvaluationData, open_evaluation_data
from edge_ser.export.trials.scores import Answers, score_subset
from edge_ser.export.variants.variant import Variant


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_bundle(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def data(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> EvaluationData:
    folder = write_labelled_folder(tmp_path_factory.mktemp("clips"), people=4, clips=1)
    (folder / "sad" / "p0" / "broken.wav").write_bytes(b"RIFF and nothing more")
    return open_evaluation_data(bundle, folder, speech_gate=False)


def test_two_runs_agree_exactly_and_the_second_resumes(
    bundle: Bundle, data: EvaluationData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measure_accuracy(bundle, data, resume_folder=tmp_path)
    assert measure_accuracy(bundle, data) == first
    assert AccuracySection.model_validate_json(first.model_dump_json()) == first
    kept = {p.name.split("-")[0] for p in tmp_path.iterdir()}
    assert kept == {"logits"}  # tokens are dropped once they are of no more use

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an item was encoded again")

    monkeypatch.setattr(subset_logits, "encode_items", never)
    assert measure_accuracy(bundle, data, resume_folder=tmp_path) == first
    (variant,) = first.variants
    assert variant.reference
    assert {s.subset for s in variant.subsets} == {"audio", "text", "audio+text"}
    for scored in variant.subsets:
        assert (scored.clips, scored.people, scored.agreement) == (12, 4, None)
        assert sum(map(sum, scored.confusion)) == 12
        assert scored.by_speaker is not None
    assert any("broken.wav" in text for text in first.data.left_out)


def test_an_interruption_loses_at_most_one_chunk(
    bundle: Bundle, data: EvaluationData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subset_logits, "_CHUNK", 5)
    encode, calls = subset_logits.encode_items, []

    def interrupted(data, opened, reader, indices, disturb=None):
        calls.append(list(indices))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(data, opened, reader, indices, disturb)

    monkeypatch.setattr(subset_logits, "encode_items", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure_accuracy(bundle, data, resume_folder=tmp_path)
    resumed = measure_accuracy(bundle, data, resume_folder=tmp_path)
    assert [0, 1, 2, 3, 4] not in calls[1:]
    monkeypatch.undo()
    assert measure_accuracy(bundle, data) == resumed


def test_a_variant_that_cannot_run_says_why_and_the_others_go_on(
    bundle: Bundle, data: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = subset_logits.measure_subsets

    def broken(data, opened, *rest):
        if opened.variant == Variant("onnxruntime:cuda", "bundle"):
            raise EngineError("there is no such device")
        return measure(data, opened, *rest)

    monkeypatch.setattr("edge_ser.calibration.report.accuracy.measure_subsets", broken)
    found = measure_accuracy(bundle, data, backends=("onnxruntime:cuda", "onnxruntime"))
    lost, ran = found.variants
    assert (lost.not_run, lost.subsets, lost.reference) == ("there is no such device", (), False)
    assert ran.reference
    assert ran.subsets


def test_names_that_are_none_are_refused(bundle: Bundle, data: EvaluationData) -> None:
    with pytest.raises(ConfigError, match="there is no precision"):
        measure_accuracy(bundle, data, precisions=("fp8",))
    with pytest.raises(ConfigError, match="there is no backend"):
        measure_accuracy(bundle, data, backends=("abacus",))
    with pytest.raises(ConfigError, match="at least one precision"):
        measure_accuracy(bundle, data, precisions=())


def _answers(temperature: float) -> Answers:
    found = logits_of_people(people=6, clips=50)
    return Answers.calibrated(found, SubsetCalibration(temperature=temperature))


def test_another_precision_is_compared_on_the_same_clips() -> None:
    reference, other = _answers(1.0), _answers(1.5)
    labels = ("a", "b", "c")
    scored = score_subset(
        "audio", other, reference, SubsetCalibration(), labels, "single", "protocol"
    )
    assert scored.agreement is not None
    assert scored.agreement.same_label == 1.0
    accuracy, _, error = scored.agreement.differences
    assert (accuracy.difference.low, accuracy.difference.high) == (0.0, 0.0)
    assert error.value > error.reference
    assert scored.by_sex is not None
    assert scored.by_speaker is not None


def test_abstention_follows_the_confidence() -> None:
    answers = _answers(1.0)
    threshold = float(np.quantile(answers.probabilities.max(1), 0.3))
    scored = score_subset(
        "audio",
        answers,
        None,
        SubsetCalibration(minimum_confidence=threshold),
        ("a", "b", "c"),
        "single",
        "protocol",
    )
    told = scored.abstention
    assert told.bundle_coverage == pytest.approx(0.7, abs=0.01)
    assert told.gain.value == pytest.approx(told.accuracy_most_certain - told.accuracy_all)
    assert told.gain.value > 0.03
    assert told.curve[-1].coverage == 1.0
    assert told.curve[-1].accuracy == pytest.approx(scored.accuracy.value)
    assert [p.threshold for p in told.curve] == sorted(p.threshold for p in told.curve)[::-1]
    assert sum(b.clips for b in scored.reliability) == scored.clips
