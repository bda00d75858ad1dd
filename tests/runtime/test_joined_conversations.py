"""Conversations that share a recognizer whose runs are joined decide as each would alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_ser import EdgeRecognizer, LiveDecision
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.clock import PushedClock
from edge_ser.export.variants.variant import Variant, bundle_of
from edge_ser.media.media import read_clip
from edge_ser.runtime.joined_runs import JoinedRuns
from edge_ser.stream import EmotionStream

PEOPLE = 6
CHUNK = 1600


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """In fp32: int8 scales of a fusion depend on all rows, so it is not joined."""
    folder = tmp_path_factory.mktemp("fp32") / "bundle"
    return bundle_of(load_bundle(), Variant("onnxruntime", "fp32"), folder)[0]


@pytest.fixture(scope="module")
def alone(bundle: Bundle, demo_clip: Path) -> Iterator[list[Sequence[LiveDecision]]]:
    with EdgeRecognizer(bundle) as recognizer:
        yield [talk(recognizer.stream(clock=PushedClock()), demo_clip, n) for n in range(PEOPLE)]


def talk(stream: EmotionStream, clip: Path, person: int) -> list[LiveDecision]:
    """Two seconds of the clip, elsewhere for each person, with other words."""
    media = read_clip(clip, frames_per_second=5.0)
    assert media.samples is not None
    begin = person * 3200
    stream.push_text("we made it to orbit " * (1 + person % 2), 0, 16000)
    pictures = [(f.time - begin, f.image) for f in media.frames if f.time >= begin]
    for at in range(0, 32000, CHUNK):
        while pictures and pictures[0][0] <= at:
            time, image = pictures.pop(0)
            stream.push_video(image, time, timeout=60)
        assert stream.push_audio(media.samples[begin + at : begin + at + CHUNK], at, timeout=60)
    assert stream.close(60)
    return list(stream)


def test_on_a_processor_nothing_is_joined_unless_it_is_asked_for() -> None:
    with EdgeRecognizer() as usual, EdgeRecognizer(join=True) as asked:
        found = [r.encoders._face for r in (usual, asked)]
    assert [isinstance(session, JoinedRuns) for session in found] == [False, True]


def test_joined_they_decide_as_each_alone(
    bundle: Bundle,
    alone: list[Sequence[LiveDecision]],
    demo_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[int] = []
    run = JoinedRuns._run
    monkeypatch.setattr(
        JoinedRuns, "_run", lambda self, calls: joined.append(len(calls)) or run(self, calls)
    )
    found: dict[int, list[LiveDecision]] = {}
    with EdgeRecognizer(bundle, join=True) as recognizer:

        def person(number: int) -> None:
            found[number] = talk(recognizer.stream(clock=PushedClock()), demo_clip, number)

        def one_who_leaves() -> None:
            # Ends in the middle, with everything it pushed still on its way.
            stream = recognizer.stream(clock=PushedClock())
            stream.push_audio(np.zeros(16000, np.float32), 0)
            stream.close(0)

        threads = [threading.Thread(target=person, args=(n,)) for n in range(PEOPLE)]
        threads += [threading.Thread(target=one_who_leaves) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert joined, "nothing was joined: this test proves nothing"
    for number, expected in enumerate(alone):
        assert [d.label for d in found[number]] == [d.label for d in expected]
        for got, wanted in zip(found[number], expected, strict=True):
            assert got.present == wanted.present
            assert got.probabilities == pytest.approx(dict(wanted.probabilities), abs=1e-5)
