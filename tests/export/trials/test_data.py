"""Data forms, leaks, folds of people and label-paired draws."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.bundle_factory import LABELS, make_bundle
from fixtures.labelled_clips import TONES, people_of, write_labelled_folder, write_tone

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import ConfigError
from edge_ser.export.trials.data import FOLDS, EvaluationData, open_evaluation_data
from edge_ser.export.trials.held_out import known_people, people_of_part


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    def change(manifest: dict[str, object]) -> None:
        manifest["splits"] = {
            "my people, train": ["anna"],
            "my people, validation": ["vera"],
            "my people, calibration": ["carl"],
            "RAVDESS actors, train": ["01"],
        }

    return load_bundle(make_bundle(tmp_path_factory.mktemp("tiny"), change))


def test_a_folder_a_label_gives_paired_clips_of_named_people(
    bundle: Bundle, tmp_path: Path
) -> None:
    data = open_evaluation_data(bundle, write_labelled_folder(tmp_path, people=3, clips=1))
    assert data.paired
    assert people_of(data) == {"p0", "p1", "p2"}
    assert data.description.clips["audio"] == 9
    assert {data.labels[data.label(i)] for i in range(9)} == set(TONES)


def _manifest(folder: Path, rows: list[dict[str, str]]) -> Path:
    for row in rows:
        write_tone(folder / row["clip"], 200)
    table = folder / "clips.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)
    return table


def _row(number: int, speaker: str, split: str = "") -> dict[str, str]:
    return {
        "clip": f"{number}.wav",
        "label": ("happy", "sad")[number % 2],
        "speaker": speaker,
        "split": split,
    }


def test_people_of_the_training_are_refused_by_name_unless_accepted(
    bundle: Bundle, tmp_path: Path
) -> None:
    table = _manifest(tmp_path, [_row(0, "anna"), _row(1, "otto")])
    with pytest.raises(ConfigError, match=r"not held out.*anna.*my people, train.*--accept-leak"):
        open_evaluation_data(bundle, table)
    accepted = open_evaluation_data(bundle, table, accept_leak=True)
    assert accepted.description.leak_warning.startswith("LEAKY")


def test_people_of_an_earlier_calibration_are_told_of_and_not_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    table = _manifest(tmp_path, [_row(0, "carl"), _row(1, "otto")])
    assert "were fitted on 1 of these people" in (
        open_evaluation_data(bundle, table).description.leak_warning
    )


def test_a_table_whose_own_parts_share_people_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    table = _manifest(tmp_path, [_row(0, "otto", "train"), _row(1, "otto", "test")])
    with pytest.raises(ConfigError, match="LEAKY SPLIT"):
        open_evaluation_data(bundle, table)


def test_calibration_leaves_the_test_part_of_a_table_alone(bundle: Bundle, tmp_path: Path) -> None:
    rows = [_row(0, "a", "train"), _row(1, "b", "validation"), _row(2, "c", "test")]
    table = _manifest(tmp_path, rows)
    assert people_of(open_evaluation_data(bundle, table, purpose="calibration")) == {"b"}
    assert people_of(open_evaluation_data(bundle, table, purpose="test")) == {"c"}


@pytest.mark.parametrize("what", ["missing", "empty", "unknown labels"])
def test_data_that_hold_nothing_usable_are_a_clear_error(
    bundle: Bundle, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "data"
    if what != "missing":
        folder.mkdir()
    if what == "unknown labels":
        write_tone(folder / "bored" / "0.wav", 100)
    with pytest.raises(ConfigError, match=r"does not exist|nothing that is known"):
        open_evaluation_data(bundle, folder)


def test_a_limit_keeps_every_label_in_its_share(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(40):
        label = "happy" if number < 30 else "sad"
        write_tone(tmp_path / label / f"{number}.wav", 100, 0.01)
    data = open_evaluation_data(bundle, tmp_path, limit=20)
    again = open_evaluation_data(bundle, tmp_path, limit=20)
    labels = [data.labels[data.label(i)] for i in range(len(data.items))]
    assert (labels.count("happy"), labels.count("sad")) == (15, 5)
    assert data.items == again.items


def write_collection(folder: Path, actors: int = 6, each: int = 15) -> Path:
    """RAVDESS-like sound, FER2013-like faces and GoEmotions-like words, all very small."""
    codes = {"01": 1, "03": 1, "04": 1, "05": 1, "06": 1, "07": 1, "08": 1}
    for actor in range(1, actors + 1):
        for code in codes:
            name = f"03-01-{code}-01-01-01-{actor:02d}.wav"
            write_tone(folder / "ravdess_speech" / f"Actor_{actor:02d}" / name, 90 + int(code) * 20)
    faces = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
    with zipfile.ZipFile(folder / "fer2013_publictest.zip", "w") as archive:
        for place, label in enumerate(faces):
            for number in range(each):
                rng = np.random.default_rng(place * 100 + number)
                picture = rng.integers(place * 30, place * 30 + 30, (48, 48), np.uint8)
                archive.writestr(
                    f"{label}/{number}.png", cv2.imencode(".png", picture)[1].tobytes()
                )
    words = folder / "goemotions_ekman"
    words.mkdir(parents=True)
    (words / "labels.txt").write_text("anger\ndisgust\nfear\njoy\nsadness\nsurprise\nneutral\n")
    rows = [f"row {i} of {label}\t{label}\tid{label}{i}" for label in range(7) for i in range(each)]
    (words / "dev.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def collection(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> EvaluationData:
    folder = write_collection(tmp_path_factory.mktemp("sets"))
    return open_evaluation_data(bundle, folder, limit=100)


def test_known_sets_leave_out_who_trained_the_bundle(collection: EvaluationData) -> None:
    assert not collection.paired
    assert "01" not in people_of(collection)
    assert any("trained or chose" in text for text in collection.description.left_out)
    assert "label-paired" in collection.protocol_of("audio+video")
    assert "label-paired" not in collection.protocol_of("audio")


def test_triples_never_mix_people_of_two_folds_and_show_their_labels(
    collection: EvaluationData,
) -> None:
    count = len(collection.items)
    usable = {
        m: [i for i in range(count) if m in collection.kinds[i]] for m in ("audio", "text", "video")
    }
    examples, notes = collection.examples(usable)
    assert notes == ()
    assert len(examples) == 7
    folds = collection.folds(FOLDS)
    neutral = LABELS.index("neutral")
    for subset in ("audio+text", "audio+text+video"):
        assert len(examples[subset]) == 100
        assert {x.fold for x in examples[subset]} == set(range(FOLDS))
        for example in examples[subset]:
            indices = [i for own in example.parts.values() for i in own]
            assert {folds[i] for i in indices} == {example.fold}
            shown = {collection.label(i) for i in indices}
            assert example.label in shown or (example.label == neutral and neutral in shown)
    assert {x.sex for x in examples["audio"]} == {"male", "female"}


def test_folds_hold_every_person_once_and_labels_evenly(collection: EvaluationData) -> None:
    folds = collection.folds(FOLDS)
    by_person: dict[str, set[int]] = {}
    for index, fold in enumerate(folds):
        by_person.setdefault(collection.person(index), set()).add(fold)
    assert all(len(found) == 1 for found in by_person.values())
    faces = [
        (f, collection.label(i)) for i, f in enumerate(folds) if "video" in collection.kinds[i]
    ]
    assert all((fold, label) in faces for fold in range(FOLDS) for label in range(len(LABELS)))


def test_parts_of_splits_are_read_from_the_last_word() -> None:
    splits = {"set, train": ["a", "b"], "set, test": ["c"], "other, calibration": ["d"]}
    assert people_of_part(splits, "train", "set") == ("a", "b")
    known = known_people(splits, ["b", "c", "d", "e"])
    assert dict(known.seen) == {"set, train": ("b",)}
    assert known.calibrated == ("d",)
