"""The real Python bindings of several TensorRT releases, without TensorRT.

NVIDIA's binding wheels are on the package index, the libraries that they bind are not. A C stub
exports the few symbols that the bindings miss, so that they import: nothing can be run, but every
class, method and enum member is there. The wheels are installed by the test run into a cache
outside the repository and never committed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

RELEASES = {
    "10.3": "tensorrt-cu12-bindings==10.3.0",
    "10.13": "tensorrt-cu13-bindings==10.13.3.9.post1",
    "10.16": "tensorrt-cu13-bindings==10.16.1.11",
    "11.4": "tensorrt-cu13-bindings==11.4.0.106",
}

_LIBRARIES = ("libnvinfer", "libnvonnxparser", "libnvinfer_plugin")
_SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)

_DESCRIBE = r"""
import importlib, inspect, json, sys
module = importlib.import_module(sys.argv[1])
found = {"version": module.__version__, "classes": {}}
for name, value in vars(module).items():
    if inspect.isclass(value):
        members = {}
        for member in dir(value):
            attribute = getattr(value, member, None)
            if not member.startswith("__"):
                members[member] = (getattr(attribute, "__doc__", None) or "")[:4000]
        found["classes"][name] = members
print(json.dumps(found))
"""


def describe_release(release: str) -> dict[str, Any]:
    """Classes of a release, and of each its members with the start of their documentation."""
    folder = _cache() / f"{release}-cp{sys.version_info.major}{sys.version_info.minor}"
    if not (folder / "ready").exists():
        _install(RELEASES[release], folder)
    return _describe("tensorrt_bindings", {**os.environ, "PYTHONPATH": str(folder)})


def describe_rtx() -> dict[str, Any]:
    """The same of the installed TensorRT for RTX, which is whole."""
    return _describe("tensorrt_rtx", dict(os.environ))


def _describe(module: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", _DESCRIBE, module]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{module} does not import:\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edge-ser-tests" / "tensorrt-bindings"


def _install(requirement: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement),
        ],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    major = requirement.split("==")[1].split(".")[0]
    source = folder / "stub.c"
    source.write_text("".join(f"void *{s}(void) {{ return 0; }}\n" for s in _SYMBOLS))
    for library in _LIBRARIES:
        # The bindings look for their libraries beside themselves ($ORIGIN).
        target = folder / "tensorrt_bindings" / f"{library}.so.{major}"
        soname = f"-Wl,-soname,{target.name}"
        command = ["cc", "-shared", "-fPIC", soname, "-o", str(target), str(source)]
        subprocess.run(command, check=True)
    (folder / "ready").touch()
