"""A live stream says of a clip what `timeline` says of it, on the bundle that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser import Decision, EdgeRecognizer, LiveDecision
from edge_ser.capture.replay import ReplaySource
from edge_ser.clock import PushedClock
from edge_ser.media.media import read_clip

RATE = 5.0


@pytest.fixture(scope="module")
def recognizer() -> EdgeRecognizer:
    return EdgeRecognizer()


def _likeliest(decision: Decision) -> str:
    return max(decision.probabilities, key=lambda label: decision.probabilities[label])


@pytest.mark.parametrize("hop", [0.5, 0.3])
@pytest.mark.parametrize("window", [3.0, 1.0])
def test_live_and_timeline_agree(
    recognizer: EdgeRecognizer, demo_clip: Path, window: float, hop: float
) -> None:
    reference = recognizer.timeline(
        read_clip(demo_clip, frames_per_second=RATE), window=window, hop=hop
    )
    got: list[LiveDecision] = []
    with recognizer.stream(
        window=window, hop=hop, on_decision=got.append, clock=PushedClock()
    ) as stream:
        source = ReplaySource(demo_clip, speed=None, frames_per_second=RATE, origin=0)
        source.start(stream)
        assert source.wait(120)
    live = {d.window.end: d for d in got}
    whole = [d for d in reference if d.window.end % round(hop * 16000) == 0]
    assert len(whole) >= 6
    for expected in whole:
        decision = live[expected.window.end]
        assert decision.window == expected.window
        assert decision.modalities["audio"].present == expected.modalities["audio"].present
        assert decision.modalities["video"].present == expected.modalities["video"].present
        # Beside the threshold of abstention the two may fall on either side; the likeliest label
        # is the same.
        assert _likeliest(decision) == _likeliest(expected)
        for label, value in expected.probabilities.items():
            assert decision.probabilities[label] == pytest.approx(value, abs=0.15)


def test_a_stream_of_a_closed_recognizer_abstains(tmp_path: Path) -> None:
    from fixtures.bundle_factory import make_bundle
    from test_stream import noise

    recognizer = EdgeRecognizer(make_bundle(tmp_path))
    stream = recognizer.stream(clock=PushedClock(), speech_gate=False)
    for begin in range(0, 16000, 1600):
        stream.push_audio(noise(1600), begin)
    first = stream.next_decision(10)
    assert first is not None
    recognizer.close()
    for begin in range(16000, 32000, 1600):
        stream.push_audio(noise(1600), begin)
    stream.close()
    last = list(stream)[-1]
    assert last.abstained
    assert "closed" in (last.modalities["audio"].reason or "")
