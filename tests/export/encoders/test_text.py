"""One door for encoders and decoders: BERT and GPT give what their own libraries give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.text import (
    PooledTextEncoder,
    TextEncoder,
    load_text_encoder,
    load_tokenizer,
)
from edge_ser.export.graphs.torch_export import export_onnx, run_graph

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "am", "so", "glad", "sad")


def save_tokenizer(folder: Path) -> None:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=WORDS[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=9,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=9, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    GPT2Model(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([[2, 4, 5, 6, 7, 3], [2, 4, 8, 3, 0, 0]])
    return ids, (ids > 0).long()


def test_bert_answers_as_its_library(bert: Path) -> None:
    encoder = load_text_encoder(bert)
    ids, mask = batch()
    with torch.no_grad():
        expected = BertModel.from_pretrained(bert).eval()(ids, mask).last_hidden_state
        found = encoder(ids, mask)
    real = mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)
    assert (encoder.pooling, encoder.causal, encoder.width) == ("mean", False, 32)


def test_gpt_answers_as_its_library(gpt: Path) -> None:
    encoder = load_text_encoder(gpt)
    ids, mask = batch()
    with torch.no_grad():
        expected = GPT2Model.from_pretrained(gpt).eval()(ids, attention_mask=mask).last_hidden_state
        found = encoder(ids, mask)
    real = mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)
    assert (encoder.pooling, encoder.causal) == ("last", True)


def test_a_decoder_does_not_look_ahead_and_is_pooled_at_its_last_real_token(gpt: Path) -> None:
    encoder = load_text_encoder(gpt)
    ids, mask = batch()
    changed = ids.clone()
    changed[0, -1] = 8
    with torch.no_grad():
        one, two = encoder(ids, mask), encoder(changed, mask)
        torch.testing.assert_close(one[0, :-1], two[0, :-1])
        assert not torch.allclose(one[0, -1], two[0, -1])
        pooled = PooledTextEncoder(encoder)(ids, mask)
    assert pooled.shape == (2, 1, 32)
    torch.testing.assert_close(pooled[0, 0], one[0, 5])
    torch.testing.assert_close(pooled[1, 0], one[1, 3])


def test_padding_changes_neither_tokens_nor_the_mean(bert: Path) -> None:
    encoder = load_text_encoder(bert)
    ids, mask = batch()
    with torch.no_grad():
        padded = encoder.pool(encoder(ids, mask), mask)
        short = ids[1:, :4], mask[1:, :4]
        alone = encoder.pool(encoder(*short), short[1])
        torch.testing.assert_close(padded[1:], alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone[0], encoder(*short)[0].mean(dim=0))


def test_a_text_without_any_token_pools_to_zero(bert: Path) -> None:
    encoder = load_text_encoder(bert)
    nothing = encoder.pool(torch.ones(1, 3, 32), torch.zeros(1, 3, dtype=torch.int64))
    assert torch.equal(nothing, torch.zeros(1, 32))


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_both_export_with_any_length(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    encoder = load_text_encoder(request.getfixturevalue(kind))
    module = PooledTextEncoder(encoder) if kind == "gpt" else encoder

    def example(length: int) -> dict[str, torch.Tensor]:
        ids = torch.arange(length)[None] % 9
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    path = tmp_path / "text.onnx"
    parity = export_onnx(
        module,
        example(5),
        path,
        outputs=["text_tokens"],
        dynamic={"input_ids": {1: "length"}, "attention_mask": {1: "length"}},
        more_examples=[example(1), example(60)],
    )
    assert parity.largest_absolute < 1e-4
    (found,) = run_graph(path, [{n: x.numpy() for n, x in example(33).items()}])
    assert found[0].shape == (1, 1 if kind == "gpt" else 33, 32)
    assert np.isfinite(found[0]).all()


def test_a_saved_encoder_loads_again(bert: Path, tmp_path: Path) -> None:
    encoder = load_text_encoder(bert)
    with torch.no_grad():
        next(encoder.parameters()).mul_(1.5)
    encoder.save(tmp_path)
    again = load_text_encoder(tmp_path)
    assert isinstance(again, TextEncoder)
    for one, two in zip(encoder.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert (tmp_path / "tokenizer.json").read_bytes() == (bert / "tokenizer.json").read_bytes()


def test_the_tokenizer_neither_pads_nor_cuts(bert: Path) -> None:
    tokenizer = load_tokenizer(bert / "tokenizer.json")
    assert len(tokenizer.encode("i am so so so so glad").ids) == 7


def test_sources_that_cannot_be_loaded_are_named(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        load_text_encoder(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_text_encoder(tmp_path)
    (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_text_encoder(tmp_path)
    with pytest.raises(ConfigError, match="tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_pickled_weights_are_not_read(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
    save_tokenizer(tmp_path)
    torch.save(load_text_encoder(bert).backbone.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_text_encoder(tmp_path)
