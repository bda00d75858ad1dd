"""The same model on the same people gives the same figures, whoever asks."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import write_labelled_folder

from edge_ser import EdgeRecognizer
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.calibration.fitting.calibrate import Wanted, calibrate
from edge_ser.calibration.report.accuracy import measure_accuracy
from edge_ser.export.comparison.bundle_gate import judge_bundle
from edge_ser.export.comparison.compare import compare
from edge_ser.export.comparison.gate import Verdict
from edge_ser.export.data.clip_set import ClipFeatures, read_clips, write_clip
from edge_ser.export.data.items import Item
from edge_ser.export.evaluation.subject import evaluate_model
from edge_ser.export.evaluation.tables import scores
from edge_ser.export.trials.data import EvaluationData, open_evaluation_data
from edge_ser.export.trials.logits import ItemReader, fingerprint
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle
from edge_ser.export.variants.variant import Variant


@dataclass(frozen=True)
class Asked:
    bundle: Bundle
    folder: Path
    data: EvaluationData
    clips: list[ClipFeatures]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    root = tmp_path_factory.mktemp("judge")
    bundle = load_bundle(make_bundle(root / "tiny"))
    folder = write_labelled_folder(root / "clips", people=5, clips=4)
    data = open_evaluation_data(bundle, folder, purpose="calibration", speech_gate=False)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["clip", "label", "speaker"])
        for item in data.items:
            assert item.path is not None
            table.writerow([item.path.relative_to(folder), item.label, item.speaker])
    # The same windows as a set of clips, as `compare` and the gate take them.
    reader = ItemReader(data, WindowReader(bundle, data))
    with VariantSessions(bundle, Variant("onnxruntime", "bundle")) as opened:
        for index in range(len(data.items)):
            features = reader.features(index, opened)
            name = features.name.replace("/", "-")
            speaker = data.items[index].speaker or ""
            write_clip(root / "set", ClipFeatures(name, features.label, speaker, features.tensors))
    return Asked(bundle, folder, data, read_clips(root / "set", bundle.manifest))


def _gate(verdict: Verdict) -> tuple[float, float]:
    accuracy, _, error = verdict.losses
    assert (accuracy.metric, error.metric) == ("accuracy", "calibration error")
    return accuracy.reference, error.reference


def test_five_commands_give_the_same_figures_to_the_last_digit(asked: Asked) -> None:
    section = measure_accuracy(asked.bundle, asked.data)
    report = next(s for s in section.variants[0].subsets if s.subset == "audio")
    assert report.clips == 60
    wanted = report.accuracy.value, report.calibration_error.value

    calibrated = calibrate(asked.bundle, asked.data, Wanted("abstain share", 0.2))
    fit = next(f for f in calibrated.report.fitted if f.subset == "audio")
    assert (fit.before.accuracy, fit.before.calibration_error.value) == wanted
    assert fit.before.negative_log_likelihood == report.negative_log_likelihood
    assert fit.before.brier == report.brier

    compared = compare(asked.bundle, [Variant("onnxruntime", "bundle")], asked.clips, rounds=1)
    assert _gate(compared[0].verdicts["audio"]) == wanted

    typed = typed_bundle(asked.bundle, PrecisionOptions(target="onnxruntime"))
    verdicts = judge_bundle(asked.bundle, typed, "fp32", asked.clips)
    assert _gate(verdicts["audio"])[0] == wanted[0]
    assert _gate(verdicts["audio"])[1] == pytest.approx(wanted[1], abs=1e-6)

    run = evaluate_model(
        asked.bundle.folder,
        asked.folder,
        protocol="manifest:clips.csv",
        modalities=("audio",),
        speech_gate=False,
    )
    assert len(run.folds[0].true) == 60
    assert scores(run).accuracy.mean == wanted[0]
    assert scores(run).recall.mean == report.recall.value


def test_what_nobody_says_is_judged_as_it_is_answered(asked: Asked, demo_clip: Path) -> None:
    """A tone is no speech: the runtime hears nothing in it, and neither does the judge."""
    path = asked.data.items[0].path
    assert path is not None
    for speech_gate in (True, False):
        data = replace(asked.data, speech_gate=speech_gate)
        reader = WindowReader(asked.bundle, data)
        found = reader.inputs(reader.read(data.items[0]), None)
        with EdgeRecognizer(asked.bundle) as recognizer:
            answered = recognizer.recognize(path, speech_gate=speech_gate).modalities["audio"]
        assert answered.present is not speech_gate
        assert found.absent.get("audio") == answered.reason
    gated, free = (fingerprint(replace(asked.data, speech_gate=gate)) for gate in (True, False))
    assert gated != free
    reader = WindowReader(asked.bundle, replace(asked.data, speech_gate=True))
    spoken = reader.read(Item("demo", "audio", ("happy",), path=demo_clip))
    assert "audio" not in reader.inputs(spoken, None).absent
