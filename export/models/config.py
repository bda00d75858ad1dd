"""All sizes of a fusion model, in one place."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_ser.constants import Modality

FusionKind = Literal["early", "late", "hybrid"]
HeadKind = Literal["cnn-rnn", "transformer"]


class FusionConfig(BaseModel):
    """Sizes of a fusion and of the branches that lead to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FusionKind = "hybrid"
    head: HeadKind = "transformer"
    labels: int = Field(ge=2)
    inputs: dict[Modality, int]
    """Width of the tokens of each modality that the model knows."""
    prosody: int = Field(default=0, ge=0)
    """How many of the last audio columns are prosody: they go through the CNN-RNN of their own."""
    width: int = Field(default=96, ge=8)
    """Width of all tokens inside the model."""
    attention_heads: int = Field(default=4, ge=1)
    layers: int = Field(default=1, ge=1)
    """Depth of the cross-modal attention and of a transformer head."""
    stride: int = Field(default=2, ge=1)
    """How many audio tokens become one inside the model; a power of two."""
    input_dropout: float = Field(default=0.1, ge=0, lt=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    joint_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of training examples that a hybrid fusion of several modalities decides by the sum of
    their experts, without its attention: each part has to be right without the other."""
    joint_of_several: bool = False
    """Whether the attention of a hybrid fusion answers only where several modalities are there."""
    speech_head: int = Field(default=0, ge=0)
    """How many of the first audio columns a finished `SpeechHead` reads, which is then the expert
    of a hybrid fusion's sound; 0 trains one."""
    statistics: bool = True
    """Whether mean and deviation of the raw tokens reach the branch's summary directly."""
    loudness_statistics: bool = False
    """Whether those of sound do so a second time, weighted by amplitude: what lies around an
    utterance is not its emotion. Needs `statistics` and prosody, which holds the energy."""

    @model_validator(mode="after")
    def _fits(self) -> FusionConfig:
        if not self.inputs:
            raise ValueError("a fusion needs at least one modality")
        if self.width % (2 * self.attention_heads):
            raise ValueError("the width must be a multiple of twice the attention heads")
        if self.stride & (self.stride - 1):
            raise ValueError("the stride must be a power of two")
        if self.prosody and self.prosody > self.inputs.get("audio", 0):
            raise ValueError("there are more prosody columns than audio columns")
        if self.speech_head and self.kind != "hybrid":
            raise ValueError("only a hybrid fusion takes a finished speech_head")
        if self.speech_head > self.inputs.get("audio", 0) - self.prosody:
            raise ValueError("a speech_head reads audio columns before the prosody")
        if self.loudness_statistics and not (self.statistics and self.prosody):
            raise ValueError("loudness_statistics needs statistics, and sound with prosody")
        return self

    def loudness_column(self, modality: Modality) -> int | None:
        """Column of log energy where statistics of a modality are weighted by it, else None.

        Prosody is MFCC and four more columns, of which energy is the first, then differences.
        """
        if modality != "audio" or not self.loudness_statistics:
            return None
        return self.inputs["audio"] - self.prosody + self.prosody // 3 - 4
