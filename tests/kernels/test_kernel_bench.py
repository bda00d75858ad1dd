"""`edge-ser bench kernels`: the figures are medians of interleaved runs, and complete."""

from __future__ import annotations

import json
import time
import wave

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_ser.cli import bench
from edge_ser.constants import DEMO_CLIP
from edge_ser.errors import MediaError
from edge_ser.machine import kernel_bench
from edge_ser.machine.kernel_bench import OURS, Task, measure


def spin(milliseconds: float) -> None:
    end = time.process_time() + milliseconds / 1000
    while time.process_time() < end:
        pass


def test_medians_are_per_unit_and_compared_with_ours():
    order = []
    task = Task(
        "spin",
        "unit",
        10,
        {
            OURS: lambda: (order.append("ours"), spin(2)),
            "other": lambda: (order.append("other"), spin(6)),
        },
    )
    measure(task, 3)
    assert order == ["ours", "other"] * 4  # one warm-up, then three rounds, in turn
    assert task.microseconds[OURS] == pytest.approx(200, rel=0.5)
    assert task.speedups() == {"other": pytest.approx(3, rel=0.5)}


def test_every_task_runs_and_gives_as_many_units_as_it_says(monkeypatch):
    monkeypatch.setattr(kernel_bench, "SECONDS", 1)
    tasks = kernel_bench.make_tasks()
    for task in tasks:
        assert OURS in task.runs
        assert task.units in range(98, 102)
        task.runs[OURS]()


def test_where_it_is_as_sharp_as_its_peer_no_figure_is_worse():
    pytest.importorskip("soxr")
    audio = kernel_bench.speech_like_audio(1)
    tasks = [task for task in kernel_bench.make_tasks(audio) if "as sharp as" in task.name]
    assert len(tasks) == 2
    for task in tasks:
        ours, peer = task.quality[OURS], task.quality["soxr HQ"]
        assert ours.pass_band >= peer.pass_band > 0.9
        assert ours.rejection_db >= peer.rejection_db > 120
        assert ours.latency_ms <= peer.latency_ms


def test_the_command_prints_json(monkeypatch):
    monkeypatch.setattr(kernel_bench, "make_tasks", lambda _: [Task("t", "frame", 1, {OURS: int})])
    result = CliRunner().invoke(bench.app, ["kernels", "--json", "--rounds", "2"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["rounds"] == 2
    assert figures["tasks"][0]["microseconds"][OURS] >= 0
    assert figures["tasks"][0]["fastest"][OURS] <= figures["tasks"][0]["microseconds"][OURS]
    assert CliRunner().invoke(bench.app, ["kernels", "--rounds", "1"]).exit_code == 0


def test_a_recording_takes_the_place_of_the_synthetic_sound(monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(kernel_bench, "make_tasks", lambda audio: taken.append(audio) or [])
    command = ["kernels", "--json", "--audio"]
    assert CliRunner().invoke(bench.app, [*command, str(DEMO_CLIP)]).exit_code == 0
    assert len(taken[0]) > 16000
    short = tmp_path / "short.wav"
    with wave.open(str(short), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    with pytest.raises(MediaError, match="less than 1 s"):
        CliRunner().invoke(bench.app, [*command, str(short)], catch_exceptions=False)


def test_with_a_recording_the_units_are_those_of_the_recording():
    for task in kernel_bench.make_tasks(kernel_bench.speech_like_audio(2)):
        expected = 100 * kernel_bench.SECONDS if task.name.startswith("resample") else 200
        assert abs(task.units - expected) <= 2


def test_the_sound_is_deterministic_and_within_full_scale():
    audio = kernel_bench.speech_like_audio(1)
    np.testing.assert_array_equal(audio, kernel_bench.speech_like_audio(1))
    assert audio.dtype == np.float32
    assert 0.1 < np.abs(audio).max() <= 1.0
