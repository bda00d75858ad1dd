"""A bundle is written whole, verified, and never half over another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.bundles.loading import load_bundle, read_manifest
from edge_ser.bundles.schema import (
    GRAPHS,
    SUBSETS,
    AudioFrontendConfig,
    FrontendConfig,
    GraphName,
    Score,
    SubsetCalibration,
    TextFrontendConfig,
    Training,
    VideoFrontendConfig,
)
from edge_ser.constants import EMOTIONS
from edge_ser.errors import BundleError, ConfigError, EngineError
from edge_ser.export.bundles.writer import (
    DEFAULT_LICENCES,
    BundleContent,
    GraphFile,
    write_bundle,
)


@pytest.fixture
def content(tmp_path: Path) -> BundleContent:
    made = read_manifest(make_bundle(tmp_path / "source"))
    graphs: dict[GraphName, GraphFile] = {
        name: GraphFile(made.graph_path(name), f"source of {name}", "MIT") for name in GRAPHS
    }
    audio = AudioFrontendConfig(log_mel={"bands": 80}, mfcc={"count": 13}, pitch={})
    return BundleContent(
        name="test",
        version="1.2.3",
        labels=EMOTIONS,
        frontend=FrontendConfig(
            audio=audio, text=TextFrontendConfig(), video=VideoFrontendConfig(grey=True)
        ),
        graphs=graphs,
        tokenizer=made.path(made.manifest.tokenizer),
        training=Training(
            data=["corpus A"],
            pairing="label-paired",
            held_out="speakers 1 and 2",
            command="edge-ser train",
            seed=4,
        ),
        licence="Apache-2.0",
        intended_use="tests",
        not_for="It must not decide about people.",
        calibration={s: SubsetCalibration(temperature=1.5) for s in SUBSETS},
        splits={"test": ["1", "2"]},
        scores=[
            Score(
                task="words",
                metric="macro F1",
                value=0.6,
                spread=0.02,
                chance=0.1,
                protocol="dev|x",
            )
        ],
        notes=["A note."],
    )


def entries(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_everything_is_in_the_bundle(content: BundleContent, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "out", content)
    assert entries(tmp_path / "out") == sorted(
        [
            "bundle.json",
            "MODEL_CARD.md",
            "tokenizer.json",
            *(f"{name}.onnx" for name in GRAPHS),
            *(f"LICENSES/{path.name}" for path in DEFAULT_LICENCES),
        ]
    )
    manifest = bundle.manifest
    assert manifest.training == content.training
    assert manifest.frontend == content.frontend
    assert manifest.splits == {"test": ["1", "2"]}
    assert manifest.calibration["audio"].temperature == 1.5
    assert {"card", "licence_NOTICE", "licence_Apache-2.0"} <= set(manifest.documents)
    listed = {entry.file for entry in manifest.files()}
    assert listed == set(entries(tmp_path / "out")) - {"bundle.json"}
    for name in GRAPHS:
        entry = manifest.graphs[name]
        given = read_manifest(tmp_path / "source").manifest.graphs[name]
        assert (entry.inputs, entry.outputs) == (given.inputs, given.outputs)
        assert (entry.source, entry.licence, entry.precision) == (
            f"source of {name}",
            "MIT",
            "fp32",
        )


def test_the_card_says_what_the_manifest_says(content: BundleContent, tmp_path: Path) -> None:
    write_bundle(tmp_path / "out", content)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for needed in (
        "# test 1.2.3",
        "It must not decide about people.",
        "corpus A",
        "label-paired",
        "share only the label",
        "speakers 1 and 2",
        "| words | macro F1 | 0.600 ± 0.020 | 0.100 | fp32 | dev\\|x |",
        "| audio+text | 1.500 | 0.00 |",
        "A note.",
        "The languages of the text encoder are not stated",
    ):
        assert needed in card


def test_the_card_names_the_languages_of_the_text_encoder(
    content: BundleContent, tmp_path: Path
) -> None:
    text = content.frontend.text.model_copy(update={"languages": ("en", "de")})
    frontend = content.frontend.model_copy(update={"text": text})
    write_bundle(tmp_path / "out", dataclasses.replace(content, frontend=frontend))
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "The text encoder knows English and German: words" in card


def test_the_same_content_gives_the_same_bytes(content: BundleContent, tmp_path: Path) -> None:
    first = write_bundle(tmp_path / "one", content)
    second = write_bundle(tmp_path / "two", content)
    assert first.digest == second.digest


def test_a_bundle_is_replaced_whole(content: BundleContent, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_bundle(target, content)
    (target / "left-over.txt").write_text("x")
    newer = write_bundle(target, dataclasses.replace(content, version="2.0.0"))
    assert newer.manifest.version == "2.0.0"
    assert "left-over.txt" not in entries(target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "source"]


def spoil_graph(content: BundleContent, tmp_path: Path) -> BundleContent:
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    graphs = {**content.graphs, "face": GraphFile(tmp_path / "bad.onnx", "", "MIT")}
    return dataclasses.replace(content, graphs=graphs)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c, _: dataclasses.replace(c, version="one"), "version"),
        (lambda c, _: dataclasses.replace(c, labels=["a", "a"]), "label is listed twice"),
        (lambda c, _: dataclasses.replace(c, calibration={}), "calibration must name"),
        (lambda c, t: dataclasses.replace(c, tokenizer=t / "no.json"), r"no\.json"),
        (lambda c, t: dataclasses.replace(c, licences=[t / "no.txt"]), r"no\.txt"),
        (
            lambda c, _: dataclasses.replace(
                c, graphs={k: v for k, v in c.graphs.items() if k != "text"}
            ),
            "text are not listed",
        ),
        (spoil_graph, r"face\.onnx"),
    ],
)
def test_content_that_does_not_fit_leaves_the_old_bundle(
    content: BundleContent,
    tmp_path: Path,
    spoil: Callable[[BundleContent, Path], BundleContent],
    message: str,
) -> None:
    target = tmp_path / "out"
    old = write_bundle(target, content)
    spoiled = spoil(content, tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises((BundleError, EngineError), match=message):
        write_bundle(target, spoiled)
    assert load_bundle(target).digest == old.digest
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_folder_that_is_no_bundle_is_never_overwritten(
    content: BundleContent, tmp_path: Path
) -> None:
    target = tmp_path / "photos"
    target.mkdir()
    (target / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match="is no bundle: it is not replaced"):
        write_bundle(target, content)
    assert entries(target) == ["holiday.jpg"]
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ConfigError, match="Not a directory; name another folder"):
        write_bundle(file, content)


def test_an_empty_folder_may_be_filled(content: BundleContent, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write_bundle(tmp_path / "out", content).manifest.name == "test"


def test_figures_that_are_not_numbers_are_refused(content: BundleContent, tmp_path: Path) -> None:
    broken = Score(task="t", metric="m", value=0.0, chance=0.1, protocol="p")
    score = dataclasses.replace(content, scores=[broken.model_copy(update={"value": float("nan")})])
    with pytest.raises(BundleError, match="finite number"):
        write_bundle(tmp_path / "out", score)
    assert not (tmp_path / "out").exists()


def test_the_default_licences_are_whole() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in DEFAULT_LICENCES}
    assert "END OF TERMS AND CONDITIONS" in texts["Apache-2.0.txt"]
    assert "OpenAI" in texts["whisper-MIT.txt"]
    assert "WITHOUT WARRANTY OF ANY KIND" in texts["whisper-MIT.txt"]
    for part in ("Whisper", "MiniLM", "BlazeFace"):
        assert part in texts["NOTICE.txt"]
