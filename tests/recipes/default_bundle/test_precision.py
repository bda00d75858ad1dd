from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest
from fixtures.small_networks import make_clips, make_small_bundle

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import next_version
from edge_ser.errors import ConfigError
from edge_ser.export.bundles.derived import NewGraph, write_derived
from edge_ser.export.comparison.compare import Times, VariantReport
from edge_ser.export.comparison.gate import Loss, Verdict
from edge_ser.export.variants.variant import Variant
from recipes.default_bundle.precision import SECTION, Choice, apply, choose, main


def _report(precision: str, ms: float, megabytes: float, loss: float = 0.0) -> VariantReport:
    times = Times(ms, ms, ms)
    losses = (Loss("accuracy", 0.7, 0.7 - loss, loss, loss, loss),)
    verdict = Verdict(loss <= 0.01, False, 0.01, 1.0, 10, 2, losses)
    variant = Variant("onnxruntime", precision)
    return VariantReport(variant, None, megabytes, {}, times, times, {"audio": verdict}, forced=())


def test_the_fastest_wins() -> None:
    reports = [_report("fp32", 10, 100), _report("fp16", 12, 50), _report("int8", 6, 30)]
    assert choose(reports).precision == "int8"


def test_of_two_that_are_as_fast_the_smaller_wins() -> None:
    reports = [_report("fp32", 10, 100), _report("int8", 10.2, 30), _report("fp16", 14, 50)]
    choice = choose(reports)
    assert choice.precision == "int8"
    assert "smallest" in choice.reason


def test_what_fails_the_gate_cannot_win_and_the_reason_says_so() -> None:
    reports = [_report("fp32", 10, 100), _report("fp16", 11, 50), _report("int8", 5, 30, 0.02)]
    choice = choose(reports)
    assert choice.precision == "fp32"
    assert "int8 fails (audio)" in choice.reason


def test_what_came_in_int8_is_not_held_against_a_float_that_never_shipped() -> None:
    reports = [_report("fp32", 10, 100), _report("int8", 5, 30, 0.02)]
    assert choose(reports, {"acoustic"}).precision == "int8"
    assert choose(reports, {"text", "face"}).precision == "fp32"


def test_without_a_reference_there_is_no_choice() -> None:
    with pytest.raises(ConfigError, match="reference"):
        choose([VariantReport(Variant("onnxruntime", "fp32"), not_run="no")])


def test_the_command_measures_writes_and_applies(tmp_path: Path) -> None:
    bundle, clips = make_small_bundle(tmp_path / "bundle"), make_clips(tmp_path / "clips")
    before = load_bundle(bundle)
    document = tmp_path / "engines.md"
    document.write_text(f"before\n<!-- {SECTION} -->\n<!-- /{SECTION} -->\nafter\n")
    sets = ["--bundle", str(bundle), "--calibration", str(clips), "--clips", str(clips)]
    assert main([*sets, "--rounds", "1", "--write", str(document), "--apply"]) == 0
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    for words in ("| audio | 12 (4) | int8 |", "| acoustic |", "Chosen: ", "onnxruntime"):
        assert words in text
    after = load_bundle(bundle)
    report = json.loads((bundle / "precision.json").read_text())
    chosen = report["chosen"]["precision"]
    assert f"Chosen: {chosen}, " in text
    assert after.manifest.labels == before.manifest.labels
    assert after.manifest.version == next_version(before.manifest.version)
    assert len(report["chosen"]["variants"]) == 3
    if chosen == "int8":
        # Ranges stay with the bundle: int8 for a GPU needs no clips again.
        assert report["graphs"]["acoustic"]["ranges"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "clips", "engines.md"]


def test_no_data_is_a_users_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make_small_bundle(tmp_path / "bundle")
    assert main(["--bundle", str(bundle)]) == 2
    assert "--data" in " ".join(capsys.readouterr().err.split())
    shutil.rmtree(bundle)
    assert main(["--bundle", str(bundle)]) == 2


def test_where_int8_wins_what_came_in_int8_stays_byte_by_byte(tmp_path: Path) -> None:
    source = load_bundle(make_small_bundle(tmp_path / "source"))
    content = {name: source.graph(name).content for name in ("face", "text")}
    again = {name: NewGraph(_told_apart(content[name]), "int8") for name in content}
    chosen = write_derived(source, tmp_path / "chosen", again, {})
    reports = [_report("fp32", 10, 100), _report("int8", 5, 30)]
    for precision, kept in (("int8", True), ("fp32", False)):
        target = load_bundle(make_small_bundle(tmp_path / precision))
        apply(target, chosen, reports, Choice(precision, "the fastest"), "1.2.3", {"face"})
        written = load_bundle(tmp_path / precision)
        assert (written.graph("face").content == content["face"]) is kept
        assert written.graph("text").content == again["text"].content
        assert written.manifest.version == "1.2.3"


def _told_apart(content: bytes) -> bytes:
    model = onnx.load_model_from_string(content)
    model.doc_string = "quantised again"
    return model.SerializeToString()
