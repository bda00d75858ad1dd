"""Small readers of the files in which Linux tells of the machine; what cannot be read is None."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text without white space and zero bytes at its ends."""
    try:
        return path.read_text("utf-8", errors="replace").strip(" \t\r\n\0")
    except OSError:
        return None


def read_integer(path: Path) -> int | None:
    """The whole number that the file holds."""
    text = read_text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def run_tool(command: Sequence[str], timeout: float = 5.0) -> str | None:
    """What a program of the platform prints; None if it is not there, fails or hangs.

    Args:
        command: program and arguments; no shell is involved.
        timeout: seconds after which it is ended; what it printed until then counts.
    """
    try:
        outcome = subprocess.run(  # noqa: S603 - fixed programs, no shell
            list(command),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as ended:
        said = ended.stdout
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return text.strip() if text else None
    except OSError:
        return None
    return outcome.stdout.strip() if outcome.returncode == 0 else None
