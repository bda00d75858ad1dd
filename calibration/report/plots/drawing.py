"""Plots of a report: matplotlib drawings as inline SVG whose colours follow the page's.

A drawing uses the colours below; in the SVG each becomes a CSS variable, which the page sets for
light, dark and print. Text stays text. Needs matplotlib (extra ``report``).
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#010101"
MUTED: Final = "#020202"
GRID: Final = "#030303"
PAPER: Final = "#040404"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#009e73"
PINK: Final = "#cc79a7"
YELLOW: Final = "#e69f00"
SKY: Final = "#56b4e9"
OLIVE: Final = "#b8a800"
GREY: Final = "#999999"
SERIES: Final = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, OLIVE, GREY)
"""Okabe and Ito (2008): people with colour-blindness can tell them apart."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

_VARIABLES: Final = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PINK: "pink",
    YELLOW: "yellow",
    SKY: "sky",
    OLIVE: "olive",
    GREY: "grey",
}
_WIDTH: Final = 5.2
"""Inches: about as wide as a phone shows without making the letters small."""


@dataclass(frozen=True)
class Plot:
    """One plot with what stands around it.

    Attributes:
        name: unique in the page; part of the ids in the SVG.
        title: what it shows.
        svg: to be put into the page as it is.
        reading: a sentence or two that say what to read in it.
    """

    name: str
    title: str
    svg: str
    reading: str


def plot(
    name: str,
    title: str,
    reading: str,
    paint: Callable[[Any], None],
    *,
    height: float = 2.9,
    panels: tuple[int, int] = (1, 1),
) -> Plot:
    """Draw a plot.

    Args:
        name: letters, digits and dashes.
        title: what it shows.
        reading: what to read in it.
        paint: gets the axes (a flat list of them where there are several panels) and draws.
        height: in inches.
        panels: rows and columns.

    Raises:
        ImportError: matplotlib is missing.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # The names of the settings are literal types in newer stubs, which a plain dictionary is not.
    style: Any = _style(name)
    with mpl.rc_context(style):
        figure: Figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(*panels, squeeze=False).ravel().tolist()
        for one in axes:
            _quiet(one)
        paint(axes[0] if panels == (1, 1) else axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True)
    return Plot(name, title, _inline(buffer.getvalue(), name, title), reading)


def legend(axes: Axes, columns: int = 3) -> None:
    """A legend above the drawing, from the plot's left edge, so that it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles and axes.figure is not None:
        axes.figure.legend(
            handles,
            labels,
            loc="outside upper left",
            frameon=False,
            ncols=columns,
            borderaxespad=0.1,
            columnspacing=1.2,
            handlelength=1.2,
        )


def horizontal(axes: Axes, names: Sequence[str]) -> None:
    """Rows with names, the first on top."""
    axes.set_yticks(range(len(names)), labels=[_folded(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color=GRID, lw=0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=7)


def _folded(name: str) -> str:
    """Long names over two lines, cut at a space."""
    if len(name) <= 20 or " " not in name:
        return name
    middle = min((i for i, c in enumerate(name) if c == " "), key=lambda i: abs(i - len(name) // 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _style(name: str) -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 9.8,
        "font.family": "DejaVu Sans",
        "text.color": INK,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlesize": 9.8,
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.facecolor": "none",
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.labelcolor": INK,
        "legend.fontsize": 9.4,
        "axes.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.5,
        "savefig.facecolor": "none",
        "text.parse_math": False,  # as `edge_ser.shown.pictures` says
    }


def _inline(svg: str, name: str, title: str) -> str:
    """An SVG document as a part of a page: no ids, styles or addresses that reach out of it."""
    start = svg.index("<svg")
    head = svg.index(">", start)
    box = re.search(r'viewBox="([^"]+)"', svg[start:head])
    body = svg[head + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.S)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.S)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    body = re.sub(r"\n\s*", "\n", body)
    label = html.escape(title, quote=True)
    view = box.group(1) if box else "0 0 374 209"
    return f'<svg viewBox="{view}" role="img" aria-label="{label}">{body}</svg>'
