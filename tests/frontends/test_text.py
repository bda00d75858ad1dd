"""From words to token ids, with every reason why there may be none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from edge_ser.bundles.schema import TextFrontendConfig
from edge_ser.errors import BundleError, MediaError
from edge_ser.frontends.text import TextFrontend, normalize

VOCABULARY = [
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "i",
    "am",
    "so",
    "happy",
    "##y",
    "caf",
    "##\u00e9",
    "1",
    "'",
]
IDS = {token: i for i, token in enumerate(VOCABULARY)}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A small tokenizer of BERT's kind, which pads and cuts unless it is told not to."""
    made = Tokenizer(models.WordPiece(IDS, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.BertNormalizer(strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made.enable_padding(length=32)
    made.enable_truncation(4)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return path


@pytest.fixture
def frontend(tokenizer: Path) -> TextFrontend:
    return TextFrontend(TextFrontendConfig(maximum_tokens=8), tokenizer.read_bytes())


def test_words_become_ids_without_padding(frontend: TextFrontend) -> None:
    tokens = frontend("I am so HAPPY")
    assert tokens.input_ids is not None
    assert tokens.input_ids.dtype == np.int64
    assert tokens.input_ids.tolist() == [[1, 3, 4, 5, 6, 2]]
    tensors = tokens.tensors()
    assert tensors is not None
    assert tensors["input_ids"] is tokens.input_ids
    assert tensors["attention_mask"].tolist() == [[1] * 6]
    assert (tokens.reason, tokens.notes) == (None, ())


def test_composed_and_decomposed_letters_are_the_same(frontend: TextFrontend) -> None:
    composed, decomposed = frontend("caf\u00e9").input_ids, frontend("cafe\u0301").input_ids
    assert composed is not None
    assert decomposed is not None
    assert composed.tolist() == decomposed.tolist() == [[1, 8, 9, 2]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "the transcript is empty"),
        (" \n\t \u200b", "the transcript is empty"),
        ("\U0001f600 \U0001f389", "the transcript holds no words"),
        ("... ?!", "the transcript holds no words"),
        ("zzz qqq", "none of the transcript's words is known to the model"),
    ],
)
def test_what_says_nothing_is_absent(frontend: TextFrontend, words: str, reason: str) -> None:
    tokens = frontend(words)
    assert tokens.input_ids is None
    assert tokens.tensors() is None
    assert tokens.reason == reason


def test_of_too_many_words_the_last_are_kept(frontend: TextFrontend) -> None:
    tokens = frontend(" ".join(["i"] * 1000 + ["so", "happy"]))
    assert tokens.input_ids is not None
    assert tokens.input_ids.tolist() == [[1, 3, 3, 3, 3, 5, 6, 2]]
    assert tokens.notes == ("the transcript has 1002 words: the last 6 are used",)


def test_words_are_not_cut_in_the_middle(frontend: TextFrontend) -> None:
    # Seven tokens for four words: the first word does not fit whole and is left out whole.
    tokens = frontend("caf\u00e9 caf\u00e9 caf\u00e9 i")
    assert tokens.input_ids is not None
    assert tokens.input_ids.tolist() == [[1, 8, 9, 8, 9, 3, 2]]
    assert tokens.notes == ("the transcript has 4 words: the last 3 are used",)


@pytest.mark.parametrize("words", ["'1" * 5000, "i" * 100000, "i'" * 9 + " so"])
def test_endless_words_stay_inside_the_limit(frontend: TextFrontend, words: str) -> None:
    tokens = frontend(words)
    assert tokens.input_ids is None or tokens.input_ids.shape[1] <= 8


@pytest.mark.parametrize("words", [None, 3, b"bytes", ["a"]])
def test_what_is_no_text_is_refused(frontend: TextFrontend, words: object) -> None:
    with pytest.raises(MediaError, match="a transcript must be a text, not"):
        frontend(words)  # type: ignore[arg-type]


def test_control_characters_and_lone_surrogates_are_spaces() -> None:
    assert normalize("a\0b\ud800c\u00a0 d\u200de") == "a b c de"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00"])
def test_what_is_no_tokenizer(content: bytes) -> None:
    with pytest.raises(BundleError, match="the bundle's tokenizer is not one"):
        TextFrontend(TextFrontendConfig(), content)
