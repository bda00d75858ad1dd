"""The tables of corpora never seen."""

from __future__ import annotations

from pathlib import Path

from recipes.command_line import run
from recipes.documents.corpora_never_seen import SECTION, all_tables, command, first_table
from recipes.speech_encoder.data import CONDITIONS
from recipes.speech_encoder.transfer import transfer


def test_the_tables_name_every_corpus_and_every_disturbance(speech_runs: Path) -> None:
    found = transfer(speech_runs)
    text = all_tables(speech_runs, found)
    for name in ("RAVDESS", "CREMA-D", "Emo-DB", "EMOVO", "nEMO"):
        assert name in text
        assert name in first_table(found)
    assert "mean of the five" in text
    assert all(condition in text for condition in CONDITIONS)
    assert text.count("not known") == 2 * 4  # the sexes of all corpora but one


def test_the_command_fills_both_documents(speech_runs: Path) -> None:
    documents = [speech_runs / "world.md", speech_runs / "README.md"]
    for document in documents:
        document.write_text(f"before\n<!-- {SECTION} -->\n<!-- /{SECTION} -->\nafter\n")
    given = ["--write", str(documents[0]), "--first", str(documents[1])]
    assert run(command, [str(speech_runs), *given]) == 0
    all_of_it, first = (document.read_text() for document in documents)
    assert "10 % of packets lost" in all_of_it
    assert "10 % of packets lost" not in first
    assert "Of ordinary read speech" in first
