"""Words to token ids, with the tokenizer that the bundle brings."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import TextFrontendConfig
from edge_ser.errors import BundleError, MediaError
from edge_ser.kernels import WordPiece


@dataclass(frozen=True, eq=False)
class Tokens:
    """The token ids of a text, or why there are none."""

    input_ids: npt.NDArray[np.int64] | None
    """int64 [1, L]; None when nothing of the text can be used."""
    reason: str | None = None
    notes: tuple[str, ...] = ()

    def tensors(self) -> dict[str, npt.NDArray[np.int64]] | None:
        """Inputs of the text graph, int64 [1, L]: the ids, and a mask of ones: nothing is padded.

        None when nothing of the text can be used.
        """
        if self.input_ids is None:
            return None
        return {"input_ids": self.input_ids, "attention_mask": np.ones_like(self.input_ids)}


class TextFrontend:
    """Tokenizes what was said.

    Thread contract: immutable; may be called from any thread, also at once.
    """

    def __init__(self, config: TextFrontendConfig, tokenizer: bytes) -> None:
        """Load a tokenizer.

        Args:
            config: how many tokens there may be.
            tokenizer: content of a ``tokenizer.json``.

        Raises:
            BundleError: if it is not a tokenizer.
        """
        try:
            self._tokenizer = WordPiece(tokenizer)
        except ValueError as error:
            raise BundleError(f"the bundle's tokenizer is not one: {error}") from error
        before, behind = self._tokenizer.before, self._tokenizer.behind
        self._budget = config.maximum_tokens - len(before) - len(behind)
        if self._budget < 1:
            raise BundleError(
                f"the tokenizer adds more tokens than the {config.maximum_tokens} that may be used"
            )

    def __call__(self, words: str) -> Tokens:
        """Tokenize what was said.

        Text without any letter or digit says nothing. Of text that is too long the last words are
        kept, which were said most recently.

        Raises:
            MediaError: if `words` is not a text.
        """
        if not isinstance(words, str):
            raise MediaError(f"a transcript must be a text, not {type(words).__name__}")
        text = normalize(words)
        if not text:
            return Tokens(None, "the transcript is empty")
        if not any(unicodedata.category(c)[0] in "LN" for c in text):
            return Tokens(None, "the transcript holds no words")
        text, notes = self._recent(text)
        content, _ = self._tokenizer.pieces(text)
        if len(content) == 0 or (content == self._tokenizer.unknown).all():
            return Tokens(None, "none of the transcript's words is known to the model", notes)
        ids = np.concatenate([self._tokenizer.before, content, self._tokenizer.behind])
        return Tokens(ids[None], None, notes)

    def _recent(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Give the last words of `text` that fit, and a note if that is not all of them."""
        words = text.split(" ")
        # No word has less than one token, so more words than tokens never fit.
        kept = " ".join(words[-self._budget :])
        starts = self._tokenizer.pieces(kept)[1]
        if len(starts) > self._budget:
            cut = int(starts[-self._budget])
            # The first whole word behind the cut; a single endless word is cut in the middle.
            start = kept.find(" ", max(cut - 1, 0)) + 1
            kept = kept[start:] if start else kept[cut:]
            while len(self._tokenizer.pieces(kept)[0]) > self._budget and len(kept) > 1:
                kept = kept[-(len(kept) // 2) :]
        if kept == text:
            return text, ()
        count = len(kept.split(" "))
        return kept, (f"the transcript has {len(words)} words: the last {count} are used",)


def normalize(text: str) -> str:
    """Give text in Unicode form NFC, without control characters, words apart by one space."""
    composed = unicodedata.normalize("NFC", text)
    # Format characters (joiners, direction marks) vanish; controls and surrogates become a space.
    cleaned = [
        "" if kind == "Cf" else " " if kind[0] == "C" else c
        for c in composed
        for kind in (unicodedata.category(c),)
    ]
    return " ".join("".join(cleaned).split())
