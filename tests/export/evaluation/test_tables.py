from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fixtures.run_factory import LABELS, make_fold, make_run

from edge_ser.errors import ConfigError
from edge_ser.export.evaluation.tables import markdown, paired_difference, scores
from edge_ser.export.scoring.metrics import score
from edge_ser.export.training.predictions import FoldResult, RunResult, read_fold, write_fold


def test_a_score_is_the_mean_over_folds_with_spread_and_an_interval_over_people() -> None:
    run = make_run(0.7)
    scored = scores(run)
    each = [score(f.predicted, f.true, 3) for f in run.folds]
    assert scored.accuracy.mean == pytest.approx(np.mean([m.accuracy for m in each]))
    assert scored.accuracy.deviation == pytest.approx(np.std([m.accuracy for m in each], ddof=1))
    assert scored.f1.mean == pytest.approx(np.mean([m.f1 for m in each]))
    for interval in (scored.accuracy, scored.recall, scored.precision, scored.f1):
        assert interval.low < interval.mean < interval.high
    assert (scored.people, scored.count, scored.chance_recall) == (6, 72, pytest.approx(1 / 3))
    assert set(scored.per_speaker) == {"1", "2", "3", "4", "5", "6"}
    assert set(scored.per_sex) == {"female", "male"}


def test_one_fold_claims_no_spread_and_items_without_a_person_stand_for_themselves() -> None:
    one = make_fold("only", ("1", "2"), 0.6, 3)
    nameless = FoldResult(
        **{**one.__dict__, "speakers": ("",) * 24, "sexes": ("",) * 24, "true": one.true}
    )
    scored = scores(RunResult("x", LABELS, (nameless,)))
    assert scored.accuracy.deviation is None
    assert scored.people == 0
    assert scored.accuracy.low < scored.accuracy.high
    assert "±" not in str(scored.accuracy)
    shown = markdown(scored)
    assert "nobody is named" in shown
    assert "by person" not in shown


def test_ablation_stands_beside_the_score_with_what_it_costs() -> None:
    full = make_run(1.0)
    worse = make_run(0.5)
    folds = tuple(
        FoldResult(**{**f.__dict__, "subsets": {"audio": w.log_probabilities}})
        for f, w in zip(full.folds, worse.folds, strict=True)
    )
    scored = scores(RunResult("a-run", LABELS, folds))
    lost = scored.subsets["audio"].lost
    assert lost.mean == pytest.approx(1.0 - scores(worse).accuracy.mean)
    assert lost.low > 0.2
    assert "| audio |" in markdown(scored)


def test_a_leaky_score_says_so_in_its_table() -> None:
    shown = markdown(
        scores(make_run(0.9, warning="LEAKY SPLIT: training and test share 3 speakers"))
    )
    assert "**LEAKY SPLIT: training and test share 3 speakers.**" in shown


def test_differences_need_the_same_clips() -> None:
    better, other = make_run(0.9), make_run(0.6)
    gain = paired_difference(better, other)
    assert gain.mean == pytest.approx(scores(better).accuracy.mean - scores(other).accuracy.mean)
    fewer = RunResult("b", LABELS, better.folds[:1])
    with pytest.raises(ConfigError, match="same clips"):
        paired_difference(better, fewer)


def test_predictions_come_back_as_they_were_and_damage_is_told(tmp_path: Path) -> None:
    one = make_fold(
        "f", ("1", "2"), 0.6, 3, subsets={"audio": np.zeros((24, 3))}, notes=("a note",)
    )
    write_fold(tmp_path / "f" / "predictions.json", one)
    read = read_fold(tmp_path / "f" / "predictions.json")
    assert np.allclose(read.log_probabilities, one.log_probabilities, atol=1e-5)
    assert read.subsets["audio"].shape == (24, 3)
    assert (read.names, read.notes) == (one.names, ("a note",))
    (tmp_path / "f" / "predictions.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        read_fold(tmp_path / "f" / "predictions.json")


def test_the_json_of_a_score_holds_no_number_that_is_none() -> None:
    run = make_run(0.7)
    true = np.where(run.folds[0].true == 2, 0, run.folds[0].true)
    fold = FoldResult(**{**run.folds[0].__dict__, "true": true})
    text = json.dumps(scores(RunResult("x", LABELS, (fold,))).to_dict(), allow_nan=False)
    assert json.loads(text)["pooled"]["per_label"][2][1] is None
