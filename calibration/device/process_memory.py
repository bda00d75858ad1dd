"""Resident memory of this process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil


def resident_megabytes() -> float:
    """Resident memory of this process in 10^6 bytes."""
    return float(psutil.Process().memory_info().rss) / 1e6


def peak_megabytes() -> float | None:
    """The most resident memory that this process ever had, in 10^6 bytes; None if not known."""
    try:
        # getrusage counts what the parent held when it forked, and no library reads this line.
        status = Path("/proc/self/status").read_text("ascii", errors="replace")
        found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.M)
        if found:
            return int(found.group(1)) * 1024 / 1e6
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest * (1 if sys.platform == "darwin" else 1024) / 1e6
