"""The gate opens for speech and for nothing else, at the time at which it was spoken."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge_ser.media.clip import Samples
from edge_ser.speech.speech_gate import SpeechGate
from edge_ser.speech.voice_activity import FRAME, VoiceActivity


class LoudIsSpeech:
    """Takes frames whose mean is above one half for speech."""

    def __init__(self) -> None:
        self.rest = np.empty(0, np.float32)

    def accept(self, samples: Samples) -> npt.NDArray[np.float32]:
        joined = np.concatenate((self.rest, samples))
        count = len(joined) // FRAME
        self.rest = joined[count * FRAME :]
        means = joined[: count * FRAME].reshape(count, FRAME).mean(axis=1)
        return np.asarray(means, np.float32)

    def reset(self) -> None:
        self.rest = np.empty(0, np.float32)


@pytest.mark.parametrize("chunk", [100, 512, 1600, 16000])
@pytest.mark.parametrize("start", [0, 2**53])
def test_speech_is_found_at_its_time(chunk: int, start: int) -> None:
    audio = np.zeros(64000, np.float32)
    audio[32000:40000] = 1.0
    gate = SpeechGate(LoudIsSpeech(), 64000)
    for begin in range(0, len(audio), chunk):
        piece = audio[begin : begin + chunk]
        gate.accept(piece, start + begin + len(piece))
    assert gate.speaks(start, start + 64000)
    assert not gate.speaks(start, start + 31000)
    assert not gate.speaks(start + 40000, start + 64000)
    assert gate.speaks(start + 36000, start + 52000)


def test_a_click_is_no_speech() -> None:
    audio = np.zeros(16000, np.float32)
    audio[5120:6144] = 1.0
    gate = SpeechGate(LoudIsSpeech(), 64000)
    gate.accept(audio, 16000)
    assert not gate.speaks(0, 16000)


def test_memory_is_bounded_and_interruptions_begin_anew() -> None:
    gate = SpeechGate(LoudIsSpeech(), 16000)
    for i in range(1, 200):
        gate.accept(np.ones(1000, np.float32), i * 1000)
    assert len(gate._speech) <= 16000 // FRAME + 1
    gate.reset()
    gate.accept(np.ones(3200, np.float32), 1_003_200)
    assert gate.speaks(1_000_000, 1_003_200)


def test_noise_and_music_name_no_emotion() -> None:
    t = np.arange(48000) / 16000
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277.2, 329.6))
    noise = np.random.default_rng(1).standard_normal(48000)
    for audio in (0.1 * chord, 0.05 * noise):
        gate = SpeechGate(VoiceActivity(), 48000)
        gate.accept(audio.astype(np.float32), 48000)
        assert not gate.speaks(0, 48000)
