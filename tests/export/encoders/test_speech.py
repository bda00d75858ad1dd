"""The speech encoder computes what Whisper's encoder computes, from a CTranslate2 file."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.speech import (
    SpeechEncoder,
    SpeechEncoderConfig,
    load_speech_encoder,
    sinusoids,
)

SIZES = SpeechEncoderConfig(width=32, heads=4, layers=2, maximum_frames=100, final_norm=True)


@pytest.fixture(scope="module")
def whisper() -> WhisperEncoder:
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=32,
        encoder_layers=2,
        encoder_attention_heads=4,
        encoder_ffn_dim=128,
        max_source_positions=50,
        num_mel_bins=80,
    )
    encoder = WhisperEncoder(config).eval()
    with torch.no_grad():  # its own initialisation leaves every bias and norm at 0 and 1
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


@pytest.fixture(scope="module")
def model_file(whisper: WhisperEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = {name: tensor.numpy() for name, tensor in whisper.state_dict().items()}
    variables: dict[str, np.ndarray] = {
        "encoder/num_heads": np.asarray(4, np.int16),
        "encoder/position_encodings/encodings": state["embed_positions.weight"],
        "encoder/layer_norm/gamma": state["layer_norm.weight"],
        "encoder/layer_norm/beta": state["layer_norm.bias"],
    }
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            variables[f"encoder/{conv}/{part}"] = state[f"{conv}.{part}"]
    for n in range(2):
        here, there = f"encoder/layer_{n}", f"layers.{n}"
        attention = f"{there}.self_attn"
        zeros = np.zeros(32, np.float32)
        variables[f"{here}/self_attention/linear_0/weight"] = np.concatenate(
            [state[f"{attention}.{x}_proj.weight"] for x in "qkv"]
        )
        variables[f"{here}/self_attention/linear_0/bias"] = np.concatenate(
            [state[f"{attention}.q_proj.bias"], zeros, state[f"{attention}.v_proj.bias"]]
        )
        for part in ("weight", "bias"):
            variables[f"{here}/self_attention/linear_1/{part}"] = state[
                f"{attention}.out_proj.{part}"
            ]
            for k in (0, 1):
                variables[f"{here}/ffn/linear_{k}/{part}"] = state[f"{there}.fc{k + 1}.{part}"]
        for ours, theirs in (
            ("self_attention", "self_attn_layer_norm"),
            ("ffn", "final_layer_norm"),
        ):
            variables[f"{here}/{ours}/layer_norm/gamma"] = state[f"{there}.{theirs}.weight"]
            variables[f"{here}/{ours}/layer_norm/beta"] = state[f"{there}.{theirs}.bias"]
    codes = {"float32": 0, "int16": 2}

    def string(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    data = struct.pack("<I", 6) + string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, values in variables.items():
        data += string(name) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        data += struct.pack("<BI", codes[str(values.dtype)], values.nbytes) + values.tobytes()
    path = tmp_path_factory.mktemp("speech") / "model.bin"
    path.write_bytes(data + struct.pack("<I", 0))
    return path


def test_it_answers_as_whisper_does(whisper: WhisperEncoder, model_file: Path) -> None:
    encoder = load_speech_encoder(model_file, SIZES)
    log_mel = torch.randn(2, 80, 100)
    with torch.no_grad():
        expected = whisper(log_mel).last_hidden_state
        found = encoder(log_mel)
    assert found.shape == (2, 50, 32)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_the_first_layers_are_whispers_hidden_states(
    whisper: WhisperEncoder, model_file: Path
) -> None:
    one = SpeechEncoderConfig(width=32, heads=4, layers=1, maximum_frames=100)
    encoder = load_speech_encoder(model_file, one)
    log_mel = torch.randn(1, 80, 100)
    with torch.no_grad():
        hidden = whisper(log_mel, output_hidden_states=True).hidden_states
        torch.testing.assert_close(encoder(log_mel), hidden[1], atol=2e-5, rtol=1e-4)


def test_chosen_layers_stand_side_by_side(whisper: WhisperEncoder, model_file: Path) -> None:
    both = SpeechEncoderConfig(width=32, heads=4, maximum_frames=100, outputs=(1, 2))
    encoder = load_speech_encoder(model_file, both)
    log_mel = torch.randn(1, 80, 100)
    with torch.no_grad():
        hidden = whisper(log_mel, output_hidden_states=True).hidden_states[1]
        found = encoder(log_mel)
        last = load_speech_encoder(model_file, replace(both, outputs=()))(log_mel)
    assert found.shape == (1, 50, encoder.width) == (1, 50, 64)
    torch.testing.assert_close(found[..., :32], hidden, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(found[..., 32:], last)
    assert SpeechEncoderConfig.of_layers([1, 3]).layers == 3


@pytest.mark.parametrize(
    "sizes",
    [
        {"outputs": (3,)},
        {"outputs": (0, 1)},
        {"outputs": (2, 1)},
        {"outputs": (1, 1)},
        {"outputs": (2,), "final_norm": True},
    ],
)
def test_layers_that_are_not_there_are_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="outputs"):
        SpeechEncoderConfig(**sizes)
    with pytest.raises(ConfigError, match="at least one layer"):
        SpeechEncoderConfig.of_layers([])


@pytest.mark.parametrize("frames", [2, 24, 100])
def test_every_even_length_gives_half_as_many_frames(frames: int) -> None:
    encoder = SpeechEncoder(SIZES).eval()
    with torch.no_grad():
        assert encoder(torch.randn(3, 80, frames)).shape == (3, frames // 2, 32)


def test_masked_padding_does_not_reach_the_real_frames() -> None:
    torch.manual_seed(1)
    encoder = SpeechEncoder(SIZES).eval()
    log_mel = torch.randn(1, 80, 60)
    padded = torch.cat([log_mel, torch.zeros(1, 80, 40)], dim=2)
    other = torch.cat([log_mel, 9.0 * torch.randn(1, 80, 40)], dim=2)
    mask = torch.zeros(1, 50)
    mask[:, :29] = 1
    with torch.no_grad():
        one, two = encoder(padded, mask), encoder(other, mask)
    # Two convolutions of three frames each look one output frame beyond the border.
    torch.testing.assert_close(one[:, :29], two[:, :29])


def test_positions_are_sines_and_cosines_of_the_published_rates() -> None:
    table = sinusoids(1500, 384).numpy()
    assert table.shape == (1500, 384)
    np.testing.assert_allclose(table[0], [0.0] * 192 + [1.0] * 192)
    np.testing.assert_allclose(table[700, 0], np.sin(700.0), atol=1e-4)
    np.testing.assert_allclose(table[700, 191], np.sin(700.0 / 10000.0), atol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (SpeechEncoderConfig(width=32, heads=4, layers=3, maximum_frames=100), "layer_2"),
        (SpeechEncoderConfig(width=64, heads=4, maximum_frames=100), "conv1"),
        (SpeechEncoderConfig(width=32, heads=8, maximum_frames=100), "4 heads, not 8"),
        (SpeechEncoderConfig(width=32, heads=4, maximum_frames=200), "100 frames, not 200"),
    ],
)
def test_weights_of_other_sizes_are_refused(
    model_file: Path, sizes: SpeechEncoderConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_speech_encoder(model_file, sizes)


def test_odd_sizes_are_refused() -> None:
    for sizes in ({"maximum_frames": 7}, {"heads": 5}):
        with pytest.raises(ConfigError):
            SpeechEncoderConfig(**sizes)


def test_with_a_loudest_value_gain_changes_nothing() -> None:
    torch.manual_seed(1)
    encoder = SpeechEncoder(replace(SIZES, loudest=1.0)).eval()
    log_mel = torch.randn(2, 80, 40)
    louder = log_mel + torch.tensor([1.5, -0.75])[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(encoder(louder), encoder(log_mel), atol=1e-5, rtol=0)
        assert not torch.allclose(SpeechEncoder(SIZES).eval()(louder), encoder(log_mel), atol=0.1)
