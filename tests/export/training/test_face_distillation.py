"""Teachers: their answers stand beside the right faces, and a student moves towards them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from face_pictures import archive
from torch import nn

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.data.pictures import read_pictures
from edge_ser.export.encoders.face import save_face_encoder
from edge_ser.export.encoders.face_cnn import FaceCnn
from edge_ser.export.training.face_data import FaceBatches
from edge_ser.export.training.face_distillation import (
    distillation_loss,
    load_teacher,
    teachers_answers,
)
from edge_ser.export.training.face_finetuning import FaceFinetuning, FaceTask
from edge_ser.export.training.picture_augmentation import PictureAugmentation


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[Item, ...]:
    return read_pictures(archive(tmp_path_factory.mktemp("faces") / "train.zip", 5)).items


def batches(items: tuple[Item, ...], **changes: Any) -> FaceBatches:
    options: dict[str, Any] = {"batch_size": 8, "augmentation": PictureAugmentation(), "seed": 3}
    return FaceBatches(items, EMOTIONS, **{**options, **changes})


class Brightness(nn.Module):
    """Answers with the mean grey of a face in one column."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(faces), len(EMOTIONS))
        logits[:, self.column] = faces.mean((1, 2, 3)) / 40
        return logits


def test_answers_are_the_mean_log_probability(items: tuple[Item, ...]) -> None:
    plain = batches(items, augmentation=None)
    answers = teachers_answers([Brightness(0), Brightness(3)], plain)
    faces = torch.cat([b.faces for b in plain])
    each = [torch.log_softmax(Brightness(k)(faces), 1) for k in (0, 3)]
    torch.testing.assert_close(answers, (each[0] + each[1]) / 2)


def test_shuffled_batches_carry_the_answers_of_their_faces(items: tuple[Item, ...]) -> None:
    numbers = torch.arange(len(items), dtype=torch.float32)[:, None].repeat(1, 7)
    training = batches(items, taught=numbers)
    for batch in training:
        assert batch.taught is not None
        labels = torch.tensor([EMOTIONS.index(items[int(n)].label) for n in batch.taught[:, 0]])
        assert torch.equal(labels, batch.labels)
    assert next(iter(batches(items))).taught is None


def test_the_loss_is_least_at_the_teachers_answers() -> None:
    generator = torch.Generator().manual_seed(3)
    taught = torch.log_softmax(torch.randn(5, 7, generator=generator), 1)
    assert float(distillation_loss(taught, taught, 2.0)) == pytest.approx(0.0, abs=1e-6)
    # Answers count up to a constant a row.
    assert float(distillation_loss(taught + 3.0, taught, 2.0)) == pytest.approx(0.0, abs=1e-5)
    other = torch.randn(5, 7, generator=generator)
    near, far = taught + 0.1 * other, taught + other
    assert 0 < distillation_loss(near, taught, 2.0) < distillation_loss(far, taught, 2.0)


def test_the_temperature_keeps_the_size_of_the_gradient() -> None:
    generator = torch.Generator().manual_seed(4)
    taught = 0.1 * torch.randn(6, 7, generator=generator)
    sizes = []
    for temperature in (1.0, 4.0):
        logits = torch.zeros(6, 7, requires_grad=True)
        distillation_loss(logits, taught, temperature).backward()
        assert logits.grad is not None
        sizes.append(float(logits.grad.norm()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)


def test_a_student_follows_its_teachers_as_far_as_it_is_told(items: tuple[Item, ...]) -> None:
    taught = torch.zeros(len(items), len(EMOTIONS))
    taught[:, 2] = 4.0
    training = batches(items, augmentation=None, taught=taught)

    def step(distillation: float) -> float:
        torch.manual_seed(1)
        config = FaceFinetuning(distillation=distillation, dropout=0.0)
        task = FaceTask(FaceCnn(channels=(4, 8, 8)), config, [1] * 7, 10)
        task.log = lambda *_, **__: None  # type: ignore[method-assign]
        return task.training_step(next(iter(training)), 0).item()

    alone, half, whole = step(0.0), step(0.5), step(1.0)
    assert half == pytest.approx((alone + whole) / 2, rel=1e-5)
    assert alone != pytest.approx(whole, rel=1e-3)


def test_a_teacher_answers_with_the_encoders_own_logits(tmp_path: Path) -> None:
    torch.manual_seed(2)
    encoder = FaceCnn(with_logits=True).eval()
    save_face_encoder(encoder, tmp_path / "face.safetensors")
    faces = torch.rand(2, 3, 112, 112) * 255
    with torch.inference_mode():
        torch.testing.assert_close(
            load_teacher(tmp_path / "face.safetensors")(faces), encoder(faces)[1]
        )
    for absent in ("absent.safetensors", "absent.whl", "absent.tgz"):
        with pytest.raises(ConfigError, match="absent"):
            load_teacher(tmp_path / absent)
