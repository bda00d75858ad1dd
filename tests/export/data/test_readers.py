from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_ser.errors import ConfigError, MediaError
from edge_ser.export.data.emodb import read_emodb
from edge_ser.export.data.items import content, content_hash
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.pictures import read_pictures, without_duplicates
from edge_ser.export.data.ravdess import read_action_units, read_ravdess
from edge_ser.export.data.text_tables import read_goemotions, read_meld


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _picture(value: int) -> bytes:
    return bytes(cv2.imencode(".png", np.full((8, 8), value, np.uint8))[1])


def test_ravdess_names_are_read_and_what_is_no_speech_is_reported(tmp_path: Path) -> None:
    _touch(tmp_path / "Actor_02/03-01-05-02-01-02-02.flac")
    _touch(tmp_path / "Actor_01/03-01-02-01-02-01-01.wav")
    _touch(tmp_path / "Actor_01/03-02-02-01-02-01-01.wav")  # song
    _touch(tmp_path / "Actor_01/03-01-03-01-02-01-01.wav", b"")
    _touch(tmp_path / "Actor_01/holiday.wav")
    read = read_ravdess(tmp_path)
    by_name = {item.name: item for item in read.items}
    angry = by_name["01-05-02-01-02-02"]
    assert (angry.label, angry.speaker, angry.sex, angry.script) == ("angry", "02", "female", "01")
    assert angry.transcript == "Kids are talking by the door"
    assert by_name["01-02-01-02-01-01"].label == "calm"
    assert {p.name for p in read.problems} == {
        "03-02-02-01-02-01-01.wav",
        "03-01-03-01-02-01-01.wav",
        "holiday.wav",
    }
    assert "3 unusable" in read.report()
    seven = read_ravdess(tmp_path, calm_is_neutral=True)
    assert "calm" not in seven.labels
    assert {item.label for item in seven.items} == {"angry", "neutral"}


def test_action_units_join_by_the_last_six_fields(tmp_path: Path) -> None:
    table = tmp_path / "aus.csv"
    table.write_text("AU01_r;AU01_c;speech;name\n0.5;1;0;01-01-05-02-01-02-02.csv\n")
    columns, units = read_action_units(table)
    assert columns == ("AU01_r", "AU01_c")
    assert units["01-05-02-01-02-02"].tolist() == [0.5, 1.0]
    table.write_text("AU01_r;name\nmany;01-01-05-02-01-02-02.csv\n")
    with pytest.raises(ConfigError, match="line 2"):
        read_action_units(table)
    table.write_text("a;b\n1;2\n")
    with pytest.raises(ConfigError, match="no action-unit table"):
        read_action_units(table)


def test_emodb_names_are_read(tmp_path: Path) -> None:
    _touch(tmp_path / "03a01Fa.flac")
    _touch(tmp_path / "08b10Lb.flac")
    _touch(tmp_path / "99a01Fa.flac")
    read = read_emodb(tmp_path)
    assert [(i.label, i.speaker, i.sex, i.script) for i in read.items] == [
        ("happy", "03", "male", "a01"),
        ("boredom", "08", "female", "b10"),
    ]
    assert [p.name for p in read.problems] == ["99a01Fa.flac"]
    assert len(read_emodb(tmp_path, labels=("happy",)).items) == 1
    with pytest.raises(ConfigError, match="no emotion joyous"):
        read_emodb(tmp_path, labels=("joyous",))


@pytest.mark.parametrize("reader", [read_ravdess, read_emodb])
def test_a_folder_without_recordings_is_refused(reader: object, tmp_path: Path) -> None:
    assert callable(reader)
    with pytest.raises(ConfigError, match="holds no"):
        reader(tmp_path)
    with pytest.raises(ConfigError, match="not a folder"):
        reader(tmp_path / "nowhere")


