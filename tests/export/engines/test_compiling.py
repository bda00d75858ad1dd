"""`build-engine`, `compare` and `engines` over a small bundle, with the real TensorRT for RTX.

It builds engines on a machine without a GPU; what runs them is tested where there is one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from fixtures.small_networks import make_clips, make_small_bundle
from typer import Typer
from typer.testing import CliRunner

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.cli import build_engine as verb
from edge_ser.cli import compare as compare_verb
from edge_ser.cli import engines as engines_verb
from edge_ser.errors import BundleError, ConfigError, EngineError
from edge_ser.export.bundles.derived import NewGraph, write_derived
from edge_ser.export.engines import compiling
from edge_ser.export.engines.compiling import build_engines, build_targets
from edge_ser.export.graphs.onnx_graph import load_model
from edge_ser.export.precision.lint.rules import lint
from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt.api import load_tensorrt

app = Typer()
app.command("build-engine")(verb.build_engine)
app.command("compare")(compare_verb.compare)
app.add_typer(engines_verb.app, name="engines")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("engines")
    return make_small_bundle(base / "small"), make_clips(base / "clips")


@pytest.fixture(scope="module")
def bundle(folders: tuple[Path, Path]) -> Bundle:
    return load_bundle(folders[0])


def _run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8-fp16"])
def test_every_graph_builds_with_rtx_without_a_gpu(
    folders: tuple[Path, Path], bundle: Bundle, tmp_path: Path, precision: str
) -> None:
    options = PrecisionOptions(
        target="tensorrt",
        fp16="fp16" in precision,
        int8="int8" in precision,
        calibration=folders[1],
    )
    typed = typed_bundle(bundle, options)
    api = load_tensorrt("tensorrt-rtx")
    cache = EngineCache(tmp_path)
    reports = build_engines(
        bundle,
        typed,
        api,
        build_targets("tensorrt-rtx", ["sm86"], api, None),
        cache=cache,
        capability=None,
    )
    assert {r.graph for r in reports} == set(bundle.manifest.graphs)
    assert all(r.size > 10_000 and r.seconds > 0 and not r.cached for r in reports)
    assert all(r.milliseconds is None for r in reports)
    again = build_engines(bundle, typed, api, ["sm86"], cache=cache, capability=None)
    assert all(r.cached for r in again)
    assert len(cache.entries()) == len(reports)


def test_full_tensorrt_without_a_device_writes_graphs_and_says_so(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "device_capability", lambda: None)
    output, cache = tmp_path / "out", tmp_path / "cache"
    text = _run(
        "build-engine",
        "--fp16",
        "--bundle",
        folders[0],
        "--output",
        output,
        "--engines",
        cache,
        code=verb.EXIT_NOT_BUILT,
    )
    assert text.count("graph written, engine not built: no CUDA device") == 5
    written = load_bundle(output)
    assert {g.precision for g in written.manifest.graphs.values()} == {"fp16"}
    for name in written.manifest.graphs:
        model = load_model(written.graph_path(name))
        assert [f for f in lint(model, "tensorrt") if f.level == "error"] == []
    assert not cache.exists()
    assert not list(tmp_path.rglob("*.engine"))
    report = json.loads((output / "precision.json").read_text())
    assert report["forced"] == []
    assert report["measured_on"] == "synthetic probes"


def test_int8_for_onnxruntime_and_from_there_to_rtx_without_calibration(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    small = tmp_path / "int8"
    _run(
        "build-engine",
        "--int8",
        "--backend",
        "onnxruntime",
        "--everything",
        "--bundle",
        folders[0],
        "--calibration",
        folders[1],
        "--output",
        small,
    )
    before, after = load_bundle(folders[0]), load_bundle(small)
    assert after.size() < 0.5 * before.size()
    cache = tmp_path / "cache"
    text = _run(
        "build-engine",
        "--int8",
        "--backend",
        "tensorrt-rtx",
        "--target",
        "sm89",
        "--bundle",
        small,
        "--output",
        tmp_path / "rtx",
        "--engines",
        cache,
    )
    assert "sm89" in text
    rows = json.loads(_run("engines", "list", "--json", "--engines", cache))
    assert {row["graph"] for row in rows} == set(before.manifest.graphs)
    assert {row["device"] for row in rows} == {"sm89"}
    assert "5 files deleted" in _run("engines", "clean", "--engines", cache)
    assert json.loads(_run("engines", "list", "--json", "--engines", cache)) == []


def test_int8_without_ranges_says_what_to_give(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--calibration"):
        _run("build-engine", "--int8", "--bundle", folders[0], "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "sm86", "--backend", "onnxruntime"], "builds no engine"),
        (["--exclude", "face"], "GRAPH:LAYER"),
        (["--exclude", "nose:x"], "GRAPH:LAYER"),
        (["--backend", "tensorrt-rtx", "--target", "sm99"], "does not build for sm99"),
        (["--backend", "tensorrt-rtx", "--target", "toaster"], "no target 'toaster'"),
    ],
)
def test_wrong_options_are_errors(
    folders: tuple[Path, Path], tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        _run("build-engine", "--bundle", folders[0], "--output", tmp_path / "o", *arguments)


def test_the_output_replaces_only_bundles(
    folders: tuple[Path, Path], bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="is the bundle itself"):
        _run("build-engine", "--bundle", folders[0], "--output", folders[0])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is no bundle"):
        _run("build-engine", "--bundle", folders[0], "--output", tmp_path / "mine")
    first = write_derived(bundle, tmp_path / "derived", {}, {"a": 1})
    second = write_derived(bundle, tmp_path / "derived", {}, {"a": 2})
    assert first.digest != second.digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["derived", "mine"]


def test_a_failed_write_leaves_the_old_bundle(bundle: Bundle, tmp_path: Path) -> None:
    write_derived(bundle, tmp_path / "derived", {}, {})
    copied = tmp_path / "source"
    shutil.copytree(bundle.folder, copied)
    source = load_bundle(copied)
    source.graph_path("face").write_bytes(b"damaged meanwhile")
    with pytest.raises(BundleError):
        write_derived(source, tmp_path / "derived", {"text": NewGraph(b"x", "fp16")}, {})
    load_bundle(tmp_path / "derived")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["derived", "source"]


def _exploding(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle with a detector that half precision cannot hold."""
    model = load_model(bundle.graph_path("detector"))
    for tensor in model.graph.initializer:
        if tensor.name == "body.weight":
            values = onnx.numpy_helper.to_array(tensor) * 3e7
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
    content = model.SerializeToString()
    return write_derived(bundle, folder, {"detector": NewGraph(content, "fp32")}, {})


