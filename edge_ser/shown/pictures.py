"""Text of strangers in pictures that matplotlib draws. Needs matplotlib (extra ``report``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def literal_text() -> Iterator[None]:
    r"""What is drawn in this block is drawn as it is written: a dollar begins no formula.

    A label such as ``$\frac$`` would be an error of matplotlib, or another text.
    """
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):
        yield
