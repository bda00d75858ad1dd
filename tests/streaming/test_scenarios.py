"""Scenes made from real clips: whatever is wrong with a modality, the decision says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_ser import EdgeRecognizer, LiveDecision
from edge_ser.clock import PushedClock
from edge_ser.media.media import read_clip

pytestmark = pytest.mark.data

Frames = Sequence[tuple[int, np.ndarray]]
CHUNK = 320


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer() as made:
        yield made


def _read(path: Path) -> tuple[np.ndarray, Frames]:
    clip = read_clip(path, frames_per_second=15.0)
    assert clip.samples is not None
    return clip.samples, [(f.time, f.image) for f in clip.frames]


@pytest.fixture(scope="module")
def actor(data_folder: Path) -> tuple[np.ndarray, Frames]:
    """An actor who speaks, 1280 x 720."""
    return _read(data_folder / "clips" / "01-01-01-01-01-01-01.mp4")


@pytest.fixture(scope="module")
def two_people(data_folder: Path) -> tuple[np.ndarray, Frames]:
    """Two people who speak, side by side, one of them nearer."""
    samples, left = _read(data_folder / "clips" / "brbk7n.mpg")
    _, right = _read(data_folder / "clips" / "lbax4n.mpg")
    both = []
    for (time, near), (_, far) in zip(left, right, strict=False):
        small = far[::2, ::2]
        side = np.zeros((near.shape[0], small.shape[1], 3), np.uint8)
        side[: small.shape[0]] = small
        both.append((time, np.concatenate([near, side], axis=1)))
    return samples, both


def live(
    recognizer: EdgeRecognizer,
    samples: np.ndarray | None,
    frames: Frames,
    *,
    speech_gate: bool = True,
    words: str | None = None,
) -> list[LiveDecision]:
    """Push a scene as devices would; give its decisions."""
    stream = recognizer.stream(speech_gate=speech_gate, smoothing="off", clock=PushedClock())
    waiting = list(frames)
    end = len(samples) if samples is not None else waiting[-1][0] + CHUNK
    if words is not None:
        stream.push_text(words, 0, end // 2)
    for begin in range(0, end, CHUNK):
        while waiting and waiting[0][0] <= begin:
            time, image = waiting.pop(0)
            stream.push_video(image, time, timeout=60)
        if samples is not None:
            assert stream.push_audio(samples[begin : begin + CHUNK], begin, timeout=60)
    assert stream.close(60)
    decisions = list(stream)
    assert len(decisions) >= 5
    for decision in decisions:
        assert (decision.label is None) == decision.abstained
        assert sum(decision.probabilities.values()) == pytest.approx(1)
        for report in decision.modalities.values():
            assert report.present == (report.reason is None)
    return decisions


def changed(frames: Frames, change: Callable[[np.ndarray], np.ndarray]) -> Frames:
    return [(time, change(image)) for time, image in frames]


def test_everything_is_well(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    last = live(recognizer, *actor, words="kids are talking by the door")[-1]
    assert last.present == ("audio", "text", "video")


def test_no_face_in_view(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    samples, frames = actor
    wall = changed(frames, lambda image: np.ascontiguousarray(image[:, :360]))
    last = live(recognizer, samples, wall)[-1]
    assert last.present == ("audio",)
    assert "no face" in (last.modalities["video"].reason or "")
    alone = live(recognizer, samples, [])[-1]
    # The calibration of the subset that is left: as if there were no camera at all.
    assert last.probabilities == pytest.approx(dict(alone.probabilities), abs=1e-6)


def test_two_faces(recognizer: EdgeRecognizer, two_people: tuple[np.ndarray, Frames]) -> None:
    samples, frames = two_people
    last = live(recognizer, samples, frames)[-1]
    assert last.modalities["video"].present
    assert any("2 faces" in note for note in last.modalities["video"].notes)
    near = live(recognizer, samples, changed(frames, lambda image: image[:, :360].copy()))[-1]
    # The nearer person counts: the other one changes little.
    for label, value in near.probabilities.items():
        assert last.probabilities[label] == pytest.approx(value, abs=0.2)


def test_a_dark_room(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    samples, frames = actor
    night = changed(frames, lambda image: (image * 0.02).astype(np.uint8))
    last = live(recognizer, samples, night)[-1]
    assert last.present == ("audio",)
    assert "dark" in (last.modalities["video"].reason or "") or "black" in (
        last.modalities["video"].reason or ""
    )


def test_light_that_comes_back(
    recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]
) -> None:
    samples, frames = actor
    half = len(frames) // 2
    lamp = [*changed(frames[:half], np.zeros_like), *frames[half:]]
    decisions = live(recognizer, samples, lamp)
    assert not decisions[0].modalities["video"].present
    assert decisions[-1].modalities["video"].present


def test_music_is_nobody(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    _, frames = actor
    last = live(recognizer, _music(len(actor[0])), frames)[-1]
    assert last.present == ("video",)
    assert last.modalities["audio"].reason == "nobody speaks"


def test_music_under_a_voice(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    samples, frames = actor
    last = live(recognizer, samples + 0.1 * _music(len(samples)), frames)[-1]
    assert last.present == ("audio", "video")


def test_a_muted_microphone(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    samples, frames = actor
    last = live(recognizer, np.zeros_like(samples), frames)[-1]
    assert last.present == ("video",)
    assert last.modalities["audio"].reason == "digital silence"


def test_a_muted_microphone_and_an_empty_room(
    recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]
) -> None:
    samples, frames = actor
    wall = changed(frames, lambda image: np.ascontiguousarray(image[:, :360]))
    for decision in live(recognizer, np.zeros_like(samples), wall):
        assert decision.abstained
        assert "nothing to decide from" in (decision.abstain_reason or "")


def test_a_camera_that_hangs(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    samples, frames = actor
    still = [(time, frames[10][1]) for time, _ in frames]
    last = live(recognizer, samples, still)[-1]
    assert last.present == ("audio",)
    assert "frozen" in (last.modalities["video"].reason or "")


def test_no_microphone_at_all(recognizer: EdgeRecognizer, actor: tuple[np.ndarray, Frames]) -> None:
    last = live(recognizer, None, actor[1])[-1]
    assert last.present == ("video",)
    assert last.modalities["audio"].reason == "no sound was given"


def _music(samples: int) -> np.ndarray:
    """Chords of a struck instrument, a beat of 0.4 s: nobody sings."""
    time = np.arange(samples) / 16000
    chords = ((220.0, 277.2, 329.6), (246.9, 311.1, 370.0), (196.0, 246.9, 293.7))
    music = np.zeros(samples)
    for beat in range(int(time[-1] / 0.4) + 1):
        since = time - 0.4 * beat
        struck = np.where(since >= 0, np.exp(-6 * np.maximum(since, 0)), 0.0)
        for pitch in chords[beat % 3]:
            tone = sum(np.sin(2 * np.pi * pitch * k * time) / k**2 for k in range(1, 5))
            music += 0.08 * struck * tone
    return music.astype(np.float32)
