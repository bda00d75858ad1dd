"""A run's sound through a speech encoder that was trained further on its fold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from edge_ser.errors import ConfigError
from edge_ser.export.data.audio import read_audio
from edge_ser.export.data.items import Item, content_hash
from edge_ser.export.data.splits import Split
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig, load_speech_encoder
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.training.adaptation import adapt_to_speakers
from edge_ser.export.training.config import ManifestData, TrainingConfig
from edge_ser.export.training.run_data import RunData
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.corpora import Corpus, corpus_seed
from edge_ser.export.training.speech.corpora_fit import corpora_sizes, fit_corpora
from edge_ser.export.training.speech.finetuning import LabelledAudio, finetune_speech
from edge_ser.export.training.speech.log_mels import make_log_mels
from edge_ser.export.training.tokens.of_run import GENTLE
from edge_ser.export.training.tokens.torch_encoders import AudioTokens
from edge_ser.files import write_atomically
from edge_ser.frontends.audio import default_audio_config

SPEECH_WEIGHTS: Final = "speech.safetensors"
"""In a fold's folder: the encoder that was trained there."""


def with_tuned_speech(
    config: TrainingConfig,
    loaded: RunData,
    split: Split,
    fold: Path,
    cache: Path,
    *,
    speech: Path | None = None,
    trainer: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> RunData:
    """The run's data with the sound's tokens of the fold's own encoder, which is trained if needed.

    Only people of the training part train it, those of the validation part choose its epoch.

    Args:
        config: with a section ``finetune``; without one the data come back as they are.
        loaded: the run's data, encoded with the pretrained encoder.
        split: of the fold.
        fold: its folder; the weights are kept there and read back.
        cache: folder of encoded tokens.
        speech: pretrained Whisper weights; None takes the installed package.
        trainer: further arguments of Lightning's Trainer.
        console: for progress.

    Raises:
        ConfigError: if nobody is there to choose the epoch by, or the weights are damaged.
    """
    if config.finetune is None:
        return loaded
    file = fold / SPEECH_WEIGHTS
    if file.is_file():
        encoder = read_speech(file, config)
    else:
        encoder = load_speech_encoder(speech, _sizes(config))
        how: dict[str, Any] = {
            "seed": config.seeds[0],
            "threads": config.optimisation.threads,
            "progress": console is not None and console.is_terminal,
            "trainer": trainer,
        }
        labels, checkpoints = len(loaded.labels), fold / "speech"
        if isinstance(config.finetune, CorporaTraining):
            corpora = _corpora(config, config.finetune, loaded, split.train, cache)
            fit_corpora(encoder, corpora, labels, config.finetune, checkpoints, **how)
        else:
            finetune_speech(
                encoder,
                _labelled_audio(loaded, split.train),
                _labelled_audio(loaded, split.validation),
                labels,
                config.finetune,
                checkpoints,
                **how,
            )
        write_speech(encoder, file)
    return _encoded(config, loaded, encoder, cache, console)


def read_speech(file: Path, config: TrainingConfig) -> SpeechEncoder:
    """Read an encoder that a fold trained.

    Raises:
        ConfigError: if it is missing or damaged.
    """
    encoder = SpeechEncoder(_sizes(config))
    try:
        encoder.load_state_dict(load_file(str(file)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"the speech encoder {file} cannot be read: {error}") from error
    return encoder.eval()


def write_speech(encoder: SpeechEncoder, file: Path) -> None:
    """Write an encoder's weights, atomically."""
    write_atomically(file, save({k: v.contiguous() for k, v in encoder.state_dict().items()}))


def _sizes(config: TrainingConfig) -> SpeechEncoderConfig:
    if isinstance(config.finetune, CorporaTraining):
        return corpora_sizes(config.speech_layers, config.finetune)
    dropout = 0.0 if config.finetune is None else 0.5 * config.finetune.dropout
    return SpeechEncoderConfig.of_layers(config.speech_layers, dropout=dropout)


def _corpora(
    config: TrainingConfig,
    finetune: CorporaTraining,
    loaded: RunData,
    train: Sequence[int],
    cache: Path,
) -> dict[str, Corpus]:
    """What of each corpus trains; its log-mels are made once for all folds."""
    seed, targets, trained = config.seeds[0], loaded.targets, set(train)
    copies = config.data.augmented if isinstance(config.data, ManifestData) else 0
    # People who train in every fold, and show no emotion, may speak in the background.
    always = set.intersection(*(set(split.train) for split in loaded.splits))
    voices = [loaded.items[i] for i in sorted(always) if _is_open(config, loaded.items[i])]
    made: dict[str, Corpus] = {}
    for name, source in config.corpora.items():
        own = [
            i
            for i, item in enumerate(loaded.items)
            if item.corpus == name and len(loaded.variants["audio"][i][0])
        ]
        rows = [row for row, i in enumerate(own) if i in trained]
        if not rows:
            continue
        items = [loaded.items[i] for i in own]
        log_mels = make_log_mels(
            cache / "log_mels" / _key([*items, *voices], finetune, copies, seed),
            items,
            finetune.audio,
            copies,
            voices=voices,
            seed=corpus_seed(name, seed),
        )
        labels = [targets[own[row]] for row in rows]
        made[name] = Corpus(log_mels.of(rows), labels, source.weight, source.open_labels)
    return made


def _is_open(config: TrainingConfig, item: Item) -> bool:
    return item.corpus is not None and config.corpora[item.corpus].open_labels


def _key(items: Sequence[Item], finetune: CorporaTraining, copies: int, seed: int) -> str:
    digest = hashlib.sha256(f"{finetune.audio.model_dump_json()} {copies} {seed}".encode())
    for item in items:
        digest.update(f"{item.name} {content_hash(item)}\n".encode())
    return digest.hexdigest()[:16]


def _labelled_audio(loaded: RunData, part: Sequence[int]) -> LabelledAudio:
    heard = [i for i in part if len(loaded.variants["audio"][i][0])]
    targets = loaded.targets
    return LabelledAudio(
        [read_audio(loaded.items[i]) for i in heard],
        [targets[i] for i in heard],
        [loaded.items[i].speaker or "" for i in heard],
    )


def _encoded(
    config: TrainingConfig,
    loaded: RunData,
    encoder: SpeechEncoder,
    cache: Path,
    console: Console | None,
) -> RunData:
    frontend = default_audio_config()
    acoustic = AcousticEncoder(encoder, int(frontend.mfcc["num_ceps"]) + 4, encoder.width)
    audio = AudioTokens(acoustic, frontend, cache)
    before = loaded.variants["audio"]
    heard: list[Item] = [x for x, own in zip(loaded.items, before, strict=True) if len(own[0])]
    several = [audio.variants(heard, console=console)]
    several += [
        audio.variants(heard, GENTLE, number=number + 1, console=console)
        for number in range(len(before[0]) - 1)
    ]
    for features in several:
        if features.problems:
            raise ConfigError(
                f"{features.problems[0].name} cannot be encoded: {features.problems[0].reason}"
            )
    tables = [dict(zip((i.name for i in f.items), f.arrays, strict=True)) for f in several]
    width = several[0].arrays[0].shape[1]
    silent = tuple(np.zeros((0, width), np.float16) for _ in several)
    variants = tuple(
        tuple(table[item.name] for table in tables) if item.name in tables[0] else silent
        for item in loaded.items
    )
    if config.data.adaptation != "none":
        variants = adapt_to_speakers(variants, loaded.items, config.data.adaptation)
    return replace(
        loaded,
        variants={**loaded.variants, "audio": variants},
        prosody=acoustic.prosody_width,
        encoder_parameters=sum(p.numel() for p in encoder.parameters()),
    )
