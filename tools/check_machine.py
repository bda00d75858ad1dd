"""Say what this machine lacks to build edge-ser: a Python, its venv module, a C++20 compiler.

    python3 tools/check_machine.py

Exit code 0 when all is there; else 2 with a line for each missing thing and how to get it. It runs
before anything is installed, so it uses the standard library alone and runs on any Python 3.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = (
    "#include <concepts>\n#include <span>\nint main() { return std::integral<int> ? 0 : 1; }\n"
)


def python_problems():
    """Missing parts of the Python that runs this file."""
    problems = []
    if sys.version_info < (3, 10):
        problems.append(
            "Python 3.10 or newer is needed, this is %s; install one and run: make PYTHON=python3.11 ..."
            % sys.version.split()[0]
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            problems.append(
                "Python's module %r is missing; on Debian or Ubuntu: apt-get install python3-venv"
                % module
            )
    return problems


def compiler_problems():
    """Why no C++20 program can be compiled here, if so."""
    named = os.environ.get("CXX")
    candidates = [named] if named else ["c++", "g++", "clang++"]
    compiler = next((c for c in candidates if c and shutil.which(c.split()[0])), None)
    advice = "on Debian or Ubuntu: apt-get install g++ make; on macOS: xcode-select --install"
    if compiler is None:
        return ["no C++ compiler was found (looked for %s); %s" % (", ".join(candidates), advice)]
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.cpp")
        with open(source, "w") as file:
            file.write(PROGRAM)
        command = compiler.split() + ["-std=c++20", source, "-o", os.path.join(folder, "probe")]
        outcome = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if outcome.returncode != 0:
        return [
            "the C++ compiler %s cannot compile C++20 (GCC 11, Clang 14 or newer can); %s"
            % (compiler, advice)
        ]
    return []


def main():
    """Print every problem; exit code 2 if there is one."""
    problems = python_problems() + compiler_problems()
    for problem in problems:
        sys.stderr.write("missing: %s\n" % problem)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
