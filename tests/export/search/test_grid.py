"""A grid search chooses on people who are not tested, goes on when killed, and stays at home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from fixtures.manifest_factory import make_config, make_manifest

from edge_ser.errors import ConfigError
from edge_ser.export.search.grid import (
    SEARCH,
    JobResult,
    guard_search,
    job_folder,
    load_data,
    load_search,
    read_job,
    search_splits,
    write_job,
)
from edge_ser.export.search.tables import choices, ranked, search_markdown

GRID = {"model.width": [16, 32], "optimisation.learning_rate": [0.01, 0.0001]}


def _search(folder: Path, **changes: object) -> Path:
    data = {"name": "manifest", "manifest": "clips.csv", "modalities": ["audio"], "folds": 2}
    optimisation = {"epochs": 2, "batch_size": 6}
    make_config(folder / "base.yaml", data=data, optimisation=optimisation)
    document = {"name": "small-search", "base": "base.yaml", "grid": GRID, "folds": 1, **changes}
    (folder / "search.yaml").write_text(yaml.safe_dump(document))
    return folder / "search.yaml"


def test_every_point_of_the_grid_is_a_whole_configuration(tmp_path: Path) -> None:
    search = load_search(_search(tmp_path))
    tried = [(p.config.model.width, p.config.optimisation.learning_rate) for p in search.points]
    assert tried == [(16, 0.01), (16, 0.0001), (32, 0.01), (32, 0.0001)]
    assert all(p.config.optimisation.epochs == 2 for p in search.points)


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ({"model.widht": [1]}, "widht"),
        ({"seeds": [[0, 0]]}, "seeds"),
        ({"model.width": []}, "at least one value"),
        ({"name.x": [1]}, "no field"),
    ],
)
def test_a_grid_that_fits_nothing_is_refused_before_anything_runs(
    tmp_path: Path, grid: dict[str, list[object]], reason: str
) -> None:
    file = _search(tmp_path, grid=grid)
    with pytest.raises(ConfigError, match=reason):
        load_search(file)


def test_test_people_have_no_part_in_the_choice(tmp_path: Path) -> None:
    data = make_manifest(tmp_path / "data", faces=False, bad=False).parent
    for held in (0, 2):
        search = load_search(_search(tmp_path, cross_validation=held, folds=None))
        loaded = load_data(search.points[0].config, data, tmp_path / "cache")
        for split, (fold, inner) in zip(loaded.splits, search_splits(search, loaded), strict=True):
            assert fold == split.name
            tested = {loaded.items[i].speaker for i in split.test}
            used = {loaded.items[i].speaker for s in inner for i in (*s.train, *s.validation)}
            assert not tested & used
            for part in inner:
                training = {loaded.items[i].speaker for i in part.train}
                assert not training & {loaded.items[i].speaker for i in part.validation}
        assert len(inner) == max(held, 1)


def test_each_fold_chooses_by_its_own_people(tmp_path: Path) -> None:
    search = load_search(_search(tmp_path))
    recalls = {0: (0.9, 0.1), 1: (0.6, 0.7), 2: (0.6, 0.6), 3: (0.2, 0.2)}
    results = [
        JobResult(point, fold, value, 1.0)
        for point, values in recalls.items()
        for fold, value in zip(("fold-1", "fold-2"), values, strict=True)
    ]
    found = ranked(search, results)
    assert [f.point.number for f in found] == [1, 2, 0, 3]
    assert {k: f.point.number for k, f in choices(found).items()} == {"fold-1": 0, "fold-2": 1}
    assert "| fold-2 | width=16, learning_rate=0.0001 |" in search_markdown(search, found)


def test_a_folder_of_another_or_a_damaged_search_is_refused(tmp_path: Path) -> None:
    search = load_search(_search(tmp_path))
    guard_search(tmp_path / "out", search)
    guard_search(tmp_path / "out", search)
    for text, message in (("{}", "holds another search"), ("{", "is damaged")):
        (tmp_path / "out" / SEARCH).write_text(text)
        with pytest.raises(ConfigError, match=message):
            guard_search(tmp_path / "out", search)


def test_a_damaged_result_is_done_again(tmp_path: Path) -> None:
    point = load_search(_search(tmp_path)).points[0]
    folder = job_folder(tmp_path, point, "fold-1")
    assert read_job(folder) is None
    write_job(folder, JobResult(0, "fold-1", 0.5, 1.0))
    assert read_job(folder) == JobResult(0, "fold-1", 0.5, 1.0)
    (folder / "result.json").write_text('{"point": 0')
    assert read_job(folder) is None


def _listening(process: psutil.Process) -> set[str]:
    found = set()
    for one in [process, *process.children(recursive=True)]:
        try:
            sockets = one.net_connections(kind="inet")
        except psutil.Error:
            continue
        found |= {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN}
    return found


@pytest.mark.timeout(400)
def test_a_killed_search_goes_on_and_listens_to_this_machine_alone(tmp_path: Path) -> None:
    data = make_manifest(tmp_path / "data", faces=False, bad=False).parent
    file = _search(tmp_path)
    output = tmp_path / "out"
    program = "from edge_ser.cli.main import main; main()"
    command = [sys.executable, "-c", program, "tune", str(file), "--data", str(data)]
    command += ["--output", str(output), "--cache", str(tmp_path / "cache")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **quiet)
    watched, heard = psutil.Process(process.pid), set[str]()
    deadline = time.monotonic() + 300
    while not (done := list(output.glob("*/*/result.json"))) and time.monotonic() < deadline:
        assert process.poll() is None, "the search ended before it could be killed"
        heard |= _listening(watched)
        time.sleep(0.2)
    family = [watched, *watched.children(recursive=True)]
    os.kill(process.pid, signal.SIGKILL)
    for one in family[1:]:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    assert heard
    assert heard <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, heard
    before = {path: path.stat().st_mtime_ns for path in done}
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in before.items())
    assert len(list(output.glob("*/*/result.json"))) == 4
    found = json.loads((output / "search.json").read_text())
    best = yaml.safe_load((output / "best.yaml").read_text())
    values = found["points"][0]["values"]
    assert best["model"]["width"] == values["model.width"]
    assert found["points"][0]["mean"] >= found["points"][-1]["mean"]
    assert (output / "search.png").read_bytes().startswith(b"\x89PNG")
    assert "recall, mean" in again.stdout
