from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.data.items import content_hash
from edge_ser.export.evaluation.protocols import Seen, make_trial, read_protocol, seen_of

SEVEN = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two actors, each calm, happy and angry; actor 3's last clip equals one of actor 2."""
    for actor in (1, 2, 3):
        for emotion in ("02", "03", "05"):
            path = tmp_path / f"ravdess_speech/Actor_0{actor}/03-01-{emotion}-01-01-01-0{actor}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            same = (actor, emotion) == (3, "05")
            path.write_text("2-05" if same else f"{actor}-{emotion}")
    return tmp_path


def _seen(*speakers: str, contents: frozenset[str] = frozenset()) -> dict[str, Seen]:
    return {"RAVDESS": Seen(frozenset(speakers), contents)}


def test_whom_the_model_saw_is_left_out(data: Path) -> None:
    trial = make_trial("ravdess", data, SEVEN, _seen("01", "02"))
    assert {item.speaker for item in trial.items} == {"03"}
    assert "1 people that the model never saw" in trial.sentence
    assert trial.warning == ""
    with pytest.raises(ConfigError, match="nothing of RAVDESS speech is left"):
        make_trial("ravdess", data, SEVEN, _seen("01", "02", "03"))


def test_what_the_model_saw_is_left_out_by_content(data: Path) -> None:
    every = make_trial("ravdess", data, SEVEN, {}).items
    digest = next(content_hash(x)[:16] for x in every if x.name == "01-05-01-01-01-02")
    trial = make_trial("ravdess", data, SEVEN, _seen(contents=frozenset({digest})))
    assert {x.name for x in every} - {x.name for x in trial.items} == {
        "01-05-01-01-01-02",
        "01-05-01-01-01-03",
    }


def test_known_people_are_refused_unless_accepted_and_then_named(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"LEAKY SPLIT.*1 speakers \(02\)"):
        make_trial("ravdess", data, SEVEN, _seen("02"), people="all")
    trial = make_trial("ravdess", data, SEVEN, _seen("02"), people="all", accept_leaks=True)
    assert len(trial.items) == 9
    assert trial.warning.startswith("LEAKY SPLIT")


def test_calm_counts_as_neutral_only_where_calm_is_unknown(data: Path) -> None:
    seven = make_trial("ravdess", data, SEVEN, {})
    assert {item.label for item in seven.items} == {"neutral", "happy", "angry"}
    eight = make_trial("ravdess", data, ("calm", *SEVEN), {})
    assert "calm" in {item.label for item in eight.items}
    few = make_trial("ravdess", data, ("neutral", "happy"), {})
    assert "3 items with labels that the model lacks (angry) left out" in few.notes


def test_an_unknown_protocol_names_the_known_ones(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"fer2013.*manifest:FILE"):
        read_protocol("imagenet", data)


def test_a_bundles_split_says_whom_it_saw() -> None:
    splits = {
        "RAVDESS actors, train": ["01"],
        "RAVDESS actors, validation": ["02"],
        "RAVDESS actors, test": ["03"],
        "FER2013, test": ["PublicTest"],
        "my clips speakers, train": ["ada"],
        "my clips contents, train": ["0123456789abcdef"],
    }
    seen = seen_of(splits)
    assert seen["RAVDESS"].speakers == {"01", "02"}
    assert seen["my clips"] == Seen(frozenset({"ada"}), frozenset({"0123456789abcdef"}))
    assert "FER2013" not in seen
