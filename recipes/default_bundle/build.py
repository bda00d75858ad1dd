"""Train the fusion that ships and write the default bundle: one command.

    python -m recipes.default_bundle.build --data DIR --text runs/text/model
        --face runs/face/face.safetensors --output edge_ser/bundles/default

The data folder holds ``ravdess_speech``, ``fer2013_train.zip``, ``fer2013_publictest.zip`` and
``goemotions_ekman``. Encoded tokens are cached: a second run only trains.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from rich.console import Console
from torch import nn

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import (
    MANIFEST_NAME,
    FrontendConfig,
    GraphName,
    TextFrontendConfig,
    Training,
    VideoFrontendConfig,
)
from edge_ser.constants import EMOTIONS
from edge_ser.export.bundles.writer import BundleContent, GraphFile, write_bundle
from edge_ser.export.data.splits import PARTS
from edge_ser.export.encoders.speech import SPEECH_LICENCE, SPEECH_ORIGIN, load_speech_encoder
from edge_ser.export.encoders.text import DEFAULT_TEXT_SOURCE, TextEncoder, load_text_encoder
from edge_ser.export.graphs.bundle_graphs import (
    export_acoustic,
    export_face,
    export_fusion,
    export_text,
)
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.models.fusion import Fusion
from edge_ser.export.precision.weight_storage import quantize_dynamic, store_half
from edge_ser.export.training.tokens.torch_encoders import AudioTokens, FaceTokens, TextTokens
from edge_ser.frontends.audio import default_audio_config
from recipes.command_line import run
from recipes.default_bundle.adaptation import default_adaptation
from recipes.default_bundle.data import Amounts, Banks, encode_all
from recipes.default_bundle.fitted_adaptation import FittedAdaptation
from recipes.default_bundle.fusion import Calibrated, calibrate, train_default_fusion
from recipes.default_bundle.text_graph import TextGraph
from recipes.face_encoder.cnn import CNN_LICENCE, CNN_ORIGIN, load_face_encoder
from recipes.face_encoder.tokens import FaceTokenEncoder

COMMAND: Final = "python -m recipes.default_bundle.build --data DIR --output DIR"
TEXT_COMMAND: Final = "python -m recipes.text_encoder.finetuning DIR/goemotions_ekman runs/text"
FACE_COMMAND: Final = (
    "python -m recipes.face_encoder.finetuning DIR runs/face-first --stop-after 13, then "
    "the same with DIR runs/face --source runs/face-first/face.safetensors --epochs 5 "
    "--learning-rate 2e-3 --seed 8"
)
LICENCE: Final = (
    "The weights were trained on RAVDESS (CC BY-NC-SA 4.0) and FER2013 (research use): use them "
    "for research and other non-commercial purposes, share changed weights alike, and train your "
    "own where you need other terms. That holds for the fusion and the face encoder; GoEmotions is "
    "CC BY 4.0, the speech encoder MIT, MiniLM and BlazeFace Apache-2.0. The program's own "
    "licence, Apache-2.0, does not cover the weights of fusion and face encoder."
)
INTENDED_USE: Final = (
    "Research and prototypes of interfaces that react to how something is said, on people who know "
    "of it and agreed. It reads acted or outward expression, not what a person feels."
)
NOT_FOR: Final = (
    "Emotion recognition at work and in education is prohibited in the European Union (AI Act, "
    "Article 5(1)(f)), with narrow medical and safety exceptions; elsewhere in the EU it must be "
    "announced (Article 50(3)). Not for decisions about people (hiring, credit, insurance, police, "
    "border, courts), not for diagnosis, lie detection, covert use, and not on children."
)
NOTES: Final = (
    "Sound, words and faces of the training data come from different people who share only a label "
    "(label-paired). Scores of two or three modalities together are on such triples: they say that "
    "the fusion works, not how well it does on clips of one person.",
    "The sound is North American English acted by 24 professionals in a studio; words are English "
    "Reddit comments; faces are grey web pictures with noisy labels. Expect less in other rooms, "
    "languages, ages and on spontaneous speech.",
    "While training, one modality of an emotional example often shows neutral (words in half of "
    "them, sound and face in a fifth): neutral words do not cancel an angry voice.",
)


@dataclass(frozen=True)
class Sources:
    """Where the pretrained weights lie; None takes an installed package.

    The face detector is the shipped bundle's own graph: BlazeFace does not change.
    """

    speech: Path | None
    text: str
    face: Path


def build_default_bundle(
    data: Path,
    output: Path,
    sources: Sources,
    *,
    cache: Path,
    amounts: Amounts | None = None,
    version: str = "0.1.0",
    seed: int = 7,
    console: Console | None = None,
) -> Bundle:
    """Encode the data, train and calibrate the fusion, export all graphs, write the bundle.

    Args:
        data: folder with the data sets, see the module's text.
        output: folder of the bundle.
        sources: of the pretrained weights.
        cache: folder for encoded tokens and the run's checkpoints.
        amounts: how much is encoded.
        version: of the bundle.
        seed: of everything.
        console: for progress; None shows none.

    Raises:
        EdgeSerError: if data or weights are missing or a graph cannot be exported.
    """
    frontend = FrontendConfig(
        audio=default_audio_config(),
        text=TextFrontendConfig(),
        # FER2013's faces are grey and cut close to the face.
        video=VideoFrontendConfig(grey=True, face_margin=0.1),
    )
    columns = int(frontend.audio.mfcc["num_ceps"]) + 4
    speech = load_speech_encoder(sources.speech)
    acoustic = AcousticEncoder(speech, columns, speech.width).eval()
    amounts = amounts or Amounts()
    text = open_text(sources.text)
    face = FaceTokenEncoder(load_face_encoder(sources.face, with_logits=True)).eval()
    audio_tokens_of = AudioTokens(acoustic, frontend.audio, cache)
    banks = encode_all(
        data,
        audio_tokens_of,
        TextTokens(text, frontend.text, text.tokenizer_file, cache),
        FaceTokens(face, cache),
        amounts,
        console,
    )
    if console is not None:
        for part in banks.items.values():
            console.print(part.report, highlight=False)
        for problem in banks.problems:
            console.print(f"unusable: {problem}", highlight=False)
    fusion = train_default_fusion(
        banks, acoustic.prosody_width, seed, None, progress=console is not None
    )
    calibrated = calibrate(fusion, banks, seed)
    adapted = default_adaptation(banks, audio_tokens_of, calibrated, acoustic.prosody_width)
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        graphs = export_graphs(Path(folder), acoustic, text, face, sources, fusion, columns)
        command = command_of(sources, amounts, version)
        return write_bundle(
            output,
            _content(graphs, frontend, text, banks, calibrated, adapted, version, seed, command),
        )


def open_text(source: str) -> TextEncoder | TextGraph:
    """A text encoder by name or folder; of a bundle's folder, its finished graph.

    Raises:
        EdgeSerError: if there is none.
    """
    if (Path(source) / MANIFEST_NAME).is_file():
        return TextGraph(load_bundle(Path(source)))
    return load_text_encoder(source)


def export_graphs(
    folder: Path,
    acoustic: AcousticEncoder,
    text: TextEncoder | TextGraph,
    face: nn.Module,
    sources: Sources,
    fusion: Fusion,
    columns: int,
) -> dict[GraphName, GraphFile]:
    """Export the five graphs, each proved against torch at several lengths, and make them small.

    Speech and face weights are stored as float16 and computed as float32; the text encoder's
    matrices are int8 with live activations, its tables of embeddings int8.
    """
    torch.manual_seed(0)
    paths: dict[GraphName, Path] = {
        name: folder / f"{name}.onnx" for name in ("acoustic", "text", "face", "fusion", "detector")
    }
    export_acoustic(acoustic, paths["acoustic"], columns)
    if isinstance(text, TextGraph):
        shutil.copyfile(text.graph, paths["text"])
    else:
        export_text(text, paths["text"])
    export_face(face, paths["face"])
    shipped = load_bundle()
    shutil.copyfile(shipped.graph_path("detector"), paths["detector"])
    export_fusion(fusion, fusion.config.inputs, paths["fusion"])
    for name in ("acoustic", "face", "fusion"):
        store_half(paths[name], paths[name])
    if not isinstance(text, TextGraph):
        quantize_dynamic(paths["text"], paths["text"])
    made = {
        "acoustic": (f"{SPEECH_ORIGIN}; MFCC, energy and pitch beside it", SPEECH_LICENCE, "fp32"),
        "text": ("MiniLM-L6 (Apache-2.0), fine-tuned on GoEmotions", "Apache-2.0", "int8"),
        "face": (CNN_ORIGIN, CNN_LICENCE, "fp32"),
        "fusion": ("this project, label-paired data", "see the bundle's licence", "fp32"),
        "detector": ("BlazeFace short range, MediaPipe", "Apache-2.0", "fp32"),
    }
    if isinstance(text, TextGraph):
        made["text"] = (text.entry.source, text.entry.licence, text.entry.precision)
    if sources.text == DEFAULT_TEXT_SOURCE:
        made["text"] = ("MiniLM-L6, as published", "Apache-2.0", "int8")
    return {name: GraphFile(path, *made[name]) for name, path in paths.items()}


def _content(
    graphs: Mapping[GraphName, GraphFile],
    frontend: FrontendConfig,
    text: TextEncoder | TextGraph,
    banks: Banks,
    calibrated: Calibrated,
    adapted: FittedAdaptation,
    version: str,
    seed: int,
    command: str,
) -> BundleContent:
    speakers = {
        part: sorted({item.speaker or "" for item in banks.items["audio"].parts[part]})
        for part in PARTS
    }
    return BundleContent(
        name="default",
        version=version,
        labels=EMOTIONS,
        frontend=frontend,
        graphs=graphs,
        tokenizer=text.tokenizer_file,
        training=Training(
            data=[
                "RAVDESS speech, 24 actors, calm counts as neutral (CC BY-NC-SA 4.0)",
                "FER2013 faces without exact duplicates (research use)",
                "GoEmotions with Ekman's labels (CC BY 4.0)",
            ],
            pairing="label-paired",
            held_out="actors, pictures and texts: see splits; temperatures were fitted on the "
            "validation parts, scores are on the test parts",
            command=command,
            seed=seed,
        ),
        licence=LICENCE,
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
        calibration=calibrated.calibration,
        splits={
            **{f"RAVDESS actors, {part}": speakers[part] for part in PARTS},
            "FER2013, validation": ["train pictures whose SHA-256 begins below 0x19999999"],
            "FER2013, test": ["PublicTest"],
            "GoEmotions, test": ["dev"],
        },
        scores=[*calibrated.scores, *adapted.scores],
        adaptation=adapted.section,
        notes=NOTES,
    )


def command_of(sources: Sources, amounts: Amounts, version: str) -> str:
    """Give the command that makes the same bundle again, without folders of this machine."""
    text, made = "minilm-l6", ""
    if (Path(sources.text) / MANIFEST_NAME).is_file():
        text = f"edge_ser/bundles/{Path(sources.text).name}"
    elif sources.text != DEFAULT_TEXT_SOURCE:
        text = "runs/text/model"
    if text != "minilm-l6":
        made = f" (the text encoder by {TEXT_COMMAND})"
    face = Path(sources.face).name
    if face.endswith(".safetensors"):
        made += f" (the face encoder by {FACE_COMMAND})"
    return (
        f"{COMMAND} --text {text} --face {face} --version {version} "
        f"--faces-per-label {amounts.faces_per_label} --audio-copies {amounts.audio_copies} "
        f"--face-copies {amounts.face_copies}{made}"
    )


def command(
    data: Annotated[Path, typer.Option(help="Folder with the data sets.")],
    output: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    face: Annotated[Path, typer.Option(help="Weights of the face encoder, safetensors.")],
    speech: Annotated[
        Path | None, typer.Option(help="Whisper weights (default: the installed package).")
    ] = None,
    text: Annotated[
        str, typer.Option(help="Folder or name of the text encoder, or a bundle.")
    ] = DEFAULT_TEXT_SOURCE,
    cache: Annotated[Path, typer.Option(help="Folder of encoded tokens.")] = Path("runs/cache"),
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "0.1.0",
    seed: Annotated[int, typer.Option(help="Of everything.")] = 7,
    faces_per_label: Annotated[int, typer.Option(help="Faces.")] = Amounts.faces_per_label,
    audio_copies: Annotated[int, typer.Option(help="Augmented copies.")] = Amounts.audio_copies,
    face_copies: Annotated[int, typer.Option(help="Augmented copies.")] = Amounts.face_copies,
) -> None:
    """Train the fusion that ships and write the default bundle.

    A complete command: python -m recipes.default_bundle.build --data data --text runs/text/model
    --face runs/face/face.safetensors --output edge_ser/bundles/default
    """
    console = Console(stderr=True, highlight=False)
    torch.set_num_threads(1)
    bundle = build_default_bundle(
        data,
        output,
        Sources(speech, text, face),
        cache=cache,
        amounts=Amounts(audio_copies, face_copies, faces_per_label),
        version=version,
        seed=seed,
        console=console,
    )
    console.print(f"{bundle.folder}: {bundle.manifest.name} {bundle.manifest.version}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
