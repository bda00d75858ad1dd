"""Errors over corpora of an evaluation program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from recipes.pitch_scorer.accuracy import CONDITIONS, OURS, load_evaluation, measure, table

PROGRAM = """
import numpy as np
from dataclasses import dataclass

@dataclass
class Tone:
    hz: float
    def truth(self, times):
        voiced = (np.asarray(times) > 0.5) & (np.asarray(times) < 1.5)
        return np.where(voiced, self.hz, 0.0), voiced

def make_corpus(seed):
    return [Tone(100.0 + seed), Tone(200.0 + seed)]

def condition(tone, name):
    time = np.arange(32000) / 16000
    voice = sum(np.cos(2 * np.pi * k * tone.hz * time) / k for k in range(1, 15))
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (np.where(tone.truth(time)[1], 0.1 * voice, 0) + 1e-4 * noise).astype(np.float32)

def score(tone, times, f0):
    truth, voiced = tone.truth(times)
    both = voiced & (f0 > 0)
    return {"n": len(f0), "wrong": int(((f0 > 0) != voiced).sum()), "both": int(both.sum()),
            "gross": int((np.abs(f0[both] / truth[both] - 1) > 0.2).sum())}

def total(scores):
    n = {key: sum(s[key] for s in scores) for key in scores[0]}
    return {"gpe": n["gross"] / n["both"], "vde": n["wrong"] / n["n"], "med_cents": 1.0}

def half():
    def track(x, rate, low, high):
        times = np.arange(len(x) // 160) / 100
        return times, np.full(len(times), 50.0)
    return track

T = {"half": half}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "evaluation.py"
    path.write_text(PROGRAM)
    return path


def test_kernel_and_peer_are_scored_on_every_seed_and_condition(program: Path) -> None:
    accuracy = measure(load_evaluation(program), [1, 2], ["half"])
    assert list(accuracy.errors) == [OURS, "half"]
    for condition in CONDITIONS:
        ours, peer = accuracy.errors[OURS][condition], accuracy.errors["half"][condition]
        assert ours.gross == 0.0
        assert ours.voicing < 0.05
        assert peer.gross == 1.0
        assert peer.voicing == pytest.approx(0.5, abs=0.02)
        assert len(ours.voicing_by_seed) == 2
        assert np.mean(ours.voicing_by_seed) == pytest.approx(ours.voicing)
        assert 0 <= accuracy.calibration[condition] < 0.1
    text = table(accuracy, [1, 2])
    assert "| half, GPE | 100.00 (100.00 to 100.00) |" in text
    assert "Seeds 1, 2." in text


def test_a_peer_or_a_program_that_is_not_there_is_a_clear_error(program: Path) -> None:
    with pytest.raises(ConfigError, match="'yin'; there are: half"):
        measure(load_evaluation(program), [1], ["yin"])
    with pytest.raises(ConfigError, match="no Python program"):
        load_evaluation(program.with_name("none.py"))
    program.write_text("T = {}")
    with pytest.raises(ConfigError, match="make_corpus, condition, score, total"):
        load_evaluation(program)
