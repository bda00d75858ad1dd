"""The self-test of a bundle on a device: golden clips with the answers that their publisher got."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_ser.errors import BundleError, EdgeSerError
from edge_ser.files import read_plain
from edge_ser.recognizer import EdgeRecognizer

EXPECTED_NAME: Final = "expected.json"
TOLERANCE: Final = 0.05
"""Of a probability: int8 graphs answer a little differently on other processors."""
_LIMIT: Final = 64 << 20


def demo_clip() -> Path:
    """The clip that ships with the package, for who names none."""
    return Path(__file__).parents[1] / "demo_clip" / "astronaut.mp4"


def make_golden(bundle: Path, clips: Sequence[Path], folder: Path) -> None:
    """Put clips into a folder, with what the bundle answers to them here.

    Args:
        bundle: the bundle's folder.
        clips: at least one, of 64 MiB at most.
        folder: where they go.

    Raises:
        EdgeSerError: if the bundle or a clip cannot be used.
    """
    folder.mkdir(parents=True)
    expected = {}
    with EdgeRecognizer(bundle) as recognizer:
        for number, clip in enumerate(clips):
            name = f"{number}{clip.suffix.lower()}"
            try:
                (folder / name).write_bytes(read_plain(clip, _LIMIT))
            except OSError as error:
                raise BundleError(
                    f"the clip {clip} cannot be a golden clip: {error.strerror}"
                ) from error
            expected[name] = dict(recognizer.recognize(folder / name).probabilities)
    (folder / EXPECTED_NAME).write_text(json.dumps(expected, indent=1), encoding="utf-8")


def check_golden(recognizer: EdgeRecognizer, folder: Path, budget: float | None) -> float:
    """Let a bundle decide on its golden clips.

    Args:
        recognizer: the bundle, opened.
        folder: what `make_golden` made.
        budget: most seconds that the slowest clip may take on this device; None allows any.

    Returns:
        the seconds of the slowest clip.

    Raises:
        BundleError: if an answer is not as expected, or takes too long.
    """
    try:
        expected = json.loads((folder / EXPECTED_NAME).read_text("utf-8"))
        clips = {folder / name: dict(answer) for name, answer in expected.items()}
        if not clips:
            raise ValueError
        recognizer.recognize(next(iter(clips)))  # what is made at the first use is not counted
        slowest = 0.0
        for clip, wanted in clips.items():
            started = time.perf_counter()
            answer = recognizer.recognize(clip).probabilities
            slowest = max(slowest, time.perf_counter() - started)
            far = max(abs(answer[label] - float(value)) for label, value in wanted.items())
            if set(answer) != set(wanted) or not far <= TOLERANCE:
                raise BundleError(
                    f"the self-test failed: the golden clip {clip.name} is answered {far:.3f} "
                    f"beside what is expected, more than {TOLERANCE}"
                )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"the self-test cannot be run: its clips are not usable ({error})"
        ) from error
    except BundleError:
        raise
    except EdgeSerError as error:
        raise BundleError(f"the self-test failed: {error}") from error
    if budget is not None and slowest > budget:
        raise BundleError(
            f"the self-test took {slowest:.2f} s on this device, where {budget:g} s are allowed"
        )
    return slowest
