"""Everything that goes wrong in days of running: after each the stream is alive and honest.

`recovered` is the common proof: normal input again gives decisions from sound and pictures again.
"""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.stream_simulation import SECOND, Simulation

from edge_ser.result import LiveDecision
from edge_ser.streaming.inbox import Chunk, PictureArrival, WordsArrival

LIVE = ("audio", "video")


@pytest.fixture(params=[0, 2**31 - 3 * SECOND, 2**53 - 5 * SECOND], ids=["0", "2^31", "2^53"])
def simulation(request: pytest.FixtureRequest) -> Simulation:
    """A conversation that has been well for four seconds."""
    made = Simulation(start=request.param)
    assert [d.present for d in made.run(4.0)] == [LIVE] * 8
    return made


def recovered(simulation: Simulation, seconds: float = 4.0) -> LiveDecision:
    """Run with good input; every hop has its decision and the last one lacks nothing."""
    before = simulation.decisions[-1].sequence
    decisions = simulation.run(seconds)
    assert len(decisions) >= seconds * 2 - 1
    sequences = [d.sequence for d in decisions]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > before
    last = decisions[-1]
    assert last.present == LIVE
    assert last.label is not None
    assert 0 <= simulation.clock.time - last.capture_time <= SECOND
    assert not any("missing" in note for note in last.modalities["audio"].notes)
    return last


def reason(decision: LiveDecision, modality: str) -> str:
    report = {str(m): r for m, r in decision.modalities.items()}[modality]
    assert report.present == (report.reason is None)
    return report.reason or ""


# ---- sound --------------------------------------------------------------------------------------


def test_one_lost_buffer_is_a_gap_that_is_told(simulation: Simulation) -> None:
    simulation.run(0.1, audio=lambda _: None)
    decisions = simulation.run(2.4)
    assert "100 ms of the sound are missing" in decisions[-1].modalities["audio"].notes
    assert decisions[-1].health.audio_lost_samples == pytest.approx(1600, abs=160)
    recovered(simulation)


def test_a_second_of_lost_buffers(simulation: Simulation) -> None:
    simulation.run(1.5, audio=lambda _: None)
    decisions = simulation.run(1.0)
    assert any("1500 ms" in note for note in decisions[-1].modalities["audio"].notes)
    assert recovered(simulation).health.audio_lost_samples == pytest.approx(24000, abs=160)


def test_buffers_that_are_lost_again_and_again(simulation: Simulation) -> None:
    for _ in range(20):
        simulation.run(0.1, audio=lambda _: None)
        simulation.run(0.9)
    last = recovered(simulation)
    assert last.health.audio_lost_samples == pytest.approx(20 * 1600, rel=0.1)


def test_a_buffer_that_is_delivered_twice(simulation: Simulation) -> None:
    begin = simulation.clock.time
    chunk = Chunk(simulation.audio(1600), begin, SECOND)
    simulation.clock.time += 1600
    simulation.give(chunk)
    simulation.give(chunk)
    last = recovered(simulation)
    assert last.health.audio_late_samples == 1600
    assert last.health.audio_lost_samples == 0


def test_buffers_in_the_wrong_order(simulation: Simulation) -> None:
    begin = simulation.clock.time
    first = Chunk(simulation.audio(1600), begin, SECOND)
    second = Chunk(simulation.audio(1600), begin + 1600, SECOND)
    simulation.clock.time += 3200
    simulation.give(second)
    simulation.give(first)
    last = recovered(simulation)
    assert last.health.audio_late_samples == 1600
    assert last.health.audio_lost_samples == pytest.approx(1600, abs=160)


def test_a_stall_that_catches_up(simulation: Simulation) -> None:
    begin = simulation.clock.time
    stalled = [Chunk(simulation.audio(1600), begin + i * 1600, SECOND) for i in range(8)]
    late = simulation.run(0.8, microphone=False)
    assert late, "decisions do not wait for ever"
    simulation.give(*stalled)
    last = recovered(simulation)
    assert last.health.audio_lost_samples == 0


def test_a_microphone_that_is_unplugged_and_plugged_in_again(simulation: Simulation) -> None:
    gone = simulation.run(6.0, microphone=False)
    assert len(gone) >= 11
    assert any("the sound is late" in n for n in gone[2].modalities["audio"].notes)
    assert gone[-1].present == ("video",)
    assert "the sound stopped" in reason(gone[-1], "audio")
    assert recovered(simulation, 5.0).health.audio_lost_samples > 0


def test_everything_is_unplugged(simulation: Simulation) -> None:
    gone = simulation.run(6.0, microphone=False, brightness=None)
    assert len(gone) >= 11
    assert gone[-1].abstained
    assert gone[-1].label is None
    assert "nothing to decide from" in (gone[-1].abstain_reason or "")
    assert len(set(gone[-1].probabilities.values())) == 1
    assert simulation.ready[-1].newest is None
    recovered(simulation, 5.0)


def test_a_muted_microphone(simulation: Simulation) -> None:
    decisions = simulation.run(4.0, audio=lambda n: np.zeros(n, np.float32))
    assert reason(decisions[-1], "audio") == "digital silence"
    assert decisions[-1].present == ("video",)
    recovered(simulation)


