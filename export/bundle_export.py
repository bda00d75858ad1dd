"""A checkpoint of a training run to a bundle that the runtime loads.

The encoders are those that the run's tokens came from. Encoders of modalities that the run did not
use come from a base bundle: every bundle has all graphs. What they answer has no influence, and
where nothing else is present the bundle abstains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import (
    SUBSETS,
    FrontendConfig,
    GraphName,
    Score,
    SubsetCalibration,
    Training,
)
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.bundles.writer import (
    BundleContent,
    GraphFile,
    require_replaceable,
    write_bundle,
)
from edge_ser.export.data.splits import PARTS
from edge_ser.export.encoders.speech import (
    SPEECH_LICENCE,
    SPEECH_ORIGIN,
    SpeechEncoder,
    SpeechEncoderConfig,
    load_speech_encoder,
)
from edge_ser.export.encoders.text import PooledTextEncoder, load_text_encoder
from edge_ser.export.evaluation.tables import RunScores, scores
from edge_ser.export.evaluation.trained import HeldOut, held_out_part, require_speech
from edge_ser.export.graphs.bundle_graphs import (
    AveragedFusion,
    ProsodyTokens,
    export_acoustic,
    export_face,
    export_fusion,
    export_text,
)
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.scoring.temperature import fit_calibration
from edge_ser.export.training.checkpoint import TrainedFusion, read_trained
from edge_ser.export.training.config import ManifestData, RavdessData
from edge_ser.export.training.predictions import RunResult
from edge_ser.export.training.speech.tuned import SPEECH_WEIGHTS, read_speech
from edge_ser.export.training.tokens.of_run import face_module, sources_of
from edge_ser.files import temporary_folder
from edge_ser.frontends.audio import default_audio_config

INTENDED_USE: Final = (
    "Research and prototypes on the kind of recordings that it was trained on, with people who "
    "know of it and agreed. It reads outward expression, not what a person feels."
)
NOT_FOR: Final = (
    "Emotion recognition at work and in education is prohibited in the European Union (AI Act, "
    "Article 5(1)(f)), with narrow medical and safety exceptions; elsewhere in the EU it must be "
    "announced (Article 50(3)). Not for decisions about people, not for diagnosis, lie detection, "
    "covert use, and not on children."
)
FEWEST_TO_CALIBRATE: Final = 20
CHOSEN_BY: Final = 0.5
"""What a clip of a person who stopped the training counts in the calibration."""
_AS_GIVEN: Final = "as its source says"


@dataclass(frozen=True)
class ExportOptions:
    """What the bundle says of itself."""

    name: str | None = None
    """None takes the run's."""
    version: str = "0.1.0"
    licence: str | None = None
    """Of the weights; None names the data's licence."""
    intended_use: str = INTENDED_USE
    not_for: str = NOT_FOR


def export_bundle(
    checkpoint: Path,
    output: Path,
    *,
    base: Path | None = None,
    data: Path | None = None,
    cache: Path | None = None,
    speech: Path | None = None,
    options: ExportOptions | None = None,
    console: Console | None = None,
) -> Bundle:
    """Write a bundle from a checkpoint, or from a fold's folder with those of several seeds.

    Args:
        checkpoint: see `edge_ser.export.training.checkpoint.read_trained`.
        output: folder of the bundle.
        base: bundle that gives the graphs of modalities that the run did not use; None takes the
            one that ships.
        data: folder with the data sets: the bundle is then calibrated on people who did not train,
            and carries its scores on the test part. None leaves both out, and the card says so.
        cache: folder for encoded tokens.
        speech: Whisper weights; None takes the installed package.
        options: name, version, licence.
        console: for progress.

    Raises:
        ConfigError: if the checkpoint cannot be read, its run cannot become a bundle, or `output`
            must not be replaced or cannot be written.
        EngineError: if a graph cannot be exported, or differs from its torch module.
        BundleError: if a graph or a figure does not fit a bundle.
    """
    trained = read_trained(checkpoint)
    require_exportable(trained)
    require_replaceable(output)
    options = options or ExportOptions()
    encoders = load_bundle(sources_of(trained.config.data).bundle or base)
    tested: HeldOut | None = None
    if data is not None:
        tested = held_out_part(trained, data, cache, speech=speech, console=console)
    with temporary_folder() as folder:
        graphs, tokenizer = _graphs(folder, trained, encoders, speech, console)
        content = _content(trained, encoders, graphs, tokenizer, tested, options)
        return write_bundle(output, content)


