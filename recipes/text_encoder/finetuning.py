"""Fine-tune the text encoder on emotions.

    python -m recipes.text_encoder.finetuning DATA/goemotions_ekman runs/text --xed DATA/text_xed

Everything is chosen on a part of the training texts that is held out (epoch, thresholds); the
test part is read once, after training. A run that was stopped goes on when it is started again.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import lightning
import numpy as np
import torch
import typer

from edge_ser.export.encoders.text import DEFAULT_TEXT_SOURCE, load_text_encoder, load_tokenizer
from edge_ser.export.scoring.metrics import multi_label_f1
from edge_ser.export.training import resumable
from edge_ser.export.training.resumable import Loop, claim
from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.text_encoder.corpora import SMALL_TALK, read_text_corpora
from recipes.text_encoder.data import (
    LabelledTexts,
    TextBatches,
    drop_texts,
    joined,
    split_held_out,
)
from recipes.text_encoder.metrics import (
    apply_thresholds,
    bootstrap_interval,
    macro_f1_at_chance,
)
from recipes.text_encoder.model import (
    TextEmotionModel,
    TextEmotionTask,
    TextOptimisation,
    load_text_emotion_model,
)
from recipes.text_encoder.spoken import SpokenOptions, SpokenTexts, recognised

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextFinetuning:
    """A whole run; the defaults are the default bundle's.

    Attributes:
        source: encoder to start from, see `load_text_encoder`.
        epochs: at most; early stopping may end sooner.
        batch_size: texts a step and process.
        maximum_tokens: longer training texts are cut.
        word_dropout: share of the words hidden while training.
        spoken: how often, and how wrongly, texts are written as a speech recogniser would.
        dropout: on the pooled embedding.
        held_out_share: of the training texts, for every choice.
        validations_per_epoch: how often the held-out part is scored.
        patience: validations without a better macro F1 before the run ends.
        checkpoint_minutes: time between resumable checkpoints.
        optimisation: of the weights; its `total_steps` and `seed` are filled in by the run.
        seed: of everything.
    """

    source: str = DEFAULT_TEXT_SOURCE
    epochs: int = 3
    batch_size: int = 32
    maximum_tokens: int = 64
    word_dropout: float = 0.08
    spoken: SpokenOptions = field(default_factory=SpokenOptions)
    dropout: float = 0.2
    held_out_share: float = 0.08
    validations_per_epoch: int = 2
    patience: int = 4
    checkpoint_minutes: float = 5.0
    optimisation: TextOptimisation = field(default_factory=TextOptimisation)
    seed: int = 7


def finetune_text(
    train: Sequence[LabelledTexts],
    output: Path,
    config: TextFinetuning,
    *,
    extra_callbacks: Sequence[lightning.Callback] = (),
) -> TextEmotionModel:
    """Train, resuming from `output` if a run stands there, and save the best state.

    Args:
        train: texts of each corpus; a part of each is held out for every choice.
        output: folder for checkpoints, logs (CSV and TensorBoard) and ``model/``.
        config: of the run.
        extra_callbacks: run beside the run's own, for instance a progress display.

    Returns:
        The model of the best validation, with its thresholds, in evaluation mode.

    Raises:
        ConfigError: if `output` holds a run with another configuration.
    """
    claim(output, json.dumps(asdict(config), indent=2) + "\n")
    lightning.seed_everything(config.seed, verbose=False)
    encoder = load_text_encoder(config.source)
    tokenizer = load_tokenizer(encoder.tokenizer_file)
    parts = [split_held_out(own, config.held_out_share, config.seed) for own in train]
    # A text of one corpus may stand in another: the first one keeps its parts as they are.
    first, held_first = parts[0]
    held_out = joined([held_first, *(drop_texts(held, first) for _, held in parts[1:])])
    fit_part = joined([first, *(drop_texts(own, held_out) for own, _ in parts[1:])])
    unknown = tokenizer.token_to_id("[UNK]")
    loader = TextBatches(
        fit_part,
        tokenizer,
        batch_size=config.batch_size,
        maximum_tokens=config.maximum_tokens,
        shuffle=True,
        word_dropout=config.word_dropout if unknown is not None else 0.0,
        unknown_id=unknown or 0,
        spoken=SpokenTexts(fit_part.texts, config.spoken) if config.spoken.share else None,
        seed=config.seed,
    )
    validation = TextBatches(held_out, tokenizer, batch_size=128)
    steps = config.epochs * len(loader)
    optimisation = TextOptimisation(
        **{**asdict(config.optimisation), "total_steps": steps, "seed": config.seed}
    )
    model = TextEmotionModel(encoder, dropout=config.dropout)
    task = TextEmotionTask(model, optimisation, fit_part.targets.mean(axis=0, dtype=np.float64))
    model.train()  # it was loaded for use; Lightning leaves the mode as it finds it
    resumable.train(
        task,
        loader,
        validation,
        output / "checkpoints",
        Loop(
            epochs=config.epochs,
            monitor="held_out/macro_f1",
            patience=config.patience,
            checkpoint_minutes=config.checkpoint_minutes,
            threads=torch.get_num_threads(),
            callbacks=extra_callbacks,
            trainer={
                "val_check_interval": max(1, len(loader) // config.validations_per_epoch),
                "use_distributed_sampler": False,
                "log_every_n_steps": 50,
            },
        ),
        logs=output,
    )
    model.eval()
    model.save(output / "model")
    return model


def predict_texts(model: TextEmotionModel, data: LabelledTexts) -> np.ndarray[Any, Any]:
    """Probability of each label, float32 [N, labels], in the order of `data`."""
    tokenizer = load_tokenizer(model.encoder.tokenizer_file)
    batches = TextBatches(data, tokenizer, batch_size=64)
    result = np.zeros(data.targets.shape, np.float32)
    model.eval()
    with torch.inference_mode():
        for items, batch in zip(batches.order(0), batches, strict=True):
            logits = model(batch.input_ids, batch.attention_mask)
            result[items] = torch.sigmoid(logits).numpy()
    return result


def score_texts(model: TextEmotionModel, test: LabelledTexts) -> dict[str, Any]:
    """Scores on texts that nothing was chosen on.

    Args:
        model: with thresholds.
        test: texts.

    Returns:
        Macro F1 with the model's thresholds and its 95 % interval, F1 a label, macro F1 of the
        single likeliest label, its accuracy, and macro F1 at chance.
    """
    probabilities = predict_texts(model, test)
    thresholds = model.get_buffer("thresholds").numpy().astype(np.float64)
    predicted = apply_thresholds(probabilities, thresholds)
    scores = multi_label_f1(predicted, test.targets > 0.5)
    single = np.eye(len(model.labels), dtype=np.bool_)[probabilities.argmax(axis=1)]
    return {
        "texts": len(test),
        "rule": "each label at or above its threshold, else the one closest to its own; "
        "thresholds chosen on the held-out part of train",
        "macro_f1": float(scores.mean()),
        "macro_f1_interval": bootstrap_interval(predicted, test.targets),
        "f1": dict(zip(model.labels, map(float, scores), strict=True)),
        "thresholds": dict(zip(model.labels, map(float, thresholds), strict=True)),
        "argmax_macro_f1": float(multi_label_f1(single, test.targets > 0.5).mean()),
        "argmax_hits_a_label": float((single & (test.targets > 0.5)).any(axis=1).mean()),
        "chance_macro_f1": macro_f1_at_chance(test.targets),
    }


def score_corpora(model: TextEmotionModel, tests: Mapping[str, LabelledTexts]) -> dict[str, Any]:
    """Scores of each test part, as written and as a speech recogniser would write it.

    Of neutral small talk the share counts that is given an emotion.

    Args:
        model: with thresholds.
        tests: texts by corpus.
    """
    found: dict[str, Any] = {}
    for name, test in tests.items():
        spoken = replace(test, texts=tuple(recognised(text) for text in test.texts))
        for form, data in ((name, test), (f"{name}, as recognised", spoken)):
            if name == SMALL_TALK:
                likeliest = predict_texts(model, data).argmax(axis=1)
                named = float((likeliest != model.labels.index("neutral")).mean())
                found[form] = {"texts": len(data), "given an emotion": named}
            else:
                found[form] = score_texts(model, data)
    return found


def command(
    data: Annotated[Path, typer.Argument(help="Folder with train.tsv, dev.tsv and labels.txt.")],
    output: Annotated[Path, typer.Argument(help="Folder of the run; an old run goes on.")],
    xed: Annotated[Path | None, typer.Option(help="XED: en.tsv and labels.txt.")] = None,
    meld: Annotated[
        Path | None, typer.Option(help="MELD's tables, of which the neutral lines train.")
    ] = None,
    source: Annotated[str, typer.Option(help="Encoder to start from.")] = DEFAULT_TEXT_SOURCE,
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = TextFinetuning.epochs,
    seed: Annotated[int, typer.Option(help="Of everything.")] = TextFinetuning.seed,
    threads: Annotated[int, typer.Option(min=1, help="Of the CPU.")] = 1,
    score_only: Annotated[
        bool, typer.Option("--score-only", help="Score OUTPUT/model, train nothing.")
    ] = False,
) -> None:
    """Fine-tune the text encoder on train.tsv and what else is given, and score what tests once.

    A complete command: python -m recipes.text_encoder.finetuning data/goemotions_ekman runs/text
    --xed data/text_xed --meld data/meld
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(threads)
    corpora = read_text_corpora(data, xed, meld)
    if score_only:
        model = load_text_emotion_model(output / "model")
    else:
        for name, own in corpora.train.items():
            _log.info("%s: %d training texts that no test part holds", name, len(own))
        config = TextFinetuning(source=source, epochs=epochs, seed=seed)
        model = finetune_text(list(corpora.train.values()), output, config)
    report = json.dumps(score_corpora(model, corpora.test), indent=2)
    write_atomically(output / "scores.json", (report + "\n").encode())
    _log.info(report)


if __name__ == "__main__":
    sys.exit(run(command))
