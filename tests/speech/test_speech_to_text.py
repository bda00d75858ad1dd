"""Speech becomes words with times; silence stays silent."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError, MediaError, MissingExtraError
from edge_ser.media.media import open_clip, read_clip
from edge_ser.speech.speech_to_text import SpeechToText, installed_weights


@pytest.fixture(scope="module")
def listener() -> SpeechToText:
    return SpeechToText()


def plain(text: str) -> list[str]:
    """Words in small letters without punctuation, digits spelled out."""
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    spelled = re.sub(r"\d", lambda m: f" {names[int(m.group())]} ", text.lower())
    return re.sub(r"[^a-z' ]", " ", spelled).split()


def word_errors(said: list[str], heard: list[str]) -> int:
    """Words to insert, delete or replace to get from `said` to `heard`."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != other)))
    return row[-1]


def test_the_words_of_the_demo_clip_are_heard_when_they_are_said(
    listener: SpeechToText, demo_clip: Path
) -> None:
    said = plain(demo_clip.with_suffix(".txt").read_text())
    with open_clip(demo_clip) as clip:
        transcript = listener.transcribe_clip(clip)
        end = clip.duration
    # The voice is synthesised, and the recogniser small: one word of ten may be another.
    assert word_errors(said, plain(transcript.text)) <= 1
    assert transcript.language == "en"
    assert " ".join(w.text for w in transcript.words) == transcript.text
    times = [t for w in transcript.words for t in (w.start, w.end)]
    assert times == sorted(times)
    assert end is not None
    assert 0 <= times[0] < 16000
    assert end - 16000 < times[-1] <= end + 512


def test_arrays_and_long_sound_with_pauses(listener: SpeechToText, demo_clip: Path) -> None:
    sentence = read_clip(demo_clip, want_video=False).samples
    said = plain(demo_clip.with_suffix(".txt").read_text())
    pause = np.zeros(16000, np.float32)
    audio = np.concatenate([sentence, pause, sentence, pause, sentence])
    transcript = listener.transcribe((audio * 32767).astype(np.int16))
    assert word_errors(said * 3, plain(transcript.text)) <= 3
    first_words = [w for w in transcript.words if plain(w.text) == said[:1]]
    begins = [0, len(sentence) + 16000, 2 * (len(sentence) + 16000)]
    assert len(first_words) == 3
    assert all(abs(w.start - b) < 8000 for w, b in zip(first_words, begins, strict=True))


@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.5, 30.0])
def test_silence_and_noise_give_no_words(listener: SpeechToText, seconds: float) -> None:
    count = max(1, round(seconds * 16000))
    assert listener.transcribe(np.zeros(count, np.float32)).words == ()
    noise = np.random.default_rng(0).normal(0, 0.02, count).astype(np.float32)
    assert listener.transcribe(noise).text == ""


def test_a_clip_without_sound_has_no_words(listener: SpeechToText, demo_clip: Path) -> None:
    with open_clip(demo_clip, want_audio=False) as clip:
        assert listener.transcribe_clip(clip).text == ""


@pytest.mark.parametrize(
    "samples", [np.zeros((100, 2), np.float32), np.zeros(0, np.float32), np.full(9, np.nan)]
)
def test_what_is_no_mono_sound_is_refused(listener: SpeechToText, samples: np.ndarray) -> None:
    with pytest.raises(MediaError):
        listener.transcribe(samples)


def test_without_the_extra_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'pip install "edge-ser\[asr\]"'):
        SpeechToText()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lack .*encoder_model\.ort"):
        SpeechToText(tmp_path)


def test_the_package_of_the_weights_is_not_imported(listener: SpeechToText) -> None:
    import sys

    assert installed_weights().is_dir()
    assert listener.transcribe(np.zeros(16000, np.float32)).text == ""
    assert "moonshine_voice" not in sys.modules
    assert "sounddevice" not in sys.modules


@pytest.mark.data
def test_word_errors_on_real_clips(listener: SpeechToText, data_folder: Path) -> None:
    sentences = {
        "01-01-01-01-01-01-01.mp4": "kids are talking by the door",
        "brbk7n.mpg": "bin red by k seven now",
        "lbax4n.mpg": "lay blue at x four now",
        "lbbc2a.mpg": "lay blue by c two again",
        "sbwe5n.mpg": "set blue with e five now",
    }
    errors = {}
    for name, sentence in sentences.items():
        with open_clip(data_folder / "clips" / name) as clip:
            heard = listener.transcribe_clip(clip)
        assert heard.words
        errors[name] = word_errors(sentence.split(), plain(heard.text))
    # The acted sentence is understood; GRID's commands make no sense and rhyme with what does.
    assert errors["01-01-01-01-01-01-01.mp4"] == 0
    assert sum(errors.values()) <= 11


@pytest.mark.data
def test_word_errors_on_emotional_speech(listener: SpeechToText, data_folder: Path) -> None:
    sentences = {
        "01": ["kids", "are", "talking", "by", "the", "door"],
        "02": ["dogs", "are", "sitting", "by", "the", "door"],
    }
    clips = sorted((data_folder / "ravdess_speech").glob("*/*.flac"))[::40]
    assert len(clips) == 36
    errors = words = 0
    for path in clips:
        said = sentences[path.stem.split("-")[4]]
        errors += word_errors(said, plain(listener.transcribe(read_clip(path).samples).text))
        words += len(said)
    assert errors / words < 0.10
