"""The graphs of a bundle from their torch modules, each proved at several lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from edge_ser.constants import MODALITIES, Modality
from edge_ser.export.graphs.torch_export import Parity, export_onnx
from edge_ser.export.models.acoustic import prosody_tokens
from edge_ser.export.models.fusion import Fusion


def export_acoustic(acoustic: nn.Module, path: Path, columns: int) -> Parity:
    """Export log-mel and prosody to tokens; the number of frames varies.

    Args:
        acoustic: from log-mel [1, 80, T] and prosody [1, T, columns] to tokens [1, Na, Da].
        path: of the graph.
        columns: of the prosody.
    """
    return export_onnx(
        acoustic,
        _audio(300, columns),
        path,
        outputs=["audio_tokens"],
        dynamic={"log_mel": {2: "frames"}, "prosody": {1: "frames"}, "audio_tokens": {1: "audio"}},
        more_examples=[_audio(60, columns), _audio(1000, columns)],
    )


def export_text(text: nn.Module, path: Path, *, vocabulary: int = 20000) -> Parity:
    """Export token ids to tokens; their number varies.

    Args:
        text: from ids and mask, int64 [1, L] each, to tokens [1, L or 1, Dt].
        path: of the graph.
        vocabulary: ids below it are tried.
    """
    one = text(*_words(5, vocabulary).values()).shape[1] == 1
    return export_onnx(
        text,
        _words(16, vocabulary),
        path,
        outputs=["text_tokens"],
        dynamic={
            "input_ids": {1: "tokens"},
            "attention_mask": {1: "tokens"},
            **({} if one else {"text_tokens": {1: "tokens"}}),
        },
        more_examples=[_words(3, vocabulary), _words(128, vocabulary)],
    )


def export_face(face: nn.Module, path: Path) -> Parity:
    """Export face crops [N, 3, 112, 112] to tokens [N, Dv]; the number of faces varies."""
    return export_onnx(
        face,
        {"faces": torch.rand(3, 3, 112, 112) * 255},
        path,
        outputs=["video_tokens"],
        dynamic={"faces": {0: "faces"}, "video_tokens": {0: "faces"}},
        more_examples=[{"faces": torch.rand(15, 3, 112, 112) * 255}],
    )


def export_fusion(fusion: nn.Module, widths: Mapping[Modality, int], path: Path) -> Parity:
    """Export a fusion; batch and numbers of tokens vary, absent modalities are proved too.

    Args:
        fusion: takes tokens and mask of each modality, in the order of MODALITIES, gives logits.
        widths: of the tokens of all three modalities, also of those that it does not know.
        path: of the graph.
    """
    dynamic = {f"{m}_{what}": {0: "batch", 1: m} for m in MODALITIES for what in ("tokens", "mask")}
    return export_onnx(
        fusion,
        _tokens(widths, 2, {"audio": 150, "text": 12, "video": 15}),
        path,
        outputs=["logits"],
        dynamic={**dynamic, "logits": {0: "batch"}},
        more_examples=[
            _tokens(widths, 1, {"audio": 31, "text": 3, "video": 4}),
            _tokens(widths, 4, {"audio": 500, "text": 5, "video": 2}, absent=("text",)),
            _tokens(widths, 3, {"audio": 7, "text": 40, "video": 50}, absent=("audio", "video")),
        ],
    )


class ProsodyTokens(nn.Module):
    """The acoustic graph of a fusion that hears nothing but MFCC, energy and pitch."""

    def forward(self, log_mel: Tensor, prosody: Tensor) -> Tensor:  # noqa: ARG002
        """Prosody float32 [1, T, columns] to tokens [1, T // 4, 3 * columns]."""
        tokens = prosody_tokens(prosody)
        return nn.functional.avg_pool1d(tokens.transpose(1, 2), 2).transpose(1, 2)


class AveragedFusion(nn.Module):
    """Several fusions of one form; the answer is the logarithm of their mean probability.

    Tokens of modalities that they do not know are taken, as every bundle's fusion must, and have
    no influence.
    """

    def __init__(self, fusions: Sequence[Fusion]) -> None:
        """Take at least one fusion."""
        super().__init__()
        self.fusions = nn.ModuleList(fusions)

    def forward(
        self,
        audio_tokens: Tensor,
        audio_mask: Tensor,
        text_tokens: Tensor,
        text_mask: Tensor,
        video_tokens: Tensor,
        video_mask: Tensor,
    ) -> Tensor:
        """The signature of a bundle's fusion graph."""
        given = (audio_tokens, audio_mask, text_tokens, text_mask, video_tokens, video_mask)
        several = [fusion(*given) for fusion in self.fusions]
        if len(several) == 1:
            return torch.as_tensor(several[0])
        rows = torch.stack([torch.softmax(x, 1) for x in several]).mean(0)
        return torch.log(rows.clamp_min(1e-30))


def _audio(frames: int, columns: int) -> dict[str, Tensor]:
    return {
        "log_mel": torch.randn(1, 80, frames).clamp(-1, 1.5),
        "prosody": torch.randn(1, frames, columns) * 20,
    }


def _words(count: int, vocabulary: int) -> dict[str, Tensor]:
    return {
        "input_ids": torch.randint(min(1000, vocabulary // 2), vocabulary, (1, count)),
        "attention_mask": torch.ones(1, count, dtype=torch.long),
    }


def _tokens(
    widths: Mapping[Modality, int],
    batch: int,
    counts: Mapping[Modality, int],
    absent: Sequence[Modality] = (),
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for modality, count in counts.items():
        there = 0.0 if modality in absent else 1.0
        tensors[f"{modality}_tokens"] = torch.randn(batch, count, widths[modality]) * there
        tensors[f"{modality}_mask"] = torch.full((batch, count), there)
    return tensors
