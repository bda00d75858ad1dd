"""Give a bundle speaker adaptation: people can then enrol.

    python -m recipes.default_bundle.add_adaptation BUNDLE --data DIR --output DIR

The data folder holds ``ravdess_speech``. The population's statistics come from training actors, the
options are chosen on validation actors, and the scores are those of test actors: the split is that
of the default bundle. Graphs stay as they are; everything is computed by the runtime.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.export.bundles.derived import check_output, write_changed
from edge_ser.export.data.audio import Samples, read_audio
from edge_ser.export.data.ravdess import read_ravdess
from edge_ser.export.data.splits import PARTS, published_ravdess_folds
from edge_ser.export.training.adaptation import Tokens
from edge_ser.pipeline.encoders import Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.recognizer import EdgeRecognizer
from recipes.command_line import run
from recipes.default_bundle.fitted_adaptation import FittedAdaptation, People, fit_adaptation

PROSODY_DIFFERENCES: Final = 3
"""An audio token ends with the prosody and its first and second differences."""


def add_adaptation(source: Bundle, data: Path, output: Path, console: Console) -> Bundle:
    """Fit the section and write the bundle that has it, whole or not at all.

    Raises:
        EdgeSerError: if data are missing, or the output must not be replaced.
    """
    check_output(output, source)
    with EdgeRecognizer(source) as recognizer:
        fitted = fit_for_runtime(recognizer, data, console)
    manifest = source.manifest
    scores = [s for s in manifest.scores if s.task != fitted.scores[0].task]
    changed = manifest.model_copy(
        update={"adaptation": fitted.section, "scores": [*scores, *fitted.scores]}
    )
    return write_changed(source, output, lambda _: changed)


def fit_for_runtime(
    recognizer: EdgeRecognizer, data: Path, console: Console | None = None
) -> FittedAdaptation:
    """Fit the section with a bundle's own graphs, as the runtime runs them.

    Args:
        recognizer: of the bundle.
        data: folder with ``ravdess_speech``.
        console: for a progress bar; None shows none.

    Raises:
        EdgeSerError: if data are missing or cannot be read.
    """
    encoders, labels = recognizer.encoders, recognizer.labels
    columns = recognizer.bundle.manifest.frontend.audio.mfcc["num_ceps"] + 4
    clips = read_ravdess(data / "ravdess_speech", calm_is_neutral=True)
    split = published_ravdess_folds(clips.items)[0]
    items = {part: tuple(clips.items[i] for i in split.part(part)) for part in PARTS}
    with Progress(console=console, disable=console is None, transient=True) as progress:
        task = progress.add_task("sound", total=len(clips.items))
        encode = encoder(encoders)

        def whole(samples: Samples) -> Tokens:
            progress.advance(task)
            tokens = encode(samples)
            if tokens is None:
                raise MediaError("a recording holds no sound that can be used")
            return tokens

        tokens = {part: [whole(read_audio(item)) for item in items[part]] for part in PARTS}

    def judge(heard: Sequence[Tokens]) -> np.ndarray:
        return np.stack([encoders.fusion.fuse({"audio": x}).probabilities for x in heard])

    return fit_adaptation(
        People(items, tokens), encode, judge, labels, PROSODY_DIFFERENCES * int(columns)
    )


def encoder(encoders: Encoders) -> Callable[[Samples], Tokens | None]:
    """The acoustic encoder of a bundle, for sound of any length."""

    def encode(samples: Samples) -> Tokens | None:
        longest = encoders.maximum_samples
        pieces = [
            encoders.audio(samples[at : at + longest], StageTimer()).tokens
            for at in range(0, max(len(samples) - SAMPLE_RATE // 4, 1), longest)
        ]
        there = [tokens for tokens in pieces if tokens is not None]
        return np.concatenate(there) if there else None

    return encode


def command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    data: Annotated[Path, typer.Option(help="Folder with ravdess_speech.")],
    output: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
) -> None:
    """Give a bundle speaker adaptation: people can then enrol.

    A complete command: python -m recipes.default_bundle.add_adaptation edge_ser/bundles/default
    --data data --output runs/adapted
    """
    console = Console(stderr=True, highlight=False)
    written = add_adaptation(load_bundle(bundle), data, output, console)
    section = written.manifest.adaptation
    if section is not None:
        console.print(
            f"{len(section.columns)} columns, scale {section.scale}, prior {section.prior_count:g}"
        )
    for score in written.manifest.scores:
        if "speaker adaptation" in score.task:
            console.print(f"{score.metric} {score.value:.3f}: {score.protocol}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
