"""Providers that come as plug-ins, over a fake ONNX Runtime: none of their devices is here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_ser.errors import EngineError
from edge_ser.machine.inspection import inspect_machine
from edge_ser.runtime import onnxruntime_sessions, plugin_providers
from edge_ser.runtime.backend import open_session
from edge_ser.runtime.plugin_providers import PLUGINS, is_plugin, plugin_devices

QNN = "QNNExecutionProvider"


class FakeRuntime:
    """The part of ONNX Runtime that plug-ins need; `kinds` are the devices of each provider."""

    __version__ = "1.32.0"

    def __init__(self, kinds: dict[str, list[str]], built_in: tuple[str, ...] = ()) -> None:
        self.kinds = kinds
        self.built_in = built_in
        self.registered: list[tuple[str, str]] = []
        self.opened: list[tuple[Any, dict[str, Any]]] = []
        self.SessionOptions = _Options
        self.ExecutionMode = SimpleNamespace(ORT_SEQUENTIAL=0)
        self.GraphOptimizationLevel = SimpleNamespace(
            ORT_ENABLE_ALL=3, ORT_ENABLE_BASIC=1, ORT_DISABLE_ALL=0
        )

    def get_available_providers(self) -> list[str]:
        found = [name for name, _ in self.registered if self.kinds[name]]
        return [*self.built_in, "CPUExecutionProvider", *found]

    def register_execution_provider_library(self, name: str, path: str) -> None:
        if name in dict(self.registered):
            raise RuntimeError(f"EP library is already registered under {name}")
        if name not in self.kinds:
            raise RuntimeError("libcuda.so.1: cannot open shared object file")
        self.registered.append((name, path))

    def get_ep_devices(self) -> list[Any]:
        return [
            SimpleNamespace(ep_name=name, device=SimpleNamespace(type=SimpleNamespace(name=kind)))
            for name, _ in self.registered
            for kind in self.kinds[name]
        ]

    def InferenceSession(self, _: str, options: Any, **named: Any) -> Any:  # noqa: N802
        self.opened.append((options, named))
        providers = [*options.added_names, "CPUExecutionProvider"]
        node = SimpleNamespace(name="x", type="tensor(float)", shape=["N", 3])
        return SimpleNamespace(
            get_inputs=lambda: [node],
            get_outputs=lambda: [node],
            get_providers=lambda: providers,
            disable_fallback=lambda: None,
        )


class _Options:
    def __init__(self) -> None:
        self.added: list[tuple[list[Any], dict[str, str]]] = []

    @property
    def added_names(self) -> list[str]:
        return [devices[0].ep_name for devices, _ in self.added]

    def add_session_config_entry(self, key: str, value: str) -> None:
        pass

    def add_provider_for_devices(self, devices: list[Any], options: dict[str, str]) -> None:
        self.added.append((devices, options))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRuntime]:
    """Put a fake ONNX Runtime in place, with the packages of some plug-ins."""

    def put(
        kinds: dict[str, list[str]], installed: tuple[str, ...] = (QNN,), **options: Any
    ) -> FakeRuntime:
        fake = FakeRuntime(kinds, **options)
        for module in (onnxruntime_sessions, plugin_providers):
            monkeypatch.setattr(module, "onnxruntime", lambda: fake)
        monkeypatch.setattr(plugin_providers, "_registered", set())
        monkeypatch.setattr(plugin_providers, "_built_in", lambda: frozenset(fake.built_in))
        monkeypatch.setattr(plugin_providers, "installed", lambda name: name in installed)
        for plugin in PLUGINS.values():
            package = SimpleNamespace(get_library_path=lambda m=plugin.module: f"/lib/{m}.so")
            monkeypatch.setitem(sys.modules, plugin.module, package)
        return fake

    return put


def test_it_is_registered_once_and_runs_on_the_most_special_device(
    use: Callable[..., FakeRuntime], affine_graph: Path
) -> None:
    fake = use({QNN: ["CPU", "NPU", "GPU", "NPU"]})
    session = open_session(affine_graph, backend="onnxruntime:qnn")
    assert session.backend == "onnxruntime:QNN+CPU"
    open_session(affine_graph, backend="onnxruntime:qnn")
    assert fake.registered == [(QNN, "/lib/onnxruntime_qnn.so")]
    for options, named in fake.opened:
        # Names of providers beside it would take the place of the devices.
        assert named == {}
        ((devices, given),) = options.added
        assert [d.device.type.name for d in devices] == ["NPU", "NPU"]
        assert given == {"backend_type": "htp"}


def test_what_a_program_around_has_registered_is_not_registered_again(
    use: Callable[..., FakeRuntime],
) -> None:
    fake = use({QNN: ["CPU"]})
    fake.register_execution_provider_library(QNN, "/theirs.so")
    assert plugin_devices(QNN).options == {"backend_type": "cpu"}
    assert fake.registered == [(QNN, "/theirs.so")]


@pytest.mark.parametrize(
    ("kinds", "installed", "message"),
    [
        ({}, (), "is not installed; run: pip install onnxruntime-qnn$"),
        ({}, (QNN,), "does not load .*libcuda.so.1.* driver"),
        ({QNN: []}, (QNN,), "finds no device here"),
    ],
    ids=["no package", "no driver", "no device"],
)
def test_what_is_missing_is_said_each_time(
    use: Callable[..., FakeRuntime],
    affine_graph: Path,
    kinds: dict[str, list[str]],
    installed: tuple[str, ...],
    message: str,
) -> None:
    use(kinds, installed)
    for _ in range(2):
        with pytest.raises(EngineError, match=message):
            open_session(affine_graph, backend="onnxruntime:qnn")


def test_an_old_onnx_runtime_is_named(
    use: Callable[..., FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    use({QNN: ["NPU"]})
    monkeypatch.delattr(_Options, "add_provider_for_devices")
    with pytest.raises(EngineError, match=r"takes no plug-ins.*pip install --upgrade onnxruntime"):
        plugin_devices(QNN)


def test_a_provider_that_is_built_in_is_opened_by_its_name(
    use: Callable[..., FakeRuntime],
) -> None:
    use({}, built_in=(QNN,))
    assert not is_plugin(QNN)
    assert is_plugin("OpenVINOExecutionProvider")
    assert not is_plugin("CUDAExecutionProvider")


def test_cudas_libraries_are_loaded_once_and_say_nothing(
    use: Callable[..., FakeRuntime],
    affine_graph: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cuda = "CUDAExecutionProvider"
    fake = use({cuda: ["GPU"]}, built_in=(cuda,))
    loaded: list[str] = []

    def preload_dlls() -> None:
        print("Failed to load libcudnn.so.9")
        loaded.append(cuda)

    monkeypatch.setattr(fake, "preload_dlls", preload_dlls, raising=False)
    onnxruntime_sessions._load_cuda.cache_clear()
    onnxruntime_sessions.open_graph(affine_graph)
    assert loaded == []
    with ThreadPoolExecutor(4) as pool:
        several = [affine_graph] * 8
        list(pool.map(lambda g: onnxruntime_sessions.open_graph(g, providers=(cuda,)), several))
    assert loaded == [cuda]
    assert capsys.readouterr().out == ""
    onnxruntime_sessions._load_cuda.cache_clear()


def test_doctor_shows_each_plugin(use: Callable[..., FakeRuntime]) -> None:
    part = "provider plug-ins"
    use({QNN: ["NPU"]})
    (found,) = (f for f in inspect_machine() if f.part == part)
    assert (found.state, found.detail.split()) == ("there", ["QNN", "on", "1", "NPU"])
    use({QNN: ["NPU"]}, (QNN, "OpenVINOExecutionProvider"))
    (found,) = (f for f in inspect_machine() if f.part == part)
    assert found.state == "broken"
    assert "onnxruntime-ep-openvino is installed but does not load" in found.detail
    use({}, ())
    (found,) = (f for f in inspect_machine() if f.part == part)
    assert found.state == "missing"
    for plugin in PLUGINS.values():
        assert plugin.package in found.advice