def test_a_quiet_room(simulation: Simulation) -> None:
    decisions = simulation.run(4.0, audio=lambda n: simulation.audio(n) * np.float32(1e-3))
    assert "silence (loudest -8" in reason(decisions[-1], "audio")
    recovered(simulation)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e7])
def test_samples_that_are_no_sound(simulation: Simulation, value: float) -> None:
    def broken(samples: int) -> np.ndarray:
        audio = simulation.audio(samples).copy()
        audio[3] = value
        return audio

    simulation.run(0.2, audio=broken)
    last = recovered(simulation)
    assert last.health.audio_unusable_samples == 3200
    assert all(np.isfinite(list(last.probabilities.values())))


def test_a_source_that_gives_only_broken_samples(simulation: Simulation) -> None:
    decisions = simulation.run(5.0, audio=lambda n: np.full(n, np.nan, np.float32))
    assert decisions[-1].present == ("video",)
    recovered(simulation, 5.0)


def test_a_microphone_of_another_rate_takes_over(simulation: Simulation) -> None:
    end = simulation.clock.time + 4 * SECOND
    while simulation.clock.time < end:
        begin = simulation.clock.time
        simulation.clock.time += 1600
        samples = np.repeat(simulation.audio(1600), 3)
        picture = PictureArrival(simulation.picture(), begin)
        simulation.give(Chunk(samples, begin, 48000), picture=picture)
    last = simulation.decisions[-1]
    assert last.present == LIVE
    assert last.health.audio_lost_samples == last.health.audio_late_samples == 0
    recovered(simulation)


# ---- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ppm", [-300, -50, 50, 300])
def test_a_sound_card_whose_clock_drifts(ppm: int) -> None:
    simulation = Simulation()
    speed = 1 + ppm * 1e-6
    delivered = 0

    while simulation.clock.time < 200 * SECOND:
        begin, delivered = round(delivered / speed), delivered + 1600
        simulation.clock.time = round(delivered / speed)
        simulation.give(Chunk(simulation.audio(1600), begin, SECOND))
    last = simulation.decisions[-1]
    assert last.health.drift_ppm == pytest.approx(ppm, abs=10)
    assert last.health.audio_lost_samples == 0
    assert last.health.audio_late_samples == 0
    assert abs(simulation.clock.time - last.capture_time) < SECOND
    assert len(simulation.encoders.windows[-1]) in (299, 300)


def test_stamps_that_jitter(simulation: Simulation) -> None:
    decisions = simulation.run(
        30.0, chunk=320, stamp=lambda t: t + int(simulation.random.integers(-160, 160))
    )
    assert len(decisions) >= 59
    assert all(d.present == LIVE for d in decisions)
    assert decisions[-1].health.audio_lost_samples == 0
    assert decisions[-1].health.audio_late_samples == 0
    recovered(simulation)


@pytest.mark.parametrize("jump", [3600 * SECOND, -3600 * SECOND, 10**9 * SECOND])
def test_the_wall_clock_of_the_sound_jumps(simulation: Simulation, jump: int) -> None:
    # The stream's door replaces stamps that cannot be true; see stream_test for the door itself.
    def stamp(begin: int) -> int:
        wrong = begin + jump
        return wrong if simulation.clock.plausible(wrong) else simulation.clock.time - 1600

    decisions = simulation.run(4.0, stamp=stamp)
    assert all(d.present == LIVE for d in decisions)
    assert decisions[-1].health.audio_lost_samples == 0
    recovered(simulation)


