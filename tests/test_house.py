"""The rules of the house that a machine can check: sizes, names, arrows between the parts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parent.parent
LONGEST_FILE = 500
LONGEST_CPP_FILE = 400
USUAL_FILE = 300
MOST_LOOSE_MODULES = 8
MOST_CALIBRATION_ARROWS = 10
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "misc", "common", "v2"}
FOLDERS = ("edge_ser", "export", "calibration", "recipes")
RUNTIME_MAY_NOT_IMPORT = ("torch", "onnx", "lightning", "transformers", "sklearn", "scipy")
# What may import what, from the top down; within a part, see the circles.
ORDER = ("recipes", "edge_ser/cli", "calibration", "export", "edge_ser")


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / line for line in listed.stdout.splitlines()]


def _sources(*endings: str) -> list[Path]:
    found = _tracked(*(f"*.{ending}" for ending in endings or ("py", "cpp", "h", "c", "inc")))
    assert len(found) > 50
    return [p for p in found if "third_party" not in p.parts and p.exists()]


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_no_file_is_longer_than_a_room_allows() -> None:
    lengths = {p: _lines(p) for p in _sources()}
    assert {str(p): n for p, n in lengths.items() if n > LONGEST_FILE} == {}
    cpp = {str(p): n for p, n in lengths.items() if p.suffix in (".cpp", ".h", ".c")}
    assert {p: n for p, n in cpp.items() if n >= LONGEST_CPP_FILE} == {}
    product = [n for p, n in lengths.items() if "tests" not in p.relative_to(REPOSITORY).parts]
    assert sum(n <= USUAL_FILE for n in product) >= 0.9 * len(product)


def test_names_say_what_lives_there() -> None:
    bad = [p for p in _sources() if FORBIDDEN_NAMES & set(p.stem.split("_"))]
    # A level of processors (x86-64-v2), not a second version.
    assert [str(p) for p in bad if p.stem != "x86_v2"] == []


def test_few_modules_stand_loose() -> None:
    loose = [p.name for p in (REPOSITORY / "edge_ser").glob("*.py") if not p.stem.startswith("__")]
    assert len(loose) <= MOST_LOOSE_MODULES, sorted(loose)


def test_a_room_says_what_it_is_for() -> None:
    for folder in FOLDERS:
        for path in (REPOSITORY / folder).rglob("__init__.py"):
            assert ast.get_docstring(ast.parse(path.read_text())), path


def _module(path: Path) -> str:
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    if parts[0] in ("export", "calibration"):
        parts.insert(0, "edge_ser")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(node: ast.AST) -> Iterator[str]:
    """Modules and names that are imported at run time, also inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from _imports(child)


MODULES = {_module(p): p for folder in FOLDERS for p in sorted((REPOSITORY / folder).rglob("*.py"))}


def _files_of(name: str) -> Path | None:
    """The file that an import reaches: a module, or the package that offers a name."""
    return MODULES.get(name) or MODULES.get(name.rpartition(".")[0])


def _room(path: Path) -> str:
    """A folder below a part with all that is in it; a loose module is a room of its own."""
    parts = path.relative_to(REPOSITORY).parts
    return "/".join(parts[:2]) if len(parts) > 2 else str(Path(*parts).with_suffix(""))


def _arrows() -> dict[str, set[str]]:
    arrows: dict[str, set[str]] = defaultdict(set)
    for path in MODULES.values():
        # The package itself offers names of its rooms, when they are asked for.
        if path == REPOSITORY / "edge_ser" / "__init__.py":
            continue
        for name in _imports(ast.parse(path.read_text())):
            target = _files_of(name)
            if target is not None and _room(target) != _room(path):
                arrows[_room(path)].add(_room(target))
    return arrows


def test_there_is_no_circle_between_rooms() -> None:
    arrows = _arrows()
    reached: dict[str, set[str]] = {}
    for start in arrows:
        seen: set[str] = set()
        waiting = list(arrows[start])
        while waiting:
            room = waiting.pop()
            if room not in seen:
                seen.add(room)
                waiting += arrows.get(room, ())
        reached[start] = seen
    assert {room for room, seen in reached.items() if room in seen} == set()


def test_no_arrow_goes_up() -> None:
    def level(room: str) -> int:
        return next(i for i, part in enumerate(ORDER) if room.startswith(part))

    up = [
        f"{room} -> {target}"
        for room, targets in _arrows().items()
        for target in targets
        # The command line is reached by `python -m edge_ser` alone.
        if level(target) < level(room) and room != "edge_ser/__main__"
    ]
    assert up == []


def test_the_rooms_of_calibration_stand_apart() -> None:
    inside = [
        (room, target)
        for room, targets in _arrows().items()
        for target in targets
        if room.startswith("calibration/") and target.startswith("calibration/")
    ]
    assert 0 < len(inside) <= MOST_CALIBRATION_ARROWS


