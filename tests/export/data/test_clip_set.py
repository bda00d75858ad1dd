from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures.small_networks import make_clips, make_small_bundle

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import ConfigError
from edge_ser.export.data.clip_set import (
    ClipFeatures,
    encode,
    fusion_inputs,
    graph_samples,
    read_clips,
    write_clip,
)
from edge_ser.runtime.onnxruntime import OnnxRuntimeSession


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_small_bundle(tmp_path_factory.mktemp("bundle") / "small"))


def test_what_was_written_is_read(bundle: Bundle, tmp_path: Path) -> None:
    make_clips(tmp_path, 4)
    clips = read_clips(tmp_path, bundle.manifest)
    assert [c.name for c in clips] == ["clip00", "clip01", "clip02", "clip03"]
    assert clips[0].label == "neutral"
    assert clips[1].speaker == "speaker1"
    assert clips[0].tensors["log_mel"].shape[1] == 80
    assert len(read_clips(tmp_path, bundle.manifest, limit=2)) == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"text"])
def test_a_damaged_clip_is_an_error_with_its_name(
    bundle: Bundle, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "broken.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.npz"):
        read_clips(tmp_path, bundle.manifest)


def test_objects_are_never_unpickled(bundle: Bundle, tmp_path: Path) -> None:
    evil = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "evil.npz", log_mel=evil, label="sad", speaker="x")
    with pytest.raises(ConfigError, match=r"evil\.npz"):
        read_clips(tmp_path, bundle.manifest)


def test_a_clip_of_another_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    faces = np.zeros((1, 3, 64, 64), np.float32)
    write_clip(tmp_path, ClipFeatures("small", "sad", "x", {"faces": faces}))
    with pytest.raises(ConfigError, match="does not fit the bundle"):
        read_clips(tmp_path, bundle.manifest)


def test_an_empty_folder_and_a_clip_without_a_label_are_errors(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no clip"):
        read_clips(tmp_path, bundle.manifest)
    np.savez(tmp_path / "nameless.npz", speaker="x")
    with pytest.raises(ConfigError, match="label"):
        read_clips(tmp_path, bundle.manifest)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no plain name"):
        write_clip(tmp_path, ClipFeatures(name, "sad", "x", {}))


def test_the_fusion_gets_what_the_encoders_answer(bundle: Bundle, tmp_path: Path) -> None:
    clips = read_clips(make_clips(tmp_path, 4), bundle.manifest)
    sessions = {g: OnnxRuntimeSession(bundle.graph_path(g)) for g in ("acoustic", "text", "face")}
    tokens = encode(clips[1], bundle.manifest, sessions)
    assert set(tokens) == {"audio", "video"}
    inputs = fusion_inputs(tokens, bundle.manifest)
    assert inputs["text_mask"].tolist() == [[0.0]]
    assert not inputs["text_tokens"].any()
    np.testing.assert_array_equal(inputs["video_tokens"][0], tokens["video"])
    assert len(graph_samples(clips, bundle.manifest, "fusion", sessions)) == 4
    assert len(graph_samples(clips, bundle.manifest, "text", sessions)) == 3
