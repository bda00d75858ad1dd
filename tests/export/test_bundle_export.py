"""A run becomes a bundle that decides, clip by clip, as the checkpoint did."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.manifest_factory import make_config, make_manifest

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import ConfigError
from edge_ser.export.bundle_export import export_bundle, require_exportable
from edge_ser.export.evaluation.subject import evaluate_model
from edge_ser.export.graphs.bundle_graphs import AveragedFusion
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import make_fusion
from edge_ser.export.training.checkpoint import read_trained
from edge_ser.export.training.config import RavdessData
from edge_ser.export.training.predictions import RunResult
from edge_ser.export.training.run import train
from edge_ser.recognizer import EdgeRecognizer


@dataclass
class Exported:
    folder: Path
    data: Path
    run: RunResult
    bundle: Bundle


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A fusion of three modalities, trained on one half of the people."""
    folder = tmp_path_factory.mktemp("exported")
    data = make_manifest(folder / "data").parent
    optimisation = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01, "patience": 3}
    config = make_config(folder / "small.yaml", optimisation=optimisation)
    run = train(config, data, folder / "run", cache=folder / "cache", folds=["fold-1"])
    bundle = export_bundle(
        folder / "run" / "fold-1", folder / "bundle", data=data, cache=folder / "cache"
    )
    return Exported(folder, data, run, bundle)


@pytest.mark.timeout(900)
def test_the_bundle_gives_the_checkpoints_answers_to_the_clip(exported: Exported) -> None:
    """Through files, decoders, front-ends and ONNX, on people that the fusion never saw."""
    found = evaluate_model(
        exported.folder / "bundle",
        exported.data,
        protocol="manifest:clips.csv",
        speech_gate=False,  # as it was trained
    )
    wanted, given = exported.run.folds[0], found.folds[0]
    assert sorted(given.names) == sorted(wanted.names)
    order = [given.names.index(name) for name in wanted.names]
    assert given.predicted[order].tolist() == wanted.predicted.tolist()
    temperature = exported.bundle.manifest.calibration["audio+text+video"].temperature
    rows = wanted.log_probabilities / temperature
    rows -= np.log(np.exp(rows).sum(1, keepdims=True))
    assert np.abs(np.exp(given.log_probabilities[order]) - np.exp(rows)).max() < 0.01
    for subset in ("audio", "text+video"):
        same = given.subsets[subset][order].argmax(1) == wanted.subsets[subset].argmax(1)
        # A clip that shows none of them abstains where torch answers with what is commonest.
        assert same.mean() > 0.6, subset


@pytest.mark.parametrize("speech_gate", [True, False])
def test_the_recognizer_decides_as_the_evaluation_scored(
    exported: Exported, speech_gate: bool
) -> None:
    found = evaluate_model(
        exported.folder / "bundle",
        exported.data,
        protocol="manifest:clips.csv",
        modalities=("audio", "video"),
        speech_gate=speech_gate,
    ).folds[0]
    with EdgeRecognizer(exported.bundle) as recognizer:
        for index in (0, 2):
            decision = recognizer.recognize(
                exported.data / found.names[index], speech_gate=speech_gate
            )
            mine = [decision.probabilities[label] for label in found.labels]
            assert np.allclose(mine, np.exp(found.log_probabilities[index]), atol=1e-6)


def test_the_checkpoint_itself_scores_as_the_run_did(exported: Exported) -> None:
    checkpoint = exported.folder / "run" / "fold-1"
    found = evaluate_model(checkpoint, exported.data, cache=exported.folder / "cache").folds[0]
    wanted = exported.run.folds[0]
    assert found.names == wanted.names
    assert np.allclose(found.log_probabilities, wanted.log_probabilities, atol=1e-3)


def test_people_of_the_training_are_left_out_or_refused_or_named(exported: Exported) -> None:
    bundle, data, protocol = exported.folder / "bundle", exported.data, "manifest:clips.csv"
    known = read_trained(exported.folder / "run" / "fold-1").speakers
    found = evaluate_model(bundle, data, protocol=protocol).folds[0]
    assert set(found.speakers) == set(known["test"])
    with pytest.raises(ConfigError, match="LEAKY"):
        evaluate_model(bundle, data, protocol=protocol, people="all")
    leaky = evaluate_model(bundle, data, protocol=protocol, people="all", accept_leaks=True)
    assert leaky.folds[0].warning.startswith("LEAKY SPLIT")


