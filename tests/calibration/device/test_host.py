"""The machine under a report: read from files that a platform may or may not have."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from edge_ser.calibration.device.host import Watch, host_facts, host_state
from edge_ser.calibration.device.sysfs import run_tool


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _board(root: Path) -> None:
    _write(root / "proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")
    for core in range(2):
        cpu = root / f"sys/devices/system/cpu/cpu{core}"
        _write(cpu / "cpufreq/scaling_governor", "schedutil\n")
        _write(cpu / "cpufreq/scaling_cur_freq", f"{800000 + core * 100000}\n")
        _write(cpu / "cpufreq/scaling_max_freq", "1500000\n")
        _write(cpu / "thermal_throttle/core_throttle_count", "3\n")
    _write(root / "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    _write(root / "sys/class/thermal/thermal_zone0/temp", "51500\n")
    _write(root / "sys/class/thermal/thermal_zone1/type", "broken\n")
    _write(root / "sys/class/thermal/cooling_device0/type", "pwm-fan\n")
    _write(root / "sys/class/thermal/cooling_device0/cur_state", "3\n")


def test_a_board_is_read_from_its_files(tmp_path: Path) -> None:
    _board(tmp_path)
    facts = host_facts(tmp_path)
    assert facts.device == "NVIDIA Jetson Orin Nano"
    assert facts.memory_mb is not None
    assert facts.memory_mb > 100
    assert 1 <= facts.cores <= 4096
    assert facts.versions["edge-ser"]
    assert {p.part for p in facts.parts} >= {"python", "onnxruntime", "cuda device"}
    state = host_state(tmp_path)
    assert state.governor == "schedutil"
    assert state.megahertz == (800, 900)
    assert state.megahertz_limit == 1500
    assert state.temperatures == {"cpu-thermal (0)": 51.5}
    assert state.throttle_events == 6
    # A fan that turns slows nothing down.
    assert state.cooling == ()


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    state = host_state(tmp_path)
    assert (state.governor, state.megahertz, state.throttle_events) == (None, None, None)
    assert state.temperatures == {}
    watch = Watch(tmp_path).finish()
    assert watch.throttled is None


Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest")


def test_heat_and_other_programs_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _board(tmp_path)
    monkeypatch.setattr("psutil.cpu_times", lambda: Times(1, 0, 1, 8, 0, 0, 0, 0, 1))
    watch = Watch(tmp_path)
    _write(tmp_path / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "9\n")
    # 100 seconds later, 60 of them idle, 5 stolen: far more than this test can have used.
    monkeypatch.setattr("psutil.cpu_times", lambda: Times(36, 0, 1, 68, 0, 0, 0, 5, 1))
    found = watch.finish()
    assert found.throttled
    assert found.stolen_percent == pytest.approx(5)
    assert found.other_load_percent == pytest.approx(35, abs=3)
    text = " ".join(found.warnings)
    for word in ("Other programs", "virtual machines", "hot", "schedutil"):
        assert word in text


def test_slowing_down_to_cool_is_throttling(tmp_path: Path) -> None:
    _board(tmp_path)
    _write(tmp_path / "sys/class/thermal/cooling_device1/type", "cpufreq-cpu0\n")
    _write(tmp_path / "sys/class/thermal/cooling_device1/cur_state", "2\n")
    found = Watch(tmp_path).finish()
    assert found.after.cooling == ("cpufreq-cpu0",)
    assert found.throttled


def test_a_machine_whose_clock_stands_still_tells_no_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.cpu_times", lambda: Times(1, 0, 1, 8, 0, 0, 0, 0, 1))
    assert Watch(tmp_path).finish().other_load_percent is None


def test_a_tool_that_is_missing_fails_or_hangs_says_nothing_and_ends() -> None:
    assert run_tool(["there-is-no-such-tool"]) is None
    assert run_tool(["false"]) is None
    assert run_tool(["echo", "NV Power Mode: 15W"]) == "NV Power Mode: 15W"
    line_then_hang = ["sh", "-c", "echo RAM 1/2MB; exec sleep 30"]
    assert run_tool(line_then_hang, timeout=0.5) == "RAM 1/2MB"
