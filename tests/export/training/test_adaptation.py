"""Training adapts to people by the runtime's formula, and hears them as the runtime does."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle, with_adaptation

from edge_ser import EdgeRecognizer
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.training.adaptation import (
    adapt_to_speakers,
    enrol_speakers,
    moved_to_population,
    speaker_adaptation,
)
from edge_ser.media.media import read_clip
from edge_ser.pipeline.timing import StageTimer
from edge_ser.speaker.adaptation import RunningStatistics

RANDOM = np.random.default_rng(11)


def _items(speakers: int = 3, clips: int = 10) -> tuple[Item, ...]:
    return tuple(
        Item(
            name=f"{speaker}-{clip:02d}",
            kind="audio",
            labels=("neutral" if clip % 2 else "happy",),
            speaker=str(speaker),
        )
        for speaker in range(speakers)
        for clip in range(clips)
    )


def _variants(items: tuple[Item, ...]) -> list[tuple[np.ndarray, ...]]:
    """Everybody has a mean and a deviation of the own; the second variant is louder."""
    made = []
    for item in items:
        who = int(item.speaker or 0)
        tokens = RANDOM.normal(10 * who, 1 + who, (20, 4)).astype(np.float16)
        made.append((tokens, (2 * tokens).astype(np.float16)))
    return made


def test_all_unlabelled_by_the_formula() -> None:
    items = _items()
    variants = _variants(items)
    adapted = adapt_to_speakers(variants, items, "all-unlabelled")
    everything = np.concatenate([own[0] for own in variants]).astype(np.float64)
    for who in range(3):
        mine = [i for i, item in enumerate(items) if item.speaker == str(who)]
        seen = np.concatenate([variants[i][0] for i in mine]).astype(np.float64)
        spread = 0.75 * seen.std(0) + 0.25 * everything.std(0)
        for i in mine:
            for raw, got in zip(variants[i], adapted[i], strict=True):
                expected = (raw.astype(np.float64) - seen.mean(0)) / spread
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_neutral_4_moves_by_the_mean_of_the_first_four_neutral_clips_alone() -> None:
    items = _items()
    variants = _variants(items)
    adapted = adapt_to_speakers(variants, items, "neutral-4")
    first = {who: [10 * who + k for k in (1, 3, 5, 7)] for who in range(3)}
    everybody = np.concatenate([variants[i][0] for own in first.values() for i in own])
    everybody = everybody.astype(np.float64)
    for who, chosen in first.items():
        seen = np.concatenate([variants[i][0] for i in chosen]).astype(np.float64)
        moved = everybody.mean(0) + 0.7 * (seen.mean(0) - everybody.mean(0))
        for i in range(10 * who, 10 * who + 10):
            expected = (variants[i][1].astype(np.float64) - moved) / everybody.std(0)
            np.testing.assert_allclose(adapted[i][1], expected, rtol=1e-4, atol=1e-4)


def test_people_without_a_name_or_neutral_clips_are_refused() -> None:
    items = _items(clips=6)
    with pytest.raises(ConfigError, match="fewer than 4 neutral"):
        adapt_to_speakers(_variants(items), items, "neutral-4")
    nameless = (Item(name="x", kind="audio", labels=("happy",)),)
    with pytest.raises(ConfigError, match="names no speaker"):
        adapt_to_speakers([(np.zeros((2, 4)),)], nameless, "all-unlabelled")


def test_the_section_moves_everybody_to_one_place() -> None:
    items = _items()
    variants = _variants(items)
    seen = {}
    for item, own in zip(items, variants, strict=True):
        seen.setdefault(item.speaker or "", RunningStatistics(2)).add(own[0][:, (0, 3)])
    section = speaker_adaptation(seen, (0, 3), "all-unlabelled", prior_count=0.0, prior_weight=1e-6)
    assert section.people == 3
    assert section.enrol_with == "any"
    np.testing.assert_allclose(section.mean, 10, atol=0.3)
    moved = moved_to_population(variants, items, seen, section)
    for who in range(3):
        own = np.concatenate(
            [m[0] for m, item in zip(moved, items, strict=True) if item.speaker == str(who)]
        )
        np.testing.assert_allclose(own.mean(0)[[0, 3]], section.mean, atol=0.01)
        np.testing.assert_allclose(own.std(0)[[0, 3]], section.deviation, rtol=0.01)
        raw = np.concatenate(
            [v[0] for v, item in zip(variants, items, strict=True) if item.speaker == str(who)]
        )
        np.testing.assert_array_equal(own[:, 1:3], raw[:, 1:3].astype(np.float32))


def test_a_population_needs_people() -> None:
    with pytest.raises(ConfigError, match="two people"):
        speaker_adaptation({"1": RunningStatistics(1)}, (0,), "neutral-4")
    items = _items(speakers=2)
    seen = {"0": RunningStatistics(1), "5": RunningStatistics(1)}
    section = speaker_adaptation(seen, (0,), "neutral-4")
    with pytest.raises(ConfigError, match="1 did not enrol"):
        moved_to_population(_variants(items), items, seen, section)


def test_training_hears_a_person_as_the_runtime_does(tmp_path: Path, demo_clip: Path) -> None:
    samples = read_clip(demo_clip, want_video=False).samples
    assert samples is not None
    whole = np.round(samples * 32767).astype(np.int16)
    items = []
    for index, cut in enumerate((whole, whole[4000:])):
        path = tmp_path / f"{index}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(cut.tobytes())
        items.append(Item(name=f"{index}", kind="audio", labels=("sad",), path=path, speaker="a"))
    with EdgeRecognizer(make_bundle(tmp_path / "bundle", with_adaptation)) as recognizer:
        adaptation = recognizer.bundle.manifest.adaptation
        assert adaptation is not None
        profile = recognizer.enroll([item.path for item in items if item.path is not None])

        def encode(audio: np.ndarray) -> np.ndarray:
            tokens = recognizer.encoders.audio(audio, StageTimer()).tokens
            assert tokens is not None
            return tokens

        seen = enrol_speakers(items, encode, adaptation.columns, "all-unlabelled")["a"]
    assert seen.count == profile.tokens
    np.testing.assert_allclose(seen.mean, profile.mean, rtol=1e-6)
    np.testing.assert_allclose(seen.deviation, profile.deviation, rtol=1e-6, atol=1e-9)
