"""Wherever something is written, a place that refuses ends in one clear line that says what to do.

Every writer meets every refusal; where one is a verb, the exit code is 2.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle, with_adaptation
from fixtures.manifest_factory import make_config
from fixtures.run_factory import make_run

from edge_ser import EdgeRecognizer
from edge_ser.cli.main import main
from edge_ser.errors import EdgeSerError
from edge_ser.files import write_atomically

if sys.platform == "win32":
    pytest.skip("permissions and limits are those of POSIX", allow_module_level=True)
from fixtures.refusing_places import REFUSALS

if TYPE_CHECKING:
    from edge_ser.bundles.loading import Bundle

Write = Callable[[Path], Any]


@dataclass(frozen=True)
class Writer:
    """Something that is written."""

    write: Callable[[Material], Write]
    ending: str = ""
    folder: bool = False
    private: bool = False
    """Whether nobody but its owner may read it."""


class Material:
    """What the writers need, made once."""

    def __init__(self, folder: Path, clip: Path) -> None:
        self.clip = clip
        self.bundle = make_bundle(folder / "bundle", with_adaptation)
        with EdgeRecognizer(self.bundle) as recognizer:
            self.profile = recognizer.enroll([clip])
            # The cache of graphs is filled while there is room.
            self.decision = recognizer.recognize(clip)
        self.labelled = folder / "labelled"

    def loaded(self) -> Bundle:
        from edge_ser.bundles.loading import load_bundle

        return load_bundle(self.bundle)

    def verb(self, *arguments: str | Path) -> None:
        """Run a verb; exit codes other than 0 and 2 are a bug."""
        bundle = () if arguments[0] == "demo" else ("--bundle", str(self.bundle))
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), *bundle])
        if ended.value.code == 2:
            raise _RefusedError
        assert ended.value.code in (0, None)


class _RefusedError(Exception):
    """A verb ended with 2."""


def _profile(material: Material) -> Write:
    return material.profile.save


def _enrolled(material: Material) -> Write:
    return lambda at: material.verb("profile", "enroll", material.clip, "--profile", at)


def _picture(material: Material) -> Write:
    return lambda at: material.verb("recognize", material.clip, "--plot", at)


def _demo(material: Material) -> Write:
    return lambda at: material.verb("demo", "--output", at)


def _live_recording(material: Material) -> Write:
    replay = ("live", "--replay", material.clip, "--json")
    return lambda at: material.verb(*replay, "--record", at)


def _live_profile(material: Material) -> Write:
    replay = ("live", "--replay", material.clip, "--json", "--enroll", "1")
    return lambda at: material.verb(*replay, "--profile", at)


def _bundle(material: Material) -> Write:
    from edge_ser.export.bundles.derived import write_changed

    bundle = material.loaded()
    return lambda at: write_changed(bundle, at, lambda _: bundle.manifest)


def _engine(material: Material) -> Write:
    from edge_ser.runtime.engine_cache import EngineCache, EngineKey

    del material
    key = EngineKey("graph", "0" * 64, "tensorrt", "10", "device")
    return lambda at: EngineCache(at).store(key, b"engine", {})


def _scores(material: Material) -> Write:
    from edge_ser.export.evaluation.plots import write_report
    from edge_ser.export.evaluation.tables import scores

    del material
    scored = scores(make_run(0.7))
    return lambda at: write_report(scored, at)


def _fold(material: Material) -> Write:
    from edge_ser.export.training.predictions import write_fold

    del material
    return lambda at: write_fold(at, make_run(0.7).folds[0])


def _parts(material: Material) -> Write:
    from edge_ser.calibration.report.parts import ReportParts

    del material

    def write(at: Path) -> None:
        with ReportParts(at, {}) as parts:
            parts.once("part", int, lambda: 3)

    return write


def _features(material: Material) -> Write:
    from edge_ser.export.data.cache import FeatureCache

    del material
    return lambda at: FeatureCache(at, {}).put("0" * 64, np.zeros(3))


def _clip_set(material: Material) -> Write:
    from edge_ser.export.data.clip_set import ClipFeatures, write_clip

    del material
    return lambda at: write_clip(at, ClipFeatures("clip", "happy", "anna", {"x": np.zeros(3)}))


def _run_folder(material: Material) -> Write:
    from edge_ser.export.training.resumable import claim

    del material
    return lambda at: claim(at, "{}")


def _training(material: Material) -> Write:
    from edge_ser.export.training.config import load_config
    from edge_ser.export.training.run import guard_configuration

    config = load_config(make_config(material.bundle.parent / "config.yaml"))
    return lambda at: guard_configuration(at, config)


def _checkpoint(material: Material) -> Write:
    from edge_ser.export.training.whole_checkpoints import WholeCheckpoints

    del material
    return lambda at: WholeCheckpoints().save_checkpoint({"epoch": 1}, at)


def _job(material: Material) -> Write:
    from edge_ser.export.search.grid import JobResult, write_job

    del material
    return lambda at: write_job(at, JobResult(0, "fold", 0.5, 1.0))


WRITERS = {
    "a file": Writer(lambda _: lambda at: write_atomically(at, b"x")),
    "a picture": Writer(_picture, ".png"),
    "a profile": Writer(_profile, ".json", private=True),
    "an enrolled profile": Writer(_enrolled, ".json", private=True),
    "a live profile": Writer(_live_profile, ".json", private=True),
    "a live recording": Writer(_live_recording, folder=True, private=True),
    "the demo": Writer(_demo, folder=True),
    "a bundle": Writer(_bundle, folder=True),
    "the engine cache": Writer(_engine, folder=True),
    "scores": Writer(_scores, folder=True),
    "predictions": Writer(_fold, ".json"),
    "parts of a report": Writer(_parts, folder=True),
    "features": Writer(_features, folder=True),
    "a set of clips": Writer(_clip_set, folder=True),
    "a run": Writer(_run_folder, folder=True),
    "a training": Writer(_training, folder=True),
    "a checkpoint": Writer(_checkpoint, ".ckpt"),
    "a job of a search": Writer(_job, folder=True),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, demo_clip: Path) -> Material:
    return Material(tmp_path_factory.mktemp("material"), demo_clip)


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", WRITERS)
def test_a_refusal_is_one_line_that_says_what_to_do(
    name: str,
    refusal: str,
    material: Material,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    writer = WRITERS[name]
    write = writer.write(material)
    place, system, advice = REFUSALS[refusal]
    target = place(tmp_path, writer.ending, writer.folder)
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    with system(tmp_path), pytest.raises((EdgeSerError, _RefusedError)) as refused:
        write(target)
    lines = capsys.readouterr().err.strip().splitlines()
    said = str(refused.value) or lines[-1]
    assert "\n" not in said
    assert str(target) in said
    assert advice in said
    assert not any("Traceback" in line for line in lines)
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert [path for path in left if path.name.endswith(".writing")] == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_name_may_be_as_long_as_the_system_allows(
    name: str, material: Material, tmp_path: Path
) -> None:
    writer = WRITERS[name]
    longest = tmp_path / ("ü" * ((255 - len(writer.ending)) // 2) + writer.ending)
    writer.write(material)(longest)
    assert longest.is_dir() == writer.folder
    written = [longest, *longest.rglob("*")] if writer.folder else [longest]
    assert sorted(tmp_path.iterdir()) == [longest]
    if writer.private:
        for path in written:
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
