from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.examples.token_augmentation import TokenAugmentation
from edge_ser.export.models.branches import Branch
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.models.masking import clip_statistics
from edge_ser.export.training import whole_checkpoints
from edge_ser.export.training.config import ModalityDropout, Optimisation
from edge_ser.export.training.examples import Clips, collate, column_statistics
from edge_ser.export.training.fit import Fitting, average_predictions, fit
from edge_ser.export.training.fusion_task import logits_of

LABELS = 3
AUGMENTATION = TokenAugmentation(crop_share=0.5, time_masks=1, noise=0.1, mixup=0.2)


def _clips(count: int, seed: int, augmented: bool) -> tuple[Clips, list[int], dict]:
    """Clips whose label is the mean of column 0 of the sound and of column 1 of the face."""
    generator = np.random.default_rng(seed)
    labels = [i % LABELS for i in range(count)]
    variants: dict[Modality, list] = {"audio": [], "video": []}
    for label in labels:
        audio = generator.standard_normal((int(generator.integers(12, 30)), 6)).astype(np.float32)
        audio[:, 0] += 3.0 * label
        face = generator.standard_normal((1, 4)).astype(np.float32)
        face[:, 1] += 6.0 * label
        variants["audio"].append([audio])
        variants["video"].append([face])
    clips = Clips(variants, labels, AUGMENTATION if augmented else None, seed)
    return clips, labels, variants


def _train(
    folder: Path | None, epochs: int = 4, trainer: dict | None = None, count: int = 96
) -> Fusion:
    training, _, variants = _clips(count, 0, augmented=True)
    validation = _clips(30, 1, augmented=False)[0]
    config = FusionConfig(
        labels=LABELS, inputs={"audio": 6, "video": 4}, prosody=2, width=16, attention_heads=2
    )
    return fit(
        Fitting(
            config,
            Optimisation(epochs=epochs, batch_size=16, learning_rate=3e-3, average=0.9),
            AUGMENTATION,
            ModalityDropout(keep_all=0.4),
            seed=5,
            trainer=trainer,
        ),
        training,
        validation,
        {m: column_statistics(own) for m, own in variants.items()},
        folder,
    )


def _weights(fusion: Fusion) -> torch.Tensor:
    return torch.cat([x.flatten().double() for x in fusion.state_dict().values()])


def test_it_learns_from_either_modality_alone() -> None:
    fusion = _train(None, epochs=16)
    clips, labels, _ = _clips(60, 9, augmented=False)
    batch = collate([clips.example(0, i) for i in range(60)])
    true = torch.tensor(labels)
    for kept in (("audio", "video"), ("audio",), ("video",)):
        tokens = {m: batch.tokens[m] for m in kept}
        accuracy = (logits_of(fusion, tokens).argmax(1) == true).float().mean()
        assert accuracy > 0.8, (kept, accuracy)


def test_what_clips_are_summarised_by_has_one_scale() -> None:
    """Clips differ little in a column's deviation: left as it is, nothing would be learnt of it."""
    variants = _clips(80, 0, augmented=False)[2]["audio"]
    found = column_statistics(variants)
    every = np.concatenate([own[0] for own in variants])
    np.testing.assert_allclose(found.mean, every.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.deviation, every.std(0), rtol=1e-4)
    branch = Branch(
        "audio", FusionConfig(labels=2, inputs={"audio": 6}, width=16, attention_heads=2)
    )
    branch.standardise.fit(found.mean, found.deviation)
    branch.standardise_statistics.fit(found.clip_mean, found.clip_deviation)
    rows = []
    for own in variants:
        tokens = torch.from_numpy(own[0])[None]
        mask = torch.ones(1, len(own[0]))
        clean = clip_statistics(branch.standardise(tokens, mask), mask)
        rows.append(branch.standardise_statistics(clean, torch.ones(1)))
    summaries = torch.cat(rows)
    torch.testing.assert_close(summaries.mean(0), torch.zeros(12), atol=1e-3, rtol=0)
    torch.testing.assert_close(summaries.std(0, correction=0), torch.ones(12), atol=1e-2, rtol=0)


def test_the_same_seed_gives_the_same_weights_and_logs_are_written(tmp_path: Path) -> None:
    first, second = _train(tmp_path / "a"), _train(None)
    assert torch.equal(_weights(first), _weights(second))
    logged = next((tmp_path / "a").rglob("metrics.csv")).read_text()
    assert "validation_recall" in logged
    assert list((tmp_path / "a").rglob("events.out.tfevents*"))


_RUN = """
import sys, time
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
import test_fit
import edge_ser.export.training.fusion_task as fusion_task
whole = fusion_task.FusionTask.training_step
def slow(self, batch, batch_idx):
    (Path({folder!r}) / f"epoch-{{self.current_epoch}}").touch()
    time.sleep(0.1)
    return whole(self, batch, batch_idx)
fusion_task.FusionTask.training_step = slow
torch.set_num_threads({threads})
test_fit._train(Path({folder!r}), epochs=6)
"""


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    straight = _train(None, epochs=6)
    folder = tmp_path / "killed"
    folder.mkdir()
    # The process that is killed computes with other threads than the one that goes on.
    other = 3 if torch.get_num_threads() == 1 else 1
    code = _RUN.format(tests=str(Path(__file__).parent), folder=str(folder), threads=other)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    deadline = time.monotonic() + 240
    while not (folder / "epoch-3").exists() and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    state = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
    assert 2 <= state["epoch"] <= 3, "more than one epoch was lost"
    resumed = _train(folder, epochs=6)
    assert torch.equal(_weights(resumed), _weights(straight))


def test_the_callers_number_of_threads_changes_nothing_and_comes_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = _train(None, epochs=2)
        torch.set_num_threads(2)
        second = _train(None, epochs=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(_weights(first), _weights(second))


@pytest.mark.timeout(600)
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "import torch, test_fit\n"
        "fusion = test_fit._train(Path(sys.argv[1]), epochs=2, trainer="
        "{'strategy': 'ddp', 'devices': 2})\n"
        "import os\n"
        "rank = os.environ.get('LOCAL_RANK', '0')\n"
        "torch.save(fusion.state_dict(), Path(sys.argv[1]) / f'weights-{rank}.pt')\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    subprocess.run(
        [sys.executable, str(script), str(tmp_path)], check=True, timeout=500, cwd=tmp_path
    )
    both = [torch.load(tmp_path / f"weights-{r}.pt", weights_only=True) for r in (0, 1)]
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


def test_averaged_predictions_are_mean_probabilities() -> None:
    logits = [torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    mean = torch.stack([x.softmax(1) for x in logits]).mean(0)
    assert torch.allclose(average_predictions(logits).softmax(1), mean)


@pytest.mark.parametrize("logs_alone", [False, True])
def test_a_disk_that_is_full_while_it_trains_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logs_alone: bool,
) -> None:
    from fixtures.refusing_places import full  # a process of a test here imports this file alone

    if logs_alone:
        monkeypatch.setattr(whole_checkpoints, "write_atomically", lambda *_, **__: None)
    with full(tmp_path), pytest.raises(ConfigError, match="make room on that disk"):
        _train(tmp_path / "run", epochs=1, count=16)
    assert capsys.readouterr().err == ""
