"""Token ids are those of Hugging Face's `tokenizers`, whatever the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import edge_ser
from edge_ser.kernels import WordPiece

FILE = Path(edge_ser.__file__).parent / "bundles" / "default" / "tokenizer.json"
# Whatever is assigned; not the 900,000 code points that never will be, or are private.
POINTS = [chr(c) for c in (*range(0xD800), *range(0xF800, 0x30000), *range(0xE0000, 0xE0200))]


def pair(**normalizer: bool | None) -> tuple[WordPiece, Any]:
    """Ours and theirs, of the default bundle's file with other options of the normaliser."""
    content = json.loads(FILE.read_bytes())
    content["normalizer"].update(normalizer)
    data = json.dumps(content).encode()
    theirs = Tokenizer.from_buffer(data)
    theirs.no_padding()
    theirs.no_truncation()
    return WordPiece(data), theirs


OURS, THEIRS = pair()


def agree(text: str, ours: WordPiece = OURS, theirs: Any = THEIRS) -> None:
    ids, starts = ours.pieces(text)
    expected = theirs.encode(text)
    assert [*ours.before, *ids, *ours.behind] == expected.ids, ascii(text)
    assert starts.dtype == ids.dtype == np.int64
    own = [offset for offset, _ in expected.offsets[len(ours.before) :][: len(ids)]]
    assert starts.tolist() == own, ascii(text)


@pytest.mark.parametrize(
    "normalizer",
    [
        {},
        {"strip_accents": False},
        {"clean_text": False, "handle_chinese_chars": False, "lowercase": False},
    ],
)
def test_every_code_point(normalizer: dict[str, bool]) -> None:
    content = json.loads(FILE.read_bytes())
    content["normalizer"].update(normalizer)
    normalize = pair(**normalizer)[1].normalizer.normalize_str
    for start in range(0, len(POINTS), 16384):
        # Between letters it parts, joins or vanishes; between marks it may change places with them.
        text = " ".join(f"a{c}b {c}\u302e{c}\U0001d165" for c in POINTS[start : start + 16384])
        letters = sorted(set(text + normalize(text)))
        pieces = ["[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters)]
        content["model"]["vocab"] = {piece: number for number, piece in enumerate(pieces)}
        data = json.dumps(content).encode()
        ours, theirs = WordPiece(data), Tokenizer.from_buffer(data)
        theirs.no_padding()
        theirs.no_truncation()
        assert ours.pieces(text)[0].tolist() == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "I'm so happy, aren't you?!",
        "Caf\u00e9 na\u00efve \u00dcber stra\u00dfe \u0130stanbul \u0141\u00f3d\u017a",
        "\u4f60\u597d\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \uc548\ub155",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
        "[CLS] so [SEP][PAD]x[MASK] [unk] [UNK]",
        "a" * 99 + " " + "a" * 100 + " " + "a" * 101 + " " + "\u00e9" * 101,
        "\U0001f600\U0001f469\u200d\U0001f680 yes\u2026 \u201cno\u201d \u20ac5 $5 3\u00d74",
        "tab\tnew\nline\r\n\x00null\x7f\x85next \u2028line\ufeff\ufffd",
        "antidisestablishmentarianism unaffableness zxqj",
    ],
)
def test_texts(text: str) -> None:
    agree(text)


@settings(max_examples=400, deadline=None)
@given(
    text=st.text(
        st.one_of(
            st.sampled_from("abcdeinorst ABC'.,- \u00e9\u00fc\u4f60[]#0123"),
            st.characters(exclude_categories=("Cs",), max_codepoint=0x2FFF),
            st.characters(exclude_categories=("Cs",)),
        ),
        max_size=80,
    )
)
def test_drawn_texts(text: str) -> None:
    ids, _ = OURS.pieces(text)
    assert [*OURS.before, *ids, *OURS.behind] == THEIRS.encode(text).ids


def test_words_of_the_vocabulary_and_their_neighbours() -> None:
    words = [word.removeprefix("##") for word in THEIRS.get_vocab()]
    drawn = np.random.default_rng(5)
    for _ in range(300):
        some = drawn.choice(words, 40)
        agree(" ".join(some))
        agree("".join(some[:12]))


@pytest.mark.data
def test_sentences_of_people(data_folder: Path) -> None:
    files = sorted((data_folder / "text_xed").glob("*.tsv"))
    lines = [line for file in files for line in file.read_text().splitlines()[::10]]
    assert len(lines) > 5000
    for line in lines:
        agree(line)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: a value is missing at byte 0"),
        (b"\xff", "not JSON"),
        (b"{}", "its model is missing, and WordPiece is read here"),
        (FILE.read_bytes()[:-1], "not JSON: '}' is missing"),
        (FILE.read_bytes().replace(b'"[UNK]":100', b'"[UNQ]":100'), "its vocabulary lacks"),
        (FILE.read_bytes().replace(b"BertNormalizer", b"NFKC"), "its normalizer is NFKC"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordPiece(data)
