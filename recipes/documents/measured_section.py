"""Figures in documents: written by the command that measured them, with host and versions.

A section lies between the lines `<!-- NAME -->` and `<!-- /NAME -->` of a document.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from edge_ser.errors import ConfigError
from edge_ser.files import write_atomically


def host(packages: Sequence[str]) -> str:
    """Processor, system, Python and the versions of the packages that are installed."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))
        processor = found.group(1) if found else processor
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return ", ".join([processor, system, *versions])


def write_section(document: Path, name: str, text: str) -> None:
    """Replace what a document has between the lines of a section.

    Raises:
        ConfigError: if the document cannot be read or written, or lacks the two lines.
    """
    try:
        before = document.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {document}: {error.strerror}") from error
    marks = re.compile(
        rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL
    )
    after, count = marks.subn(lambda m: f"{m.group(1)}\n{text.strip()}\n\n{m.group(2)}", before)
    if count != 1:
        raise ConfigError(f"{document} needs the lines <!-- {name} --> and <!-- /{name} --> once")
    write_atomically(document, after.encode())
