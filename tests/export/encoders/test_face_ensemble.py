"""Two face networks as one: their answers are averaged, and it loads and exports as itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.encoders.face import (
    FaceEncoder,
    load_face_encoder,
    origin_of,
    save_face_encoder,
)
from edge_ser.export.encoders.face_cnn import FaceCnn
from edge_ser.export.encoders.face_ensemble import FaceEnsemble
from edge_ser.export.encoders.mini_xception import MiniXception
from edge_ser.export.models.face_tokens import FaceTokenEncoder
from edge_ser.export.onnx_export import export_onnx
from edge_ser.export.training.face_ensemble import make_ensemble


def faces(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, 1, 14, 14, generator=generator) * 160 + 40
    return torch.nn.functional.interpolate(coarse, size=(112, 112), mode="bilinear").expand(
        -1, 3, -1, -1
    )


@pytest.fixture(scope="module")
def networks() -> tuple[FaceCnn, MiniXception]:
    torch.manual_seed(0)
    cnn, mini_xception = FaceCnn(mirrored=False), MiniXception(mirrored=False)
    for _ in range(3):  # batch statistics of something like pictures
        cnn.features(faces(8))
        mini_xception(faces(8))
    return cnn.eval(), mini_xception.eval()


def test_logits_are_the_mean_of_both(networks: tuple[FaceCnn, MiniXception]) -> None:
    cnn, mini_xception = networks
    ensemble = FaceEnsemble.of(cnn, mini_xception)
    ensemble.with_logits = True
    given = faces(5)
    with torch.inference_mode():
        own, other = cnn.classifier(cnn.features(given)), mini_xception(given)
        features, logits = ensemble(given)
    assert (own - other).abs().max() > 0.05
    torch.testing.assert_close(logits, (own + other) / 2, atol=1e-5, rtol=1e-4)
    assert features.shape == (5, ensemble.width)
    assert ensemble.width == cnn.width + len(EMOTIONS)


def test_saved_weights_load_as_an_ensemble(
    networks: tuple[FaceCnn, MiniXception], tmp_path: Path
) -> None:
    ensemble = FaceEnsemble.of(*networks)
    save_face_encoder(ensemble, tmp_path / "face.safetensors")
    loaded = load_face_encoder(tmp_path / "face.safetensors")
    assert isinstance(loaded, FaceEnsemble)
    assert not loaded.training
    with torch.inference_mode():
        assert torch.equal(loaded(faces(3)), ensemble(faces(3)))


def test_a_card_names_whose_weights_they_are(networks: tuple[FaceCnn, MiniXception]) -> None:
    assert "mini-Xception (MIT)" in origin_of(FaceEnsemble.of(*networks))[0]
    assert "mini-Xception" not in origin_of(networks[0])[0]
    assert "face-api" in origin_of(FaceEncoder())[0]
    with pytest.raises(TypeError, match="MiniXception"):
        origin_of(networks[1])


def test_an_ensemble_is_made_of_our_own_network_alone(
    networks: tuple[FaceCnn, MiniXception], tmp_path: Path
) -> None:
    save_face_encoder(FaceEnsemble.of(*networks), tmp_path / "face.safetensors")
    with pytest.raises(ConfigError, match="holds a FaceEnsemble"):
        make_ensemble(tmp_path / "face.safetensors", tmp_path / "absent.whl")
    save_face_encoder(networks[0], tmp_path / "cnn.safetensors")
    with pytest.raises(ConfigError, match=r"absent\.whl"):
        make_ensemble(tmp_path / "cnn.safetensors", tmp_path / "absent.whl")


def test_the_exported_graph_is_the_ensemble(
    networks: tuple[FaceCnn, MiniXception], tmp_path: Path
) -> None:
    ensemble = FaceEnsemble.of(*networks)
    ensemble.with_logits = True
    encoder = FaceTokenEncoder(ensemble).eval()
    export_onnx(
        encoder,
        {"faces": faces(3)},
        tmp_path / "face.onnx",
        outputs=["video_tokens"],
        dynamic={"faces": {0: "faces"}, "video_tokens": {0: "faces"}},
        more_examples=[{"faces": faces(7)}],
    )
    session = onnxruntime.InferenceSession(
        str(tmp_path / "face.onnx"), providers=["CPUExecutionProvider"]
    )
    given = faces(2)
    with torch.inference_mode():
        expected = encoder(given).numpy()
    assert expected.shape == (2, ensemble.width + len(EMOTIONS))
    assert np.abs(session.run(None, {"faces": given.numpy()})[0] - expected).max() < 1e-4
