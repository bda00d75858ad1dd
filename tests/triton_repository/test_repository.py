"""A bundle in Triton: what the python backend would run, and, where it is installed, a server."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.triton_backend import backend_module

from edge_ser import BundleError, ConfigError, EdgeRecognizer, clip_from_arrays, open_clip
from edge_ser.cli.main import main
from edge_ser.triton_repository.repository import export_triton

PYTRITON = importlib.util.find_spec("pytriton")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def exported(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_triton(tiny, tmp_path_factory.mktemp("models"), speech_gate=False)


@pytest.fixture
def model(exported: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend_module())
    spec = importlib.util.spec_from_file_location("triton_model", exported / "1" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.TritonPythonModel()
    parameters = {
        "backend": {"string_value": "onnxruntime"},
        "speech_gate": {"string_value": "false"},
    }
    made.initialize({"model_config": json.dumps({"parameters": parameters})})
    yield made
    made.finalize()


@pytest.fixture(scope="module")
def inputs(demo_clip: Path) -> dict[str, np.ndarray]:
    with open_clip(demo_clip) as clip:
        segments = list(clip.segments(10.0, 5.0))
    frames = [frame for segment in segments for frame in segment.frames]
    return {
        "samples": np.concatenate([segment.samples for segment in segments]),
        "sample_rate": np.array([16000], np.int32),
        "frames": np.stack([frame.image for frame in frames]),
        "frame_times": np.array([frame.time / 16000 for frame in frames]),
        "transcript": np.frombuffer(b"we made it", np.uint8),
    }


def expected(tiny: Path, inputs: dict[str, np.ndarray]) -> list[float]:
    with EdgeRecognizer(tiny) as recognizer:
        clip = clip_from_arrays(
            samples=inputs["samples"],
            sample_rate=16000,
            frames=inputs.get("frames"),
            frame_times=inputs.get("frame_times"),
        )
        decision = recognizer.recognize(clip, "we made it", speech_gate=False)
        return [decision.probabilities[label] for label in recognizer.labels]


def test_the_model_answers_as_the_recognizer_does(
    model: Any, exported: Path, tiny: Path, inputs: dict[str, np.ndarray]
) -> None:
    (answer,) = model.execute([inputs])
    assert answer.error is None
    told = json.loads(answer.tensors["decision"].tobytes())
    assert [m for m, report in told["modalities"].items() if report["present"]] == [
        "audio",
        "text",
        "video",
    ]
    labels = (exported / "labels.txt").read_text().splitlines()
    assert [labels[n] for n in answer.tensors["label"]] == [told["label"]]
    assert answer.tensors["probabilities"].dtype == np.float32
    assert answer.tensors["probabilities"] == pytest.approx(expected(tiny, inputs), abs=1e-6)


def test_one_request_that_cannot_be_used_costs_no_other(
    model: Any, inputs: dict[str, np.ndarray]
) -> None:
    silence = {"samples": np.zeros(16000, np.float32), "sample_rate": np.array([16000], np.int32)}
    answers = model.execute(
        [
            {},
            inputs,
            {"samples": inputs["samples"]},
            silence,
            {**silence, "sample_rate": np.zeros(1, np.int32)},
        ]
    )
    assert [answer.error is not None for answer in answers] == [True, False, True, False, True]
    assert "need their sample_rate" in answers[2].error.message
    assert answers[3].tensors["label"].tolist() == [-1]


def test_a_model_is_replaced_whole_and_what_is_wrong_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["export-triton", str(tiny), str(tmp_path / "models"), "--name", "a"])
    assert not done.value.code
    assert "tritonserver --model-repository" in capsys.readouterr().out
    (tmp_path / "models" / "a" / "left").write_text("over")
    export_triton(tiny, tmp_path / "models", name="a", instances=3)
    found = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "models").rglob("*.*")}
    assert {"models/a/config.pbtxt", "models/a/1/model.py", "models/a/1/bundle/bundle.json"} < found
    assert not (tmp_path / "models" / "a" / "left").exists()
    assert "count: 3 kind" in (tmp_path / "models" / "a" / "config.pbtxt").read_text()
    for options in ({"name": "a/b"}, {"name": ""}, {"instances": 0}):
        with pytest.raises(ConfigError):
            export_triton(tiny, tmp_path, **options)  # type: ignore[arg-type]
    with pytest.raises(BundleError):
        export_triton(tmp_path, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(exported: Path, tmp_path: Path) -> Iterator[str]:
    """A Triton of the package nvidia-pytriton, on the loopback address."""
    assert PYTRITON is not None
    assert PYTRITON.origin is not None
    home = Path(PYTRITON.origin).parent / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    backends = tmp_path / "backends"
    shutil.copytree(home / "backends", backends)
    stub = backends / "python" / "triton_python_backend_stub"
    shutil.copy(home / "python_backend_stubs" / version / stub.name, stub)
    program = shutil.copy(home / "bin" / "tritonserver", tmp_path)
    for path in (program, stub):
        os.chmod(path, 0o755)  # noqa: PTH101, S103
    libraries = [str(home.parents[1] / "nvidia_pytriton.libs"), os.environ.get("LD_LIBRARY_PATH")]
    port = free_port()
    process = subprocess.Popen(
        [
            program,
            f"--model-repository={exported.parent}",
            f"--backend-directory={backends}",
            "--http-address=127.0.0.1",
            f"--http-port={port}",
            "--allow-grpc=false",
            "--allow-metrics=false",
        ],
        env={
            **os.environ,
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
            # The server's Python is the one whose program is found first.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}/v2/models/edge_ser"
    end = time.monotonic() + 120
    try:
        while not answers(f"{address}/ready"):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310
            return True
    except OSError:
        return False


@pytest.mark.skipif(PYTRITON is None, reason="nvidia-pytriton is not installed")
def test_a_real_triton_answers_as_the_recognizer_does(
    server: str, tiny: Path, inputs: dict[str, np.ndarray]
) -> None:
    heard = {name: inputs[name] for name in ("samples", "sample_rate", "transcript")}
    kinds = {"samples": "FP32", "sample_rate": "INT32", "transcript": "UINT8"}
    body = {
        "inputs": [
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": kinds[name],
                "data": values.tolist(),
            }
            for name, values in heard.items()
        ]
    }
    status, told = post(f"{server}/infer", body)
    assert status == 200, told
    outputs = {output["name"]: output["data"] for output in told["outputs"]}
    assert outputs["probabilities"] == pytest.approx(expected(tiny, heard), abs=5e-5)
    decision = json.loads(bytes(outputs["decision"]))
    assert decision["modalities"]["text"]["present"]
    assert outputs["label"] == [list(decision["probabilities"]).index(decision["label"])]
    status, told = post(f"{server}/infer", {"inputs": body["inputs"][:1]})
    assert status >= 400
    assert "need their sample_rate" in told["error"]


def post(address: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(address, json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
