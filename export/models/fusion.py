"""The three fusions over the tokens of the modalities: early, late and hybrid.

All take the same tensors and give logits, so that a bundle can hold any of them. A modality that is
absent has mask 0; every non-empty subset of the modalities gives a finite answer, and what the
tokens of an absent modality hold has no influence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edge_ser.constants import MODALITIES, Modality
from edge_ser.export.models.branches import Branch, Branched
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.heads import AttentionLayer, make_head
from edge_ser.export.models.masking import present
from edge_ser.export.models.speech_head import SpeechHead

Tokens = Mapping[Modality, tuple[Tensor, Tensor]]
"""For each modality its tokens [batch, tokens, columns] and mask [batch, tokens]."""


class FusionOutput(NamedTuple):
    """Logits of the fusion, and of each modality alone where the model has such heads."""

    logits: Tensor
    """float [batch, labels]."""
    alone: dict[Modality, Tensor]
    """float [batch, labels] each; meaningless in rows where the modality is absent."""


class Fusion(nn.Module):
    """Base: branches a modality, and the flat signature that the exported graph has."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.modalities = tuple(m for m in MODALITIES if m in config.inputs)
        self.branches = nn.ModuleDict({m: Branch(m, config) for m in self.modalities})
        self.kind_of_token = nn.Parameter(torch.randn(len(self.modalities), config.width) * 0.02)

    def branch(self, tokens: Tokens) -> dict[Modality, Branched]:
        """Run every branch; tokens are told apart by a learned vector a modality."""
        branched: dict[Modality, Branched] = {}
        for index, modality in enumerate(self.modalities):
            own: Branched = self.branches[modality](*tokens[modality])
            marked = (own.tokens + self.kind_of_token[index]) * own.mask.unsqueeze(-1)
            branched[modality] = own._replace(tokens=marked)
        return branched

    def fuse(self, tokens: Tokens) -> FusionOutput:
        """Logits of a batch."""
        return self.decide(self.branch(tokens))

    def decide(self, branched: dict[Modality, Branched]) -> FusionOutput:
        """From the branches to the logits: what the three fusions differ in."""
        raise TypeError(f"{type(self).__name__} cannot decide from {list(branched)}: make_fusion()")

    def forward(
        self,
        audio_tokens: Tensor,
        audio_mask: Tensor,
        text_tokens: Tensor,
        text_mask: Tensor,
        video_tokens: Tensor,
        video_mask: Tensor,
    ) -> Tensor:
        """The signature of a bundle's fusion graph: tokens and masks in, logits [batch, labels]."""
        given: dict[Modality, tuple[Tensor, Tensor]] = {
            "audio": (audio_tokens, audio_mask),
            "text": (text_tokens, text_mask),
            "video": (video_tokens, video_mask),
        }
        return self.fuse({m: given[m] for m in self.modalities}).logits


class EarlyFusion(Fusion):
    """All tokens in one sequence, one head: the features meet before anything is decided."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.head = make_head(
            config.head, config.width, config.attention_heads, config.layers, config.dropout
        )
        self.classify = nn.Linear(config.width, config.labels)

    def decide(self, branched: dict[Modality, Branched]) -> FusionOutput:
        """One head over the concatenation of summaries and tokens."""
        tokens, mask = together(branched)
        return FusionOutput(self.classify(self.head(tokens, mask)), {})


class Experts(nn.Module):
    """A decision a modality, from its summary and, with `heads`, its tokens."""

    def __init__(
        self, config: FusionConfig, modalities: tuple[Modality, ...], *, heads: bool = True
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.heads = nn.ModuleDict(
            {
                m: make_head(
                    config.head, config.width, config.attention_heads, config.layers, config.dropout
                )
                for m in (modalities if heads else ())
            }
        )
        seen = config.width * (2 if heads else 1)
        self.classify = nn.ModuleDict({m: nn.Linear(seen, config.labels) for m in modalities})

    def forward(self, modality: Modality, own: Branched) -> Tensor:
        """Logits of one modality alone, float [batch, labels]."""
        seen = own.summary
        if modality in self.heads:
            seen = torch.cat([self.heads[modality](own.tokens, own.mask), seen], dim=1)
        logits: Tensor = self.classify[modality](seen)
        return logits


class LateFusion(Fusion):
    """An expert a modality; their log-probabilities are averaged with learned weights."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.experts = Experts(config, self.modalities)
        self.weight = nn.Parameter(torch.zeros(len(self.modalities)))

    def decide(self, branched: dict[Modality, Branched]) -> FusionOutput:
        """Weighted sum of the log-probabilities of the modalities that are present."""
        alone: dict[Modality, Tensor] = {}
        terms = []
        for index, modality in enumerate(self.modalities):
            own = branched[modality]
            alone[modality] = self.experts(modality, own)
            weight = nn.functional.softplus(self.weight[index] + 0.5413)
            terms.append(torch.log_softmax(alone[modality], 1) * present(own.mask) * weight)
        return FusionOutput(torch.stack(terms).sum(0), alone)


