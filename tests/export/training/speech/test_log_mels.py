"""Log-mels of a corpus in files: equal to the kernel's, made once, never mixed up."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.training.speech.log_mels import make_log_mels, read_recordings
from edge_ser.kernels import LogMel, MelOptions

WORLD = AudioAugmentation.of_the_world()


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Two files, of the second two spans, one of them a hundredth of a second short."""
    generator = np.random.default_rng(0)
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        samples = (generator.normal(0, 3000, round(seconds * SAMPLE_RATE))).astype(np.int16)
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
    one = Item("a", "audio", ("happy",), tmp_path / "a.wav")
    two = Item("b", "audio", ("sad",), tmp_path / "b.wav", start=0.5, end=1.5)
    return [two, one, replace(two, name="c", start=1.5, end=1.51)]


def test_they_are_what_the_kernel_says_of_each_recording(items: list[Item], tmp_path: Path) -> None:
    made = make_log_mels(tmp_path / "kept", items, WORLD, 1, voices=items[:1])
    assert len(made) == 3
    for number, samples in enumerate(read_recordings(items)[:2]):
        kernel = LogMel(MelOptions.whisper()).compute(samples)
        np.testing.assert_allclose(made.frames(number), kernel, atol=5e-3)
        assert made.frames(number, 1).shape[1] == 80
    assert len(made.frames(2)) == 10
    assert not np.array_equal(made.frames(1), made.frames(1, 1)[: len(made.frames(1))])


def test_they_are_made_once_and_a_copy_that_is_missing_is_made_again_alike(
    items: list[Item], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    first = make_log_mels(folder, items, WORLD, 2, processes=2)
    before = np.array(first.copies[2])
    recorded = (folder / "frames_0.npy").stat().st_mtime_ns
    (folder / "offsets_2.npy").unlink()
    (folder / "frames_2.npy").write_bytes(b"killed while it was written")
    again = make_log_mels(folder, items, WORLD, 2)
    np.testing.assert_array_equal(again.copies[2], before)
    assert (folder / "frames_0.npy").stat().st_mtime_ns == recorded


def test_log_mels_of_others_are_not_taken(items: list[Item], tmp_path: Path) -> None:
    make_log_mels(tmp_path / "kept", items, WORLD, 0)
    for others, seed in ((items[:2], 0), (items, 1)):
        with pytest.raises(ConfigError, match="other recordings"):
            make_log_mels(tmp_path / "kept", others, WORLD, 0, seed=seed)
    with pytest.raises(ConfigError, match="no recording"):
        make_log_mels(tmp_path / "none", [], WORLD, 0)
