"""What is said of corpora never seen comes from fits that never saw them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from recipes.default_bundle.transfer_scores import transfer_scores
from recipes.speech_encoder.answers import read_answers, write_answers
from recipes.speech_encoder.data import ACTED
from recipes.speech_encoder.transfer import fit, left_out_answers, transfer


def test_a_corpus_has_no_part_in_the_fit_that_judges_it(speech_runs: Path) -> None:
    before = transfer(speech_runs)
    answers = left_out_answers(speech_runs)["nemo"]
    # As if it had only guessed.
    answers = replace(answers, true=np.random.default_rng(7).permutation(answers.true))
    write_answers(speech_runs / "nemo" / "nemo-test.npz", answers)
    after = transfer(speech_runs)
    others = [a for c, a in left_out_answers(speech_runs).items() if c != "nemo"]
    given = fit(others).calibration.probabilities(answers.logits)
    answered = (given.max(1) >= fit(others).threshold).mean()
    assert after.left_out["nemo"].answered == pytest.approx(answered)
    assert after.left_out["nemo"].recall.value < before.left_out["nemo"].recall.value
    assert after.shipped != before.shipped


def test_the_parts_of_a_corpus_are_judged_together(speech_runs: Path) -> None:
    found = left_out_answers(speech_runs)
    assert len(found["ravdess"].true) == 800
    assert transfer(speech_runs).left_out["ravdess"].clips == 800


def test_calibration_mends_logits_that_are_too_large(speech_runs: Path) -> None:
    for judged in transfer(speech_runs).left_out.values():
        assert judged.error < judged.error_before


def test_the_scores_name_every_corpus(speech_runs: Path) -> None:
    scores = transfer_scores(transfer(speech_runs))
    for name in ("RAVDESS", "CREMA-D", "Emo-DB", "EMOVO", "nEMO"):
        assert any(name in score.protocol for score in scores)
    assert scores[0].chance == pytest.approx(1 / 7, abs=1e-4)


def test_each_sex_is_judged_by_the_same_fit(speech_runs: Path) -> None:
    found = transfer(speech_runs)
    sexes = found.by_sex["emovo"]
    assert sorted(sexes) == ["female", "male"]
    assert sum(judged.clips for judged in sexes.values()) == found.left_out["emovo"].clips
    assert all(not found.by_sex[corpus] for corpus in ACTED if corpus != "emovo")


def test_a_run_that_is_missing_is_named(speech_runs: Path) -> None:
    (speech_runs / "emovo" / "emovo-test.npz").unlink()
    with pytest.raises(ConfigError, match=r"emovo-test\.npz"):
        transfer(speech_runs)
    (speech_runs / "all" / "broken.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_answers(speech_runs / "all" / "broken.npz")
