"""One long recording of real clips in a row, as a camera would have taken it: 720p at 15 pictures.

    python -m tools.live_conversation TARGET.mp4 CLIP [CLIP ...]

Clips of any size and rate are scaled into 1280 x 720 and put behind one another; their words come
from sidecar files, or are the clips' names, spread over their time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.files import write_atomically
from edge_ser.media.media import read_clip
from edge_ser.media.transcript import Transcript, Word, find_sidecar, read_transcript

WIDTH, HEIGHT, PICTURES_A_SECOND = 1280, 720, 15


def timed_words(path: Path) -> Transcript:
    """The words beside a clip; those without times are spread over three seconds."""
    sidecar = find_sidecar(path)
    text = read_transcript(sidecar) if sidecar is not None else Transcript(path.stem)
    if text.words:
        return text
    pieces = text.text.replace("-", " ").split()
    step = 3 * SAMPLE_RATE // max(len(pieces), 1)
    return Transcript(
        text.text, tuple(Word(p, i * step, (i + 1) * step) for i, p in enumerate(pieces))
    )


def read_words(recording: Path) -> Transcript:
    """The words that `write_conversation` wrote beside a recording."""
    words = tuple(Word(*word) for word in json.loads(_beside(recording).read_text("utf-8")))
    return Transcript(" ".join(w.text for w in words), words)


def write_conversation(target: Path, clips: Sequence[Path]) -> None:
    """Write the recording, and its words with their times beside it."""
    words: list[Word] = []
    pieces: list[npt.NDArray[np.float32]] = []
    written = begin = 0
    with av.open(str(target), "w") as container:
        video = container.add_stream("libx264", rate=PICTURES_A_SECOND)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": "23", "preset": "veryfast"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE)
        audio.bit_rate, audio.layout = 96000, "mono"
        for path in clips:
            clip = read_clip(path, frames_per_second=float(PICTURES_A_SECOND))
            if clip.samples is None or not clip.frames:
                raise SystemExit(f"{path} lacks sound or pictures")
            pieces.append(clip.samples)
            words += [Word(w.text, begin + w.start, begin + w.end) for w in timed_words(path).words]
            begin += len(clip.samples)
            newest = 0
            while written * SAMPLE_RATE // PICTURES_A_SECOND < begin:
                time = written * SAMPLE_RATE // PICTURES_A_SECOND - (begin - len(clip.samples))
                while newest + 1 < len(clip.frames) and clip.frames[newest + 1].time <= time:
                    newest += 1
                image = _fitted(clip.frames[newest].image)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = written, Fraction(1, PICTURES_A_SECOND)
                container.mux(video.encode(frame))
                written += 1
        container.mux(video.encode(None))
        # As long as the pictures: a recording that is replayed again has no gap in its sound then.
        rest = max(written * SAMPLE_RATE // PICTURES_A_SECOND - begin, 0)
        samples = np.clip(np.concatenate([*pieces, np.zeros(rest, np.float32)]), -1, 1)
        heard = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        container.mux(audio.encode(heard))
        container.mux(audio.encode(None))
    listed = [(w.text, w.start, w.end) for w in words]
    write_atomically(_beside(target), json.dumps(listed).encode())


def _beside(recording: Path) -> Path:
    return recording.with_suffix(".words")


def _fitted(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scale a picture into 1280 x 720, black beside it."""
    height, width = image.shape[:2]
    if (width, height) == (WIDTH, HEIGHT):
        return image
    scale = min(WIDTH / width, HEIGHT / height)
    size = round(width * scale), round(height * scale)
    left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    whole = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    whole[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
    return whole


if __name__ == "__main__":
    write_conversation(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
