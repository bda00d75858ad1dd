"""Texts as a speech recogniser writes them: the same for the same draw, wrong by sound."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from recipes.text_encoder.data import LabelledTexts, TextBatches
from recipes.text_encoder.spoken import SpokenOptions, SpokenTexts, recognised, sound

TEXTS = ("I'd like there hat, please!", "Their HAT is there...", "There, their hit hat") * 3


def test_a_recogniser_writes_words_alone() -> None:
    assert recognised("Wow!! I can’t, SAY 3-4 things…") == "wow i can't say 3 4 things"  # noqa: RUF001
    assert recognised("?!") == "?!"


@pytest.mark.parametrize(
    ("word", "code"),
    [("robert", "r163"), ("rupert", "r163"), ("ashcraft", "a261"), ("tymczak", "t522")],
)
def test_words_that_sound_alike_have_one_code(word: str, code: str) -> None:
    assert sound(word) == code


def test_without_errors_only_the_form_changes_and_the_share_holds() -> None:
    spoken = SpokenTexts(TEXTS, SpokenOptions(share=0.5, most_errors=0.0))
    generator = np.random.default_rng(1)
    written = [spoken.write(TEXTS[0], generator) for _ in range(400)]
    assert set(written) == {TEXTS[0], "i'd like there hat please"}
    assert written.count(TEXTS[0]) / 400 == pytest.approx(0.5, abs=0.08)


def test_wrong_words_are_missing_doubled_or_sound_alike() -> None:
    spoken = SpokenTexts(TEXTS, SpokenOptions(share=1.0, most_errors=1.0))
    generator = np.random.default_rng(2)
    known = {word for text in TEXTS for word in recognised(text).split()}
    several = {spoken.write("their hat is there", generator) for _ in range(300)}
    assert all(set(text.split()) <= known for text in several)
    assert any("there hat" in text for text in several)
    assert any("hit" in text for text in several)
    assert any(len(text.split()) < 4 for text in several)
    assert any("hat hat" in text for text in several)
    assert "" not in several


def test_batches_write_anew_each_epoch_and_repeat_themselves() -> None:
    words = [
        "[PAD]",
        "[UNK]",
        *sorted({w for t in TEXTS for w in (*recognised(t).split(), *t.split())}),
    ]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=words[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    data = LabelledTexts(TEXTS, np.ones((len(TEXTS), 7), np.float32))

    def batches() -> TextBatches:
        spoken = SpokenTexts(TEXTS, SpokenOptions(most_errors=0.5))
        return TextBatches(data, tokenizer, batch_size=9, shuffle=True, spoken=spoken, seed=5)

    one, two = batches(), batches()
    first, second = next(iter(one)), next(iter(one))
    assert first.input_ids.shape != second.input_ids.shape or bool(
        (first.input_ids != second.input_ids).any()
    )
    assert bool((next(iter(two)).input_ids == first.input_ids).all())
