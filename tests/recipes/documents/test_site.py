"""What recordings of a site are worth is measured on corpora that were left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.command_line import run
from recipes.documents.site import command, measure
from recipes.speech_encoder.transfer import left_out_answers


def test_what_is_known_of_a_site_lowers_the_loss(speech_runs: Path) -> None:
    found = measure(left_out_answers(speech_runs), draws=2)
    for mix in (0.6, 0.85):
        plain = found[mix, "the bundle as it is"][3]
        assert found[mix, "5 minutes, neutral share known"][3] < plain
        assert found[mix, "20 labelled clips"][3] < plain


def test_a_run_that_is_missing_is_named_and_one_alone_is_no_measurement(
    speech_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, [str(speech_runs), "--only", "nemo"]) == 2
    assert "train two runs at least" in capsys.readouterr().err
    (speech_runs / "emovo" / "emovo-test.npz").unlink()
    assert run(command, [str(speech_runs)]) == 2
    assert "emovo" in capsys.readouterr().err
