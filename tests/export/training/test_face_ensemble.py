"""The command that makes an ensemble writes weights that load, and a report of both networks."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from face_pictures import archive
from keras_weights import made_up_weights, write_keras

from edge_ser.export.encoders.face import load_face_encoder, save_face_encoder
from edge_ser.export.encoders.face_cnn import FaceCnn
from edge_ser.export.encoders.face_ensemble import FaceEnsemble
from edge_ser.export.training.face_ensemble import main


def test_weights_and_report_are_written(tmp_path: Path) -> None:
    archive(tmp_path / "fer2013_train.zip", 2)
    archive(tmp_path / "fer2013_publictest.zip", 3, first=2)
    torch.manual_seed(0)
    save_face_encoder(FaceCnn().eval(), tmp_path / "cnn.safetensors")
    keras = write_keras(tmp_path / "emotion_model.hdf5", made_up_weights())
    main([str(tmp_path), str(tmp_path / "cnn.safetensors"), str(keras), str(tmp_path / "out")])
    made = load_face_encoder(tmp_path / "out" / "face.safetensors")
    assert isinstance(made, FaceEnsemble)
    report = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert report["ensemble"]["faces"] == report["cnn"]["faces"] == 21
    own, both = (report[name]["parameters"] for name in ("cnn", "ensemble"))
    assert both - own > 50_000
    assert "onnxruntime" in report["host"]
    for name in ("cnn", "ensemble"):
        taken = report[name]["milliseconds a face, fp32, one thread"]
        assert 0 < taken["median"] <= taken["p95"]
