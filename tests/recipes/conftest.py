"""Answers of the speech encoder's runs, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.constants import EMOTIONS
from recipes.speech_encoder.answers import Answers, write_answers
from recipes.speech_encoder.data import ACTED, CONDITIONS


def made_up_answers(
    seed: int, clips: int = 400, strength: float = 3.0, sexes: tuple[str, ...] = ("",)
) -> Answers:
    """Logits four times too large, of six people; sexes in turn."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, len(EMOTIONS), clips)
    logits = generator.normal(0, 1.5, (clips, len(EMOTIONS)))
    logits[np.arange(clips), true] += strength
    people = tuple(f"person {i % 6}" for i in range(clips))
    return Answers(4 * logits, true, people, tuple(sexes[i % len(sexes)] for i in range(clips)))


@pytest.fixture
def speech_runs(tmp_path: Path) -> Path:
    """A folder of runs that have ended; of EMOVO alone it is known who is a woman."""
    for seed, corpus in enumerate(ACTED):
        folder = tmp_path / corpus
        folder.mkdir()
        parts = ("train", "test") if corpus == "ravdess" else ("test",)
        sexes = ("female", "male") if corpus == "emovo" else ("",)
        for number, part in enumerate(parts):
            answers = made_up_answers(10 * seed + number, sexes=sexes)
            write_answers(folder / f"{corpus}-{part}.npz", answers)
        write_answers(folder / "read-test.npz", made_up_answers(100 + seed))
    (tmp_path / "all").mkdir()
    for part in ("read-test", "cremad-test", "ravdess-test"):
        write_answers(tmp_path / "all" / f"{part}.npz", made_up_answers(200))
    for condition in CONDITIONS:
        write_answers(tmp_path / "all" / f"ravdess-test {condition}.npz", made_up_answers(201))
    return tmp_path
