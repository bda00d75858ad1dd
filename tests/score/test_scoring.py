"""An archive to one table: every row once, whoever scores and whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.deadly_recognizer import deadly
from fixtures.labelled_clips import write_tone

from edge_ser import BundleError, ConfigError
from edge_ser.score.clips import ClipToScore
from edge_ser.score.processes import Processes
from edge_ser.score.rows import ScoreOptions
from edge_ser.score.scoring import score_clips
from edge_ser.score.table import SETTINGS_KEY, ScoreParts, schema
from edge_ser.score.workers import Batch, Refused, scored

CLIPS = 36
PROGRAM = str(Path(sys.executable).with_name("edge-ser"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number in range(CLIPS):
        write_tone(folder / f"{number:02}.wav", 100 + 5 * number, 0.4, number)
    (folder / "07.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def whole(bundle: Path, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "scores.parquet"
    done = score_clips([archive], output, bundle=bundle, workers=1, speech_gate=False)
    assert (done.summary.clips, done.summary.rows, done.resumed) == (CLIPS, CLIPS, 0)
    assert done.summary.failed == 1
    assert sum(done.summary.labels.values()) + done.summary.abstained == CLIPS - 1
    assert "07.wav is empty" in done.summary.first_errors[0]
    return output


def rows(table: Path) -> list[dict[str, Any]]:
    return pyarrow.parquet.read_table(table).to_pylist()


def test_the_table_has_the_published_columns_and_one_row_a_clip(archive: Path, whole: Path) -> None:
    found = pyarrow.parquet.read_schema(whole)
    assert found.equals(schema(), check_metadata=False)
    assert found.names == [
        "file",
        "channel",
        "window",
        "start",
        "end",
        "label",
        "confidence",
        "probabilities",
        "abstained",
        "abstain_reason",
        "present",
        "contributions",
        "absent",
        "notes",
        "error",
        "bundle",
        "bundle_version",
        "bundle_hash",
    ]
    told = json.loads(found.metadata[SETTINGS_KEY])
    assert told["settings"]["inputs"] == [str(archive)]
    assert [Path(row["file"]).name for row in rows(whole)] == [f"{n:02}.wav" for n in range(CLIPS)]
    assert not whole.with_name("scores.parquet.parts").exists()


def command(archive: Path, output: Path, bundle: Path, *more: str) -> list[str]:
    options = ["--output", str(output), "--bundle", str(bundle), "--no-speech-gate"]
    return [PROGRAM, "score", str(archive), *options, "--workers", "2", *more]


@pytest.mark.parametrize("end_by", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on_and_every_row_is_there_once(
    archive: Path, bundle: Path, whole: Path, tmp_path: Path, end_by: signal.Signals
) -> None:
    output = tmp_path / "scores.parquet"
    parts = tmp_path / "scores.parquet.parts"
    run = subprocess.Popen(
        command(archive, output, bundle),
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl+C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while len(list(parts.glob("part-*.parquet"))) < 5 and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(end_by)
    _, told = run.communicate(timeout=30)
    if end_by == signal.SIGINT:
        assert run.returncode == 2
        assert "the same command with --resume goes on" in told
    kept = len(list(parts.glob("part-*.parquet")))
    assert not output.exists()
    assert 5 <= kept < CLIPS
    refused = subprocess.run(
        command(archive, output, bundle), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    done = subprocess.run(
        command(archive, output, bundle, "--resume", "--json"),
        check=True,
        capture_output=True,
        text=True,
    )
    summary = json.loads(done.stdout)
    assert (summary["resumed"], summary["rows"], summary["failed"]) == (kept, CLIPS, 1)
    assert rows(output) == rows(whole)
    assert list(tmp_path.iterdir()) == [output]


def test_what_is_whole_is_not_scored_again(
    archive: Path, bundle: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_ser.score.scoring.Processes", None)
    again = score_clips([archive], whole, bundle=bundle, speech_gate=False, resume=True)
    assert again.resumed == again.summary.rows == CLIPS
    assert again.summary.failed == 1
    assert list(whole.parent.iterdir()) == [whole]


def test_a_run_is_not_gone_on_with_otherwise_than_it_was_begun(
    archive: Path, bundle: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scores.parquet"
    with ScoreParts(output) as parts:
        parts.begin({"window": 3.0}, [ClipToScore("a.wav")])
    with pytest.raises(ConfigError, match=r"window was 3\.0, is 10\.0"):
        score_clips([archive], output, bundle=bundle, resume=True)
    with ScoreParts(output), pytest.raises(ConfigError, match="another run is writing"):
        score_clips([archive], output, bundle=bundle)


def test_nothing_is_left_where_nothing_can_begin(bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    (tmp_path / "empty.csv").write_text("clip\n")
    for options, says in (
        ({}, "nothing to score"),
        ({"hop": 30}, "longer than window"),
        ({"window": 60.0}, "at most"),
        ({"workers": 0}, "from 1 on"),
        ({"channel": "loud"}, "channel must be"),
    ):
        with pytest.raises(ConfigError, match=says):
            score_clips([tmp_path / "empty.csv"], output, bundle=bundle, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is a folder"):
        score_clips(["a.wav"], tmp_path, bundle=bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.csv"]


def test_a_clip_that_kills_its_process_costs_no_other(bundle: Path, archive: Path) -> None:
    names = ["00", "01", "poison", "02", "03"]
    clips = [ClipToScore(str(archive / f"{name}.wav")) for name in names]
    batches = [Batch(0, clips), Batch(1, [ClipToScore(str(archive / "04.wav"))])]
    options = ScoreOptions(10.0, 10.0, speech_gate=False)
    with Processes((deadly, (str(bundle),)), options, 2) as crew:
        found = dict(scored(crew, batches, lambda clip, why: {"file": clip.file, "error": why}))
    assert sorted(found) == [0, 1]
    assert [Path(row["file"]).stem for row in found[0]] == names
    failed = [row for row in found[0] if row.get("error")]
    assert [(Path(row["file"]).stem, row["error"][:20]) for row in failed] == [
        ("poison", "what scored it died:")
    ]


def refuses(folder: str) -> None:
    raise BundleError(f"{folder} is damaged")


def test_a_process_that_cannot_open_the_bundle_says_why() -> None:
    options = ScoreOptions(10.0, 10.0)
    with pytest.raises(ConfigError, match="the bundle is damaged"):
        Processes((refuses, ("the bundle",)), options, 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ended as it began"):
        Processes((os._exit, (3,)), options, 1)


def test_a_worker_that_refuses_ends_the_run() -> None:
    class Refusing:
        count = 1

        def give(self, worker: int, clips: object) -> None:
            assert (worker, clips) == (0, [ClipToScore("a.wav")])

        def take(self) -> tuple[int, Refused]:
            return 0, Refused("the engine is gone")

        def close(self) -> None: ...

    with pytest.raises(ConfigError, match="the engine is gone"):
        list(scored(Refusing(), [Batch(0, [ClipToScore("a.wav")])], lambda *_: {}))


@pytest.fixture
def cluster() -> Iterator[None]:
    """Ray on this machine alone, bound to the loopback address."""
    import ray
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False
    ray.init(
        address="local",
        num_cpus=2,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * 1024 * 1024,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_actors_of_ray_give_the_same_rows(
    archive: Path, bundle: Path, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scores.parquet"
    told: list[int] = []
    score_clips(
        [archive],
        output,
        bundle=bundle,
        speech_gate=False,
        ray="auto",
        progress=lambda _, done, __: told.append(done),
    )
    assert rows(output) == rows(whole)
    assert told == list(range(CLIPS + 1))


def test_a_cluster_that_does_not_answer_is_told(
    archive: Path, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"the Ray cluster at 127\.0\.0\.1:1 does not answer"):
        score_clips([archive], tmp_path / "x.parquet", bundle=bundle, ray="127.0.0.1:1")
