"""A bundle's finished graph makes the tokens that the runtime makes, and keys its features."""

from __future__ import annotations

import numpy as np
import torch

from edge_ser.bundles.loading import default_bundle_path, load_bundle
from edge_ser.export.training.tokens.torch_encoders import fingerprint
from edge_ser.frontends.text import TextFrontend
from edge_ser.runtime.backend import open_session
from recipes.default_bundle.finished_graph import FinishedGraph
from recipes.default_bundle.graphs import open_face, open_text


def test_words_give_the_tokens_of_the_runtime() -> None:
    bundle = load_bundle(default_bundle_path())
    text = open_text(str(bundle.folder))
    assert isinstance(text, FinishedGraph)
    frontend = TextFrontend(bundle.manifest.frontend.text, text.tokenizer_file.read_bytes())
    words = frontend("What a lovely day!")
    tensors = words.tensors()
    assert tensors is not None
    tokens = text(*(torch.from_numpy(tensors[name]) for name in ("input_ids", "attention_mask")))
    expected = open_session(bundle.graph_path("text")).run(tensors)["text_tokens"]
    assert np.array_equal(tokens.numpy(), expected)


def test_faces_give_the_tokens_of_the_runtime() -> None:
    bundle = load_bundle(default_bundle_path())
    faces = np.random.default_rng(0).uniform(0, 255, (2, 3, 112, 112)).astype(np.float32)
    tokens = open_face(bundle.folder)(torch.from_numpy(faces))
    expected = open_session(bundle.graph_path("face")).run({"faces": faces})["video_tokens"]
    assert np.array_equal(tokens.numpy(), expected)


def test_another_graph_is_another_key() -> None:
    text = FinishedGraph(load_bundle(default_bundle_path()), "text")
    before = fingerprint(text)
    text.get_buffer("digest")[0] += 1
    assert fingerprint(text) != before
