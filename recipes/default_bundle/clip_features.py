"""Write sets of clips for calibration and for comparing precisions, from the default data.

    python -m recipes.default_bundle.clip_features --data DIR --part train --count 96 calibration
    python -m recipes.default_bundle.clip_features --data DIR --part test evaluation

Calibration takes clips of people who train, even over labels and speakers; comparing takes the
test part, which no training has seen. Sound, words and faces come from different people, so each
clip of a set has one modality.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.constants import Modality
from edge_ser.errors import ConfigError, EdgeSerError, MediaError
from edge_ser.export.data.audio import read_audio
from edge_ser.export.data.clip_set import ClipFeatures, write_clip
from edge_ser.export.data.items import Item, content
from edge_ser.export.data.splits import PARTS, Part
from edge_ser.export.examples.face_picture import grey_picture
from edge_ser.export.precision.int8.calibration_set import Candidate, choose
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.frontends.text import TextFrontend
from recipes.command_line import run
from recipes.default_bundle.data import (
    Amounts,
    PartItems,
    audio_items,
    face_items,
    text_items,
)

_DETECTOR_SIDE: Final = 128

Tensors = dict[str, npt.NDArray[Any]]


class FeatureReader:
    """Items to the tensors that a bundle's encoders take, through the bundle's own front-ends."""

    def __init__(self, bundle: Bundle) -> None:
        frontend = bundle.manifest.frontend
        self._audio = AudioFrontend(frontend.audio)
        self._text = TextFrontend(frontend.text, bundle.read(bundle.manifest.tokenizer))

    def audio(self, item: Item) -> Tensors:
        """``log_mel`` and ``prosody`` of a recording, an even number of frames."""
        return self._audio(read_audio(item)).tensors()

    def words(self, item: Item) -> Tensors:
        """``input_ids`` and ``attention_mask`` of a text.

        Raises:
            MediaError: nothing of the text can be used.
        """
        tokens = self._text(item.text or item.transcript or "")
        tensors = tokens.tensors()
        if tensors is None:
            raise MediaError(f"{item.name} cannot be used: {tokens.reason}")
        return tensors

    def picture(self, item: Item) -> Tensors:
        """``faces`` of a picture of a face, and ``image``: that face in a larger picture."""
        face = grey_picture(content(item), item.name)
        three = np.repeat(face[None], 3, axis=0)
        return {"faces": three[None], "image": _in_a_picture(face, item.name)}


def _in_a_picture(face: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """A face of random size and place before a flat background: what a detector looks at."""
    import cv2

    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    side = int(rng.integers(40, 112))
    top, left = (int(n) for n in rng.integers(0, _DETECTOR_SIDE - side, 2))
    shape = (_DETECTOR_SIDE, _DETECTOR_SIDE)
    picture = np.full(shape, rng.uniform(20, 235), np.float32)
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    picture[top : top + side, left : left + side] = small
    return np.repeat(picture[None], 3, axis=0)[None]


def write_clip_set(
    bundle: Bundle, data: Path, part: Part, output: Path, count: int | None, seed: int = 0
) -> tuple[int, list[str]]:
    """Write one part of the default data as a set of clips.

    Args:
        bundle: whose front-ends are used.
        data: folder with the data sets.
        part: ``train``, ``validation`` or ``test``.
        output: folder of the set; must be empty or new.
        count: clips of each modality, even over labels and speakers; None takes all.
        seed: of the choice.

    Returns:
        how many clips were written, and what could not be read.

    Raises:
        EdgeSerError: data are missing, or the output holds something.
    """
    if output.exists() and any(output.iterdir()):
        raise EdgeSerError(f"{output} is not empty; name a new folder for the set of clips")
    reader = FeatureReader(bundle)
    sources: dict[Modality, tuple[PartItems, Callable[[Item], Tensors]]] = {
        "audio": (audio_items(data), reader.audio),
        "text": (text_items(data, Amounts()), reader.words),
        "video": (face_items(data, Amounts()), reader.picture),
    }
    written, problems = 0, []
    for modality, (items, read) in sources.items():
        for item in _chosen(items.parts[part], count, seed):
            digest = hashlib.sha256(item.name.encode()).hexdigest()[:16]
            name = f"{modality}-{digest}"
            try:
                # Who wrote a text or shows a face is not known: each is a person of its own.
                clip = ClipFeatures(name, item.label, item.speaker or name, read(item))
            except MediaError as error:
                problems.append(str(error))
                continue
            write_clip(output, clip)
            written += 1
    return written, problems


def _chosen(items: Sequence[Item], count: int | None, seed: int) -> list[Item]:
    if count is None:
        return list(items)
    by_name = {item.name: item for item in items}
    candidates = [Candidate(i.name, i.label, i.speaker or "unknown") for i in by_name.values()]
    return [by_name[c.name] for c in choose(candidates, count, seed)]


def command(
    output: Annotated[Path, typer.Argument(help="Folder of the set.")],
    data: Annotated[Path, typer.Option(help="Folder with the data sets.")],
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    count: Annotated[int | None, typer.Option(help="Clips of each modality.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
) -> None:
    """Write a set of clips: what the encoders see of recordings, pictures and texts.

    A complete command: python -m recipes.default_bundle.clip_features runs/clips --data data
    """
    if part not in PARTS:
        raise ConfigError(f"there is no part {part!r}; they are {', '.join(PARTS)}")
    written, problems = write_clip_set(load_bundle(bundle), data, part, output, count, seed)
    for problem in problems:
        typer.echo(f"left out: {problem}")
    typer.echo(f"{output}: {written} clips")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
