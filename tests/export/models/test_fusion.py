from __future__ import annotations

from itertools import combinations, product

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from edge_ser.constants import MODALITIES, Modality
from edge_ser.export.models.config import FusionConfig, FusionKind, HeadKind
from edge_ser.export.models.fusion import Fusion, HybridFusion, make_fusion
from edge_ser.export.models.speech_head import SpeechHead

WIDTHS: dict[Modality, int] = {"audio": 14, "text": 6, "video": 5}
COUNTS: dict[Modality, int] = {"audio": 12, "text": 3, "video": 4}
KINDS: tuple[FusionKind, ...] = ("early", "late", "hybrid")
HEADS: tuple[HeadKind, ...] = ("cnn-rnn", "transformer")
SUBSETS = [c for n in (1, 2, 3) for c in combinations(MODALITIES, n)]


def _fusion(kind: FusionKind, head: HeadKind) -> Fusion:
    torch.manual_seed(0)
    config = FusionConfig(
        kind=kind,
        head=head,
        labels=7,
        inputs=WIDTHS,
        prosody=12,
        width=16,
        attention_heads=2,
        loudness_statistics=kind == "hybrid",
    )
    return make_fusion(config).eval()


def _inputs(present: tuple[Modality, ...], batch: int = 2, seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for modality in MODALITIES:
        there = float(modality in present)
        shape = (batch, COUNTS[modality], WIDTHS[modality])
        tensors[f"{modality}_tokens"] = torch.randn(shape, generator=generator) * there
        tensors[f"{modality}_mask"] = torch.full(shape[:2], there)
    return tensors


@pytest.mark.parametrize(("kind", "head"), list(product(KINDS, HEADS)))
def test_every_subset_gives_finite_logits_that_absent_tokens_cannot_change(
    kind: FusionKind, head: HeadKind
) -> None:
    fusion = _fusion(kind, head)
    for present in SUBSETS:
        inputs = _inputs(present)
        logits = fusion(*inputs.values())
        assert logits.shape == (2, 7)
        assert torch.isfinite(logits).all()
        disturbed = {
            name: torch.full_like(x, 50.0)
            if name.endswith("tokens") and name.split("_")[0] not in present
            else x
            for name, x in inputs.items()
        }
        assert torch.equal(fusion(*disturbed.values()), logits)


@pytest.mark.parametrize(("kind", "head"), list(product(KINDS, HEADS)))
def test_every_modality_that_is_present_is_heard(kind: FusionKind, head: HeadKind) -> None:
    fusion = _fusion(kind, head)
    inputs = _inputs(MODALITIES)
    logits = fusion(*inputs.values())
    for modality in MODALITIES:
        changed = dict(inputs)
        changed[f"{modality}_tokens"] = inputs[f"{modality}_tokens"].flip(0)
        assert (fusion(*changed.values()) - logits).abs().max() > 1e-4


@pytest.mark.parametrize(("kind", "head"), list(product(KINDS, HEADS)))
def test_rows_of_a_batch_do_not_see_each_other(kind: FusionKind, head: HeadKind) -> None:
    fusion = _fusion(kind, head)
    inputs = _inputs(MODALITIES, batch=3)
    inputs["text_mask"][1] = 0
    together = fusion(*inputs.values())
    for row in range(3):
        alone = fusion(*(x[row : row + 1] for x in inputs.values()))
        assert torch.allclose(alone[0], together[row], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: FusionKind) -> None:
    fusion = _fusion(kind, "transformer")
    inputs = _inputs(MODALITIES, batch=1)
    logits = fusion(*inputs.values())
    padded = dict(inputs)
    for modality in MODALITIES:
        tokens, mask = inputs[f"{modality}_tokens"], inputs[f"{modality}_mask"]
        extra = torch.full((1, 6, tokens.shape[2]), 3.0)
        padded[f"{modality}_tokens"] = torch.cat([tokens, extra], 1)
        padded[f"{modality}_mask"] = torch.cat([mask, torch.zeros(1, 6)], 1)
    assert torch.allclose(fusion(*padded.values()), logits, atol=1e-5)


def test_no_modality_at_all_is_finite() -> None:
    for kind, head in product(KINDS, HEADS):
        assert torch.isfinite(_fusion(kind, head)(*_inputs(()).values())).all()


def test_a_fusion_of_two_modalities_ignores_the_third() -> None:
    config = FusionConfig(labels=3, inputs={"audio": 14, "video": 5}, width=16, attention_heads=2)
    fusion = make_fusion(config).eval()
    inputs = _inputs(MODALITIES)
    logits = fusion(*inputs.values())
    inputs["text_tokens"] = inputs["text_tokens"] + 1
    assert torch.equal(fusion(*inputs.values()), logits)


def _undropped(**changes: object) -> Fusion:
    """A hybrid fusion in training that draws nothing but what `changes` say."""
    torch.manual_seed(0)
    sizes = {"labels": 7, "inputs": WIDTHS, "prosody": 12, "width": 16, "attention_heads": 2}
    fields = {**sizes, "dropout": 0.0, "input_dropout": 0.0, **changes}
    return make_fusion(FusionConfig.model_validate(fields)).train()


def _sum_of_experts(fusion: Fusion, inputs: dict[str, Tensor]) -> Tensor:
    assert isinstance(fusion, HybridFusion)
    tokens = {m: (inputs[f"{m}_tokens"], inputs[f"{m}_mask"]) for m in fusion.modalities}
    alone = fusion.fuse(tokens).alone
    return torch.stack([fusion.scale[i] * x for i, x in enumerate(alone.values())]).sum(0)


def test_some_examples_are_decided_by_the_experts_alone_while_training() -> None:
    fusion, inputs = _undropped(joint_dropout=0.4), _inputs(MODALITIES, batch=400)
    experts = _sum_of_experts(fusion, inputs)
    left = (fusion(*inputs.values()) - experts).abs().amax(1) < 1e-6
    assert 0.3 < left.float().mean() < 0.5
    whole = fusion.eval()(*inputs.values())
    assert ((whole - experts).abs().amax(1) > 1e-4).all()


def test_nothing_is_dropped_of_a_fusion_of_one_modality() -> None:
    fusion = _undropped(inputs={"audio": 14}, joint_dropout=0.9)
    inputs = _inputs(("audio",), batch=50)
    experts = _sum_of_experts(fusion, inputs)
    assert ((fusion(*inputs.values()) - experts).abs().amax(1) > 1e-5).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inputs": {}}, "at least one"),
        ({"width": 18}, "multiple"),
        ({"stride": 3}, "power of two"),
        ({"prosody": 15}, "prosody"),
        ({"wide": 3}, "wide"),
        ({"joint_dropout": 1.0}, "joint_dropout"),
    ],
)
def test_wrong_sizes_are_refused(wrong: dict[str, object], message: str) -> None:
    fields = {"labels": 7, "inputs": WIDTHS, "width": 16, **wrong}
    with pytest.raises(ValidationError, match=message):
        FusionConfig.model_validate(fields)


