"""Several manifests as one data set: label maps, people and folds that stay apart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.data.corpora import CorpusSource, read_corpora
from edge_ser.export.data.splits import leave_one_corpus_out

TABLE = "clip,label,speaker,script\n"


def _write(folder: Path, name: str, *rows: str) -> str:
    (folder / name).mkdir()
    for row in rows:
        (folder / name / row.split(",")[0]).write_bytes(b"sound")
    (folder / name / f"{name}.csv").write_text(TABLE + "\n".join(rows))
    return f"{name}/{name}.csv"


def _sources(folder: Path) -> dict[str, CorpusSource]:
    mine = _write(folder, "mine", "1.wav,joy,ada,A", "2.wav,bored,ben,B", "3.wav,cross,ben,A")
    other = _write(folder, "other", "1.wav,calm,ben,A", "2.wav,sad,cleo,B")
    read = _write(folder, "read", "1.wav,neutral,dan,", "2.wav,neutral,eve,")
    return {
        "home": CorpusSource(manifest=mine, labels={"bored": None, "cross": "anger"}),
        "away": CorpusSource(manifest=other, labels={"calm": "neutral"}, weight=2.0),
        "read": CorpusSource(manifest=read, open_labels=True),
    }


def test_labels_are_mapped_and_people_of_one_name_are_two(tmp_path: Path) -> None:
    read = read_corpora(_sources(tmp_path), tmp_path)
    assert read.name == "mine + other + read"
    assert read.labels == ("angry", "happy", "neutral", "sad")
    assert Counter(item.corpus for item in read.items) == {"home": 2, "away": 2, "read": 2}
    found = {item.name: (item.label, item.speaker) for item in read.items}
    assert found["home/1.wav"] == ("happy", "ada")
    assert found["home/3.wav"] == ("angry", "home ben")
    assert found["away/1.wav"] == ("neutral", "away ben")
    assert "home/2.wav" not in found


def test_a_label_map_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    sources = _sources(tmp_path)
    wrong = sources["home"].model_copy(update={"labels": {"rage": "angry"}})
    with pytest.raises(ConfigError, match=r"home names rage, which .*lacks; it has bored, cross"):
        read_corpora({"home": wrong}, tmp_path)
    nothing = sources["read"].model_copy(update={"labels": {"neutral": None}})
    with pytest.raises(ConfigError, match="leaves nothing"):
        read_corpora({"read": nothing}, tmp_path)


def test_each_corpus_is_left_out_once_and_nobody_is_in_two_parts(tmp_path: Path) -> None:
    items = read_corpora(_sources(tmp_path), tmp_path).items
    folds = leave_one_corpus_out(items, ("home", "away"))
    assert [fold.name for fold in folds] == ["without-home", "without-away"]
    for fold in folds:
        left_out = fold.name.removeprefix("without-")
        assert {items[i].corpus for i in fold.test} == {left_out}
        assert left_out not in {items[i].corpus for i in (*fold.train, *fold.validation)}
        assert {"read"} <= {items[i].corpus for i in fold.train}
        people = [{items[i].speaker for i in fold.part(p)} for p in ("train", "validation")]
        assert people[1]
        assert not people[0] & people[1]
