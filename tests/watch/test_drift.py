"""Drift: none where answers come as the bundle's own did, and told where they do not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fixtures.bundle_factory import LABELS, make_bundle

from edge_ser import ConfigError, Decision, EdgeRecognizer, load_bundle
from edge_ser.bundles.schema import AnswerReference, BundleManifest
from edge_ser.watch.drift import DRIFTED, FEWEST, STABLE, DriftWatch, stability_index

SHARES = (0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0)
CONFIDENCES = (0.0, 0.0, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> BundleManifest:
    made = load_bundle(make_bundle(tmp_path_factory.mktemp("tiny"))).manifest
    reference = AnswerReference(labels=SHARES, confidences=CONFIDENCES, answers=500)
    audio = made.calibration["audio"].model_copy(update={"reference": reference})
    return made.model_copy(update={"calibration": {**made.calibration, "audio": audio}})


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Decision:
    """A decision from sound alone."""
    times = np.arange(16000) / 16000
    with EdgeRecognizer(make_bundle(tmp_path_factory.mktemp("tiny"))) as recognizer:
        sound = (0.3 * np.sin(1000 * times), 16000)
        return recognizer.recognize(sound, speech_gate=False)


def answers(heard: Decision, shares: tuple[float, ...], count: int, seed: int) -> list[Decision]:
    rng = np.random.default_rng(seed)
    made = []
    for label in rng.choice(len(LABELS), count, p=shares):
        sure = (rng.choice(10, p=CONFIDENCES) + rng.random()) / 10
        sure = max(sure, 0.21)
        others = (1 - sure) / (len(LABELS) - 1)
        probabilities = dict.fromkeys(LABELS, others) | {LABELS[label]: sure}
        made.append(replace(heard, probabilities=probabilities))
    return made


def test_the_index_is_the_published_sum() -> None:
    index = stability_index([0.5, 0.5], {0: 30, 1: 10})
    assert index == pytest.approx(0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5))
    assert stability_index([0.25, 0.75], {0: 25, 1: 75}) == pytest.approx(0)
    assert 1 < stability_index([0.5, 0.5], {0: 1000}) < 10
    assert 1 < stability_index([1.0, 0.0], {0: 500, 1: 500}) < 10


def test_answers_like_the_bundles_own_have_not_drifted(
    manifest: BundleManifest, heard: Decision
) -> None:
    watch = DriftWatch(manifest)
    assert watch.watched == ("audio",)
    for seed in range(3):
        for decision in answers(heard, SHARES, 1000, seed):
            watch.add(decision)
        drift = watch.drift()["audio"]
        assert drift.decisions == min(1000 * (seed + 1), 2000)
        assert 0 <= drift.labels < STABLE / 2
        assert 0 <= drift.confidence < STABLE / 2


def test_a_change_is_told_and_forgotten_again(manifest: BundleManifest, heard: Decision) -> None:
    watch = DriftWatch(manifest, kept=400)
    for decision in answers(heard, (0.05, 0.6, 0.05, 0.05, 0.05, 0.1, 0.1), 400, 7):
        watch.add(decision)
    drift = watch.drift()["audio"]
    assert drift.labels > DRIFTED
    assert drift.confidence < STABLE
    for decision in answers(heard, SHARES, 400, 8):
        watch.add(decision)
    assert watch.drift()["audio"].labels < STABLE


def test_surer_answers_are_a_drift_of_confidence(manifest: BundleManifest, heard: Decision) -> None:
    watch = DriftWatch(manifest)
    for decision in answers(heard, SHARES, 400, 9):
        label = max(decision.probabilities, key=lambda x: decision.probabilities[x])
        sure = dict.fromkeys(LABELS, 0.01) | {label: 0.94}
        watch.add(replace(decision, probabilities=sure))
    drift = watch.drift()["audio"]
    assert drift.labels < STABLE
    assert drift.confidence > DRIFTED


def test_too_few_and_those_of_other_modalities_tell_nothing(
    manifest: BundleManifest, heard: Decision
) -> None:
    watch = DriftWatch(manifest)
    absent = {m: replace(r, present=False) for m, r in heard.modalities.items()}
    for decision in answers(heard, SHARES, FEWEST - 1, 10):
        watch.add(decision)
        watch.add(replace(decision, modalities=absent))
    assert watch.drift() == {}
    watch.add(heard)
    assert watch.drift()["audio"].decisions == FEWEST
    with pytest.raises(ConfigError, match="at least 200"):
        DriftWatch(manifest, kept=10)
