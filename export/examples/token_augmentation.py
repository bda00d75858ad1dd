"""What may happen to encoded tokens while training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenAugmentation(_Strict):
    """What happens to cached tokens while training; one set of ranges for every modality."""

    crop_share: float = Field(default=0.0, ge=0, le=1)
    """Share of examples whose sound is cut to a random piece."""
    crop: tuple[float, float] = (0.5, 1.0)
    """Length of the piece as a share of the clip."""
    time_masks: int = Field(default=0, ge=0)
    """Spans of sound that are hidden (SpecAugment's time masking)."""
    time_mask_share: float = Field(default=0.1, ge=0, lt=1)
    """Longest span as a share of the clip."""
    noise: float = Field(default=0.0, ge=0)
    """Deviation of noise that is added to standardised tokens."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the words' tokens that are hidden."""
    mixup: float = Field(default=0.0, ge=0)
    """Alpha of the beta distribution of mixup over examples of one modality; 0 for none."""
    pairing: float = Field(default=0.0, ge=0, le=1)
    """Share of clips beside whose first modality stand the others of other clips with their label:
    what modalities have in common beyond the label, a person for instance, is no help."""
