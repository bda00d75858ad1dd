"""Kernels through Python: what is refused, and what threads may do."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fixtures.kernel_references import speech_like

from edge_ser.kernels import LogMel, whisper_normalize


def test_whisper_normalise_refuses_nan_and_keeps_the_shape():
    assert whisper_normalize(np.zeros((0, 80), np.float32)).shape == (0, 80)
    with pytest.raises(ValueError, match="sample 1 is NaN"):
        whisper_normalize(np.array([[0.0, np.nan]], np.float32))


def test_whole_clips_may_be_computed_in_many_threads():
    kernel = LogMel()
    audio = speech_like(2.0)
    expected = kernel.compute(audio)
    wrong = []

    def work() -> None:
        wrong.extend(1 for _ in range(20) if not np.array_equal(kernel.compute(audio), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_stream_in_two_threads_is_an_error_not_a_race():
    kernel = LogMel()
    audio = speech_like(2.0)
    messages, rows = [], []

    def work() -> None:
        for _ in range(200):
            try:
                rows.append(len(kernel.accept(audio)))
            except RuntimeError as error:
                messages.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("two threads" in message for message in messages)
    assert len(rows) == 800 - len(messages)
    one = LogMel()
    assert sum(rows) == sum(len(one.accept(audio)) for _ in rows)
