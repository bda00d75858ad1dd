"""Chunks become pieces of 16 kHz sound in order; what cannot be used is counted."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.streaming.inbox import Chunk
from edge_ser.streaming.intake import AudioIntake, Piece
from edge_ser.streaming.tally import Tally

RANDOM = np.random.default_rng(11)


def chunk(begin: int, samples: int = 1600, rate: int = SAMPLE_RATE) -> Chunk:
    return Chunk(RANDOM.standard_normal(samples).astype(np.float32) * 0.1, begin, rate)


def test_chunks_in_order_pass_as_they_are() -> None:
    intake = AudioIntake(Tally())
    for begin in range(0, 16000, 1600):
        given = chunk(begin)
        piece = intake.accept(given)
        assert piece is not None
        assert piece.skipped == 0
        assert piece.capture_time == begin
        np.testing.assert_array_equal(piece.samples, given.samples)


def test_a_second_without_sound_is_skipped_at_once_a_little_is_not() -> None:
    intake = AudioIntake(Tally())
    intake.accept(chunk(0))
    small = intake.accept(chunk(1600 + 8000))
    assert small is not None
    assert small.skipped == 0
    large = intake.accept(chunk(11200 + 40000))
    assert large is not None
    assert large.skipped == 40000


def test_a_clock_that_was_set_back_is_believed_after_a_second() -> None:
    tally = Tally()
    intake = AudioIntake(tally)
    intake.accept(chunk(100 * SAMPLE_RATE))
    given = [intake.accept(chunk(begin)) for begin in range(0, 3 * SAMPLE_RATE, 1600)]
    first = next(i for i, piece in enumerate(given) if piece is not None)
    assert 9 <= first <= 11
    assert all(piece is not None for piece in given[first:])
    assert tally.health().audio_late_samples == first * 1600


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_resampled_on_the_same_clock(rate: int) -> None:
    intake = AudioIntake(Tally())
    size, pieces = rate // 50, []
    t = np.arange(rate * 2) / rate
    audio = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    for i in range(100):
        begin = 7000 + i * SAMPLE_RATE // 50
        piece = intake.accept(Chunk(audio[i * size : (i + 1) * size], begin, rate))
        assert piece is not None
        pieces.append(piece)
    position = 0
    for piece in pieces:
        assert abs(piece.capture_time - (7000 + position)) <= 1
        position += len(piece.samples)
    assert 2 * SAMPLE_RATE - 800 <= position <= 2 * SAMPLE_RATE
    out = np.concatenate([p.samples for p in pieces])[1000:-1000]
    expected = np.sin(2 * np.pi * 440 * (np.arange(len(out)) + 1000) / SAMPLE_RATE)
    assert float(np.abs(out - expected).max()) < 0.01


def test_a_piece_can_be_cut() -> None:
    samples = np.arange(10, dtype=np.float32)
    first, rest = Piece(samples, 100, 5).cut(4)
    assert (len(first.samples), first.capture_time, first.skipped) == (4, 100, 5)
    assert rest is not None
    assert (len(rest.samples), rest.capture_time, rest.skipped) == (6, 104, 0)
    assert rest.cut(6) == (rest, None)
