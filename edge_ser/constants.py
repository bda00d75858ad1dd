"""Names, labels and rates that training and runtime share, written here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

SAMPLE_RATE: Final = 16000
"""Rate in Hz at which every front-end and encoder works."""

Modality = Literal["audio", "text", "video"]

MODALITIES: Final[tuple[Modality, ...]] = ("audio", "text", "video")
"""The three modalities, in the order in which every table and tensor lists them."""

EMOTIONS: Final = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The labels of the default bundle: Ekman's six and neutral (a bundle may declare others)."""

DEMO_CLIP: Final = Path(__file__).parent / "demo_clip" / "astronaut.mp4"
"""The clip that ships with the package, the same on every device."""
