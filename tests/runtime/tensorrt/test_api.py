"""Every TensorRT name that the code uses, held against the real bindings of several releases.

The code is typed against the protocols of `tensorrt_api`, so what these do not name it cannot use.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

import pytest
from fixtures.tensorrt_bindings import RELEASES, describe_release, describe_rtx

from edge_ser.errors import ConfigError, EngineError, MissingExtraError
from edge_ser.runtime.tensorrt import api as tensorrt_api
from edge_ser.runtime.tensorrt.api import (
    RtxBuilderConfig,
    as_tensorrt_backend,
    load_tensorrt,
)

CLASSES: dict[str, type] = {
    "ILogger": tensorrt_api.Logger,
    "IProgressMonitor": tensorrt_api.ProgressMonitor,
    "ParserError": tensorrt_api.ParserError,
    "OnnxParser": tensorrt_api.OnnxParser,
    "ITensor": tensorrt_api.NetworkTensor,
    "INetworkDefinition": tensorrt_api.NetworkDefinition,
    "IOptimizationProfile": tensorrt_api.OptimizationProfile,
    "IHostMemory": tensorrt_api.HostMemory,
    "ITimingCache": tensorrt_api.TimingCache,
    "IBuilderConfig": tensorrt_api.BuilderConfig,
    "Builder": tensorrt_api.Builder,
    "IExecutionContext": tensorrt_api.ExecutionContext,
    "ICudaEngine": tensorrt_api.CudaEngine,
    "Runtime": tensorrt_api.Runtime,
}
"""Which protocol describes which class of the module."""

ENUM_MEMBERS = {
    "NetworkDefinitionCreationFlag": ("STRONGLY_TYPED",),
    "MemoryPoolType": ("WORKSPACE",),
    "HardwareCompatibilityLevel": ("AMPERE_PLUS",),
    "TensorIOMode": ("INPUT", "OUTPUT"),
    "DataType": ("FLOAT", "HALF", "INT32", "INT64"),
}
"""Enum members that the code names."""
ALL = [*RELEASES, "rtx"]


@cache
def _described(release: str) -> dict[str, Any]:
    return describe_rtx() if release == "rtx" else describe_release(release)


def _members(protocol: type) -> dict[str, int | None]:
    """Members of a protocol: number of arguments of methods, None for attributes."""
    found: dict[str, int | None] = {}
    for base in protocol.__mro__:
        if base.__module__ != tensorrt_api.__name__:
            continue
        found.update(dict.fromkeys(base.__annotations__))
        for name, value in vars(base).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                found[name] = len(inspect.signature(value).parameters) - 1
    return found


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("name", list(CLASSES))
def test_every_member_of_a_class_is_there(release: str, name: str) -> None:
    classes = _described(release)["classes"]
    assert name in classes
    wanted = _members(CLASSES[name])
    assert wanted
    missing = [member for member in wanted if member not in classes[name]]
    assert missing == []


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("name", list(CLASSES))
def test_methods_take_as_many_arguments_as_they_are_given(release: str, name: str) -> None:
    classes = _described(release)["classes"]
    for member, count in _members(CLASSES[name]).items():
        text = classes[name].get(member, "")
        signatures = re.findall(rf"{member}\(self: [^,)]+((?:, [^)]*)?)\)", text)
        if count is None or not signatures:
            continue
        accepted = []
        for signature in signatures:
            arguments = re.findall(r", (\w+): ([^=]*?(?:=|$|(?=, \w+: )))", signature)
            needed = sum(1 for _, kind in arguments if not kind.endswith("="))
            accepted.append(needed <= count <= len(arguments))
        assert any(accepted), f"{name}.{member} of {release}: {signatures}"


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("enum", list(ENUM_MEMBERS))
def test_every_enum_member_is_there(release: str, enum: str) -> None:
    members = _described(release)["classes"][enum]
    assert [m for m in ENUM_MEMBERS[enum] if m not in members] == []


@pytest.mark.parametrize("release", ALL)
def test_the_release_is_the_one_that_was_asked_for(release: str) -> None:
    version = _described(release)["version"]
    assert version.startswith("1." if release == "rtx" else f"{release}.")


def test_precision_flags_are_gone_in_11_and_no_code_needs_them() -> None:
    flags = _described("11.4")["classes"]["BuilderFlag"]
    assert "FP16" not in flags
    assert "INT8" not in flags
    assert "FP16" in _described("10.3")["classes"]["BuilderFlag"]
    assert "BuilderFlag" not in ENUM_MEMBERS


def test_rtx_builds_for_named_gpus() -> None:
    classes = _described("rtx")["classes"]
    for member in _members(RtxBuilderConfig):
        assert member in classes["IBuilderConfig"]
    assert {"SM86", "SM89", "SM120"} <= set(classes["ComputeCapability"])


def test_a_backend_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        tensorrt_api.MODULES, "tensorrt", ("tensorrt_absent", "TensorRT", "tensorrt")
    )
    with pytest.raises(MissingExtraError, match=r"edge-ser\[tensorrt\]"):
        load_tensorrt("tensorrt")


def test_a_release_before_10_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "tensorrt_of_jetpack_5.py").write_text("__version__ = '8.5.2.2'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        tensorrt_api.MODULES, "tensorrt", ("tensorrt_of_jetpack_5", "TensorRT", "tensorrt")
    )
    with pytest.raises(EngineError, match=r"8\.5\.2\.2 is too old.*JetPack 6\.1"):
        load_tensorrt("tensorrt")


def test_bindings_without_their_library_are_an_engine_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "tensorrt_broken.py").write_text("raise ImportError('libnvinfer.so.10')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        tensorrt_api.MODULES, "tensorrt", ("tensorrt_broken", "TensorRT", "tensorrt")
    )
    with pytest.raises(EngineError, match=r"does not load \(libnvinfer\.so\.10\)"):
        load_tensorrt("tensorrt")


def test_only_the_two_backends_are_tensorrt() -> None:
    assert as_tensorrt_backend("tensorrt-rtx") == "tensorrt-rtx"
    with pytest.raises(ConfigError, match="tensorrt, tensorrt-rtx"):
        as_tensorrt_backend("onnxruntime")
