"""Every mistake that a caller can mend is an `EdgeSerError` which says how: one table of them."""

from __future__ import annotations

import datetime
import io
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_ser
from edge_ser import EdgeRecognizer, EdgeSerError, clip_from_arrays, load_bundle, open_clip
from edge_ser.media.media import read_clip

AUDIO = np.zeros(16000, np.float32)
FRAMES = np.zeros((3, 48, 64, 3), np.uint8)
Call = Callable[[EdgeRecognizer, Path], object]


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer() as made:
        yield made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(32000))
    return path


def _frames(**changes: Any) -> Call:
    given: dict[str, Any] = {"frames": FRAMES, "frame_times": [0.0, 0.2, 0.4], **changes}
    return lambda _r, _c: clip_from_arrays(**given)


def _pushed(method: str, *given: Any) -> Call:
    def push(recognizer: EdgeRecognizer, _: Path) -> object:
        with recognizer.stream(consent=True) as stream:
            return getattr(stream, method)(*given)

    return push


# fmt: off
MISTAKES: dict[str, tuple[Call, str]] = {
    "rate before samples, as scipy gives it": (
        lambda r, _: r.recognize((16000, AUDIO)), r"give \(samples, rate\), in this order"),
    "rate as text": (lambda r, _: r.recognize((AUDIO, "16000")), "whole number of Hz, not '16000'"),
    "rate as an array": (lambda r, _: r.recognize((AUDIO, AUDIO)), "whole number of Hz"),
    "rate of a half": (lambda r, _: r.recognize((AUDIO, 0.5)), "whole number of Hz"),
    "rate of zero": (lambda r, _: r.recognize((AUDIO, 0)), "between 1000 and 384000"),
    "no rate": (lambda r, _: r.recognize((AUDIO, None)), "need their sample_rate"),
    "three values": (lambda r, _: r.recognize((AUDIO, 16000, 1)), "not 3 values"),
    "one value": (lambda r, _: r.recognize((AUDIO,)), "not 1 values"),
    "an array alone": (lambda r, _: r.recognize(AUDIO), r"\(samples, rate\), not ndarray"),
    "a file in memory": (lambda r, _: r.recognize(io.BytesIO(b"RIFF")), "not BytesIO"),
    "bytes": (lambda r, _: r.recognize(b"RIFF"), "not bytes"),
    "nothing": (lambda r, _: r.recognize(None), "not NoneType"),
    "bytes as samples": (lambda r, _: r.recognize((b"RIFF", 16000)), "decode them first"),
    "text as samples": (lambda r, _: r.recognize((["a", "b"], 16000)), "samples must be"),
    "rows of other lengths": (
        lambda r, _: r.recognize(([[0.0], [0.0, 1.0]], 16000)), "cannot be read as an array"),
    "32-bit whole numbers": (
        lambda r, _: r.recognize((AUDIO.astype(np.int32), 16000)), "divide by 2147483648"),
    "64-bit whole numbers": (
        lambda r, _: r.recognize((AUDIO.astype(np.int64), 16000)), "convert 16-bit values"),
    "8-bit sound": (
        lambda r, _: r.recognize((AUDIO.astype(np.uint8), 16000)), "subtract 128 and divide"),
    "16-bit values as floats": (
        lambda r, _: r.recognize((AUDIO + 20000, 16000)), "divide 16-bit values by 32768"),
    "24-bit values as floats": (
        lambda r, _: r.recognize((AUDIO + 5e6, 16000)), "divide 24-bit values by 8388608"),
    "32-bit values as floats": (
        lambda r, _: r.recognize((AUDIO + 2e9, 16000)), "divide 32-bit values by 2147483648"),
    "values of no scale": (lambda r, _: r.recognize((AUDIO + 1e30, 16000)), "full scale at 1"),
    "not a number": (lambda r, _: r.recognize((AUDIO * np.nan, 16000)), "must be finite"),
    "no samples": (lambda r, _: r.recognize((AUDIO[:0], 16000)), "samples are empty"),
    "channels first": (
        lambda r, _: r.recognize((AUDIO[None].repeat(2, 0), 16000)), "transpose them"),
    "three axes": (lambda r, _: r.recognize((AUDIO[None, None], 16000)), "must have the shape"),
    "a folder": (lambda r, c: r.recognize(c.parent), "is a folder"),
    "no such file": (lambda r, c: r.recognize(c.with_name("none.wav")), "no such file"),
    "a transcript that is a number": (lambda r, c: r.recognize(c, 7), "not int"),
    "one name where several are wanted": (
        lambda r, _: list(edge_ser.recognize_files(r, "clips/")), r"\[clip\], not one name alone"),
    "one path where several are wanted": (
        lambda r, c: list(edge_ser.recognize_files(r, c)), r"\[clip\], not one name alone"),
    "sound among files": (
        lambda r, c: list(edge_ser.recognize_files(r, [c, (AUDIO, 16000)])), "not of tuple"),
    "window as text": (lambda r, c: r.timeline(c, window="3"), "window must be a positive number"),
    "hop as text": (lambda r, c: r.timeline(c, hop="1"), "hop must be a positive number"),
    "window of nothing": (lambda r, c: r.timeline(c, window=None), "window must be"),
    "window as a flag": (lambda r, c: r.timeline(c, window=True), "window must be"),
    "a hop that is longer": (lambda r, c: r.timeline(c, window=1.0, hop=2.0), "longer than window"),
    "a window that is too long": (lambda r, c: r.timeline(c, window=1e6), "takes at most"),
    "stream: window as text": (lambda r, _: r.stream(window="3"), "window must be"),
    "stream: window not a number": (lambda r, _: r.stream(window=float("nan")), "window must be"),
    "stream: unknown smoothing": (lambda r, _: r.stream(smoothing="much"), "smoothing"),
    "threads as text": (lambda _r, _: EdgeRecognizer(threads="2"), "threads must be"),
    "no threads": (lambda _r, _: EdgeRecognizer(threads=0), "threads must be"),
    "an unknown backend": (lambda _r, _: EdgeRecognizer(backend="gpu"), "there is no backend"),
    "no such bundle": (lambda _r, c: load_bundle(c.with_name("none")), "does not exist"),
    "a file as bundle": (lambda _r, c: EdgeRecognizer(c), "is a file, not a folder"),
    "open_clip of an array": (lambda _r, _: open_clip(AUDIO), "not ndarray"),
    "open_clip of an address": (lambda _r, _: open_clip("https://a/b.mp4"), "is an address"),
    "pictures not a second": (
        lambda _r, c: read_clip(c, frames_per_second="5"), "frames_per_second must be"),
    "frames of different sizes": (
        _frames(frames=[FRAMES[0], FRAMES[1][:20], FRAMES[2]]), "cannot be read as an array"),
    "frames of floats": (_frames(frames=FRAMES.astype(np.float32)), "must be uint8"),
    "grey frames": (_frames(frames=FRAMES[..., 0]), "must be uint8 of the shape"),
    "no times": (_frames(frame_times=None), "need their frame_times"),
    "too few times": (_frames(frame_times=[0.0]), "as many frame_times"),
    "times in milliseconds": (
        _frames(frame_times=[0, 4e8, 8e8]), "divide milliseconds by 1000"),
    "times of another epoch": (
        _frames(frame_times=[1.7e9, 1.7e9 + 1, 1.7e9 + 2]), "seconds since the clip's start"),
    "times as text": (_frames(frame_times=["0", "1", "2"]), "numbers of seconds"),
    "times as dates": (
        _frames(frame_times=np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "datetime64")),
        "seconds since the first sample"),
    "times as Python's dates": (
        _frames(frame_times=[datetime.datetime(2026, 1, d) for d in (1, 2, 3)]),
        "one type"),
    "times that fall": (_frames(frame_times=[0.4, 0.2, 0.0]), "rise from frame to frame"),
    "times that are no numbers": (_frames(frame_times=[0.0, np.nan, 1.0]), "must be finite"),
    "sound captured at seconds": (_pushed("push_audio", AUDIO, 12.5), "multiply seconds by 16000"),
    "a picture captured on a date": (
        _pushed("push_video", FRAMES[0], datetime.datetime(2026, 1, 1)), "capture_time must be"),
    "a picture captured at no number": (
        _pushed("push_video", FRAMES[0], float("nan")), "capture_time must be"),
    "words from seconds": (_pushed("push_text", "so", 0.5, 1.25), "start must be a whole number"),
    "words to a text": (_pushed("push_text", "so", 0, "1"), "end must be a whole number"),
    "neither sound nor pictures": (lambda _r, _: clip_from_arrays(), "neither samples nor frames"),
}
# fmt: on


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_do(mistake: str, recognizer: EdgeRecognizer, clip: Path) -> None:
    call, message = MISTAKES[mistake]
    with pytest.raises(EdgeSerError, match=message) as raised:
        call(recognizer, clip)
    assert "\n" not in str(raised.value)


def test_every_public_function_is_in_the_table() -> None:
    text = Path(__file__).read_text()
    functions = [n for n in edge_ser.__all__ if n[0].islower()]
    for name in (*functions, "recognize", "timeline", "stream"):
        assert f"{name}(" in text, name