def test_pictures_from_folder_and_zip_are_the_same(tmp_path: Path) -> None:
    for name, value in (("happy/a.png", 1), ("happy/b.png", 1), ("fear/c.png", 2)):
        _touch(tmp_path / "tree" / name, _picture(value))
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for path in sorted((tmp_path / "tree").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path / "tree"))
    tree, zipped = read_pictures(tmp_path / "tree"), read_pictures(tmp_path / "faces.zip")
    assert [(i.name, i.label) for i in tree.items] == [(i.name, i.label) for i in zipped.items]
    assert tree.labels == ("fearful", "happy")
    assert [content_hash(i) for i in tree.items] == [content_hash(i) for i in zipped.items]
    distinct = without_duplicates(zipped)
    assert len(distinct.items) == 2
    assert distinct.problems[-1].reason == "equal to happy/a.png"


def test_equal_pictures_with_different_labels_are_all_left_out(tmp_path: Path) -> None:
    for name in ("happy/a.png", "sad/b.png"):
        _touch(tmp_path / name, _picture(1))
    _touch(tmp_path / "sad/c.png", _picture(3))
    distinct = without_duplicates(read_pictures(tmp_path))
    assert [i.name for i in distinct.items] == ["sad/c.png"]
    assert len(distinct.problems) == 2


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor a zip"):
        read_pictures(_touch(tmp_path / "faces.zip"))


def test_goemotions_rows_with_several_labels_and_wrong_rows(tmp_path: Path) -> None:
    labels = _touch(tmp_path / "labels.txt", b"anger\njoy\n")
    table = _touch(
        tmp_path / "train.tsv",
        "so glad\t1\ta\nglad\u2028and mad\t0,1\tb\nno label\t\tc\nfar\t7\td\n".encode(),
    )
    read = read_goemotions(table, labels)
    assert [i.labels for i in read.items] == [("happy",), ("angry", "happy")]
    assert read.items[1].text == "glad\u2028and mad"
    assert [p.name for p in read.problems] == ["train.tsv:3", "train.tsv:4"]
    with pytest.raises(MediaError, match="2 labels"):
        _ = read.items[1].label


def test_meld_times_and_dialogues(tmp_path: Path) -> None:
    table = _touch(
        tmp_path / "dev.csv",
        b"Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID,StartTime,EndTime\n"
        b'"What, me?",Joey,surprise,3,1,"00:20:57,256","01:00:00,5"\n'
        b",Joey,surprise,3,2,,\n",
    )
    read = read_meld(table, split="dev")
    only = read.items[0]
    assert (only.label, only.speaker, only.script) == ("surprised", "Joey", "dev/dia3")
    assert (only.start, only.end) == (1257.256, 3600.5)
    assert len(read.problems) == 1
    with pytest.raises(ConfigError, match="lacks"):
        read_meld(_touch(tmp_path / "other.csv", b"a,b\n1,2\n"))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_manifest(kind: str, tmp_path: Path) -> None:
    _touch(tmp_path / "a.wav")
    rows = [
        {"clip": "a.wav", "label": "joy", "speaker": "p1", "start": "0", "end": "1.5"},
        {"clip": "a.wav", "label": "anger", "speaker": "p1", "start": "2", "end": "1"},
        {"clip": "gone.wav", "label": "anger", "speaker": "p1", "start": "", "end": ""},
        {"clip": "a.wav", "label": "", "speaker": "p1", "start": "", "end": ""},
        {"clip": "a.wav", "label": "anger", "speaker": "p1", "start": "nan", "end": ""},
    ]
    table = tmp_path / f"clips.{kind}"
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        table.write_text("\n".join(lines))
    else:
        table.write_text("\n".join(json.dumps(row) for row in rows))
    read = read_manifest(table)
    assert [(i.name, i.label, i.start, i.end) for i in read.items] == [
        ("a.wav@0-1.5", "happy", 0.0, 1.5)
    ]
    assert len(read.problems) == 4
    assert any("does not exist" in p.reason for p in read.problems)


def test_manifest_with_an_unknown_column_is_refused(tmp_path: Path) -> None:
    table = _touch(tmp_path / "clips.csv", b"clip,label,mood\na.wav,joy,x\n")
    with pytest.raises(ConfigError, match="unknown column mood"):
        read_manifest(table)


def test_content_of_a_missing_member_is_a_media_error(tmp_path: Path) -> None:
    _touch(tmp_path / "happy/a.png", _picture(1))
    item = read_pictures(tmp_path).items[0]
    (tmp_path / "happy/a.png").unlink()
    with pytest.raises(MediaError, match=r"happy/a\.png"):
        content(item)
