"""Which text is only seen, and never does anything to what shows it.

Control characters move a terminal's cursor, clear its screen or answer for its user; marks of
direction let a name read as another one; surrogates stand in no UTF-8. In a manifest they are
refused, elsewhere they are shown as escapes: `edge_ser.shown.terminal`.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Joiners, which Persian and the languages of India are spelled with.
_SPELLED_WITH: Final = frozenset("\u200c\u200d")
_DOES_SOMETHING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_plain(text: str, *, also: str = "") -> bool:
    """Whether every character is only seen; those of `also` are let through."""
    return text.isprintable() or not any(_acts(c) for c in text if c not in also)


def plain(text: str, *, also: str = "") -> str:
    r"""The text with an escape such as ``\x1b`` for every character that does something.

    Args:
        text: any text.
        also: characters that stay, for instance new lines.
    """
    if text.isprintable():
        return text
    return "".join(_escape(c) if _acts(c) and c not in also else c for c in text)


def _acts(character: str) -> bool:
    if character.isprintable() or character in _SPELLED_WITH:
        return False
    return unicodedata.category(character) in _DOES_SOMETHING


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
