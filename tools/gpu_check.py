"""The check of a machine with a GPU: its tests, its engines, and one report file to send back.

    python -m tools.gpu_check                     # writes gpu-report.md
    python -m tools.gpu_check --output rtx.md     # another name
    python -m tools.gpu_check --tests-only        # without engines and times of the default bundle
    python -m tools.gpu_check --write             # the figures into docs/gpu.md too

Exit codes: 0 everything passed, 1 something failed (the report says what), 2 a mistake that you can
mend, 3 no CUDA device was found and nothing was run.

Whatever fails, the report holds the rest: it is written after the tests and again after the times,
and an error that nobody expected stands in it with its traceback.

The report names the device, the releases, every test with its outcome and the times of the default
bundle. It holds no name of the machine or its user, and no path outside the repository.
"""

from __future__ import annotations

import argparse
import ctypes
import platform
import subprocess
import sys
import tempfile
import traceback
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from edge_ser import __version__
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import EdgeSerError, EngineError
from edge_ser.files import write_atomically
from edge_ser.machine.inspection import cuda_device_count, inspect_machine
from recipes.documents.markdown import table
from recipes.documents.measured_section import write_section
from tools.gpu_conversations import Crowd, crowd_table, measure_crowds

if TYPE_CHECKING:
    from edge_ser.export.variants.variant import Variant

EXIT_FAILED: Final = 1
EXIT_USER_ERROR: Final = 2
EXIT_NO_DEVICE: Final = 3

PRECISIONS: Final = ("fp32", "fp16", "int8")

# fmt: off
_PACKAGES: Final = (
    "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "cuda-python", "cuda-bindings", "pycuda",
    "torch", "cupy-cuda12x", "cupy-cuda13x", "tensorrt", "tensorrt-cu12", "tensorrt-cu13",
    "tensorrt-rtx-cu13",
)
# fmt: on
DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "gpu.md"
SECTION: Final = "measured: GPU"
_JETSON_FILES: Final = (Path("/etc/nv_tegra_release"), Path("/proc/device-tree/model"))


@dataclass(frozen=True)
class Outcome:
    """One test.

    Attributes:
        name: of the test, with its module.
        state: ``passed``, ``failed``, ``error`` or ``skipped``.
        seconds: how long it ran.
        words: what it said when it did not pass.
    """

    name: str
    state: str
    seconds: float
    words: str


@dataclass(frozen=True)
class Measured:
    """One graph, or the whole pipeline, of the default bundle on one backend in one precision."""

    variant: str
    part: str
    largest: float | None
    p50: float
    p95: float
    p99: float

    def cells(self) -> tuple[str, ...]:
        """A row of the report's table."""
        largest = "" if self.largest is None else f"{self.largest:.2g}"
        times = (f"{time:.3f}" for time in (self.p50, self.p95, self.p99))
        return (self.variant, self.part, largest, *times)


_Value = TypeVar("_Value")


