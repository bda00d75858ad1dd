"""Meters of energy that a platform offers: RAPL, the rails of a Jetson, NVML.

Where things lie: RAPL in the kernel's power capping documentation (`/sys/class/powercap`), the
INA3221 rails in NVIDIA's Jetson Linux developer guide, NVML in NVIDIA's API reference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from edge_ser.calibration.device.sysfs import read_integer, read_text

_PERIOD: Final = 0.02
"""Seconds between two readings of a meter that tells power, not energy."""
_WHOLE_MODULE: Final = ("VDD_IN", "POM_5V_IN", "5V_IN", "VDD_MUX")
"""Rails that feed a whole Jetson; the others lie behind them."""


class Meter(Protocol):
    """Thread contract: one meter belongs to one thread."""

    source: str
    """What is read."""
    scope: str
    """What it covers."""

    def start(self) -> None:
        """Begin to count."""

    def stop(self) -> float:
        """Joules since `start`."""


class RaplMeter:
    """Counters of the processor's packages, in microjoules, which wrap around."""

    def __init__(self, domains: Sequence[Path]) -> None:
        self._domains = domains
        names = [read_text(d / "name") or d.name for d in domains]
        self.source = "RAPL"
        whole = any(name == "psys" for name in names)
        self.scope = "the whole platform" if whole else f"the processor ({', '.join(names)})"
        self._before: list[int] = []

    def start(self) -> None:
        """Begin to count."""
        self._before = self._read()

    def stop(self) -> float:
        """Joules since `start`; a counter may have wrapped around once."""
        total = 0
        for domain, before, now in zip(self._domains, self._before, self._read(), strict=True):
            reach = read_integer(domain / "max_energy_range_uj") or 0
            total += now - before if now >= before else now - before + reach
        return total / 1e6

    def _read(self) -> list[int]:
        return [read_integer(domain / "energy_uj") or 0 for domain in self._domains]


class SampledMeter:
    """A meter that tells watts: a thread reads it again and again, and adds them up."""

    def __init__(self, source: str, scope: str, watts: Callable[[], float]) -> None:
        self.source = source
        self.scope = scope
        self._watts = watts
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._joules = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._joules = 0.0
        self._stopping.clear()
        self._thread = threading.Thread(target=self._sample, name="energy-meter", daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Joules since `start`, by the trapezoidal rule."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        return self._joules

    def _sample(self) -> None:
        at, watts = time.perf_counter(), self._watts()
        while True:
            last = self._stopping.wait(_PERIOD)
            now, fresh = time.perf_counter(), self._watts()
            self._joules += (now - at) * (watts + fresh) / 2
            at, watts = now, fresh
            if last:
                return


class NvmlMeter:
    """The counter of an NVIDIA GPU's board, in millijoules (Volta or newer)."""

    source = "NVML"
    scope = "the GPU's board"

    def __init__(self, counter: Callable[[], int]) -> None:
        self._counter = counter
        self._before = 0

    def start(self) -> None:
        """Begin to count."""
        self._before = self._counter()

    def stop(self) -> float:
        """Joules since `start`."""
        return (self._counter() - self._before) / 1000


def find_meters(*, gpu: bool, root: Path = Path("/")) -> tuple[list[Meter], str]:
    """The meters that cover what runs the graphs.

    A Jetson's rails cover processor and GPU together and are used alone.

    Args:
        gpu: whether graphs run on an NVIDIA GPU.
        root: of the file system; another one for tests.

    Returns:
        meters whose joules add up, and why there are not more of them.
    """
    rails = _jetson_rails(root)
    if rails:
        return [_jetson_meter(rails)], ""
    meters: list[Meter] = []
    rapl, why = _rapl(root)
    if rapl:
        meters.append(RaplMeter(rapl))
    missing = [] if rapl else [why]
    if gpu:
        found = _nvml()
        if isinstance(found, str):
            missing.append(found)
        else:
            meters.append(found)
    return meters, "; ".join(missing)


def _rapl(root: Path) -> tuple[list[Path], str]:
    folder = root / "sys" / "class" / "powercap"
    domains = sorted(d for d in folder.glob("intel-rapl:*") if d.name.count(":") == 1)
    if not domains:
        return [], "there is no RAPL counter (/sys/class/powercap), as in most virtual machines"
    readable = [d for d in domains if read_integer(d / "energy_uj") is not None]
    if not readable:
        return [], "the RAPL counters may be read by root only: run the report with sudo"
    psys = [d for d in readable if read_text(d / "name") == "psys"]
    return psys[:1] or readable, ""


def _jetson_rails(root: Path) -> dict[str, Callable[[], float]]:
    """Watts of each labelled rail of the INA3221 monitors."""
    rails: dict[str, Callable[[], float]] = {}
    drivers = root / "sys" / "bus" / "i2c" / "drivers"
    for label in sorted(drivers.glob("ina3221/*/hwmon/hwmon*/in*_label")):
        number = label.name.removeprefix("in").removesuffix("_label")
        volts, amperes = (
            label.with_name(f"in{number}_input"),
            label.with_name(f"curr{number}_input"),
        )
        name = read_text(label)
        # Channels beyond the third are sums of shunt voltages, no rails: they have no current.
        if name and read_integer(amperes) is not None:
            rails[name] = lambda v=volts, a=amperes: (  # type: ignore[misc]
                (read_integer(v) or 0) * (read_integer(a) or 0) / 1e6
            )
    for label in sorted(drivers.glob("ina3221x/*/iio:device*/rail_name_*")):
        power = label.with_name(f"in_power{label.name.removeprefix('rail_name_')}_input")
        name = read_text(label)
        if name and read_integer(power) is not None:
            rails[name] = lambda p=power: (read_integer(p) or 0) / 1e3  # type: ignore[misc]
    return rails


def _jetson_meter(rails: dict[str, Callable[[], float]]) -> SampledMeter:
    whole = {name: watts for name, watts in rails.items() if name in _WHOLE_MODULE}
    chosen = whole or rails
    scope = "the whole module" if whole else "all rails that are monitored"
    return SampledMeter(
        "INA3221 power monitor",
        f"{scope} ({', '.join(chosen)})",
        lambda: sum(watts() for watts in chosen.values()),
    )


def _nvml() -> Meter | str:
    """A meter of the first GPU, or why there is none."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return 'NVML is not read without nvidia-ml-py: pip install "edge-ser[report]"'
    try:
        pynvml.nvmlInit()
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError as error:
        return f"NVML tells of no GPU ({error}): it comes with the NVIDIA driver"
    try:
        pynvml.nvmlDeviceGetTotalEnergyConsumption(device)
        return NvmlMeter(lambda: int(pynvml.nvmlDeviceGetTotalEnergyConsumption(device)))
    except pynvml.NVMLError:
        pass  # older than Volta
    try:
        pynvml.nvmlDeviceGetPowerUsage(device)
    except pynvml.NVMLError as error:
        return f"NVML tells neither energy nor power of this GPU ({error})"
    return SampledMeter(
        "NVML power, sampled",
        "the GPU's board",
        lambda: float(pynvml.nvmlDeviceGetPowerUsage(device)) / 1000,
    )
