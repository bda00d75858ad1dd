"""Write `edge_ser/_kernels.pyi` from the compiled module (run after a change to csrc/bindings/).

python -m tools.update_stubs [--check]: with --check nothing is written, and the exit status is 1
if the file is not what it would be.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from edge_ser.files import write_atomically

STUBS = Path(__file__).resolve().parent.parent / "edge_ser" / "_kernels.pyi"
HEADER = '"""Types of the compiled kernels; written by tools/update_stubs.py."""\n'


def generate() -> str:
    """Return the text of the stubs, formatted."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pybind11_stubgen", "edge_ser._kernels", "-o", folder],
            check=True,
            capture_output=True,
        )
        text = (Path(folder) / "edge_ser" / "_kernels.pyi").read_text(encoding="utf-8")
    text = re.sub(r'\A""".*?"""\n', HEADER, text, flags=re.DOTALL)
    text = re.sub(r"(__version__: str) = .*", r"\1", text)
    # A property made from a method says its type only in the first line of its docstring.
    text = re.sub(
        r'def (\w+)\(\*args, \*\*kwargs\):(\s+"""\s+)\1\(self\) -> (.+)\n',
        r"def \1(self) -> \3:\2\n",
        text,
    )
    text = text.replace(
        "__getstate__(self) -> dict:", "__getstate__(self) -> dict[str, typing.Any]:"
    )
    text = text.replace("(self, arg0: dict)", "(self, state: dict[str, typing.Any])")
    text = text.replace(
        "__hash__: typing.ClassVar[None] = None",
        "__hash__: typing.ClassVar[None]  # type: ignore[assignment]",
    )
    text = re.sub(r'^(class \w+:\n) +""".*?"""\n', r"\1", text, flags=re.DOTALL | re.MULTILINE)
    # The docstrings stay in the module, where help() finds them: a stub holds types only.
    text = re.sub(r'^( +)""".*?"""\n', r"\1...\n", text, flags=re.DOTALL | re.MULTILINE)
    text = text.replace("def __eq__(self, other: typing.Any)", "def __eq__(self, other: object)")
    for command in (["check", "--fix-only", "--quiet"], ["format"]):
        text = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUBS), "-"],
            input=text,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return text


def main() -> None:
    """Write the stubs, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = generate()
    if not parser.parse_args().check:
        write_atomically(STUBS, text.encode())
    elif STUBS.read_text(encoding="utf-8") != text:
        sys.exit("edge_ser/_kernels.pyi is out of date; run: python -m tools.update_stubs")


if __name__ == "__main__":
    main()
