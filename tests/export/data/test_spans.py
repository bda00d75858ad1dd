from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures.manifest_factory import write_clip

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.export.data.items import Item
from edge_ser.export.data.spans import cut_to_windows, read_spans


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Nine seconds whose level tells the second, with a picture that stands still."""
    levels = np.repeat(np.arange(1, 10) / 20, SAMPLE_RATE).astype(np.float32)
    write_clip(tmp_path / "long.mkv", levels, np.full((64, 64, 3), 90, np.uint8))
    return tmp_path / "long.mkv"


def _item(path: Path, **more: object) -> Item:
    return Item("long", "audio", ("sad",), path=path, **more)


def test_pieces_of_one_recording_are_read_in_one_pass(clip: Path) -> None:
    items = [_item(clip, start=2.0, end=3.0), _item(clip, start=0.5, end=1.0), _item(clip)]
    second, half, whole = read_spans(items, None)
    assert (len(second.samples), len(half.samples)) == (SAMPLE_RATE, SAMPLE_RATE // 2)
    assert np.allclose(second.samples[200:-200], 3 / 20, atol=0.01)
    assert len(whole.samples) == 9 * SAMPLE_RATE
    frames = read_spans(items[:1], 5.0)[0]
    assert frames.samples is None
    assert len(frames.frames) == 5
    assert all(0 <= f.time < SAMPLE_RATE for f in frames.frames)


def test_a_span_outside_of_its_recording_is_refused(clip: Path) -> None:
    for start, end in ((9.5, 10.0), (8.0, 12.0)):
        with pytest.raises(MediaError, match="does not hold"):
            read_spans([_item(clip, start=start, end=end)], None)
    kept, problems = cut_to_windows([_item(clip, start=9.5)], 10.0)
    assert (kept, len(problems)) == ((), 1)


def test_long_clips_become_equal_pieces_with_their_words(clip: Path) -> None:
    words = "one two three four five six"
    pieces, problems = cut_to_windows([_item(clip, transcript=words)], 3.5)
    assert problems == ()
    assert [(p.start, p.end) for p in pieces] == [(0.0, 3.0), (3.0, 6.0), (6.0, 9.0)]
    assert " ".join(p.transcript or "" for p in pieces) == words
    assert len({p.name for p in pieces}) == 3
    whole, _ = cut_to_windows([_item(clip, transcript=words)], 10.0)
    assert [(p.start, p.end, p.transcript) for p in whole] == [(None, None, words)]


def test_words_beside_a_clip_are_cut_to_the_piece(clip: Path) -> None:
    clip.with_suffix(".srt").write_text(
        "1\n00:00:00,500 --> 00:00:01,000\nhello\n\n2\n00:00:07,000 --> 00:00:08,000\ngoodbye\n"
    )
    items = [_item(clip, start=0.0, end=4.0), _item(clip, start=6.0, end=9.0)]
    assert [p.transcript for p in cut_to_windows(items, 10.0)[0]] == ["hello", "goodbye"]


def test_what_is_no_recording_is_a_problem_by_name(tmp_path: Path) -> None:
    (tmp_path / "letter.wav").write_text("dear reader " * 30)
    kept, problems = cut_to_windows([_item(tmp_path / "letter.wav")], 10.0)
    assert kept == ()
    assert problems[0].name == "long"
