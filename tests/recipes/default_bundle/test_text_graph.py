"""A bundle's finished text graph makes the tokens that the runtime makes, and keys its features."""

from __future__ import annotations

import numpy as np
import torch

from edge_ser.bundles.loading import default_bundle_path, load_bundle
from edge_ser.export.training.tokens.torch_encoders import fingerprint
from edge_ser.frontends.text import TextFrontend
from edge_ser.runtime.backend import open_session
from recipes.default_bundle.build import open_text
from recipes.default_bundle.text_graph import TextGraph


def test_tokens_are_those_of_the_runtime() -> None:
    bundle = load_bundle(default_bundle_path())
    text = open_text(str(bundle.folder))
    assert isinstance(text, TextGraph)
    words = TextFrontend(bundle.manifest.frontend.text, text.tokenizer_file)("What a lovely day!")
    tensors = words.tensors()
    assert tensors is not None
    tokens = text(*(torch.from_numpy(tensors[name]) for name in ("input_ids", "attention_mask")))
    expected = open_session(bundle.graph_path("text")).run(tensors)["text_tokens"]
    assert np.array_equal(tokens.numpy(), expected)


def test_another_graph_is_another_key() -> None:
    text = TextGraph(load_bundle(default_bundle_path()))
    before = fingerprint(text)
    text.get_buffer("digest")[0] += 1
    assert fingerprint(text) != before
