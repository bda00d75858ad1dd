"""A clip and what was decided about it, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import ConfigError, Decision, EdgeRecognizer
from edge_ser.plots.clip import draw_clip


def test_a_file_is_drawn_as_it_was_decided(
    tmp_path: Path, demo_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    timeline = EdgeRecognizer.timeline

    def spy(self: EdgeRecognizer, *arguments: Any, **options: Any) -> list[Decision]:
        asked.append(options)
        return timeline(self, *arguments, **options)

    monkeypatch.setattr(EdgeRecognizer, "timeline", spy)
    with EdgeRecognizer(make_bundle(tmp_path / "tiny")) as recognizer:
        decision = recognizer.recognize(demo_clip, speech_gate=False)
        target = tmp_path / "clip.png"
        draw_clip(recognizer, demo_clip, decision, None, target, speech_gate=False)
        with pytest.raises(ConfigError, match="must end in"):
            draw_clip(recognizer, demo_clip, decision, None, tmp_path / "clip.bmp")
    assert target.read_bytes().startswith(b"\x89PNG")
    assert asked[0]["speech_gate"] is False
