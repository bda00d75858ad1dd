"""Log-mels of a corpus in files: as recorded, and in several disturbed copies.

Codecs and rooms cost more than a training step: every copy is made once, and what a step draws is
read from the disk. Values are float16 (a thousandth of their range) and not yet normalised, so that
any window of them can be cut and normalised as the runtime does.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.export.data.audio import read_audio
from edge_ser.export.data.items import Item
from edge_ser.export.data.spans import read_spans
from edge_ser.export.examples.audio_augmentation import AudioAugmentation, augment_audio
from edge_ser.files import make_folder, write_atomically
from edge_ser.frontends.audio import AudioFrontend, default_audio_config
from edge_ser.kernels import MelOptions

BANDS: Final = MelOptions.whisper().num_mels
_SHORTEST: Final = SAMPLE_RATE // 10

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float16]


@dataclass(frozen=True)
class LogMels:
    """Log-mels of a corpus.

    Attributes:
        copies: float16 [frames, 80] each, the first as recorded; every 10 ms a frame, log10.
        offsets: int64 [items + 1] each: item i of a copy is its frames offsets[i] to [i + 1].
    """

    copies: tuple[Frames, ...]
    offsets: tuple[npt.NDArray[np.int64], ...]
    chosen: tuple[int, ...] | None = None
    """The items that count, in their order; None for all."""

    def __len__(self) -> int:
        """How many items."""
        return len(self.offsets[0]) - 1 if self.chosen is None else len(self.chosen)

    def of(self, items: Sequence[int]) -> LogMels:
        """Those of some items; nothing is copied."""
        return replace(self, chosen=tuple(items))

    def frames(self, item: int, copy: int = 0) -> Frames:
        """float16 [T, 80] of one item; copy 0 is as recorded."""
        offsets = self.offsets[copy]
        item = item if self.chosen is None else self.chosen[item]
        return self.copies[copy][offsets[item] : offsets[item + 1]]


def make_log_mels(
    folder: Path,
    items: Sequence[Item],
    augmentation: AudioAugmentation,
    copies: int,
    *,
    voices: Sequence[Item] = (),
    seed: int = 0,
    processes: int = 1,
) -> LogMels:
    """Read log-mels from a folder, and make there what is missing.

    Args:
        folder: of this corpus.
        items: its recordings.
        augmentation: of the disturbed copies.
        copies: disturbed ones, beside the recorded one.
        voices: who speaks in the background of disturbed copies.
        seed: of the disturbance, which depends on it, the copy and the item's number.
        processes: that make copies side by side.

    Raises:
        ConfigError: if there are no items, or the folder holds log-mels of others.
        MediaError: if a recording cannot be read.
    """
    if not items:
        raise ConfigError(f"there is no recording whose log-mels could be kept in {folder}")
    make_folder(folder)
    _claim(folder / "made_from.json", items, augmentation, voices, seed)
    missing = [n for n in range(copies + 1) if not (folder / f"offsets_{n}.npy").is_file()]
    if missing:
        # Started afresh: a copy of this process would share its locks.
        with ProcessPoolExecutor(
            min(processes, len(missing)), mp_context=get_context("spawn")
        ) as pool:
            tasks = [
                pool.submit(_make, folder, tuple(items), augmentation, number, tuple(voices), seed)
                for number in missing
            ]
            for task in tasks:
                task.result()
    return LogMels(
        tuple(np.load(folder / f"frames_{n}.npy", mmap_mode="r") for n in range(copies + 1)),
        tuple(np.load(folder / f"offsets_{n}.npy") for n in range(copies + 1)),
    )


def read_recordings(items: Sequence[Item]) -> list[Samples]:
    """Sound of items, float32 [n] each, 16 kHz; recordings of many items are read once."""
    found: dict[int, Samples] = {}
    of_path: dict[Path | None, list[int]] = {}
    for number, item in enumerate(items):
        whole = item.start is None and item.end is None
        if whole:
            found[number] = read_audio(item)
        else:
            of_path.setdefault(item.path, []).append(number)
    for numbers in of_path.values():
        for number, span in zip(
            numbers, read_spans([items[n] for n in numbers], None), strict=True
        ):
            samples = np.zeros(0, np.float32) if span.samples is None else span.samples
            found[number] = np.nan_to_num(np.ascontiguousarray(samples, np.float32))
    return [found[number] for number in range(len(items))]


def _make(
    folder: Path,
    items: tuple[Item, ...],
    augmentation: AudioAugmentation,
    number: int,
    voices: tuple[Item, ...],
    seed: int,
) -> None:
    crowd = [v for v in read_recordings(voices) if len(v)] if number else []
    frontend = AudioFrontend(default_audio_config())
    rows: list[Frames] = []
    for index, samples in enumerate(read_recordings(items)):
        if number and len(samples):
            generator = np.random.default_rng([seed, number, index])
            samples = augment_audio(samples, augmentation, generator, crowd)
        if len(samples) < _SHORTEST:
            samples = np.pad(samples, (0, _SHORTEST - len(samples)))
        computed = frontend.kernels()[0].compute(np.ascontiguousarray(samples))
        rows.append(computed.astype(np.float16))
    offsets = np.array([0, *accumulate(len(r) for r in rows)], np.int64)
    _write(folder / f"frames_{number}.npy", np.concatenate(rows))
    # Last, since it says that the copy is whole.
    _write(folder / f"offsets_{number}.npy", offsets)


def _write(file: Path, array: npt.NDArray[Any]) -> None:
    held = io.BytesIO()
    np.save(held, array, allow_pickle=False)
    write_atomically(file, held.getvalue())


def _claim(
    file: Path,
    items: Sequence[Item],
    augmentation: AudioAugmentation,
    voices: Sequence[Item],
    seed: int,
) -> None:
    names = "\n".join(item.name for item in (*items, *voices))
    made_from = json.dumps(
        {
            "items": len(items),
            "names": hashlib.sha256(names.encode()).hexdigest(),
            "augmentation": augmentation.model_dump(),
            "seed": seed,
        },
        indent=1,
    )
    if file.is_file() and file.read_text(encoding="utf-8") != made_from:
        raise ConfigError(f"{file.parent} holds log-mels of other recordings; remove it")
    write_atomically(file, made_from.encode())
