"""Several corpora of texts: what a test part holds trains nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.data.text_tables import read_xed
from recipes.text_encoder.corpora import GOEMOTIONS, SMALL_TALK, XED, read_text_corpora

LABELS = "anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n"
MELD = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("go", "xed", "meld"):
        (tmp_path / name).mkdir()
    for name in ("go", "xed"):
        (tmp_path / name / "labels.txt").write_text(LABELS)
    (tmp_path / "go" / "train.tsv").write_text("So glad\t3\ta\nFine .\t4\tb\nNot you\t0\tc\n")
    (tmp_path / "go" / "dev.tsv").write_text("Oh no\t5\td\nlate again\t0\te\n")
    rows = [f"line {i} , [PERSON] ?\t{i % 7}\tx{i}" for i in range(40)]
    (tmp_path / "xed" / "en.tsv").write_text("\n".join([*rows, "OH NO\t5\ty", ", ...\t0\tz"]))
    (tmp_path / "meld" / "train_sent_emo.csv").write_text(
        f"{MELD}How are you?,A,neutral,0,0\nLate again,B,neutral,0,1\nGet out!,B,anger,0,2\n"
    )
    (tmp_path / "meld" / "dev_sent_emo.csv").write_text(
        f"{MELD}So glad,A,neutral,0,0\nSee you,A,neutral,0,1\n"
    )
    return tmp_path


def test_subtitles_are_written_as_people_write(data: Path) -> None:
    read = read_xed(data / "xed")
    assert read.items[3].text == "line 3, [NAME]?"
    assert len(read.items) == 41
    with pytest.raises(ConfigError, match=r"fi\.tsv"):
        read_xed(data / "xed", "fi")


def test_no_text_of_a_test_part_trains_in_any_corpus(data: Path) -> None:
    found = read_text_corpora(data / "go", data / "xed", data / "meld")
    assert set(found.train) == set(found.test) == {GOEMOTIONS, XED, SMALL_TALK}
    tested = {text.casefold() for own in found.test.values() for text in own.texts}
    trained = {text.casefold() for own in found.train.values() for text in own.texts}
    assert not tested & trained
    # "So glad" trains in GoEmotions already, "late again" tests there.
    assert found.test[SMALL_TALK].texts == ("See you",)
    alone = read_text_corpora(data / "go")
    assert found.train[GOEMOTIONS].texts == alone.train[GOEMOTIONS].texts
    assert found.train[SMALL_TALK].texts == ("How are you?",)
    assert len(found.test[XED]) == 4


def test_goemotions_alone_is_enough(data: Path) -> None:
    assert set(read_text_corpora(data / "go").train) == {GOEMOTIONS}
