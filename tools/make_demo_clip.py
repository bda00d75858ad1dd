"""Make the demo clip: NASA's public-domain astronaut portrait and a synthesised sentence.

    python tools/make_demo_clip.py edge_ser/demo_clip/astronaut.mp4

Needs scikit-image (the portrait) and the program espeak-ng (the voice). The picture moves slowly so
that every frame differs; the words stand beside the clip in a sidecar file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

from edge_ser.files import write_atomically

SENTENCE = "We made it to orbit, and the view is wonderful!"
FRAMES_PER_SECOND = 15
SIZE = 480


def synthesise(sentence: str, folder: Path) -> tuple[np.ndarray, int]:
    """Speak the sentence; int16 samples [n] and their rate in Hz."""
    path = folder / "sentence.wav"
    subprocess.run(  # noqa: S603
        ["espeak-ng", "-v", "en-us+f3", "-s", "165", "-p", "60", "-w", str(path), sentence],  # noqa: S607
        check=True,
    )
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        chunks = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(chunks), rate


def picture(portrait: np.ndarray, progress: float) -> np.ndarray:
    """One frame [SIZE, SIZE, 3] RGB: a slow push-in with a slight tilt, progress from 0 to 1."""
    height, width = portrait.shape[:2]
    centre = (width * (0.46 - 0.01 * progress), height * (0.32 + 0.02 * progress))
    turn = cv2.getRotationMatrix2D(
        centre, 2.0 * np.sin(2 * np.pi * progress), 1.25 + 0.2 * progress
    )
    turn[:, 2] += np.array([SIZE / 2, SIZE * 0.42]) - np.array(centre)
    return cv2.warpAffine(
        portrait, turn, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def main(target: Path) -> None:
    """Write the clip and its sidecar transcript."""
    with tempfile.TemporaryDirectory() as folder:
        samples, rate = synthesise(SENTENCE, Path(folder))
    margin = np.zeros(rate // 5, np.int16)
    samples = np.concatenate([margin, samples, margin])
    portrait = data.astronaut()
    count = int(np.ceil(len(samples) / rate * FRAMES_PER_SECOND))
    with av.open(str(target), "w") as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "26", "preset": "veryslow"}
        audio = container.add_stream("aac", rate=rate)
        audio.bit_rate = 64000
        audio.layout = "mono"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(portrait, index / count), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        recorded = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        recorded.sample_rate = rate
        recorded.pts = 0
        recorded.time_base = Fraction(1, rate)
        container.mux(audio.encode(recorded))
        container.mux(audio.encode(None))
    write_atomically(target.with_suffix(".txt"), f"{SENTENCE}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
