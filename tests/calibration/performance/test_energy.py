"""Energy: each kind of meter on a machine made of files, and honest ignorance without one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pynvml
import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.bundles.loading import load_bundle
from edge_ser.calibration.device import energy_meters
from edge_ser.calibration.device.energy_meters import RaplMeter, SampledMeter, find_meters
from edge_ser.calibration.performance.clip import load_latency_clip
from edge_ser.calibration.performance.energy import measure_energy
from edge_ser.calibration.performance.warm import Candidate


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def _rapl(root: Path, number: str, name: str, energy: str) -> Path:
    domain = root / "sys/class/powercap" / f"intel-rapl:{number}"
    _write(domain / "name", name)
    _write(domain / "energy_uj", energy)
    _write(domain / "max_energy_range_uj", "1000000")
    return domain


def test_rapl_counters_add_up_and_may_wrap_around(tmp_path: Path) -> None:
    first = _rapl(tmp_path, "0", "package-0", "900000")
    second = _rapl(tmp_path, "1", "package-1", "100")
    _rapl(tmp_path, "0:0", "core", "5")
    (meter,), missing = find_meters(gpu=False, root=tmp_path)
    assert missing == ""
    assert meter.scope == "the processor (package-0, package-1)"
    meter.start()
    _write(first / "energy_uj", "400000")
    _write(second / "energy_uj", "250100")
    assert meter.stop() == pytest.approx(0.5 + 0.25)


def test_the_whole_platform_is_preferred_to_its_parts(tmp_path: Path) -> None:
    _rapl(tmp_path, "0", "package-0", "1")
    _rapl(tmp_path, "1", "psys", "1")
    (meter,), _ = find_meters(gpu=False, root=tmp_path)
    assert isinstance(meter, RaplMeter)
    assert meter.scope == "the whole platform"


def test_counters_that_only_root_may_read_are_said_to_be_so(tmp_path: Path) -> None:
    domain = _rapl(tmp_path, "0", "package-0", "1")
    # A folder cannot be read as a file, whoever asks.
    (domain / "energy_uj").unlink()
    (domain / "energy_uj").mkdir()
    meters, missing = find_meters(gpu=False, root=tmp_path)
    assert meters == []
    assert "root only" in missing


def test_a_jetson_is_metered_at_its_input(tmp_path: Path) -> None:
    monitor = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    for number, (name, volts, amperes) in enumerate(
        [("VDD_IN", 5000, 2000), ("VDD_CPU_GPU_CV", 5000, 1000), ("VDD_SOC", 5000, 500)], start=1
    ):
        _write(monitor / f"in{number}_label", name)
        _write(monitor / f"in{number}_input", str(volts))
        _write(monitor / f"curr{number}_input", str(amperes))
    _write(monitor / "in4_label", "sum of shunt voltages")
    (meter,), _ = find_meters(gpu=True, root=tmp_path)
    assert meter.scope == "the whole module (VDD_IN)"
    begun = time.perf_counter()
    meter.start()
    time.sleep(0.1)
    joules = meter.stop()
    assert 0.5 < joules <= 10 * (time.perf_counter() - begun)


def test_an_older_jetson_tells_power_itself(tmp_path: Path) -> None:
    monitor = tmp_path / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    for number, (name, milliwatts) in enumerate([("GPU", 1500), ("CPU", 2500)]):
        _write(monitor / f"rail_name_{number}", name)
        _write(monitor / f"in_power{number}_input", str(milliwatts))
    (meter,), _ = find_meters(gpu=False, root=tmp_path)
    assert meter.scope == "all rails that are monitored (GPU, CPU)"
    begun = time.perf_counter()
    meter.start()
    time.sleep(0.1)
    joules = meter.stop()
    assert 0.2 < joules <= 4 * (time.perf_counter() - begun)


def test_a_gpu_is_metered_by_its_counter_and_an_old_one_by_its_power(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    millijoules = [5_000_000_000]

    def unknown(_: object) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda _: millijoules[0])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", lambda _: 70_000)
    meter = energy_meters._nvml()
    assert not isinstance(meter, str)
    meter.start()
    millijoules[0] += 2500
    assert meter.stop() == pytest.approx(2.5)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", unknown)
    assert isinstance(energy_meters._nvml(), SampledMeter)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", unknown)
    assert "neither energy nor power" in str(energy_meters._nvml())


def test_a_gpu_without_its_driver_is_named_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", absent)
    assert "NVIDIA driver" in str(energy_meters._nvml())
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py" in str(energy_meters._nvml())


def test_without_a_meter_energy_is_said_to_be_unknown_and_why(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "tiny"))
    candidate = Candidate("bundle", "onnxruntime", 1, bundle)
    found = measure_energy(candidate, load_latency_clip(), root=tmp_path / "empty")
    assert found.millijoules is None
    assert found.unknown is not None
    assert "RAPL" in found.unknown


def test_energy_of_a_decision_is_the_meters_over_the_decisions(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "tiny"))
    monitor = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    _write(monitor / "in1_label", "VDD_IN")
    _write(monitor / "in1_input", "5000")
    _write(monitor / "curr1_input", "1000")
    candidate = Candidate("bundle", "onnxruntime", 1, bundle)
    found = measure_energy(candidate, load_latency_clip(), idle=0.1, busy=0.3, root=tmp_path)
    assert found.unknown is None
    assert found.idle_watts == pytest.approx(5, rel=0.3)
    assert found.busy_watts == pytest.approx(5, rel=0.3)
    assert found.decisions is not None
    assert found.millijoules == pytest.approx(
        5000 * (found.seconds or 0) / found.decisions, rel=0.3
    )
    assert (found.millijoules_above_idle or 0) <= found.millijoules