def require_exportable(trained: TrainedFusion) -> None:
    """Refuse runs whose tokens no runtime can make.

    Raises:
        ConfigError: for action units and for tokens normalised by a person's own statistics.
    """
    of = trained.config.data
    if isinstance(of, RavdessData) and "video" in of.modalities and of.video == "units":
        raise ConfigError(
            "this run was trained on a table of action units, 35 numbers a clip without a picture: "
            "no face graph makes them, so it cannot become a bundle; train with data.video: faces, "
            "or without video"
        )
    if of.adaptation != "none":
        raise ConfigError(
            "this run normalised everybody by their own statistics (data.adaptation): a bundle "
            "meets people of whom nothing was seen; train without it to export"
        )


def _graphs(
    folder: Path,
    trained: TrainedFusion,
    encoders: Bundle,
    speech: Path | None,
    console: Console | None,
) -> tuple[dict[GraphName, GraphFile], Path]:
    def tell(what: str) -> None:
        if console is not None:
            console.print(f"exporting {what}", highlight=False)

    of = trained.config.data
    graphs: dict[GraphName, GraphFile] = {
        name: GraphFile(
            encoders.graph_path(name), entry.source, entry.licence, precision=entry.precision
        )
        for name, entry in encoders.manifest.graphs.items()
    }
    tokenizer = encoders.path(encoders.manifest.tokenizer)
    widths: dict[Modality, int] = {
        m: int(encoders.manifest.graphs["fusion"].inputs[f"{m}_tokens"].shape[-1])
        for m in MODALITIES
    }
    columns = _columns(encoders, trained)
    acoustic = folder / "acoustic.onnx"
    if "audio" in of.modalities and getattr(of, "features", "all") == "prosody":
        tell("acoustic")
        export_acoustic(ProsodyTokens(), acoustic, columns)
        graphs["acoustic"] = GraphFile(acoustic, "MFCC, energy and pitch alone", "Apache-2.0")
    elif "audio" in of.modalities and not _bundles_audio(trained):
        tell("acoustic")
        encoder = _speech(trained, speech)
        export_acoustic(AcousticEncoder(encoder, columns, encoder.width), acoustic, columns)
        graphs["acoustic"] = GraphFile(
            acoustic, f"{SPEECH_ORIGIN}; MFCC, energy and pitch beside it", SPEECH_LICENCE
        )
    sources = sources_of(of)
    face = face_module(sources) if "video" in of.modalities else None
    if face is not None and sources.face is not None:
        tell("face")
        export_face(face, folder / "face.onnx")
        graphs["face"] = GraphFile(
            folder / "face.onnx", f"{Path(sources.face.weights).name}, as given", _AS_GIVEN
        )
    if "text" in of.modalities and sources.text is not None:
        tell("text")
        text = load_text_encoder(sources.text)
        module = PooledTextEncoder(text) if text.pooling == "last" else text
        vocabulary = int(getattr(text.backbone.config, "vocab_size", 1000))
        export_text(module.eval(), folder / "text.onnx", vocabulary=vocabulary)
        graphs["text"] = GraphFile(
            folder / "text.onnx", f"{Path(sources.text).name}, as given", _AS_GIVEN
        )
        tokenizer = text.tokenizer_file
    tell("fusion")
    fusion = AveragedFusion(trained.fusions).eval()
    export_fusion(fusion, {**widths, **trained.model.inputs}, folder / "fusion.onnx")
    graphs["fusion"] = GraphFile(
        folder / "fusion.onnx", f"run {trained.config.name}, {trained.fold}", "see the bundle's"
    )
    return graphs, tokenizer


def _bundles_audio(trained: TrainedFusion) -> bool:
    """Whether the tokens of the sound came from a bundle's own graph."""
    return isinstance(trained.config.data, ManifestData) and trained.config.finetune is None


def _speech(trained: TrainedFusion, speech: Path | None) -> SpeechEncoder:
    if trained.config.finetune is None:
        layers = trained.config.speech_layers
        return load_speech_encoder(speech, SpeechEncoderConfig.of_layers(layers))
    require_speech(trained)
    return read_speech(trained.folder / SPEECH_WEIGHTS, trained.config)


def _columns(encoders: Bundle, trained: TrainedFusion) -> int:
    return int(_frontend(encoders, trained).audio.mfcc["num_ceps"]) + 4


def _frontend(encoders: Bundle, trained: TrainedFusion) -> FrontendConfig:
    """The front-ends that the run's tokens came through."""
    if _bundles_audio(trained):
        return encoders.manifest.frontend
    return encoders.manifest.frontend.model_copy(update={"audio": default_audio_config()})


