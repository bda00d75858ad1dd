"""PCM from a pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import numpy as np
import pytest

from edge_ser.capture.standard_input import PcmSource
from edge_ser.errors import CaptureError, ConfigError


def delivered(source: PcmSource, sink: Any) -> None:
    source.start(sink)
    assert source.wait(10)


@pytest.mark.parametrize(("sample_format", "kind"), [("s16le", np.int16), ("f32le", np.float32)])
def test_pcm_arrives_whole_with_times_that_count_samples(
    sink: Any, sample_format: Any, kind: Any
) -> None:
    audio = (np.arange(20000).reshape(-1, 2) % 100).astype(kind)
    source = PcmSource(
        io.BytesIO(audio.tobytes()),
        sample_rate=8000,
        channels=2,
        sample_format=sample_format,
        live=False,
        now=lambda: 500,
    )
    delivered(source, sink)
    np.testing.assert_array_equal(sink.samples, audio)
    assert sink.samples.dtype == kind
    at = 0
    for samples, time, rate in sink.audio:
        assert (time, rate) == (500 + at * 2, 8000)
        at += len(samples)
    assert source.health.state == "ended"
    assert source.health.audio_samples == 10000


def test_live_pcm_was_captured_just_now(sink: Any) -> None:
    source = PcmSource(io.BytesIO(bytes(2 * 320)), now=lambda: 10_000)
    delivered(source, sink)
    assert [(len(s), t) for s, t, _ in sink.audio] == [(320, 9680)]


def test_samples_that_come_in_parts_are_put_together(sink: Any) -> None:
    audio = np.arange(1000, dtype=np.int16)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        source = PcmSource(stream, live=False)
        source.start(sink)
        for at in range(0, 2000, 333):
            pipe.write(audio.tobytes()[at : at + 333])
        pipe.close()
        assert source.wait(10)
    np.testing.assert_array_equal(sink.samples[:, 0], audio)


def test_half_a_sample_at_the_end_is_counted(sink: Any) -> None:
    source = PcmSource(io.BytesIO(bytes(641)))
    delivered(source, sink)
    assert source.health.damaged == 1
    assert source.health.audio_samples == 320


def test_nothing_ends_at_once(sink: Any) -> None:
    source = PcmSource(io.BytesIO(b""))
    delivered(source, sink)
    assert sink.audio == []
    assert source.health.state == "ended"


def test_a_terminal_is_no_source_of_sound(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(CaptureError, match=r"is a terminal: .* arecord -t raw .* -r 16000"):
            PcmSource().start(sink)
    os.close(master)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="there is no standard input"):
        PcmSource().start(sink)


@pytest.mark.parametrize("wrong", [{"sample_rate": 10}, {"channels": 0}, {"sample_format": "mp3"}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PcmSource(io.BytesIO(), **wrong)