def _with_speech_head(joint_of_several: bool = True) -> HybridFusion:
    torch.manual_seed(3)
    config = FusionConfig(
        labels=7,
        inputs=WIDTHS,
        prosody=12,
        width=16,
        attention_heads=2,
        speech_head=2,
        joint_of_several=joint_of_several,
    )
    fusion = make_fusion(config).eval()
    assert isinstance(fusion, HybridFusion)
    return fusion


def test_sound_alone_is_answered_by_the_finished_head_to_the_last_digit() -> None:
    fusion = _with_speech_head()
    inputs = _inputs(("audio",))
    assert fusion.speech_head is not None
    heard = fusion.speech_head(inputs["audio_tokens"][..., :2], inputs["audio_mask"])
    assert torch.equal(fusion(*inputs.values()), heard)
    prosody = dict(inputs, audio_tokens=inputs["audio_tokens"].clone())
    prosody["audio_tokens"][..., 2:] += 1.0
    assert torch.equal(fusion(*prosody.values()), heard)


def test_the_attention_answers_only_where_several_modalities_are_there() -> None:
    with_joint, without = _with_speech_head(False), _with_speech_head(True)
    for present in SUBSETS:
        inputs = _inputs(present).values()
        same = torch.equal(with_joint(*inputs), without(*inputs))
        assert same == (len(present) > 1), present


def test_a_finished_head_is_not_trained_and_adds_nothing_where_nobody_is_heard() -> None:
    fusion = _with_speech_head()
    assert fusion.speech_head is not None
    fusion(*_inputs(MODALITIES).values()).sum().backward()
    assert all(p.grad is None for p in fusion.speech_head.parameters())
    inputs = _inputs(("text", "video"))
    before = fusion(*inputs.values())
    with torch.no_grad():
        fusion.speech_head.classify.bias.add_(10.0)
    assert torch.equal(fusion(*inputs.values()), before)


def test_a_calibrated_head_gives_scaled_logits_with_the_bias() -> None:
    head = SpeechHead(4, 3)
    tokens, mask = torch.randn(2, 5, 4), torch.ones(2, 5)
    expected = head(tokens, mask).detach() / 1.7 + torch.tensor([0.0, 0.4, 0.0])
    head.calibrate(1.7, 1, 0.4)
    torch.testing.assert_close(head(tokens, mask), expected)


@pytest.mark.parametrize("wrong", [{"kind": "late"}, {"speech_head": 3}])
def test_a_head_that_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    sizes: dict[str, object] = {"labels": 7, "inputs": WIDTHS, "prosody": 12, "speech_head": 2}
    with pytest.raises(ValidationError, match="speech_head"):
        FusionConfig.model_validate({**sizes, **wrong})
