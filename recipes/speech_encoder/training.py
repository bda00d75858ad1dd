"""Train the speech encoder on several corpora, and once more without each of them: one command.

    python -m recipes.speech_encoder.training data runs/speech

``data`` holds ``ravdess_speech``, ``cremad``, ``emodb/original``, ``emovo``, ``nemo`` and
``libri_neutral``. The run ``all`` gives the encoder that ships. Five more leave out one corpus each
and answer for it: what is known of the world comes from them (`recipes.speech_encoder.transfer`).
A run that was stopped goes on when started again; ``--only`` lets runs go on side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import torch
import typer
from rich.console import Console
from safetensors.torch import load_file, save

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig, load_speech_encoder
from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.training.resumable import claim
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.corpora import CorporaTask, Corpus, corpus_seed, normalised
from edge_ser.export.training.speech.corpora_fit import corpora_sizes, fit_corpora, new_task
from edge_ser.export.training.speech.finetuning import collate_audio
from edge_ser.export.training.speech.log_mels import LogMels, make_log_mels
from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.speech_encoder.answers import Answers, write_answers
from recipes.speech_encoder.data import (
    ACTED,
    CONDITIONS,
    READ,
    CorpusName,
    SpeechCorpus,
    speech_corpora,
)

ALL: Final = "all"
"""The run that leaves nothing out."""
RUNS: Final = (ALL, *ACTED)
TASK: Final = "task.safetensors"
"""In a run's folder: encoder, pooling and classifier."""
COPIES: Final = 4
READ_WEIGHT: Final = 0.3
LAYERS: Final = (2,)
LONGEST_FRAMES: Final = 1000
CONFIG: Final = CorporaTraining(
    batch_size=64,
    epochs=30,
    learning_rate=1e-4,
    longest_seconds=3.0,
    audio=AudioAugmentation.of_the_world(),
)
LEFT_OUT_EPOCHS: Final = 20
"""Of the runs that only judge: five of them, so each is shorter than the one that ships."""


class Features:
    """Log-mels of the corpora, made in a folder when they are first asked for."""

    def __init__(
        self, folder: Path, corpora: Mapping[CorpusName, SpeechCorpus], seed: int, processes: int
    ) -> None:
        self._folder = folder
        self._seed = seed
        self._processes = processes
        # Readers who train, so that no corpus that is left out is heard in the background.
        self._voices = corpora[READ].parts["train"]

    def of(
        self, name: str, items: Sequence[Item], augmentation: AudioAugmentation, copies: int
    ) -> LogMels:
        """Log-mels of a part of a corpus."""
        return make_log_mels(
            self._folder / name,
            items,
            augmentation,
            copies,
            voices=self._voices,
            seed=corpus_seed(name, self._seed),
            processes=self._processes,
        )


def train_speech(
    data: Path,
    output: Path,
    only: Sequence[str] = RUNS,
    *,
    config: CorporaTraining = CONFIG,
    left_out_epochs: int = LEFT_OUT_EPOCHS,
    speech: Path | None = None,
    seed: int = 7,
    processes: int = 1,
    console: Console | None = None,
) -> None:
    """Train runs and write what they answer for people, and corpora, that they never saw.

    Args:
        data: see the module's text.
        output: folder of the runs and of the log-mels.
        only: names of runs.
        config: of the training.
        left_out_epochs: of the runs that leave a corpus out.
        speech: pretrained Whisper weights; None takes the installed package.
        seed: of everything.
        processes: that make log-mels.
        console: for progress.

    Raises:
        EdgeSerError: if data or weights are missing, or a run is unknown.
    """
    unknown = sorted(set(only) - set(RUNS))
    if unknown:
        raise ConfigError(f"there is no run {', '.join(unknown)}; runs are {', '.join(RUNS)}")
    corpora = speech_corpora(data, READ_WEIGHT)
    features = Features(output / "log_mels", corpora, seed, processes)
    for name in only:
        folder = output / name
        trained = config if name == ALL else config.model_copy(update={"epochs": left_out_epochs})
        claim(folder, trained.model_dump_json(indent=1))
        if not (folder / TASK).is_file():
            _fit(folder, name, corpora, features, trained, speech, seed, console)
        task = read_task(folder, trained)
        for part, items, log_mels in _judged(name, corpora, features):
            answers = answer(task, log_mels, items)
            write_answers(folder / f"{part}.npz", answers)
            if console is not None:
                console.print(f"{name}: {part}: recall {answers.recall():.3f}", highlight=False)


