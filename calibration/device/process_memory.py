"""Resident memory of this process, as far as the platform tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def resident_megabytes(root: Path = Path("/")) -> float | None:
    """Resident memory of this process in 10^6 bytes; None where the platform does not tell."""
    statm = root / "proc" / "self" / "statm"
    try:
        pages = int(statm.read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    try:
        command = ["/bin/ps", "-o", "rss=", "-p", str(os.getpid())]
        told = subprocess.run(  # noqa: S603 - a fixed command without a shell
            command, capture_output=True, text=True, timeout=5, check=True
        )
        return int(told.stdout) * 1024 / 1e6
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def peak_megabytes(root: Path = Path("/")) -> float | None:
    """The most resident memory that this process ever had, in 10^6 bytes; None if not known."""
    try:
        # getrusage would count what the parent held when it forked.
        status = (root / "proc" / "self" / "status").read_text("ascii", errors="replace")
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
