"""The speech encoder's runs: who trains which, what is written, what goes on where it stopped."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_ser.constants import EMOTIONS, SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig
from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.training.speech import corpora_fit
from edge_ser.export.training.speech.config import CorporaTraining
from edge_ser.export.training.speech.corpora import CorporaExamples
from edge_ser.export.training.speech.corpora_fit import new_task
from recipes.speech_encoder import training
from recipes.speech_encoder.answers import read_answers
from recipes.speech_encoder.data import SpeechCorpus
from recipes.speech_encoder.training import read_task, train_speech

CONFIG = CorporaTraining(batch_size=4, epochs=2, steps_an_epoch=1, longest_seconds=0.5)
CONDITION = {"quieter": AudioAugmentation(gain_db=(-6.0, -6.0), noise_share=0.0)}


def _items(folder: Path, corpus: str, part: str) -> tuple[Item, ...]:
    items = []
    for number in range(4):
        label = "neutral" if corpus == "read" else EMOTIONS[number % 2]
        file = folder / f"{corpus}-{part}-{number}.wav"
        samples = np.random.default_rng(number).normal(0, 2000, SAMPLE_RATE // 2)
        with wave.open(str(file), "wb") as written:
            written.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            written.writeframes(samples.astype(np.int16).tobytes())
        speaker = f"{corpus} {part} {number % 2}"
        items.append(Item(file.name, "audio", (label,), file, speaker=speaker))
    return tuple(items)


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, SpeechCorpus]:
    made = {
        name: SpeechCorpus(
            {part: _items(tmp_path, name, part) for part in ("train", "validation", "test")},
            judged=("test",) if name == "cremad" else (),
            open_labels=name == "read",
        )
        for name in ("ravdess", "cremad", "emodb", "read")
    }
    monkeypatch.setattr(training, "speech_corpora", lambda _data, _weight: made)
    monkeypatch.setattr(training, "CONDITIONS", CONDITION)
    monkeypatch.setattr(training, "COPIES", 1)
    monkeypatch.setattr(
        training, "load_speech_encoder", lambda _source, sizes: SpeechEncoder(sizes).eval()
    )
    monkeypatch.setattr(
        training, "_sizes", lambda _: SpeechEncoderConfig(width=24, heads=2, layers=1, loudest=1.0)
    )
    return made


def test_a_corpus_that_is_left_out_trains_nothing_and_is_answered_for(
    corpora: dict[str, SpeechCorpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[set[str]] = []

    class Watched(CorporaExamples):
        def __init__(self, given, *rest) -> None:
            heard.append(set(given))
            super().__init__(given, *rest)

    monkeypatch.setattr(corpora_fit, "CorporaExamples", Watched)
    output = tmp_path / "runs"
    train_speech(tmp_path, output, ("all", "cremad"), config=CONFIG, left_out_epochs=CONFIG.epochs)
    assert heard == [set(corpora), set(corpora) - {"cremad"}]
    assert {f.stem for f in (output / "cremad").glob("*.npz")} == {"cremad-test", "read-test"}
    expected = {"read-test", "ravdess-test", "cremad-test", "ravdess-test quieter"}
    assert {f.stem for f in (output / "all").glob("*.npz")} == expected
    answers = read_answers(output / "cremad" / "cremad-test.npz")
    assert answers.logits.shape == (4, len(EMOTIONS))
    assert set(answers.people) == {"cremad test 0", "cremad test 1"}


@pytest.mark.usefixtures("corpora")
def test_a_run_that_ended_is_read_back_and_another_configuration_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "runs"
    train_speech(tmp_path, output, ("emodb",), config=CONFIG, left_out_epochs=CONFIG.epochs)
    before = read_task(output / "emodb", CONFIG).state_dict()

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "_fit", never)
    train_speech(tmp_path, output, ("emodb",), config=CONFIG, left_out_epochs=CONFIG.epochs)
    after = read_task(output / "emodb", CONFIG).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    other = CONFIG.model_copy(update={"batch_size": 5})
    with pytest.raises(ConfigError, match="another configuration"):
        train_speech(tmp_path, output, ("emodb",), config=other, left_out_epochs=CONFIG.epochs)


@pytest.mark.usefixtures("corpora")
def test_a_run_that_does_not_exist_or_has_not_ended_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run tess"):
        train_speech(tmp_path, tmp_path / "runs", ("tess",))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_task(tmp_path, CONFIG)


def test_the_tasks_logits_are_its_head_on_the_acoustic_encoders_tokens() -> None:
    # What the fusion graph will be given: whole windows, pairs of features averaged.
    encoder = SpeechEncoder(SpeechEncoderConfig(width=24, heads=2, layers=1))
    task = new_task(encoder, len(EMOTIONS), CONFIG, 0).eval()
    log_mel = torch.randn(2, 80, 40)
    with torch.no_grad():
        tokens = torch.nn.functional.avg_pool1d(encoder(log_mel).transpose(1, 2), 2)
        expected = task.head(tokens.transpose(1, 2), torch.ones(2, 10))
        torch.testing.assert_close(task(log_mel, torch.ones(2, 20)), expected)