def _fit(
    folder: Path,
    name: str,
    corpora: Mapping[CorpusName, SpeechCorpus],
    features: Features,
    config: CorporaTraining,
    speech: Path | None,
    seed: int,
    console: Console | None,
) -> None:
    trained: dict[str, Corpus] = {
        corpus: Corpus(
            features.of(f"{corpus}-train", of.parts["train"], config.audio, COPIES),
            [EMOTIONS.index(item.label) for item in of.parts["train"]],
            of.weight,
            of.open_labels,
        )
        for corpus, of in corpora.items()
        if corpus != name
    }
    task = fit_corpora(
        load_speech_encoder(speech, _sizes(config)),
        trained,
        len(EMOTIONS),
        config,
        folder,
        seed=seed,
        progress=console is not None and console.is_terminal,
        # Products of bfloat16 with float32 sums: three times as fast where a CPU has them.
        trainer={"precision": "bf16-mixed"},
    )
    write_atomically(folder / TASK, save({k: v.contiguous() for k, v in task.state_dict().items()}))


def _judged(
    name: str, corpora: Mapping[CorpusName, SpeechCorpus], features: Features
) -> Iterator[tuple[str, tuple[Item, ...], LogMels]]:
    """What a run answers for: parts of corpora by name, their items, their log-mels."""
    for corpus, of in corpora.items():
        if corpus == name:
            for part in of.parts_when_left_out():
                items = of.parts[part]
                # Copies of training parts are there for the other runs already.
                copies = COPIES if part == "train" else 0
                yield (
                    f"{corpus}-{part}",
                    items,
                    features.of(f"{corpus}-{part}", items, CONFIG.audio, copies),
                )
    read = corpora[READ].parts["test"]
    yield "read-test", read, features.of("read-test", read, CONFIG.audio, 0)
    if name != ALL:
        return
    for corpus in ("ravdess", "cremad"):
        items = corpora[corpus].parts["test"]
        yield f"{corpus}-test", items, features.of(f"{corpus}-test", items, CONFIG.audio, 0)
    heard = corpora["ravdess"].parts["test"]
    for condition, augmentation in CONDITIONS.items():
        made = features.of(f"ravdess-test {condition}", heard, augmentation, 1)
        yield f"ravdess-test {condition}", heard, LogMels(made.copies[1:], made.offsets[1:])


def read_task(folder: Path, config: CorporaTraining = CONFIG) -> CorporaTask:
    """What a run trained, in evaluation mode.

    Raises:
        ConfigError: if it has not ended, or its file is damaged.
    """
    task = new_task(SpeechEncoder(_sizes(config)), len(EMOTIONS), config, 0)
    try:
        task.load_state_dict(load_file(str(folder / TASK)))
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{folder / TASK} cannot be read: {error}") from error
    return task.eval()


def answer(task: CorporaTask, log_mels: LogMels, items: Sequence[Item]) -> Answers:
    """Logits of recordings as recorded, each whole or its first ten seconds."""
    order = sorted(range(len(items)), key=lambda i: len(log_mels.frames(i)))
    logits: npt.NDArray[np.float64] = np.empty((len(items), len(EMOTIONS)))
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            chosen = order[start : start + 32]
            batch = collate_audio(
                [(normalised(log_mels.frames(i)[:LONGEST_FRAMES]), 0) for i in chosen]
            )
            logits[chosen] = task(batch.log_mel, batch.mask).double().numpy()
    return Answers(
        logits,
        np.array([EMOTIONS.index(item.label) for item in items]),
        tuple(item.speaker or item.name for item in items),
        tuple(item.sex or "" for item in items),
    )


def _sizes(config: CorporaTraining) -> SpeechEncoderConfig:
    return corpora_sizes(LAYERS, config)


def command(
    data: Annotated[Path, typer.Argument(help="Folder with the corpora.")],
    output: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    only: Annotated[list[str] | None, typer.Option(help="A run; may be given again.")] = None,
    speech: Annotated[
        Path | None, typer.Option(help="Whisper weights (default: the installed package).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 7,
    processes: Annotated[int, typer.Option(help="That make log-mels.")] = 2,
) -> None:
    """Train the speech encoder on several corpora, and once more without each of them.

    A complete command: python -m recipes.speech_encoder.training data runs/speech
    """
    console = Console(stderr=True, highlight=False)
    train_speech(
        data,
        output,
        only or RUNS,
        speech=speech,
        seed=seed,
        processes=processes,
        console=console,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
