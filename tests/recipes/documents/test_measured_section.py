"""Sections of documents that commands fill in."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ser.errors import ConfigError
from recipes.documents.measured_section import host, write_section


def test_only_the_named_section_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "figures.md"
    document.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n")
    write_section(document, "x", "| \\1 |\n")
    write_section(document, "x", "| \\2 |\n")
    assert document.read_text() == (
        "a\n<!-- x -->\n\n| \\2 |\n\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    )


def test_a_document_without_the_lines_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "figures.md"
    document.write_text("<!-- x -->\n")
    with pytest.raises(ConfigError, match="<!-- /x -->"):
        write_section(document, "x", "new")
    assert document.read_text() == "<!-- x -->\n"
    with pytest.raises(ConfigError, match="cannot read"):
        write_section(tmp_path / "none.md", "x", "new")


def test_versions_are_those_of_installed_packages() -> None:
    text = host(["numpy", "no-such-package"])
    assert "numpy " in text
    assert "no-such-package" not in text
