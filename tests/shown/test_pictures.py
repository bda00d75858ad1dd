"""A label is drawn as it is written, whatever matplotlib would make of it."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from edge_ser.shown.pictures import literal_text


@pytest.mark.parametrize("text", [r"$\frac$", "$a_b$ or $c", r"\$", "$" * 9])
def test_a_dollar_begins_no_formula(text: str) -> None:
    buffer = io.StringIO()
    with literal_text():
        figure = Figure()
        axes = figure.subplots()
        axes.set_yticks([0.5], labels=[text])
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    assert f"<!-- {text} -->" in buffer.getvalue()
