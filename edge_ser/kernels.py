"""The compiled kernels: of sound, of words, of pictures.

* `LogMel`, `Mfcc`, `LogEnergy`: frames of a sound; `Pitch`: f0, voicing, harmonicity.
* `Resampler`: any rational change of the sample rate.
* `Aligner`: feature rows on the grid of a window, whatever their source's clock did.
* `whisper_normalize`: one window of log-mel frames.
* `WordPiece`: the tokenizer of BERT's models.
* `luminance`, `square_view`, `crop_face`: how bright a picture is, what a face detector
  sees of it, an upright face; pictures are uint8 ``[height, width, 3]``, RGB.

Every streaming class has the same methods: ``accept(samples)`` and ``finish()`` return the frames
that became complete, float32 ``[n, dim]``; ``reset()`` starts over; ``compute(samples)`` does a
whole clip at once without touching the stream. Frames do not depend on how a stream is cut into
chunks: they are equal to the last bit.

Samples are one-dimensional numpy arrays: float32 (read in place), float64 (rounded to float32) or
int16 (divided by 32768); anything else is a TypeError. NaN or infinity is a ValueError that names
the sample and leaves the stream as it was. The GIL is released while a kernel works; one stream
belongs to one thread at a time (a second one gets a RuntimeError), `compute` may run in many.

Options are immutable, validated, comparable, hashable and picklable; ``as_dict()`` and
``from_dict()`` are made for JSON, ``replace(...)`` gives a changed copy.
"""

from __future__ import annotations

from edge_ser._kernels import (
    Aligner,
    AlignerOptions,
    LogEnergy,
    LogEnergyOptions,
    LogMel,
    MelOptions,
    Mfcc,
    MfccOptions,
    Pitch,
    PitchOptions,
    Resampler,
    ResamplerOptions,
    WordPiece,
    crop_face,
    luminance,
    simd_levels,
    square_view,
    whisper_normalize,
)

__all__ = [
    "Aligner",
    "AlignerOptions",
    "LogEnergy",
    "LogEnergyOptions",
    "LogMel",
    "MelOptions",
    "Mfcc",
    "MfccOptions",
    "Pitch",
    "PitchOptions",
    "Resampler",
    "ResamplerOptions",
    "WordPiece",
    "crop_face",
    "luminance",
    "simd_levels",
    "square_view",
    "whisper_normalize",
]
