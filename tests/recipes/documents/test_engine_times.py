from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.small_networks import make_small_bundle

from edge_ser.export.engines.compiling import EngineReport
from recipes.command_line import run
from recipes.documents.engine_times import SECTION, command, markdown


def test_each_graph_and_precision_is_one_row_with_every_target() -> None:
    engines = [("sm86", 1.2, 2_000_000), ("sm120", 3.4, 2_500_000)]
    rows = [
        ("fp16", EngineReport("face", t, size, seconds, cached=False, milliseconds=None), 0.01, 0)
        for t, seconds, size in engines
    ]
    engines = [("sm86", 5.6, 9_000_000), ("sm120", 7.8, 9_000_000)]
    rows += [
        ("fp16", EngineReport("text", t, size, seconds, cached=False, milliseconds=None), 0.02, 1)
        for t, seconds, size in engines
    ]
    text = markdown(rows)
    assert "| face | fp16 | 0 | 0.01 | 1.2 s, 2.0 MB | 3.4 s, 2.5 MB |" in text
    assert "| text | fp16 | 1 | 0.02 | 5.6 s, 9.0 MB | 7.8 s, 9.0 MB |" in text
    assert "Slowest build: 7.8 s" in text
    assert "edge-ser" in text


def test_an_unknown_target_is_a_users_error_and_the_document_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_small_bundle(tmp_path / "bundle")
    document = tmp_path / "engines.md"
    document.write_text(f"<!-- {SECTION} -->\n<!-- /{SECTION} -->\n")
    before = document.read_text()
    assert (
        run(command, ["--bundle", str(bundle), "--target", "sm12", "--write", str(document)]) == 2
    )
    assert "sm86" in capsys.readouterr().err
    assert document.read_text() == before
