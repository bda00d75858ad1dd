"""From a bundle and a few recordings of a site to the site's calibration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import SubsetCalibration
from edge_ser.bundles.site import SiteCalibration
from edge_ser.calibration.fitting.calibrate import composed
from edge_ser.calibration.site.fitting import FEWEST_CLIPS, fit_labelled, fit_neutral_share
from edge_ser.constants import MODALITIES
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.data.spans import cut_to_windows
from edge_ser.export.progress import Progress, silent
from edge_ser.export.scoring.result import DataDescription
from edge_ser.export.trials.data import EvaluationData, open_evaluation_data
from edge_ser.export.trials.logits import ItemReader, SubsetLogits, measure_subsets
from edge_ser.export.trials.part_store import PartStore
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.variant import Variant
from edge_ser.media.folders import MEDIA_SUFFIXES
from edge_ser.pipeline.fusion import calibrated
from edge_ser.recognizer import DEFAULT_WINDOW


@dataclass(frozen=True)
class SiteFit:
    """What was fitted for one subset of modalities.

    Attributes:
        subset: its name.
        clips: labelled clips, or windows of unlabelled recordings.
        before: mean probability of each label under the bundle's calibration.
        after: the same under the site's.
    """

    subset: str
    clips: int
    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True)
class Site:
    """A site's calibration, and what is known of it."""

    calibration: SiteCalibration
    fits: tuple[SiteFit, ...]
    kept: Mapping[str, int]
    """Subsets that stay as they are, with how many clips of them there were."""


def calibrate_site(
    bundle: Bundle,
    data: Path,
    *,
    unlabelled: bool = False,
    neutral_share: float | None = None,
    accept_leak: bool = False,
    speech_gate: bool = True,
    progress: Progress | None = None,
) -> Site:
    """Fit a site's calibration to recordings of it.

    Args:
        bundle: a verified bundle.
        data: labelled clips (see `open_evaluation_data`), about 20; or, `unlabelled`, a recording
            or a folder of recordings, about five minutes of speech.
        unlabelled: whether nothing is known of the single recordings.
        neutral_share: share of what is said there without emotion, where somebody knows it; for
            unlabelled recordings.
        accept_leak: whether to take people of the training too.
        speech_gate: whether sound in which nobody speaks counts as absent, as it does live.
        progress: told of every step.

    Raises:
        ConfigError: if there are too few clips, or what is asked for does not go together.
        MediaError, EngineError: if the recordings cannot be read, or a graph cannot be run.
    """
    if neutral_share is not None and not unlabelled:
        raise ConfigError("a neutral share is for unlabelled recordings: labelled clips tell it")
    if neutral_share is not None and not 0 < neutral_share < 1:
        raise ConfigError(f"the neutral share must lie between 0 and 1, not {neutral_share}")
    labels = bundle.manifest.labels
    if unlabelled and "neutral" not in labels:
        raise ConfigError("unlabelled recordings need a bundle that knows the label neutral")
    opened = (
        _recordings(bundle, data, speech_gate=speech_gate)
        if unlabelled
        else open_evaluation_data(
            bundle,
            data,
            limit=None,
            accept_leak=accept_leak,
            purpose="calibration",
            speech_gate=speech_gate,
        )
    )
    reader = ItemReader(opened, WindowReader(bundle, opened))
    with VariantSessions(bundle, Variant("onnxruntime", "bundle")) as sessions:
        measured = measure_subsets(opened, sessions, reader, PartStore(None), progress or silent)
    new: dict[str, SubsetCalibration] = {}
    fits: list[SiteFit] = []
    kept: dict[str, int] = {}
    for subset, found in measured.subsets.items():
        if len(found.true) < FEWEST_CLIPS:
            kept[subset] = len(found.true)
            continue
        old = bundle.manifest.calibration[subset]
        known = np.log(np.maximum(calibrated(found.logits, old), 1e-12))
        if unlabelled:
            fitted = fit_neutral_share(known, labels.index("neutral"), neutral_share)
        else:
            fitted = fit_labelled(known, found.true, found.people)
        moved = composed(old, fitted)
        # Thresholds and stated risks stay: they are confidences, and those now mean more here.
        new[subset] = old.model_copy(update={"temperature": moved.temperature, "bias": moved.bias})
        fits.append(_told(subset, found, old, new[subset], labels))
    if not fits:
        most = max(kept.values(), default=0)
        raise ConfigError(
            f"{data} is too little to calibrate a site on: {most} clips or windows with speech or "
            f"a face, and {FEWEST_CLIPS} are needed; record more"
        )
    basis = f"{max(fit.clips for fit in fits)} " + (
        f"windows of unlabelled recordings, {_stated(neutral_share)}"
        if unlabelled
        else "labelled clips"
    )
    calibration = SiteCalibration(bundle_sha256=bundle.digest, basis=basis, subsets=new)
    return Site(calibration, tuple(fits), kept)


def _stated(share: float | None) -> str:
    return "nobody said how much is neutral" if share is None else f"{share:.0%} said to be neutral"


def _told(
    subset: str,
    found: SubsetLogits,
    old: SubsetCalibration,
    new: SubsetCalibration,
    labels: tuple[str, ...],
) -> SiteFit:
    before, after = (calibrated(found.logits, own).mean(0) for own in (old, new))
    return SiteFit(
        subset,
        len(found.true),
        dict(zip(labels, map(float, before), strict=True)),
        dict(zip(labels, map(float, after), strict=True)),
    )


def _recordings(bundle: Bundle, path: Path, *, speech_gate: bool) -> EvaluationData:
    """Unlabelled recordings, cut as a timeline would be; every piece has the same idle label."""
    labels = bundle.manifest.labels
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    whole = [
        Item(file.name if file == path else str(file.relative_to(path)), "audio", labels[:1], file)
        for file in files
        if file.is_file() and file.suffix.lower() in MEDIA_SUFFIXES
    ]
    items, problems = cut_to_windows(whole, DEFAULT_WINDOW)
    if not items:
        reason = problems[0].reason if problems else "there is no recording in it"
        raise ConfigError(f"{path} cannot calibrate a site: {reason}")
    description = DataDescription(
        name=path.name,
        pairing="paired",
        protocol="unlabelled recordings of the site",
        clips={m: len(items) for m in MODALITIES},
        people={},
        left_out=tuple(f"{p.name}: {p.reason}" for p in problems),
        leak_warning="",
        seed=0,
    )
    protocols = dict.fromkeys(MODALITIES, description.protocol)
    return EvaluationData(
        description, labels, items, (MODALITIES,) * len(items), protocols, 0, True, speech_gate
    )
