"""Training the face encoder: batches that resume, parts that share no picture, runs that go on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from fixtures.face_pictures import FOLDERS, archive

from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError, MediaError
from edge_ser.export.data.items import Item
from edge_ser.export.data.pictures import read_pictures
from edge_ser.export.examples.picture_augmentation import PictureAugmentation
from recipes.command_line import run
from recipes.face_encoder.cnn import FaceCnn, load_face_encoder, save_face_encoder
from recipes.face_encoder.data import FaceBatches, face_parts
from recipes.face_encoder.finetuning import (
    FaceFinetuning,
    command,
    finetune_face,
    score_faces,
)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[Item, ...]:
    path = archive(tmp_path_factory.mktemp("faces") / "train.zip", 5)
    return read_pictures(path).items


def batches(items: tuple[Item, ...], **changes: Any) -> FaceBatches:
    options: dict[str, Any] = {"batch_size": 8, "augmentation": PictureAugmentation(), "seed": 3}
    return FaceBatches(items, EMOTIONS, **{**options, "erase": 0.3, **changes})


def encoder() -> FaceCnn:
    """A network whose signal does not die out on its way, as in pretrained weights."""
    torch.manual_seed(0)
    made = FaceCnn()
    for part in made.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    return made


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().contiguous().reshape(-1) for p in module.parameters()])


def test_unchanged_batches_are_the_pictures_in_order(items: tuple[Item, ...]) -> None:
    plain = batches(items, augmentation=None)
    assert len(plain) == 5
    given = list(plain)
    labels = torch.cat([batch.labels for batch in given])
    assert [EMOTIONS[k] for k in labels] == [item.label for item in items]
    faces = torch.cat([batch.faces for batch in given])
    assert faces.shape == (35, 3, 112, 112)
    assert torch.equal(faces[:, 0], faces[:, 2])
    assert faces.min() >= 0
    assert 200 < faces.max() <= 255


def test_augmented_epochs_differ_in_order_and_in_picture(items: tuple[Item, ...]) -> None:
    training = batches(items)
    first, second = list(training), list(training)
    for epoch in (first, second):
        assert torch.cat([b.labels for b in epoch]).bincount(minlength=7).tolist() == [5] * 7
        assert all(b.faces.min() >= 0 and b.faces.max() <= 255 for b in epoch)
    assert not torch.equal(first[0].faces, second[0].faces)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_epoch_goes_on_with_the_same_faces(items: tuple[Item, ...], stop: int) -> None:
    whole = batches(items)
    expected = [b.faces for _ in range(2) for b in whole]
    stopped, found = batches(items), []
    for number, batch in enumerate(stopped, start=1):
        found.append(batch.faces)
        if number == stop:
            break
    resumed = batches(items)
    resumed.load_state_dict(stopped.state_dict())
    while len(found) < len(expected):
        found += [b.faces for b in resumed]
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_pictures_that_cannot_train_are_named(items: tuple[Item, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no picture"):
        FaceBatches((), EMOTIONS, batch_size=4)
    with pytest.raises(ConfigError, match="angry"):
        FaceBatches(items, [label for label in EMOTIONS if label != "angry"], batch_size=4)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = dataclasses.replace(items[0], name="bad", path=tmp_path / "bad.png", member=None)
    with pytest.raises(MediaError, match="bad"):
        FaceBatches((bad,), EMOTIONS, batch_size=4)


def test_no_picture_lies_on_two_sides(tmp_path: Path) -> None:
    train = read_pictures(archive(tmp_path / "train.zip", 30))
    test = read_pictures(archive(tmp_path / "test.zip", 6, first=27))  # three of each also train
    kept, held, tested = face_parts(train, test)
    assert len(tested) == 42
    assert len(kept) + len(held) == 7 * 27
    assert 5 <= len(held) <= 40
    names = [{item.name for item in part} for part in (kept, held)]
    assert not names[0] & names[1]
    shared = {f"{folder}/{n}.png" for folder in FOLDERS for n in (27, 28, 29)}
    assert not (names[0] | names[1]) & shared


class KilledError(Exception):
    """Stands for a process that ends without any warning."""


class KillAt(lightning.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise KilledError


@pytest.mark.parametrize("average", [0.0, 0.8])
def test_it_learns_and_a_killed_run_ends_at_the_same_weights(
    items: tuple[Item, ...], tmp_path: Path, average: float
) -> None:
    still = PictureAugmentation(mirror_share=0.0, shift=0.02, turn_degrees=0, zoom=(0.98, 1.02))
    config = FaceFinetuning(
        epochs=10,
        weight_decay=1e-3,
        batch_size=8,
        learning_rate=1e-3,
        dropout=0.0,
        label_smoothing=0.0,
        patience=10,
        checkpoint_minutes=0.0,
        erase=0.0,
        augmentation=still,
        average=average,
    )

    def run(output: Path, *kill: lightning.Callback) -> FaceCnn:
        train = batches(items, augmentation=still, erase=0.0)
        held = batches(items, augmentation=None)
        return finetune_face(encoder(), train, held, output, config, extra_callbacks=kill)

    whole = run(tmp_path / "whole")
    with pytest.raises(KilledError):
        run(tmp_path / "killed", KillAt(13))
    resumed = run(tmp_path / "killed")
    assert torch.equal(weights(resumed), weights(whole))
    again = load_face_encoder(tmp_path / "whole" / "face.safetensors")
    assert torch.equal(weights(again), weights(whole))
    scores = score_faces(whole, batches(items, augmentation=None))
    assert scores["unweighted_average_recall"] > 2 * scores["chance"]
    with pytest.raises(ConfigError, match="another configuration"):
        finetune_face(
            encoder(),
            batches(items),
            batches(items, augmentation=None),
            tmp_path / "whole",
            dataclasses.replace(config, seed=8),
        )


def test_the_command_scores_given_weights(tmp_path: Path) -> None:
    archive(tmp_path / "fer2013_train.zip", 3)
    archive(tmp_path / "fer2013_publictest.zip", 2, first=50)
    save_face_encoder(encoder().eval(), tmp_path / "face.safetensors")
    source = ["--source", str(tmp_path / "face.safetensors")]
    run(command, [str(tmp_path), str(tmp_path / "run"), *source, "--score-only"])
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["faces"] == 14
    assert set(scores["recall"]) == set(EMOTIONS)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "face.safetensors").write_bytes(b"\0" * 30)
    with pytest.raises(ConfigError, match="other weights"):
        load_face_encoder(tmp_path / "face.safetensors")
