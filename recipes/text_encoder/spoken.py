"""What a speech recogniser writes of a text: lower case, no punctuation, some words wrong.

Words that are wrong are missing, doubled, or another word of the training texts that sounds alike
(the same Soundex code: Russell 1918): recognisers err by sound, not by letters.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001
_CODES: Final = str.maketrans("bfpvcgjkqsxzdtlmnr", "111122222222334556")
_FEWEST: Final = 3
"""Occurrences of a word that may be put in another's place: rarer ones are misspelt."""


@dataclass(frozen=True)
class SpokenOptions:
    """How texts are written while training.

    Attributes:
        share: of the texts that are written as a recogniser would.
        most_errors: share of wrong words that a text has at most; each draws its own.
        deleted: of the wrong words that are missing.
        doubled: of the wrong words that stand twice; the rest is replaced.
    """

    share: float = 0.5
    most_errors: float = 0.2
    deleted: float = 0.3
    doubled: float = 0.1


class SpokenTexts:
    """Writes texts as a recogniser would; what it draws depends on the generator alone.

    Args:
        texts: whose words may stand for one another.
        options: how often, and how wrong.
    """

    def __init__(self, texts: Sequence[str], options: SpokenOptions) -> None:
        self._options = options
        counts = Counter(word for text in texts for word in recognised(text).split())
        self._alike: dict[str, list[str]] = defaultdict(list)
        for word in sorted(w for w, count in counts.items() if count >= _FEWEST):
            self._alike[sound(word)].append(word)

    def write(self, text: str, generator: np.random.Generator) -> str:
        """The text, or what a recogniser might have heard; never nothing."""
        options = self._options
        if generator.random() >= options.share:
            return text
        words = recognised(text).split()
        wrong = generator.random(len(words)) < generator.uniform(0, options.most_errors)
        written: list[str] = []
        for word, is_wrong in zip(words, wrong, strict=True):
            if not is_wrong:
                written.append(word)
                continue
            kind = generator.random()
            if kind < options.deleted:
                continue
            if kind < options.deleted + options.doubled:
                written += [word, word]
                continue
            alike = [other for other in self._alike.get(sound(word), ()) if other != word]
            written.append(alike[int(generator.integers(len(alike)))] if alike else word)
        return " ".join(written or words) or text


def recognised(text: str) -> str:
    """Lower case and words alone; a text without any stays as it is."""
    words = _WORD.findall(text.casefold().replace("’", "'"))  # noqa: RUF001
    return " ".join(words) or text


def sound(word: str) -> str:
    """Soundex: the first letter, and what kind of consonants follow."""
    letters = [c for c in word.casefold() if c.isalpha()]
    if not letters:
        return word
    code, before = letters[0], letters[0].translate(_CODES)
    for letter in letters[1:]:
        kind = letter.translate(_CODES)
        if kind.isdecimal() and kind != before:
            code += kind
        if letter not in "hw":
            before = kind
    return code[:4]
