"""Our own face network: light does not matter, mirrors agree, it exports and loads as itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from edge_ser.export.graphs.torch_export import export_onnx
from edge_ser.runtime.onnxruntime_sessions import open_graph
from recipes.face_encoder.cnn import FaceCnn, load_face_encoder, save_face_encoder
from recipes.face_encoder.tokens import FaceTokenEncoder


def network() -> FaceCnn:
    torch.manual_seed(0)
    made = FaceCnn(with_logits=True)
    made.train()
    for _ in range(3):  # batch statistics of something like pictures
        made.features(faces(8))
    return made.eval()


def faces(count: int) -> torch.Tensor:
    coarse = torch.rand(count, 1, 14, 14) * 160 + 40
    return torch.nn.functional.interpolate(coarse, size=(112, 112), mode="bilinear").expand(
        -1, 3, -1, -1
    )


def test_dim_light_and_mirrors_change_little() -> None:
    encoder, given = network(), faces(4)
    with torch.inference_mode():
        features = encoder.features(given)
        assert torch.allclose(encoder.features(given.flip(3)), features, atol=1e-5)
        dim = encoder.features(given * 0.5 + 10)
    assert (dim - features).abs().mean() < 0.05 * features.abs().mean()


def test_a_face_without_any_contrast_gives_finite_features() -> None:
    with torch.inference_mode():
        for level in (0.0, 128.0, 255.0):
            assert torch.isfinite(network().features(torch.full((1, 3, 112, 112), level))).all()


def test_saved_weights_load_as_the_network_they_are_of(tmp_path: Path) -> None:
    encoder = network()
    save_face_encoder(encoder, tmp_path / "face.safetensors")
    loaded = load_face_encoder(tmp_path / "face.safetensors", with_logits=True)
    assert isinstance(loaded, FaceCnn)
    with torch.inference_mode():
        given = faces(2)
        assert all(torch.equal(a, b) for a, b in zip(loaded(given), encoder(given), strict=True))


def test_the_exported_graph_is_the_network(tmp_path: Path) -> None:
    encoder = FaceTokenEncoder(network()).eval()
    path = tmp_path / "face.onnx"
    export_onnx(
        encoder,
        {"faces": faces(3)},
        path,
        outputs=["video_tokens"],
        dynamic={"faces": {0: "faces"}, "video_tokens": {0: "faces"}},
        more_examples=[{"faces": faces(7)}],
    )
    session = open_graph(path)
    given = faces(1)
    with torch.inference_mode():
        expected = encoder(given).numpy()
    (got,) = session.run(None, {"faces": given.numpy().astype(np.float32)})
    assert np.abs(got - expected).max() < 1e-4
    assert expected.shape == (1, 128 + 7)
