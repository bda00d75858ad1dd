"""A bundle as one backend runs it in one precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_ser.bundles.loading import Bundle
from edge_ser.errors import ConfigError, MissingExtraError

PRECISIONS: Final = ("bundle", "fp32", "fp16", "int8", "int8-fp16")
"""``bundle`` leaves the graphs as they are."""


@dataclass(frozen=True)
class Variant:
    """A backend with a precision.

    Attributes:
        backend: as `open_session` takes it.
        precision: one of `PRECISIONS`.
    """

    backend: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"


def check_precision(precision: str) -> None:
    """Raise `ConfigError`, which lists the known ones, unless `precision` is one of them."""
    if precision not in PRECISIONS:
        raise ConfigError(
            f"there is no precision {precision!r}; they are {', '.join(PRECISIONS[:-1])} "
            f"and {PRECISIONS[-1]}"
        )


def bundle_of(
    bundle: Bundle, variant: Variant, folder: Path, calibration: Path | None = None
) -> tuple[Bundle, tuple[str, ...]]:
    """The bundle in the precision and form that a variant wants.

    Args:
        bundle: a verified bundle.
        variant: which backend and precision.
        folder: where a bundle is written if it differs from the given one.
        calibration: clips for int8, where the bundle carries no ranges.

    Returns:
        the bundle, and its graphs whose error is over the tolerance of the precision.

    Raises:
        ConfigError: the precision is unknown, int8 has nothing to calibrate with, or the folder
            cannot be written.
        MissingExtraError: the precision must be written, and the extra ``train`` is missing.
        EngineError: a precision pass fails.
    """
    check_precision(variant.precision)
    if variant.precision == "bundle":
        return bundle, ()
    try:
        # onnx is needed only where a precision must be written.
        from edge_ser.export.bundles.derived import write_derived
        from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle
    except ModuleNotFoundError as error:
        what = f"writing {variant.precision} into the graphs of a bundle"
        raise MissingExtraError(what, "engines") from error
    parts = set(variant.precision.split("-"))
    options = PrecisionOptions(
        target="tensorrt" if variant.backend.startswith("tensorrt") else "onnxruntime",
        fp16="fp16" in parts,
        int8="int8" in parts,
        calibration=calibration if "int8" in parts else None,
        force=True,
    )
    typed = typed_bundle(bundle, options)
    derived = write_derived(bundle, folder, typed.new_graphs(), typed.report(options))
    return derived, typed.forced
