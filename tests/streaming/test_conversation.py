"""A conversation decides on its hops, from what had come by then, however it came."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.stream_simulation import SECOND, Simulation
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ser.errors import ConfigError
from edge_ser.streaming.inbox import Chunk, PictureArrival, WordsArrival
from edge_ser.streaming.options import StreamOptions


def test_decisions_are_made_at_every_hop_from_the_window_before() -> None:
    simulation = Simulation(start=12345)
    decisions = simulation.run(5.0)
    assert [d.sequence for d in decisions] == list(range(1, 11))
    assert [d.window.end for d in decisions] == [k * 8000 for k in range(1, 11)]
    assert [d.window.start for d in decisions] == [0] * 6 + [8000, 16000, 24000, 32000]
    assert [d.capture_time for d in decisions] == [12345 + k * 8000 for k in range(1, 11)]
    assert all(d.present == ("audio", "video") for d in decisions)
    assert decisions[-1].modalities["text"].reason == "no words were given"
    assert decisions[-1].health.audio_lost_samples == 0


@pytest.mark.parametrize("start", [0, 2**31 - 40000, 2**53 - 40001, 2**59])
def test_the_clock_may_stand_anywhere(start: int) -> None:
    near, far = Simulation(), Simulation(start=start)
    for first, second in zip(near.run(6.0), far.run(6.0), strict=True):
        assert first.probabilities == second.probabilities
        assert first.window == second.window
        assert second.capture_time == start + second.window.end
    np.testing.assert_array_equal(near.encoders.windows[-1], far.encoders.windows[-1])


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 64000 - 1), max_size=30))
def test_chunking_never_changes_a_window(cuts: list[int]) -> None:
    audio = np.random.default_rng(3).standard_normal(64000).astype(np.float32) * 0.1
    whole, cut = Simulation(), Simulation()
    for simulation, where in ((whole, []), (cut, cuts)):
        begin = 0
        for piece in np.split(audio, sorted(set(where))):
            simulation.clock.time = begin + len(piece)
            # All of it belongs to one clock: what is late is not left out while draining.
            simulation.give(Chunk(piece, begin, SECOND), draining=True)
            begin += len(piece)
    assert len(whole.decisions) == len(cut.decisions) == 8
    for first, second in zip(whole.decisions, cut.decisions, strict=True):
        assert first.probabilities == second.probabilities
    np.testing.assert_array_equal(whole.encoders.windows[-1], cut.encoders.windows[-1])


def test_the_newest_sample_used_is_the_end_of_the_window() -> None:
    simulation = Simulation(start=500)
    simulation.run(4.0)
    last = simulation.ready[-1]
    assert (last.oldest, last.newest) == (500 + 16000, 500 + 64000)


def test_pictures_from_after_the_window_do_not_count() -> None:
    simulation = Simulation()
    simulation.run(0.4, brightness=None)
    simulation.give(picture=PictureArrival(simulation.picture(100), 8000))
    (decision,) = simulation.run(0.1, brightness=None)
    assert decision.window.end == 8000
    assert decision.modalities["video"].reason is not None
    (later,) = simulation.run(0.5, brightness=None)
    assert later.modalities["video"].present


def test_a_picture_is_encoded_once_however_many_windows_it_is_in() -> None:
    simulation = Simulation(window=3.0, hop=0.1)
    simulation.run(6.0)
    # Ten pictures a second are delivered, five are sampled.
    assert simulation.encoders.calls["face"] == 30
    assert simulation.encoders.calls["acoustic"] == pytest.approx(60, abs=3)


def test_words_are_encoded_once_a_change() -> None:
    simulation = Simulation(hop=0.1)
    simulation.run(0.5)
    simulation.give(words=(WordsArrival("how do you do", 0, 8000, True),))
    simulation.run(2.4)
    assert simulation.encoders.texts == ["how do you do"]
    simulation.run(3.0)
    assert simulation.encoders.texts[-1] == ""
    assert len(simulation.encoders.texts) <= 6


def test_a_guess_is_replaced_by_what_was_said() -> None:
    simulation = Simulation()
    simulation.run(0.9)
    simulation.give(words=(WordsArrival("I see", 0, 4000, True),))
    simulation.give(words=(WordsArrival("the see", 4000, 12000, False),))
    simulation.run(0.2)
    simulation.give(words=(WordsArrival("the sea", 4000, 12000, True),))
    simulation.run(0.5)
    assert simulation.encoders.texts == ["I see", "I see the see", "I see the sea"]


def test_words_that_are_known_are_encoded_before_the_decision_is_due() -> None:
    simulation = Simulation()
    simulation.run(0.5)
    simulation.give(words=(WordsArrival("so glad", 4000, 7000, True),))
    assert simulation.run(0.4) == []
    assert simulation.encoders.texts == ["so glad"]
    (decision,) = simulation.run(0.1)
    assert decision.modalities["text"].present
    assert simulation.encoders.texts == ["so glad"]
    assert decision.timing_ms["text"] > 0


def test_words_alone_are_enough() -> None:
    simulation = Simulation()
    simulation.give(words=(WordsArrival("so glad", 0, 6000, True),))
    decisions = simulation.run(1.2, microphone=False, brightness=None)
    assert [d.present for d in decisions] == [("text",), ("text",)]
    assert simulation.ready[-1].newest is None


def test_pictures_alone_are_enough() -> None:
    simulation = Simulation()
    decisions = simulation.run(2.2, microphone=False)
    assert [d.present for d in decisions] == [("video",)] * 4
    assert decisions[0].modalities["audio"].reason == "no sound was given"
    newest = simulation.ready[-1].newest
    assert newest is not None
    assert newest < decisions[-1].capture_time


def test_what_is_left_behind_the_last_hop_is_decided_at_the_end() -> None:
    simulation = Simulation()
    simulation.run(1.7)
    assert simulation.conversation is not None
    (last,) = simulation.conversation.finish()
    assert last.decision.window.end == round(1.7 * SECOND)
    assert last.decision.sequence == 4
    assert list(simulation.conversation.finish()) == []


@pytest.mark.parametrize(
    ("window", "hop", "smoothing", "said"),
    [
        (0.0, 0.5, "off", "window"),
        (float("nan"), 0.5, "off", "window"),
        (3.0, -1.0, "off", "hop"),
        (3.0, 0.01, "off", "at least 0.05"),
        (1.0, 2.0, "off", "sound is skipped"),
        (30.0, 0.5, "off", "at most 10"),
        (3.0, 0.5, "hard", "off, light, strong"),
    ],
)
def test_options_out_of_range_are_refused(
    window: float, hop: float, smoothing: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        StreamOptions.checked(window, hop, smoothing, 10 * SECOND, speech_gate=False)