def test_the_runtime_imports_nothing_of_training() -> None:
    wrong = {
        str(path.relative_to(REPOSITORY)): name
        for path in (REPOSITORY / "edge_ser").rglob("*.py")
        if "cli" not in path.parts
        for name in _imports(ast.parse(path.read_text()))
        if name.split(".")[0] in RUNTIME_MAY_NOT_IMPORT
    }
    assert wrong == {}


# Distribution of an imported module, where the two have different names.
DISTRIBUTIONS = {
    "cuda": "cuda-python",
    "cv2": "opencv-python-headless",
    "kaldi_native_fbank": "kaldi-native-fbank",
    "moonshine_voice": "moonshine-voice",
    "paho": "paho-mqtt",
    "parselmouth": "praat-parselmouth",
    "pyaudio": "pyaudio",
    "pynvml": "nvidia-ml-py",
    "sklearn": "scikit-learn",
    "tensorrt_rtx": "tensorrt-rtx-cu13",
    "yaml": "pyyaml",
}
# Of a board, a server or the user's choice: used where it is there, installed by nobody.
OPTIONAL = {"pycuda", "swift_f0", "triton_python_backend_utils"}


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    entries = [entry.replace("_", "-") for entries in lists for entry in entries]
    declared = {re.split(r"[\[<>=;! ]", entry)[0].lower() for entry in entries}
    needed = {re.split(r"[<>=;! ]", entry)[0].lower() for entry in project["dependencies"]}
    for path in MODULES.values():
        for name in _imports(ast.parse(path.read_text())):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in ("edge_ser", "recipes", *OPTIONAL):
                continue
            distribution = DISTRIBUTIONS.get(top, top).replace("_", "-")
            assert distribution in declared, f"{path}: {top}"
    assert {"av", "numpy", "onnxruntime"} <= needed


def test_tests_mirror_the_source() -> None:
    apart = {
        "agreement": "the decisions of before",
        "examples": "programs of examples/",
        "fixtures": "what tests share",
        "kernels": "csrc through Python",
        "public_api": "what a user imports",
        "soak": "days of a stream",
        "tools": "programs of tools/",
    }
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(REPOSITORY / "tests")
        if folder.parts and folder.parts[0] in apart:
            continue
        homes = (REPOSITORY / folder, REPOSITORY / "edge_ser" / folder)
        assert any(home.is_dir() for home in homes), path


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, edge_ser; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"numpy", "onnxruntime", "av", "cv2", "pydantic", "tokenizers", "matplotlib", "torch"}
    assert heavy & set(loaded) == set()


_REPLACES = re.compile(
    r"\.rename\(|\.renames\(|os\.replace\(|\.replace\([a-z_.]+\)|shutil\.(move|rmtree|copytree)"
    r"|mkdtemp|mkstemp|NamedTemporary|renameat|fsync"
)
_WRITES = re.compile(
    r"\.write_(text|bytes)\(|copyfile\(|save_file\(|onnx\.save|\.save_pretrained\("
    r"|open\([^)]*[\"'][wax]b?[\"']|\.mkdir\("
)
_MAY_REPLACE = {
    *("edge_ser/files.py", "edge_ser/bundles/replacing.py"),
    "calibration/report/parts.py",  # removes them once the report is whole
}
_MAY_WRITE = {
    *("edge_ser/files.py", "edge_ser/bundles/replacing.py"),
    "edge_ser/capture/recording.py",  # grows
    "edge_ser/machine/file_lock.py",  # a file to be locked
    # into a new folder that is put in place whole
    *("export/bundles/derived.py", "export/bundles/writer.py"),
    *("export/encoders/text.py", "recipes/text_encoder/model.py", "edge_ser/fleet/device.py"),
    # into a temporary folder
    *("export/graphs/torch_export.py", "export/precision/int8/choice.py"),
    *("export/engines/compiling.py", "recipes/default_bundle/graphs.py"),
    "edge_ser/fleet/golden.py",
    "tools/check_machine.py",
    *("tools/fuzz_parsers.py", "tools/fuzz_seeds.py"),  # inputs of a fuzzer
    "export/examples/audio_channel.py",  # a codec's file in memory
}


def test_whatever_replaces_a_file_or_a_folder_does_it_in_one_place() -> None:
    paths = {str(p.relative_to(REPOSITORY)): p for p in _sources("py")}
    parts = (*FOLDERS, "tools")
    texts = {name: p.read_text() for name, p in paths.items() if name.split("/")[0] in parts}
    assert {name for name, text in texts.items() if _REPLACES.search(text)} == _MAY_REPLACE
    assert {name for name, text in texts.items() if _WRITES.search(text)} == _MAY_WRITE


@pytest.mark.parametrize("what", ["import pickle", "shell=True"])
def test_there_is_no_pickle_and_no_shell(what: str) -> None:
    product = [p for p in _sources("py") if "tests" not in p.relative_to(REPOSITORY).parts]
    assert [str(p) for p in product if what in p.read_text()] == []
