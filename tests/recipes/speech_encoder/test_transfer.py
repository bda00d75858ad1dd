"""What is said of corpora never seen comes from fits that never saw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from recipes.default_bundle.transfer_scores import transfer_scores
from recipes.speech_encoder.answers import Answers, read_answers, write_answers
from recipes.speech_encoder.data import ACTED, CONDITIONS
from recipes.speech_encoder.transfer import fit, left_out_answers, markdown, transfer


def _answers(seed: int, clips: int = 400, strength: float = 3.0) -> Answers:
    generator = np.random.default_rng(seed)
    true = generator.integers(0, len(EMOTIONS), clips)
    logits = generator.normal(0, 1.5, (clips, len(EMOTIONS)))
    logits[np.arange(clips), true] += strength
    people = tuple(f"person {i % 6}" for i in range(clips))
    return Answers(4 * logits, true, people, ("",) * clips)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed, corpus in enumerate(ACTED):
        folder = tmp_path / corpus
        folder.mkdir()
        parts = ("train", "test") if corpus == "ravdess" else ("test",)
        for number, part in enumerate(parts):
            write_answers(folder / f"{corpus}-{part}.npz", _answers(10 * seed + number))
        write_answers(folder / "read-test.npz", _answers(100 + seed))
    (tmp_path / "all").mkdir()
    for part in ("read-test", "cremad-test", "ravdess-test"):
        write_answers(tmp_path / "all" / f"{part}.npz", _answers(200))
    for condition in CONDITIONS:
        write_answers(tmp_path / "all" / f"ravdess-test {condition}.npz", _answers(201))
    return tmp_path


def test_a_corpus_has_no_part_in_the_fit_that_judges_it(runs: Path) -> None:
    before = transfer(runs)
    answers = _answers(77, strength=0.0)
    write_answers(runs / "nemo" / "nemo-test.npz", answers)
    after = transfer(runs)
    others = [a for c, a in left_out_answers(runs).items() if c != "nemo"]
    given = fit(others).calibration.probabilities(answers.logits)
    answered = (given.max(1) >= fit(others).threshold).mean()
    assert after.left_out["nemo"].answered == pytest.approx(answered)
    assert after.left_out["nemo"].recall.value < before.left_out["nemo"].recall.value
    assert after.shipped != before.shipped


def test_the_parts_of_a_corpus_are_judged_together(runs: Path) -> None:
    found = left_out_answers(runs)
    assert len(found["ravdess"].true) == 800
    assert transfer(runs).left_out["ravdess"].clips == 800


def test_calibration_mends_logits_that_are_too_large(runs: Path) -> None:
    for judged in transfer(runs).left_out.values():
        assert judged.error < judged.error_before


def test_the_tables_and_the_scores_name_every_corpus(runs: Path) -> None:
    found = transfer(runs)
    text, scores = markdown(runs, found), transfer_scores(found)
    for name in ("RAVDESS", "CREMA-D", "Emo-DB", "EMOVO", "nEMO"):
        assert name in text
        assert any(name in score.protocol for score in scores)
    assert "mean of the five" in text
    assert all(condition in text for condition in CONDITIONS)
    assert scores[0].chance == pytest.approx(1 / 7, abs=1e-4)


def test_a_run_that_is_missing_is_named(runs: Path) -> None:
    (runs / "emovo" / "emovo-test.npz").unlink()
    with pytest.raises(ConfigError, match=r"emovo-test\.npz"):
        transfer(runs)
    (runs / "all" / "broken.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_answers(runs / "all" / "broken.npz")
