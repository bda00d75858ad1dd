"""What `doctor` says of ONNX Runtime's packages, which share a folder."""

from __future__ import annotations

import sys

import pytest

from edge_ser.machine import inspection


def _found(
    monkeypatch: pytest.MonkeyPatch, packages: set[str], devices: int = 0
) -> inspection.Finding:
    monkeypatch.setattr(inspection, "_version", lambda name: "1.32.0" if name in packages else None)
    monkeypatch.setattr(inspection, "cuda_device_count", lambda: devices)
    (found,) = (f for f in inspection.inspect_machine() if f.part == "onnxruntime")
    assert found.state == "there"
    return found


def test_one_package_alone_needs_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(monkeypatch, {"onnxruntime"}).advice == ""


def test_two_packages_are_in_each_others_way(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _found(monkeypatch, {"onnxruntime", "onnxruntime-gpu"}, devices=1)
    assert "onnxruntime and onnxruntime-gpu are in each other's way" in found.detail
    assert found.advice.startswith("pip uninstall -y onnxruntime && ")
    assert found.advice.endswith(" onnxruntime-gpu")


def test_a_cuda_device_without_its_provider_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 'pip install "edge-ser[cuda]"' in _found(monkeypatch, {"onnxruntime"}, devices=1).advice


def test_without_opencv_the_camera_is_missing_and_its_extra_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    (camera,) = (part for part in inspection.inspect_machine() if part.part == "camera")
    assert (camera.state, camera.advice) == ("missing", 'pip install "edge-ser[camera]"')
