"""Makes a small data set of clips with sound, words and faces that a fusion can learn at once."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import yaml

from edge_ser.capture.media import read_clip
from edge_ser.constants import DEMO_CLIP, SAMPLE_RATE

LABELS = ("angry", "neutral")
PEOPLE = ("ada", "ben", "cleo", "dan")
TAKES = 3
WORDS = {"angry": "I am so angry about this", "neutral": "The train leaves at nine"}

COLUMNS = ("clip", "start", "end", "label", "speaker", "sex", "script", "split", "transcript")


def voice(label: str, seed: int, seconds: float = 0.8) -> npt.NDArray[np.float32]:
    """A buzz, high and loud for anger, low and soft for neutral."""
    generator = np.random.default_rng(seed)
    pitch = (260.0 if label == "angry" else 120.0) * generator.uniform(0.95, 1.05)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * pitch * n * t) / n for n in range(1, 8))
    noise = 0.02 * generator.standard_normal(len(t))
    return np.asarray((0.25 if label == "angry" else 0.05) * wave + noise, np.float32)


def write_clip(
    path: Path, sound: npt.NDArray[np.float32], picture: npt.NDArray[np.uint8] | None = None
) -> None:
    """Write mono sound, and a still picture beside it where one is given."""
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        pictures: Any = None
        if picture is not None:
            pictures = container.add_stream("mjpeg", rate=5)
            pictures.height, pictures.width = picture.shape[:2]
            pictures.pix_fmt = "yuvj420p"
            for number in range(max(round(len(sound) / SAMPLE_RATE * 5), 1)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = number
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        whole = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        block = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        block.sample_rate, block.pts = SAMPLE_RATE, 0
        container.mux(track.encode(block))
        container.mux(track.encode(None))


def make_manifest(folder: Path, *, faces: bool = True, bad: bool = True) -> Path:
    """Write ``clips.csv`` and its clips: 4 people, 2 labels, 3 takes each.

    The third take is a wav without pictures; with `bad`, a silent clip without words, a file that
    is no recording and one that is not there stand in the table, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    face = read_clip(DEMO_CLIP, want_audio=False, maximum_side=320).frames[0].image
    face = face[: face.shape[0] // 2 * 2, : face.shape[1] // 2 * 2]
    rows = []
    for person in PEOPLE:
        for label in LABELS:
            for take in range(TAKES):
                seen = faces and take < 2
                name = f"{person}-{label}-{take}.{'mkv' if seen else 'wav'}"
                light = 1.0 if label == "angry" else 0.6
                sound = voice(label, zlib.crc32(name.encode()))
                picture = (face * light).astype(np.uint8) if seen else None
                write_clip(folder / name, sound, picture)
                sex = "female" if person in ("ada", "cleo") else "male"
                said = "" if take == 1 else WORDS[label]
                rows.append((name, "", "", label, person, sex, "", "", said))
    if bad:
        write_clip(folder / "silent.wav", np.zeros(SAMPLE_RATE, np.float32))
        (folder / "letter.wav").write_text("this is no recording " * 20)
        rows += [
            (n, "", "", "neutral", "ada", "", "", "", "") for n in ("silent.wav", "letter.wav")
        ]
        rows.append(("gone.wav", "", "", "neutral", "ada", "", "", "", ""))
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder / "clips.csv"


def make_config(path: Path, **changes: Any) -> Path:
    """Write a quick configuration over the manifest; `changes` replace whole sections."""
    document: dict[str, Any] = {
        "name": "small",
        "data": {
            "name": "manifest",
            "manifest": "clips.csv",
            "modalities": ["audio", "text", "video"],
            "folds": 2,
        },
        "model": {"width": 16, "attention_heads": 2, "kind": "hybrid"},
        "optimisation": {"epochs": 6, "batch_size": 6, "learning_rate": 0.01},
    }
    document.update(changes)
    path.write_text(yaml.safe_dump(document))
    return path
