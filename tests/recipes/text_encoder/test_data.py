"""Batches of texts: nothing lost, nothing leaked, and a stopped epoch goes on where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from recipes.text_encoder.data import (
    LabelledTexts,
    TextBatches,
    drop_texts,
    labelled_texts,
    split_held_out,
)

UNKNOWN = 1


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = ["[PAD]", "[UNK]", *(f"w{i}" for i in range(50))]
    vocabulary = {word: number for number, word in enumerate(words)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=words[UNKNOWN]))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def texts(count: int) -> LabelledTexts:
    rng = np.random.default_rng(0)
    rows = tuple(
        " ".join(f"w{k}" for k in rng.integers(0, 50, rng.integers(3, 20))) + f" w{i % 50}"
        for i in range(count)
    )
    targets = np.eye(7, dtype=np.float32)[rng.integers(0, 7, count)]
    return LabelledTexts(rows, targets)


def test_items_become_rows_with_every_label() -> None:
    items = [
        Item("a", "text", ("happy",), text="good"),
        Item("b", "text", ("sad", "angry"), text="bad"),
    ]
    data = labelled_texts(items)
    assert data.texts == ("good", "bad")
    assert [EMOTIONS[i] for i in np.flatnonzero(data.targets[0])] == ["happy"]
    assert {EMOTIONS[i] for i in np.flatnonzero(data.targets[1])} == {"sad", "angry"}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no labelled texts"),
        ([Item("a", "text", ("boredom",), text="x")], "a cannot .* boredom are unknown"),
        ([Item("a", "audio", ("happy",))], "it is no text"),
    ],
)
def test_items_that_cannot_train_are_named(items: list[Item], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        labelled_texts(items)


def test_texts_of_the_test_part_are_dropped_whatever_their_case() -> None:
    data = LabelledTexts(("Hello ", "other", "HELLO"), np.ones((3, 7), np.float32))
    test = LabelledTexts(("hello",), np.ones((1, 7), np.float32))
    assert drop_texts(data, test).texts == ("other",)


def test_equal_texts_are_held_out_together_and_the_split_repeats() -> None:
    base = texts(200)
    doubled = LabelledTexts(base.texts * 2, np.concatenate([base.targets, base.targets]))
    kept, held = split_held_out(doubled, 0.25, seed=3)
    assert len(kept) + len(held) == 400
    assert not set(kept.texts) & set(held.texts)
    assert 80 <= len(held) <= 120
    assert split_held_out(doubled, 0.25, seed=3)[1].texts == held.texts
    assert split_held_out(doubled, 0.25, seed=4)[1].texts != held.texts


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_holds_out_nothing_or_all_is_refused(share: float) -> None:
    with pytest.raises(ConfigError):
        split_held_out(texts(10), share, seed=0)


def test_without_shuffling_every_text_comes_once_shortest_first(tokenizer: Tokenizer) -> None:
    data = texts(45)
    batches = TextBatches(data, tokenizer, batch_size=8)
    assert len(batches) == 6
    lengths: list[int] = []
    for items, batch in zip(batches.order(0), batches, strict=True):
        lengths += batch.attention_mask.sum(dim=1).tolist()
        assert torch.equal(batch.targets, torch.from_numpy(data.targets[items]))
        assert (batch.input_ids[batch.attention_mask == 0] == 0).all()
    assert lengths == sorted(lengths)
    assert sorted(i for items in batches.order(0) for i in items) == list(range(45))
    assert sum(1 for _ in batches) == 6


def shuffled(tokenizer: Tokenizer) -> TextBatches:
    return TextBatches(
        texts(70),
        tokenizer,
        batch_size=8,
        shuffle=True,
        word_dropout=0.3,
        unknown_id=UNKNOWN,
        seed=5,
    )


def test_epochs_differ_and_each_has_every_text(tokenizer: Tokenizer) -> None:
    batches = shuffled(tokenizer)
    first, second = batches.order(0), batches.order(1)
    assert [list(x) for x in first] != [list(x) for x in second]
    for order in (first, second):
        assert sorted(i for items in order for i in items) == list(range(70))


@pytest.mark.parametrize("stop", [1, 4, 8])
def test_a_stopped_epoch_goes_on_with_the_same_batches(tokenizer: Tokenizer, stop: int) -> None:
    whole = shuffled(tokenizer)
    expected = [batch.input_ids for _ in range(2) for batch in whole]
    stopped = shuffled(tokenizer)
    found = []
    for number, batch in enumerate(stopped, start=1):
        found.append(batch.input_ids)
        if number == stop:
            break
    resumed = shuffled(tokenizer)
    resumed.load_state_dict(stopped.state_dict())
    found += [batch.input_ids for batch in resumed]
    found += [batch.input_ids for batch in resumed]
    assert len(found) == len(expected) == 18
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_the_state_moves_on_with_the_last_batch(tokenizer: Tokenizer) -> None:
    batches = shuffled(tokenizer)
    running = iter(batches)
    for _ in range(len(batches)):
        next(running)
    assert batches.state_dict() == {"epoch": 1, "position": 0}


def test_word_dropout_hides_inner_words_at_its_rate(tokenizer: Tokenizer) -> None:
    hidden = total = 0
    for batch in shuffled(tokenizer):
        last = batch.attention_mask.sum(dim=1) - 1
        rows = torch.arange(len(last))
        assert (batch.input_ids[:, 0] != UNKNOWN).all()
        assert (batch.input_ids[rows, last] != UNKNOWN).all()
        assert (batch.input_ids[batch.attention_mask == 0] == 0).all()
        hidden += int((batch.input_ids == UNKNOWN).sum())
        total += int(last.sum()) - len(last)
    assert 0.25 < hidden / total < 0.35


def test_long_texts_are_cut_but_keep_their_end(tokenizer: Tokenizer) -> None:
    data = LabelledTexts((" ".join(f"w{i}" for i in range(30)),), np.ones((1, 7), np.float32))
    (batch,) = TextBatches(data, tokenizer, batch_size=1, maximum_tokens=10)
    assert batch.input_ids.tolist() == [[*range(2, 11), 31]]


@pytest.mark.parametrize("bad", [{"batch_size": 0}, {"batch_size": 2, "maximum_tokens": 2}])
def test_impossible_sizes_are_refused(tokenizer: Tokenizer, bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        TextBatches(texts(3), tokenizer, **bad)  # type: ignore[arg-type]