def test_a_step_of_the_stamps_that_is_no_lost_sound(simulation: Simulation) -> None:
    simulation.run(5.0, stamp=lambda t: t - SECOND // 4)
    last = recovered(simulation, 6.0)
    assert abs(simulation.clock.time - last.capture_time) < SECOND


def test_the_machine_sleeps_for_an_hour(simulation: Simulation) -> None:
    simulation.clock.time += 3600 * SECOND
    after = simulation.run(1.0)
    assert len(after) <= 4
    assert after[-1].health.hops_skipped >= 7000
    recovered(simulation)


# ---- pictures -----------------------------------------------------------------------------------


def test_a_camera_that_is_unplugged_and_plugged_in_again(simulation: Simulation) -> None:
    gone = simulation.run(5.0, brightness=None)
    assert any("the pictures stopped" in n for n in gone[3].modalities["video"].notes)
    assert gone[-1].present == ("audio",)
    assert "there is no picture" in reason(gone[-1], "video")
    recovered(simulation)


def test_a_camera_that_hangs(simulation: Simulation) -> None:
    image = simulation.picture()
    frozen = simulation.run(6.0, picture=lambda: image)
    assert frozen[-1].present == ("audio",)
    assert "the picture is frozen" in reason(frozen[-1], "video")
    recovered(simulation)


def test_a_camera_behind_its_lid(simulation: Simulation) -> None:
    dark = simulation.run(4.0, brightness=0)
    assert dark[-1].present == ("audio",)
    assert "black" in reason(dark[-1], "video")
    recovered(simulation)


def test_a_person_who_leaves_the_picture(simulation: Simulation) -> None:
    empty = simulation.run(4.0, brightness=254)
    assert reason(empty[-1], "video") == "no face was found"
    recovered(simulation)


def test_a_second_person_in_the_picture(simulation: Simulation) -> None:
    decisions = simulation.run(4.0, brightness=220)
    assert decisions[-1].modalities["video"].notes == (
        "2 faces in view: the one in the middle is followed",
    )
    recovered(simulation)


def test_pictures_in_the_wrong_order(simulation: Simulation) -> None:
    now = simulation.clock.time
    simulation.give(picture=PictureArrival(simulation.picture(), now - 100))
    simulation.give(picture=PictureArrival(simulation.picture(), now - 5000))
    assert recovered(simulation).health.pictures_late == 1


def test_pictures_that_come_late(simulation: Simulation) -> None:
    decisions = simulation.run(5.0, picture_stamp=lambda t: t - 2 * SECOND)
    assert decisions[-1].modalities["video"].present
    assert any("the pictures stopped" in n for n in decisions[-1].modalities["video"].notes)
    recovered(simulation)


def test_pictures_of_another_size_in_the_middle(simulation: Simulation) -> None:
    simulation.run(1.0, picture=lambda: np.repeat(simulation.picture(), 3, axis=0))
    recovered(simulation)


# ---- words --------------------------------------------------------------------------------------


def test_words_that_come_long_after_they_were_said(simulation: Simulation) -> None:
    now = simulation.clock.time
    simulation.give(
        words=(WordsArrival("what was that", now - 60 * SECOND, now - 59 * SECOND, True),)
    )
    last = recovered(simulation)
    assert last.health.words_dropped == 3
    assert "no words" in reason(last, "text")


def test_a_flood_of_words(simulation: Simulation) -> None:
    now = simulation.clock.time
    for i in range(200):
        simulation.give(words=(WordsArrival("word " * 50, now + i, now + i + 50, True),))
    decisions = simulation.run(1.0)
    assert decisions[-1].modalities["text"].present
    assert decisions[-1].health.words_dropped == 200 * 50 - 512
    recovered(simulation)


# ---- encoders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "modality"), [("acoustic", "audio"), ("face", "video"), ("text", "text")]
)
def test_an_encoder_that_raises(simulation: Simulation, encoder: str, modality: str) -> None:
    simulation.encoders.fail.add(encoder)
    now = simulation.clock.time
    simulation.give(words=(WordsArrival("so glad", now, now + 2 * SECOND, True),))
    decisions = simulation.run(4.0)
    assert f"the {encoder} encoder failed" in reason(decisions[-1], modality)
    assert all(not d.abstained for d in decisions)
    assert decisions[-1].health.encoder_errors > 0
    assert f"the {encoder} graph broke" in (decisions[-1].health.last_error or "")
    simulation.encoders.fail.clear()
    recovered(simulation)


def test_a_fusion_that_raises(simulation: Simulation) -> None:
    simulation.encoders.fail.add("fusion")
    decisions = simulation.run(2.0)
    assert len(decisions) == 4
    assert all(d.abstained and d.label is None for d in decisions)
    assert "the fusion failed" in (decisions[-1].abstain_reason or "")
    simulation.encoders.fail.clear()
    recovered(simulation)


def test_every_encoder_raises_at_once(simulation: Simulation) -> None:
    simulation.encoders.fail |= {"acoustic", "face", "text", "fusion"}
    assert all(d.abstained for d in simulation.run(4.0))
    simulation.encoders.fail.clear()
    recovered(simulation)


# ---- load ---------------------------------------------------------------------------------------


def test_a_machine_that_is_too_slow_sheds_work_in_the_stated_order(simulation: Simulation) -> None:
    now = simulation.clock.time
    simulation.give(words=(WordsArrival("so glad", now, now + 60 * SECOND, True),))
    simulation.encoders.cost = {"acoustic": round(0.45 * SECOND)}
    seen = list(dict.fromkeys(d.health.load for d in simulation.run(40.0)))
    order = ["", "every 2nd picture", "3 of 4 pictures left", "the words left", "every 2nd hop"]
    assert len(seen) >= len(order)
    for told, expected in zip(seen, order, strict=False):
        assert expected in told
    health = simulation.decisions[-1].health
    assert health.hops_skipped > 0
    assert health.audio_overflow_samples == health.audio_lost_samples == 0
    simulation.encoders.cost.clear()
    simulation.run(120.0)
    last = recovered(simulation)
    assert last.health.load == ""


def test_a_backlog_is_caught_up_with_the_newest_window(simulation: Simulation) -> None:
    begin = simulation.clock.time
    backlog = [Chunk(simulation.audio(1600), begin + i * 1600, SECOND) for i in range(40)]
    simulation.clock.time += 40 * 1600
    decisions = simulation.give(*backlog)
    assert [d.window.end for d in decisions] == [64000 + 40 * 1600]
    assert decisions[0].health.hops_skipped == 7
    assert recovered(simulation).health.audio_lost_samples == 0