def _content(
    trained: TrainedFusion,
    encoders: Bundle,
    graphs: Mapping[GraphName, GraphFile],
    tokenizer: Path,
    tested: HeldOut | None,
    options: ExportOptions,
) -> BundleContent:
    known = trained.modalities
    calibration, calibrated = _calibration(trained, tested)
    scored = None
    if tested is not None:
        scored = scores(RunResult(trained.config.name, trained.labels, (tested.result,)))
    several = len(trained.model.inputs) > 1
    return BundleContent(
        name=options.name or trained.config.name,
        version=options.version,
        labels=trained.labels,
        frontend=_frontend(encoders, trained),
        graphs=graphs,
        tokenizer=tokenizer,
        training=Training(
            data=[f"{trained.data} ({trained.licence})"],
            pairing="paired" if several else "none",
            held_out=f"{trained.protocol}; {trained.fold}",
            command="edge-ser train CONFIG --data DIR; edge-ser export CHECKPOINT OUT",
            seed=trained.seeds[0],
        ),
        licence=options.licence
        or f"The fusion was trained on {trained.data}, whose licence is: {trained.licence}. "
        "Encoders keep their own licences, see the graphs.",
        intended_use=options.intended_use,
        not_for=options.not_for,
        calibration=calibration,
        splits=_splits(trained),
        scores=[] if scored is None else _scores(scored, known),
        notes=_notes(trained, known, calibrated, scored),
    )


def _calibration(
    trained: TrainedFusion, tested: HeldOut | None
) -> tuple[dict[str, SubsetCalibration], bool]:
    """Temperatures of the subsets, and whether they were measured.

    A subset is calibrated as the part of it that the fusion knows. What the fusion does not know at
    all is never decided on: its answer would be the training data's commonest label.
    """
    measured: dict[str, float] = {}
    if tested is not None and not trained.validation_trains:
        for name, answers in tested.validation.items():
            if len(answers.true) >= FEWEST_TO_CALIBRATE:
                # These people stopped the training: they are not quite held out.
                fitted = fit_calibration(*answers, evidence=CHOSEN_BY, with_bias=False)
                measured[name] = fitted.temperature
    calibration = {}
    for subset in SUBSETS:
        seen = "+".join(m for m in subset.split("+") if m in trained.model.inputs)
        calibration[subset] = (
            SubsetCalibration(temperature=measured.get(seen, 1.0))
            if seen
            else SubsetCalibration(temperature=20.0, minimum_confidence=1.0)
        )
    return calibration, bool(measured)


def _splits(trained: TrainedFusion) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for part in PARTS:
        # People on whom nothing was selected were trained on.
        into = "train" if part == "validation" and trained.validation_trains else part
        for what, parts in (("speakers", trained.speakers), ("contents", trained.contents)):
            found = splits.setdefault(f"{trained.data} {what}, {into}", [])
            found += parts.get(part, ())
    return {name: sorted(found) for name, found in splits.items() if found}


def _scores(scored: RunScores, known: str) -> list[Score]:
    def made(subset: str, figure: Any, metric: str, chance: float) -> Score:
        spread = f"95 % interval over people {figure.low:.3f} to {figure.high:.3f}"
        return Score(
            task=f"emotion from {subset}",
            metric=metric,
            value=figure.mean,
            chance=chance,
            protocol=f"{scored.protocol}; {scored.count} items; {spread}"
            + (f"; {scored.warning}" if scored.warning else ""),
        )

    rows = []
    parts: list[tuple[str, Any]] = [(known, scored), *scored.subsets.items()]
    for subset, part in parts:
        rows.append(made(subset, part.accuracy, "accuracy", scored.chance_accuracy))
        rows.append(made(subset, part.recall, "unweighted average recall", scored.chance_recall))
    return rows


def _notes(
    trained: TrainedFusion, known: str, calibrated: bool, scored: RunScores | None
) -> list[str]:
    notes = []
    strange = [m for m in MODALITIES if m not in trained.model.inputs]
    if strange:
        notes.append(
            f"The fusion was trained on {known} alone. The graphs of {', '.join(strange)} come "
            "from the base bundle because every bundle has them; what they answer has no "
            "influence, and where nothing else is present the bundle abstains."
        )
    if not calibrated:
        notes.append(
            "Probabilities are not calibrated: "
            + (
                "nobody was held out of training for it (no early stopping)."
                if trained.validation_trains
                else "the bundle was exported without data to measure on."
            )
        )
    if scored is None:
        notes.append("No score was measured when the bundle was exported.")
    elif scored.warning:
        notes.append(f"{scored.warning}.")
    if len(trained.seeds) > 1:
        notes.append(f"The fusion averages the probabilities of {len(trained.seeds)} seeds.")
    if trained.epochs < trained.config.optimisation.epochs:
        notes.append(
            f"Training ended after {trained.epochs} of {trained.config.optimisation.epochs} epochs."
        )
    return notes
