"""Many files: each decided as it would be alone, one that fails stops no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_ser import ConfigError, EdgeRecognizer, recognize_files
from edge_ser.errors import MissingExtraError


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer() as made:
        yield made


@pytest.fixture
def clips(tmp_path: Path, demo_clip: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "d.mp4"):
        shutil.copy(demo_clip, tmp_path / name)
    (tmp_path / "b.txt").write_text("I am so angry with you")
    (tmp_path / "c.wav").write_bytes(b"")
    (tmp_path / "d.srt").write_bytes(b"\xff\xfe")
    return tmp_path


def test_each_file_is_decided_as_if_it_were_alone(recognizer: EdgeRecognizer, clips: Path) -> None:
    told: list[tuple[str, int, int]] = []
    outcomes = list(recognize_files(recognizer, [clips], progress=lambda *x: told.append(x)))
    assert [Path(o.file).name for o in outcomes] == ["a.mp4", "b.mp4", "c.wav", "d.mp4"]
    for outcome in outcomes[:2]:
        alone = recognizer.recognize(outcome.file).to_dict()
        assert outcome.decision is not None
        assert outcome.error is None
        decided = outcome.decision.to_dict()
        assert {**decided, "timing_ms": {}} == {**alone, "timing_ms": {}}
    notes = [o.decision.modalities["text"].notes for o in outcomes[:2] if o.decision]
    assert notes == [(), ("words from the file b.txt",)]
    for outcome, says in zip(outcomes[2:], ("c.wav is empty", "d.srt is not UTF-8"), strict=True):
        assert outcome.decision is None
        assert says in (outcome.error or "")
    assert told == [("a.mp4", 0, 4), ("b.mp4", 1, 4), ("c.wav", 2, 4), ("d.mp4", 3, 4)]


def test_an_outcome_is_one_line_of_json(recognizer: EdgeRecognizer, clips: Path) -> None:
    done, failed = recognize_files(recognizer, [clips / "a.mp4", clips / "c.wav"])
    assert "\n" not in done.to_json()
    read = json.loads(done.to_json())
    assert list(read)[:3] == ["file", "error", "label"]
    assert read["error"] is None
    assert json.loads(failed.to_json()) == {"file": str(clips / "c.wav"), "error": failed.error}
    assert "c.wav is empty" in repr(failed)
    assert "<Decision" in repr(done)


def test_what_is_written_meanwhile_beside_a_later_file_is_not_its_words(
    recognizer: EdgeRecognizer, clips: Path
) -> None:
    (clips / "b.txt").write_bytes(b"")  # as tee leaves it until the first line comes
    outcomes = recognize_files(recognizer, [clips / "a.mp4", clips / "b.mp4"])
    (clips / "b.txt").write_text(next(outcomes).to_json())
    second = next(outcomes)
    assert second.decision is not None
    assert second.decision.modalities["text"].reason == "no transcript"


def test_folders_that_hold_nothing_are_told(recognizer: EdgeRecognizer, tmp_path: Path) -> None:
    (outcome,) = recognize_files(recognizer, [tmp_path])
    assert outcome.error == (
        f"{tmp_path} holds no media files; name one itself where its ending is unusual"
    )


def test_what_would_ail_all_ends_it(
    recognizer: EdgeRecognizer, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError("speech to text", "asr")

    monkeypatch.setattr(recognizer, "_listener", missing)
    with pytest.raises(ConfigError, match="asr"):
        list(recognize_files(recognizer, [clips / "a.mp4"], asr=True))
    # Words that are there are not listened to.
    (outcome,) = recognize_files(recognizer, [clips / "b.mp4"], asr=True)
    assert outcome.decision is not None