@dataclass
class Report:
    """What is known so far; each part is tried, and one that fails leaves the others.

    Attributes:
        machine: what the figures depend on, as pairs of a name and a value.
        doctor: what `edge-ser doctor` finds: part, state, what.
        outcomes: of the tests.
        said: by pytest.
        figures: of the default bundle.
        problems: what could not be run, with its reason.
        crowds: conversations at once.
        failures: tracebacks of errors that nobody expected, by the part that they ended.
    """

    machine: list[tuple[str, str]] = field(default_factory=list)
    doctor: list[tuple[str, str, str]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    said: str = ""
    figures: list[Measured] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def attempt(self, part: str, work: Callable[[], _Value], otherwise: _Value) -> _Value:
        """Do a part of the check; whatever it raises goes into the report."""
        try:
            return work()
        except EdgeSerError as error:
            self.problems.append(f"{part}: {error}")
        except Exception:  # a driver, a wheel or a mistake of ours: the other parts matter as much
            self.failures[part] = traceback.format_exc()
        return otherwise

    @property
    def passed(self) -> bool:
        """Whether there were tests, each passed, and no part ended in an error."""
        good = bool(self.outcomes) and all(o.state == "passed" for o in self.outcomes)
        return good and not self.failures


def marked_files(tests: Path) -> list[Path]:
    """The test files that hold a test marked `gpu`: the others may need what is not installed."""
    files = sorted(tests.rglob("test_*.py"))
    return [f for f in files if "mark.gpu" in f.read_text("utf-8")]


def run_tests(tests: Path) -> tuple[list[Outcome], str]:
    """Run every test marked `gpu` in a process of its own.

    Returns:
        outcomes, and what pytest printed.

    Raises:
        EdgeSerError: pytest did not run to its end.
    """
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        results = Path(folder) / "results.xml"
        done = subprocess.run(  # noqa: S603 - the interpreter that runs this
            [
                *(sys.executable, "-m", "pytest", *map(str, marked_files(tests)), "-m", "gpu"),
                *("-q", "--tb=short", "--continue-on-collection-errors"),
                *("-p", "no:cacheprovider", f"--junitxml={results}"),
            ],
            cwd=tests.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        if not results.is_file():
            raise EdgeSerError(f"the tests did not run: {said.strip() or 'pytest said nothing'}")
        return list(_outcomes(results)), said


def _outcomes(results: Path) -> Iterator[Outcome]:
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        state, words = "passed", ""
        for kind, named in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
            found = case.find(kind)
            if found is not None:
                state, words = named, found.get("message", "")
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        yield Outcome(name, state, float(case.get("time", 0.0)), words)


def measure_default_bundle(report: Report, rounds: int) -> None:
    """Build the default bundle's engines with every installed TensorRT, run and time them.

    The reference is ONNX Runtime's CPU in fp32.

    Args:
        report: gets the figures, and what could not be run.
        rounds: how often times are taken.
    """
    from edge_ser.export.variants.variant import Variant

    bundle = load_bundle()
    for backend in ("tensorrt", "tensorrt-rtx", "onnxruntime:cuda"):
        for precision in PRECISIONS:
            variant = Variant(backend, precision)
            figures = report.attempt(
                str(variant), lambda v=variant: _measured(bundle, v, rounds), []
            )
            report.figures += figures


def _measured(bundle: Bundle, variant: Variant, rounds: int) -> list[Measured]:
    from edge_ser.export.comparison.compare import compare
    from edge_ser.export.variants.variant import Variant

    reference, found = compare(bundle, [Variant("onnxruntime", "fp32"), variant], [], rounds=rounds)
    if found.not_run is not None:
        raise EngineError(found.not_run)
    figures = []
    for graph, row in found.graphs.items():
        t = row.times
        figures.append(Measured(str(variant), graph, row.largest, t.p50, t.p95, t.p99))
    for one in (found, reference):
        for about, times in (("clip decision", one.pipeline), ("live decision", one.live)):
            if times is not None:
                row_of = (times.p50, times.p95, times.p99)
                figures.append(Measured(str(one.variant), about, None, *row_of))
    return figures


def describe_machine() -> list[tuple[str, str]]:
    """What the figures depend on, as pairs of a name and a value."""
    rows = [
        ("edge-ser", __version__),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Python", platform.python_version()),
        ("CUDA driver", _driver_version()),
    ]
    for file in _JETSON_FILES:
        try:
            rows.append((file.name, file.read_text("utf-8", errors="replace").strip("\0\n ")))
        except OSError:
            continue
    try:
        from edge_ser.runtime.tensorrt.cuda_layer import load_cuda

        cuda = load_cuda()
        rows += [(f"device {i}", name) for i, name in enumerate(cuda.devices())]
        rows.append(("CUDA layer", cuda.name))
    except EdgeSerError as error:
        rows.append(("CUDA layer", str(error)))
    for package in _PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return rows


def _driver_version() -> str:
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        version = ctypes.c_int(0)
        if driver.cuDriverGetVersion(ctypes.byref(version)) == 0:
            return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    return "none"


def write_report(output: Path, report: Report, private: Sequence[Path]) -> None:
    """Write everything as one Markdown file.

    Args:
        output: the file.
        report: what is known so far.
        private: folders whose paths are replaced by ``...``.

    Raises:
        ConfigError: the file cannot be written.
    """
    outcomes = report.outcomes
    count = {s: sum(o.state == s for o in outcomes) for s in ("passed", "failed", "error")}
    lines = [
        "# edge-ser on a GPU",
        "",
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC. Tests marked gpu: "
        + ", ".join(f"{n} {s}" for s, n in count.items())
        + f", of {len(outcomes)}.",
        "",
        *table(("what", "value"), report.machine),
        "",
        "## Doctor",
        "",
        *table(("part", "state", "what"), report.doctor),
        "",
        "## Tests",
        "",
        *table(
            ("test", "outcome", "seconds", "words"),
            [(o.name, o.state, f"{o.seconds:.2f}", o.words) for o in outcomes],
        ),
        "",
        "## The default bundle",
        "",
        *_figure_table(report.figures),
        "",
        *(f"- not run: {problem}" for problem in report.problems),
        "",
        "## Many conversations",
        "",
        *crowd_table(report.crowds),
        "",
    ]
    for part, trace in report.failures.items():
        lines += _quoted(f"{part} failed in a way that nobody expected", trace)
    lines += _quoted("What pytest printed", report.said)
    text = "\n".join(lines)
    for folder in sorted(map(str, private), key=len, reverse=True):
        if len(folder) > 1:
            text = text.replace(folder, "...")
    write_atomically(output, text.encode())


def _figure_table(figures: Sequence[Measured]) -> list[str]:
    return [
        "Milliseconds of one run; the largest difference is from ONNX Runtime's CPU in fp32.",
        "",
        *table(
            ("backend and precision", "graph", "largest difference", "p50", "p95", "p99"),
            [m.cells() for m in figures],
        ),
    ]


def document_section(report: Report) -> str:
    """What docs/gpu.md keeps of a report: card, releases, times."""
    said = f"{datetime.now(timezone.utc):%Y-%m-%d}: " + ", ".join(
        f"{what} {value}" for what, value in report.machine
    )
    return "\n".join(
        [*_figure_table(report.figures), "", *crowd_table(report.crowds), "", f"{said}."]
    )


def _quoted(title: str, text: str) -> list[str]:
    return [f"## {title}", "", "```", text.rstrip().replace("```", "'''"), "```", ""]


def main(tests: Path, arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code.

    Args:
        tests: folder of the tests.
        arguments: None takes those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="gpu_check", description="Run the tests that need a GPU and write one report file."
    )
    parser.add_argument("--output", type=Path, default=Path("gpu-report.md"), help="the report")
    parser.add_argument("--tests-only", action="store_true", help="build and time no engines")
    parser.add_argument(
        "--write", action="store_true", help=f"write the times into {DOCUMENT.name}"
    )
    parser.add_argument("--rounds", type=int, default=50, help="how often times are taken")
    options = parser.parse_args(arguments)
    if cuda_device_count() == 0:
        sys.stderr.write(
            "gpu_check: no CUDA device was found (no NVIDIA GPU or no driver): nothing was run and "
            "no report was written; edge-ser doctor lists what this machine has\n"
        )
        return EXIT_NO_DEVICE
    report = Report()
    private = (tests.parent.resolve(), Path.home(), Path(sys.prefix))
    try:
        if not options.output.absolute().parent.is_dir():
            raise EdgeSerError(f"{options.output}: there is no such folder; make it first")
        report.machine = report.attempt("the machine", describe_machine, [])
        report.doctor = report.attempt(
            "doctor", lambda: [(f.part, f.state, f.detail) for f in inspect_machine()], []
        )
        report.outcomes, report.said = report.attempt("tests", lambda: run_tests(tests), ([], ""))
        # A driver that kills the process while times are taken must not take the tests with it.
        write_report(options.output, report, private)
        if options.tests_only:
            report.problems.append("times: left out with --tests-only")
        else:
            report.attempt("times", lambda: measure_default_bundle(report, options.rounds), None)
            write_report(options.output, report, private)
            report.crowds = report.attempt(
                "conversations", lambda: measure_crowds(report.attempt), []
            )
        write_report(options.output, report, private)
        if options.write:
            write_section(DOCUMENT, SECTION, document_section(report))
    except EdgeSerError as error:
        sys.stderr.write(f"gpu_check: {error}\n")
        return EXIT_USER_ERROR
    good = sum(o.state == "passed" for o in report.outcomes)
    failed = f"; {', '.join(report.failures)} failed" if report.failures else ""
    sys.stdout.write(
        f"{options.output}: {good} of {len(report.outcomes)} GPU tests passed{failed}; "
        "please send this file back\n"
    )
    return 0 if report.passed else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1] / "tests"))
