"""The figures of speed: what the documents say, and that there is a place for each part."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.report_factory import latency

from recipes.command_line import run
from recipes.documents import cold_clip, how_fast
from recipes.documents.cold_clip import cold_processes, spread_of
from recipes.documents.how_fast import DOCUMENTS, in_short
from recipes.documents.measured_section import write_section

KERNELS = {
    "rounds": 31,
    "tasks": [
        {
            "name": "MFCC",
            "unit": "frame",
            "microseconds": {"edge-ser": 0.5, "librosa": 6.0, "kaldi-native-fbank": 10.0},
            "speedups": {"librosa": 12.0, "kaldi-native-fbank": 20.0},
        },
        {"name": "alone", "unit": "row", "microseconds": {"edge-ser": 1.25}, "speedups": {}},
    ],
}
RUN = {
    "interpreter": 200.0,
    "imports": 100.0,
    "load": 300.0,
    "first_decision": 500.0,
    "repeated": 400.0,
    "whole": 1200.0,
    "resident_peak": 280.4,
}


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    clips: list[Path] = []

    def fresh(_: object, clip: Path) -> dict[str, float]:
        clips.append(clip)
        words = clip.with_suffix(".txt")
        assert words.read_text() == "so glad"
        return {**RUN, "whole": 1000.0 + 100 * len(clips)}

    monkeypatch.setattr(cold_clip, "fresh_process", fresh)
    return clips


def test_each_process_gets_the_clip_with_its_words(processes: list[Path], tmp_path: Path) -> None:
    clip = tmp_path / "one.mp4"
    clip.write_bytes(b"sound")
    given = cold_processes(clip, "so glad", 3)
    assert spread_of("whole process, cold", given) == ("1.20 s", "1.10 to 1.30")
    assert spread_of("memory", given) == ("280 MB", "280 to 280")
    assert [path.name for path in processes] == ["one.mp4"] * 3
    clip.with_suffix(".txt").write_text("so glad")
    assert len(cold_processes(clip, None, 1)) == 1


@pytest.mark.usefixtures("processes")
def test_the_readme_says_the_whole_and_every_kernel_with_its_peers(tmp_path: Path) -> None:
    clip = tmp_path / "one.mp4"
    clip.write_bytes(b"sound")
    live = latency().live[0]
    text = in_short("one.mp4", cold_processes(clip, "so glad", 2), live, KERNELS, 3.4)
    assert "| whole process, cold | 1.15 s | 1.10 to 1.20 | 2.5 s |" in text
    assert f"| live, decision latency | {live.latency.p50:.0f} ms | 95 % within " in text
    assert (
        "| MFCC, per frame | 0.50 µs "
        "| librosa 6.00 µs: 12.0 x; kaldi-native-fbank 10.00 µs: 20.0 x |"
    ) in text
    assert "| alone, per row | 1.25 µs | none installed |" in text
    assert "2 cold processes" in text
    assert "other programs took 3 % of all cores meanwhile" in text
    assert "31 interleaved rounds" in text


def test_every_part_has_its_place_in_the_documents(repository: Path, tmp_path: Path) -> None:
    for document, section in DOCUMENTS.values():
        copy = tmp_path / "copy.md"
        copy.write_text((repository / document).read_text("utf-8"), "utf-8")
        write_section(copy, section, "| new |")
        assert "| new |" in copy.read_text("utf-8")


def test_a_document_without_its_place_is_told_of_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    monkeypatch.setattr(how_fast, "REPOSITORY", tmp_path)
    assert run(how_fast.command, ["--write"]) == 2
    assert "README.md needs the line <!-- measured: how fast -->" in capsys.readouterr().err