def test_the_manifest_holds_data_split_scores_and_temperatures(exported: Exported) -> None:
    manifest = exported.bundle.manifest
    assert manifest.labels == ("angry", "neutral")
    assert manifest.training.pairing == "paired"
    assert set(manifest.splits["clips speakers, test"]) == set(exported.run.folds[0].speakers)
    assert {s.task for s in manifest.scores} >= {"emotion from audio+text+video"}
    assert all("95 % interval" in s.protocol for s in manifest.scores)
    shipped = load_bundle().manifest
    assert manifest.frontend == shipped.frontend


def test_several_seeds_answer_with_their_mean_probability() -> None:
    config = FusionConfig(labels=3, inputs={"audio": 6}, width=16, attention_heads=2)
    fusions = [make_fusion(config).eval() for _ in range(2)]
    tokens, mask = torch.randn(2, 9, 6), torch.ones(2, 9)
    other = (torch.randn(2, 3, 4), torch.ones(2, 3))
    with torch.no_grad():
        given = AveragedFusion(fusions)(tokens, mask, *other, *other)
        each = [f.fuse({"audio": (tokens, mask)}).logits.softmax(1) for f in fusions]
    assert torch.allclose(given.softmax(1), torch.stack(each).mean(0), atol=1e-6)


@pytest.mark.timeout(900)
def test_what_a_fusion_never_learnt_is_never_decided_on(tmp_path: Path) -> None:
    data = make_manifest(tmp_path / "data", faces=False, bad=False).parent
    section = {
        "name": "manifest",
        "manifest": "clips.csv",
        "modalities": ["audio"],
        "features": "prosody",
        "folds": 2,
    }
    optimisation = {"epochs": 1, "batch_size": 6}
    model = {"width": 16, "attention_heads": 2, "kind": "late"}
    config = make_config(tmp_path / "a.yaml", data=section, optimisation=optimisation, model=model)
    run = train(config, data, tmp_path / "run", cache=tmp_path / "cache", folds=["fold-1"])
    bundle = export_bundle(tmp_path / "run" / "fold-1" / "seed-0" / "last.ckpt", tmp_path / "out")
    assert bundle.manifest.audio_width == 72
    with EdgeRecognizer(bundle) as recognizer:
        clip = run.folds[0].names[0]
        heard = recognizer.recognize(data / clip, speech_gate=False)
        row = np.exp(run.folds[0].log_probabilities[0])
        assert np.allclose(list(heard.probabilities.values()), row, atol=2e-3)
        spoken = recognizer.recognize(
            (np.zeros(16000, np.float32), 16000), transcript="how wonderful"
        )
        assert spoken.abstained
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "trained on audio alone" in card
    assert "not calibrated" in card


def test_action_units_and_enrolled_people_cannot_become_a_bundle(exported: Exported) -> None:
    trained = read_trained(exported.folder / "run" / "fold-1")
    for section, reason in (
        (RavdessData(modalities=("audio", "video")), "action units"),
        (RavdessData(adaptation="all-unlabelled"), "own statistics"),
    ):
        config = trained.config.model_copy(update={"data": section})
        with pytest.raises(ConfigError, match=reason):
            require_exportable(dataclasses.replace(trained, config=config))


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        read_trained(tmp_path)
    (tmp_path / "last.ckpt").write_text("not a checkpoint")
    with pytest.raises(ConfigError, match="no checkpoint of a run"):
        read_trained(tmp_path)
    torch.save({"state_dict": {}, "epoch": 1}, tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match="does not say"):
        read_trained(tmp_path / "last.ckpt")


def test_predictions_of_the_run_hold_every_smaller_subset(exported: Exported) -> None:
    stored = json.loads((exported.folder / "run" / "fold-1" / "predictions.json").read_text())
    assert set(stored["subsets"]) == {
        "audio+text",
        "audio+video",
        "text+video",
        "audio",
        "text",
        "video",
    }
