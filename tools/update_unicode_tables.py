"""Write `csrc/text/unicode_tables.cpp`: what BERT's normaliser does with every code point.

python -m tools.update_unicode_tables

The tables are read off the package `tokenizers`, whose Unicode versions differ from table to table:
models were trained on what it gave, so that is what has to be given.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tokenizers import normalizers, pre_tokenizers

from edge_ser.files import write_atomically

TABLES: Final = Path(__file__).resolve().parent.parent / "csrc" / "text" / "unicode_tables.cpp"
HEADER: Final = """\
// What BERT's normaliser does with every code point; written by tools/update_unicode_tables.py.
#include "text/unicode.h"

// clang-format off
namespace edge_ser {
"""
# Surrogates are no characters; Hangul syllables are taken apart by arithmetic.
_POINTS: Final = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
_SYLLABLES: Final = range(0xAC00, 0xD7A4)
# Combining marks that stay, of the classes 224 and 216: apart they keep their order, together not.
_LATER, _EARLIER = "\u302e", "\U0001d165"
_DECOMPOSED: Final = normalizers.NFD()


def _normaliser(**options: bool) -> normalizers.BertNormalizer:
    off = dict.fromkeys(("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False)
    return normalizers.BertNormalizer(**{**off, **options})


def _ranges(points: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for point in points:
        if found and found[-1][1] == point - 1:
            found[-1] = (found[-1][0], point)
        else:
            found.append((point, point))
    return found


def _lowercase_runs(pairs: Mapping[int, int]) -> list[tuple[int, int, int, int]]:
    """(first, last, step, difference) of letters whose small ones lie equally far away."""
    runs: list[tuple[int, int, int, int]] = []
    for point, small in sorted(pairs.items()):
        if runs:
            first, last, step, apart = runs[-1]
            gap = point - last
            if apart == small - point and (gap == step or (first == last and gap <= 2)):
                runs[-1] = (first, point, gap, apart)
                continue
        runs.append((point, point, 1, small - point))
    return runs


def _reordered(mark: str) -> bool:
    """Whether the package knows it as a mark that has an order; newer ones it does not."""
    overlay, above = "\u0334", "\u0301"
    pairs = (mark + overlay, above + mark)
    return any(_DECOMPOSED.normalize_str(pair) != pair for pair in pairs)


def _table(kind: str, name: str, rows: Iterable[Sequence[int | Sequence[int]]]) -> str:
    body = ", ".join(_written(row) if len(row) > 1 else str(row[0]) for row in rows)
    lines = "\n    ".join(textwrap.wrap(body, 96))
    return (
        f"namespace {{\nconstexpr {kind} {name}Rows[] = {{\n    {lines}}};\n}}\n"
        f"const std::span<const {kind}> {name} = {name}Rows;\n"
    )


def _written(row: Sequence[int | Sequence[int]]) -> str:
    cells = (str(cell) if isinstance(cell, int) else _written(cell) for cell in row)
    return "{" + ",".join(cells) + "}"


def generate() -> str:
    """Return the text of the tables."""
    clean, strip, lower = (
        _normaliser(**{name: True}) for name in ("clean_text", "strip_accents", "lowercase")
    )
    pieces = pre_tokenizers.BertPreTokenizer()
    ideographs = _normaliser(handle_chinese_chars=True)
    removed = [c for c in _POINTS if clean.normalize_str(chr(c)) == ""]
    parts = {c: len(pieces.pre_tokenize_str(f"a{chr(c)}a")) for c in _POINTS}
    plain = {c: strip.normalize_str(chr(c)) for c in _POINTS if c not in _SYLLABLES}
    small = {c: lower.normalize_str(chr(c)) for c in _POINTS}
    gone = [c for c, text in plain.items() if text == ""]
    # A mark that is taken away still keeps what stands before it from going behind it.
    apart = [
        c for c in gone if strip.normalize_str(_LATER + chr(c) + _EARLIER) == _LATER + _EARLIER
    ]
    orders = {
        c: unicodedata.combining(chr(c))
        for c, text in plain.items()
        if text == chr(c) and unicodedata.combining(chr(c)) and _reordered(chr(c))
    }
    bases = {c: ord(text) for c, text in plain.items() if len(text) == 1 and text != chr(c)}
    runs: list[tuple[int, int, int]] = []
    for first, last in _ranges(bases):
        runs.append((first, last, sum(b - a + 1 for a, b, _ in runs)))
    tables = [
        ("CodeRange", "kRemoved", _ranges(removed)),
        ("CodeRange", "kSpaces", _ranges(c for c in _POINTS if parts[c] == 2)),
        ("CodeRange", "kPunctuation", _ranges(c for c in _POINTS if parts[c] == 3)),
        (
            "CodeRange",
            "kIdeographs",
            _ranges(c for c in _POINTS if ideographs.normalize_str(chr(c)) != chr(c)),
        ),
        ("CodeRange", "kStrippedMarks", _ranges(gone)),
        ("CodeRange", "kOrderBarriers", _ranges(apart)),
        ("CombiningClass", "kCombiningClasses", list(orders.items())),
        ("BaseRun", "kBaseRuns", runs),
        ("char32_t", "kBases", [(base,) for base in bases.values()]),
        (
            "Decomposition",
            "kDecompositions",
            [
                (c, (*map(ord, t), *[0] * (3 - len(t))))
                for c, t in plain.items()
                if len(t) > 1
            ],
        ),
        (
            "LowercaseRun",
            "kLowercase",
            _lowercase_runs(
                {c: ord(t) for c, t in small.items() if len(t) == 1 and t != chr(c)}
            ),
        ),
    ]  # fmt: skip
    return HEADER + "".join(_table(*table) for table in tables) + "}  // namespace edge_ser\n"


if __name__ == "__main__":
    write_atomically(TABLES, generate().encode())