def test_a_graph_that_a_precision_breaks_is_stopped_and_force_is_recorded(
    bundle: Bundle, tmp_path: Path
) -> None:
    broken = _exploding(bundle, tmp_path / "broken")
    with pytest.raises(EngineError, match=r"detector.*(fp16|not finite)"):
        typed_bundle(broken, PrecisionOptions(target="tensorrt", fp16=True))


def test_targets() -> None:
    api = load_tensorrt("tensorrt-rtx")
    assert build_targets("tensorrt-rtx", [], api, None) == ["hardware-compatible"]
    assert build_targets("tensorrt-rtx", ["SM86", "sm86", "ampere+"], api, None) == [
        "sm86",
        "hardware-compatible",
    ]
    assert build_targets("tensorrt-rtx", [], api, "sm120") == ["sm120"]


def test_a_gpu_that_rtx_does_not_know_is_refused_only_where_it_is_the_target() -> None:
    api = load_tensorrt("tensorrt-rtx")
    wished = build_targets("tensorrt-rtx", ["hardware-compatible", "sm89"], api, "sm90")
    assert wished == ["hardware-compatible", "sm89"]
    with pytest.raises(ConfigError, match=r"GPU of this machine, sm90.*--target.*onnxruntime:cuda"):
        build_targets("tensorrt-rtx", [], api, "sm90")


def test_engines_for_other_gpus_are_built_and_not_run_beside_one_that_rtx_does_not_know(
    bundle: Bundle, tmp_path: Path
) -> None:
    typed = typed_bundle(bundle, PrecisionOptions(target="tensorrt", fp16=True))
    small = replace(typed, graphs={"face": typed.graphs["face"]})
    api = load_tensorrt("tensorrt-rtx")
    targets = build_targets("tensorrt-rtx", ["hardware-compatible"], api, "sm90")
    (built,) = build_engines(
        bundle, small, api, targets, cache=EngineCache(tmp_path), capability="sm90"
    )
    assert (built.target, built.milliseconds) == ("hardware-compatible", None)
    assert built.size > 10_000


def test_compare_shows_every_precision_and_what_could_not_run(folders: tuple[Path, Path]) -> None:
    text = _run(
        "compare",
        folders[0],
        "--precisions",
        "fp32,fp16,int8",
        "--clips",
        folders[1],
        "--calibration",
        folders[1],
        "--rounds",
        1,
        "--json",
    )
    reports = json.loads(text[text.index("[") :])
    assert [r["variant"]["precision"] for r in reports] == ["fp32", "fp16", "int8"]
    for report in reports:
        assert report["not_run"] is None
        assert report["verdicts"]["audio"]["clips"] == 12
        assert report["pipeline"]["p50"] > 0
        assert set(report["graphs"]) == set(load_bundle(folders[0]).manifest.graphs)
    assert all(g["largest"] == 0 for g in reports[0]["graphs"].values())
    assert all(g["largest"] > 0 for g in reports[1]["graphs"].values())
    assert reports[1]["megabytes"] < 0.7 * reports[0]["megabytes"]
    # Which graphs int8 makes faster is measured, so it is not the same on every machine.
    # Where it is none, int8 is the bundle as it was.
    changed = any(g["largest"] > 0 for g in reports[2]["graphs"].values())
    assert reports[2]["megabytes"] <= reports[0]["megabytes"]
    assert (reports[2]["megabytes"] < reports[0]["megabytes"]) == changed


def test_compare_names_a_precision_that_it_does_not_know(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="no precision 'int4'"):
        _run("compare", folders[0], "--precisions", "int4")


def test_the_card_of_a_derived_bundle_tells_its_own_precision(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(folders[0], source)
    card = b"# small\n\n## Graphs\n\nall fp32\n\n## Training\n\nnone\n"
    (source / "MODEL_CARD.md").write_bytes(card)
    manifest = json.loads((source / "bundle.json").read_text())
    entry = {"file": "MODEL_CARD.md", "sha256": hashlib.sha256(card).hexdigest()}
    manifest["documents"] = {"card": entry}
    (source / "bundle.json").write_text(json.dumps(manifest))
    content = load_bundle(source).graph_path("face").read_bytes()
    new = {"face": NewGraph(content, "fp16")}
    derived = write_derived(load_bundle(source), tmp_path / "derived", new, {})
    text = (derived.folder / "MODEL_CARD.md").read_text()
    assert "all fp32" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| face |"))
    assert "| fp16 |" in row
    assert text.endswith("## Training\n\nnone\n")
