"""The machine under a report: what it is, and how it is doing."""

from __future__ import annotations

import datetime
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from edge_ser import kernels
from edge_ser.calibration.device.host_result import HostFacts, HostState, HostWatch, MachinePart
from edge_ser.calibration.device.sysfs import read_integer, read_text, run_tool
from edge_ser.machine.inspection import inspect_machine

ROOT: Final = Path("/")
_PACKAGES: Final = (
    "edge-ser",
    "onnxruntime",
    "numpy",
    "av",
)
_BUSY: Final = 10.0
"""Percent of all cores that others may take before a report warns."""


def host_facts(root: Path = ROOT) -> HostFacts:
    """What the machine is: `edge-ser doctor`'s findings, and what figures must carry."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    cpuinfo = read_text(root / "proc" / "cpuinfo") or ""
    return HostFacts(
        processor=_processor(cpuinfo),
        device=read_text(root / "proc" / "device-tree" / "model") or None,
        cores=usable_cores(),
        memory_mb=psutil.virtual_memory().total / 1e6,
        system=f"{platform.system()} {platform.machine()}, kernel {platform.release()}",
        virtual=bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.M)) if cpuinfo else None,
        simd=kernels.simd_levels()[-1],
        versions=versions,
        parts=tuple(
            MachinePart(part=f.part, state=f.state, detail=f.detail) for f in inspect_machine()
        ),
    )


def usable_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(psutil.Process().cpu_affinity())
    except AttributeError:  # macOS
        return psutil.cpu_count() or 1


def host_state(root: Path = ROOT) -> HostState:
    """How the machine is doing at this moment; what it does not tell is None."""
    cpus = root / "sys" / "devices" / "system" / "cpu"
    governors = {read_text(p) for p in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    now = _numbers(cpus, "cpu[0-9]*/cpufreq/scaling_cur_freq")
    limits = _numbers(cpus, "cpu[0-9]*/cpufreq/scaling_max_freq")
    throttles = _numbers(cpus, "cpu[0-9]*/thermal_throttle/*_throttle_count")
    thermal = root / "sys" / "class" / "thermal"
    temperatures = {
        f"{read_text(zone / 'type') or 'zone'} ({zone.name.removeprefix('thermal_zone')})": t / 1000
        for zone in sorted(thermal.glob("thermal_zone*"))
        if (t := read_integer(zone / "temp")) is not None
    }
    jetson = root == ROOT and Path("/etc/nv_tegra_release").exists()
    mode = run_tool(["nvpmodel", "-q"]) if jetson else None
    # It prints a line a second until it is ended.
    stats = run_tool(["tegrastats", "--interval", "200"], timeout=1.0) if jetson else None
    return HostState(
        at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        governor=", ".join(sorted(g for g in governors if g)) or None,
        megahertz=(min(now) / 1000, max(now) / 1000) if now else None,
        megahertz_limit=max(limits) / 1000 if limits else None,
        temperatures=temperatures,
        throttle_events=sum(throttles) if throttles else None,
        cooling=_cooling(thermal),
        power_mode=" ".join(mode.split()) if mode else None,
        tegrastats=stats.splitlines()[0] if stats else None,
        load_average=psutil.getloadavg()[0],
    )


class Watch:
    """Looks at the machine before and after the measurements."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = host_state(root)
        self._times: Any = psutil.cpu_times()
        self._own = _own_seconds()

    def finish(self) -> HostWatch:
        """Look again, and say what was wrong."""
        after = host_state(self._root)
        others, stolen = self._others()
        before = self._before
        throttled: bool | None = None
        if before.throttle_events is not None and after.throttle_events is not None:
            throttled = after.throttle_events > before.throttle_events
        if before.cooling or after.cooling:
            throttled = True
        watch = HostWatch(
            before=before,
            after=after,
            other_load_percent=others,
            stolen_percent=stolen,
            throttled=throttled,
            warnings=(),
        )
        return watch.model_copy(update={"warnings": tuple(_warnings(watch))})

    def _others(self) -> tuple[float | None, float | None]:
        before, after = self._times, psutil.cpu_times()
        spent = {name: getattr(after, name) - getattr(before, name) for name in after._fields}
        # Time of guests is counted in `user` already.
        total = sum(seconds for name, seconds in spent.items() if not name.startswith("guest"))
        if total <= 0:
            return None, None
        stolen = spent.get("steal", 0.0)
        idle = spent["idle"] + spent.get("iowait", 0.0)
        busy = total - idle - stolen - (_own_seconds() - self._own)
        return max(100 * busy / total, 0.0), max(100 * stolen / total, 0.0)


def _warnings(watch: HostWatch) -> list[str]:
    found = []
    if watch.other_load_percent is not None and watch.other_load_percent > _BUSY:
        found.append(
            f"Other programs took {watch.other_load_percent:.0f} % of the processor meanwhile: "
            "on a quiet device the times would be shorter."
        )
    if watch.stolen_percent is not None and watch.stolen_percent > 2:
        found.append(
            f"Other virtual machines took {watch.stolen_percent:.0f} % of the processor meanwhile."
        )
    if watch.throttled:
        found.append("The device was slowed down because it was hot.")
    governor = watch.after.governor
    if governor is not None and governor != "performance":
        found.append(
            f"The processor's frequency governor is {governor}: short decisions may run before the "
            "frequency has gone up; for steady times use the governor performance."
        )
    return found


def _numbers(folder: Path, pattern: str) -> list[int]:
    return [n for p in sorted(folder.glob(pattern)) if (n := read_integer(p)) is not None]


def _cooling(thermal: Path) -> tuple[str, ...]:
    """Cooling devices that slow something down; a fan that turns is none of them."""
    active = []
    for device in sorted(thermal.glob("cooling_device*")):
        kind = read_text(device / "type") or ""
        slows = re.search(r"cpufreq|processor|devfreq|gpu|throttle", kind, re.I)
        if slows and (read_integer(device / "cur_state") or 0) > 0:
            active.append(kind)
    return tuple(sorted(set(active)))


def _processor(cpuinfo: str) -> str:
    for key in ("model name", "Model", "Hardware"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", cpuinfo, re.M)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
