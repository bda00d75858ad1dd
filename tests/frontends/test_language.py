"""A language is named only where it is sure: foreign words are left out, English never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.frontends.language import detected, tagged, why_foreign


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en-US", "en"), ("en_us", "en"), ("English", "en"), ("de", "de"), ("GERMAN", "de"),
     ("", None), (None, None), ("unknown", None), ("?", None)],
)  # fmt: skip
def test_tags_of_every_habit(tag: str | None, code: str | None) -> None:
    assert tagged(tag) == code


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I did not expect that at all", "en"),
        ("ich habe das nicht gewusst", "de"),
        ("je ne sais pas ce que tu veux", "fr"),
        ("no lo sé, pero está muy bien", "es"),
        ("non so che cosa è successo", "it"),
        ("jag vet inte vad det är", "sv"),
        ("日本語を話します", "Cjk script"),
        ("не знаю", "Cyrillic script"),
        ("oh la la", None),
        ("Yes!", None),
        ("", None),
        ("12 34 56", None),
    ],
)
def test_languages_are_told_by_script_and_stop_words(text: str, language: str | None) -> None:
    assert detected(text) == language


def test_an_encoder_whose_languages_are_unknown_takes_all() -> None:
    assert why_foreign("ich habe das nicht gewusst", "de", ()) is None
    assert why_foreign("ich habe das nicht gewusst", None, ("en", "de")) is None


def _texts(path: Path) -> list[str]:
    return [line.split("\t")[0] for line in path.read_text("utf-8").splitlines() if line.strip()]


@pytest.mark.data
def test_english_is_never_left_out_and_whole_passages_of_others_are(data_folder: Path) -> None:
    english = _texts(next((data_folder / "goemotions_ekman").glob("dev*")))
    english += _texts(data_folder / "text_xed" / "en.tsv")
    wrong = [text for text in english if why_foreign(text, None, ("en",)) is not None]
    assert len(wrong) <= 1e-4 * len(english), wrong
    for language, least in {"de": 0.9, "es": 0.8, "fr": 0.9, "it": 0.8, "pl": 0.6, "ru": 1}.items():
        texts = _texts(data_folder / "text_xed" / f"{language}.tsv")
        passages = [" ".join(texts[i : i + 4]) for i in range(0, len(texts) - 3, 4)]
        found = sum(why_foreign(passage, None, ("en",)) is not None for passage in passages)
        assert found >= least * len(passages), language
