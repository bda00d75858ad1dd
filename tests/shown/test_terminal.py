"""Nothing that a stranger wrote does more in a terminal than be seen."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_ser.cli.main import main
from edge_ser.shown.plain import is_plain, plain
from edge_ser.shown.terminal import Terminal

NASTY = (
    "\x1b[2J\x1b]0;owned\x07",
    "[/red] [link=file:///etc/passwd]x[/link]",
    "[not closed",
    "\x9b31m",
    "gpj.\u202eexe",
    "a\rb\x08\x08",
    "\u2028\ud800",
    ":smile:",
)
ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028\ud800]")


def _terminal(colour: str | None = None) -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    options = {"force_terminal": True} if colour else {}
    return Terminal(file=file, width=300, color_system=colour, **options), file


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("form", ["text", "cell", "title", "styled"])
def test_a_text_is_shown_as_it_is_written(text: str, form: str) -> None:
    console, file = _terminal()
    table = Table("file", title=text if form == "title" else None)
    table.add_row(text)
    shown = {"text": text, "cell": table, "title": table, "styled": Text(text, "red")}[form]
    console.print(shown)
    assert not ACTING.search(file.getvalue())
    # Of what is no plain `str`, rich drops a few characters itself.
    known = text if form != "styled" else re.sub(r"[\a\b\v\f\r]", "", text)
    assert plain(known) in file.getvalue()


def test_a_screen_that_is_drawn_again_still_steers_its_terminal() -> None:
    console, file = _terminal("standard")
    with Live(console=console, auto_refresh=False, screen=False) as screen:
        screen.update(Text("one\ntwo\x1b[2J"), refresh=True)
        screen.update(Text("three", "red"), refresh=True)
    out = file.getvalue()
    assert "\x1b[1A" in out  # one line up, by rich
    assert "\x1b[31m" in out
    assert "\x1b[2J" not in out
    assert r"\x1b[2J" in out


def test_words_of_every_language_are_plain() -> None:
    for text in ("größer", "آرام‌تر", "शांत", "喜び", "👩‍🚀", "a\u00a0b"):
        assert is_plain(text)
        assert plain(text) == text
    assert not is_plain("a\nb")
    assert is_plain("a\nb", also="\n")


def test_names_of_files_do_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(NASTY):
        if "/" not in name and "\ud800" not in name:
            (tmp_path / f"{number}{name}.wav").write_bytes(b"no recording")
    with pytest.raises(SystemExit) as ended:
        main(["recognize", str(tmp_path)])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert r"\x1b[2J" in out + err
    assert not ACTING.search(out + err)


def test_every_console_is_a_terminal_of_ours(repository: Path) -> None:
    parts = ("edge_ser", "export", "calibration")
    made = re.compile(r"\bConsole\(|rich\.print|get_console|Text\.from_markup")
    texts = {p: p.read_text() for part in parts for p in (repository / part).rglob("*.py")}
    users = [str(p.relative_to(repository)) for p, text in texts.items() if made.search(text)]
    assert users == []
    assert "class Terminal(Console)" in (repository / "edge_ser/shown/terminal.py").read_text()
    columns = re.compile(r'TextColumn\("\{task\.description\}"\)')
    assert [str(p) for p, text in texts.items() if columns.search(text)] == []