class HybridFusion(Fusion):
    """Cross-modal attention over the modalities' tokens, beside one expert a modality.

    The tokens of each modality look at those of all others; a head reads the mixed sequence. Its
    logits are added to those of the modalities' own experts, as independent evidence adds up in
    log-odds: the attention learns what the sum of the experts gets wrong. While training, some
    examples are decided without it (stochastic depth, Huang et al., 2016), so that the experts do
    not lean on it.

    With `speech_head` the audio's expert is a finished head over the speech encoder's columns: it
    was trained on far more people than a fusion sees, is not trained here, and counts as it is.
    With `joint_of_several` the attention answers only where several modalities are present, so that
    what is known of an expert alone holds for the bundle.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.cross = nn.ModuleList(
            AttentionLayer(config.width, config.attention_heads, config.dropout)
            for _ in range(config.layers)
        )
        self.head = make_head(
            config.head, config.width, config.attention_heads, config.layers, config.dropout
        )
        self.joint = nn.Linear(config.width * (1 + len(self.modalities)), config.labels)
        # Of a single modality the joint head reads all tokens there are.
        self.several = len(self.modalities) > 1
        trained = tuple(m for m in self.modalities if m != "audio" or not config.speech_head)
        self.experts = Experts(config, trained, heads=self.several)
        self.scale = nn.Parameter(torch.ones(len(trained)))
        self.speech_head: SpeechHead | None = None
        if config.speech_head:
            self.speech_head = SpeechHead(config.speech_head, config.labels)
            self.speech_head.requires_grad_(requires_grad=False)

    def fuse(self, tokens: Tokens) -> FusionOutput:
        """Logits of a batch."""
        output = super().fuse(tokens)
        if self.speech_head is None:
            return output
        audio, mask = tokens["audio"]
        heard = self.speech_head(audio[..., : self.config.speech_head], mask)
        return FusionOutput(output.logits + heard * present(mask), {**output.alone, "audio": heard})

    def decide(self, branched: dict[Modality, Branched]) -> FusionOutput:
        """Joint logits plus the scaled logits of every trained expert whose modality is present."""
        tokens, mask = together(branched)
        for layer in self.cross:
            tokens = layer(tokens, tokens, mask) * mask.unsqueeze(-1)
        summaries = [branched[m].summary for m in self.modalities]
        logits = self.joint(torch.cat([self.head(tokens, mask), *summaries], dim=1))
        if self.training and self.several and self.config.joint_dropout:
            kept = torch.rand(len(logits), 1, device=logits.device) >= self.config.joint_dropout
            logits = logits * kept
        if self.config.joint_of_several:
            there = torch.cat([present(branched[m].mask) for m in self.modalities], dim=1).sum(1)
            logits = logits * (there > 1).to(logits.dtype).unsqueeze(1)
        alone: dict[Modality, Tensor] = {}
        for index, modality in enumerate(self.experts.modalities):
            own = branched[modality]
            alone[modality] = self.experts(modality, own)
            logits = logits + self.scale[index] * alone[modality] * present(own.mask)
        return FusionOutput(logits, alone)


def together(branched: Mapping[Modality, Branched]) -> tuple[Tensor, Tensor]:
    """All summaries and tokens as one sequence: [batch, all, width] and mask [batch, all]."""
    tokens = [part for b in branched.values() for part in (b.summary.unsqueeze(1), b.tokens)]
    masks = [part for b in branched.values() for part in (present(b.mask), b.mask)]
    return torch.cat(tokens, dim=1), torch.cat(masks, dim=1)


def make_fusion(config: FusionConfig) -> Fusion:
    """The fusion that a configuration names."""
    kinds = {"early": EarlyFusion, "late": LateFusion, "hybrid": HybridFusion}
    return kinds[config.kind](config)
