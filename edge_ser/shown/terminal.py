"""The terminal, for whatever is printed for people: nothing in a text is obeyed, all is shown.

A file may be called ``[/red]`` or hold an escape sequence in its name, and so may a label: what is
printed here is no markup, and control characters come out as escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from edge_ser.shown.plain import plain


class Terminal(Console):
    """A console of rich without markup and highlighting, and with every text made plain.

    What shall stand out is given as `rich.text.Text`, or by ``style=``.
    """

    def __init__(self, **options: Any) -> None:
        """Open standard output, or standard error with ``stderr=True``; options as of rich."""
        super().__init__(**{"markup": False, "highlight": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """As of rich; plain before it is measured, so that a table makes room for escapes."""
        return super().render_str(plain(text, also="\n\t"), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """As of rich; what rich itself sends to steer the terminal is left as it is."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=plain(segment.text, also="\n\t"))
