"""Train the fusion that ships and write the default bundle: one command.

    python -m recipes.default_bundle.build --data DIR --speech runs/speech --text runs/text/model
        --face runs/face/face.safetensors --output edge_ser/bundles/default

The data folder holds ``ravdess_speech``, ``cremad``, ``fer2013_train.zip``,
``fer2013_publictest.zip`` and ``goemotions_ekman``; the speech encoder, its head and what is known
of corpora that it never saw come from the runs of `recipes.speech_encoder.training`. Words and
faces may also come from a bundle, as its finished graphs. Encoded tokens are cached: a second run
only trains.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from rich.console import Console

from edge_ser.bundles.loading import Bundle
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
from edge_ser.export.encoders.text import DEFAULT_TEXT_SOURCE, TextEncoder
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.training.tokens.torch_encoders import AudioTokens, FaceTokens, TextTokens
from edge_ser.frontends.audio import default_audio_config
from recipes.command_line import run
from recipes.default_bundle.adaptation import default_adaptation
from recipes.default_bundle.data import Amounts, encode_all
from recipes.default_bundle.finished_graph import FinishedGraph
from recipes.default_bundle.fitted_adaptation import FittedAdaptation
from recipes.default_bundle.fusion import Calibrated, calibrate, train_default_fusion
from recipes.default_bundle.graphs import Sources, export_graphs, open_face, open_text
from recipes.default_bundle.statements import INTENDED_USE, LICENCE, NOT_FOR, NOTES
from recipes.default_bundle.transfer_scores import transfer_scores
from recipes.speech_encoder.data import CorpusName, SpeechCorpus, people_of, speech_corpora
from recipes.speech_encoder.training import ALL, READ_WEIGHT, read_task
from recipes.speech_encoder.transfer import Transfer, transfer

COMMAND: Final = "python -m recipes.default_bundle.build --data DIR --output DIR"
SPEECH_COMMAND: Final = "python -m recipes.speech_encoder.training DIR runs/speech"
TEXT_COMMAND: Final = "python -m recipes.text_encoder.finetuning DIR/goemotions_ekman runs/text"
FACE_COMMAND: Final = (
    "python -m recipes.face_encoder.finetuning DIR runs/face-first --stop-after 13, then "
    "the same with DIR runs/face --source runs/face-first/face.safetensors --epochs 5 "
    "--learning-rate 2e-3 --seed 8"
)


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
        text=TextFrontendConfig(languages=("en",)),
        # FER2013's faces are grey and cut close to the face.
        video=VideoFrontendConfig(grey=True, face_margin=0.1),
    )
    columns = int(frontend.audio.mfcc["num_ceps"]) + 4
    speech = read_task(sources.speech / ALL)
    known = transfer(sources.speech)
    corpora = speech_corpora(data, READ_WEIGHT)
    acoustic = AcousticEncoder(speech.encoder, columns, speech.encoder.width).eval()
    amounts = amounts or Amounts()
    text = open_text(sources.text)
    face = open_face(sources.face)
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
    fitted = known.shipped.calibration
    speech.head.calibrate(fitted.temperature, fitted.neutral, fitted.neutral_bias)
    fusion = train_default_fusion(
        banks,
        acoustic.prosody_width,
        speech.head.state_dict(),
        seed,
        None,
        progress=console is not None,
    )
    calibrated = calibrate(fusion, banks, known.shipped, seed)
    adapted = default_adaptation(banks, audio_tokens_of, calibrated, acoustic.prosody_width)
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        graphs = export_graphs(Path(folder), acoustic, text, face, fusion, sources.text)
        command = command_of(sources, amounts, version)
        return write_bundle(
            output,
            _content(
                graphs, frontend, text, corpora, known, calibrated, adapted, version, seed, command
            ),
        )


def _content(
    graphs: Mapping[GraphName, GraphFile],
    frontend: FrontendConfig,
    text: TextEncoder | FinishedGraph,
    corpora: Mapping[CorpusName, SpeechCorpus],
    known: Transfer,
    calibrated: Calibrated,
    adapted: FittedAdaptation,
    version: str,
    seed: int,
    command: str,
) -> BundleContent:
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
                "CREMA-D, 91 actors (ODbL 1.0)",
                "Emo-DB without boredom, 10 actors (free for research)",
                "EMOVO, 6 actors (research use)",
                "nEMO, 9 actors (CC BY-NC-SA 4.0)",
                "LibriSpeech, short pieces of 247 readers, counted as neutral (CC BY 4.0)",
                "FER2013 faces without exact duplicates (research use)",
                "GoEmotions with Ekman's labels (CC BY 4.0)",
            ],
            pairing="label-paired",
            held_out="actors, pictures and texts: see splits. The calibration of sound alone, and "
            "when it abstains, come from five runs that each left a whole corpus out; the fusion "
            "is trained and calibrated on people whom the speech encoder never heard; scores are "
            "on the test parts",
            command=command,
            seed=seed,
        ),
        licence=LICENCE,
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
        calibration=calibrated.calibration,
        splits={
            **people_of(corpora),
            "FER2013, validation": ["train pictures whose SHA-256 begins below 0x19999999"],
            "FER2013, test": ["PublicTest"],
            "GoEmotions, test": ["dev"],
        },
        scores=[*transfer_scores(known), *calibrated.scores, *adapted.scores],
        adaptation=adapted.section,
        notes=NOTES,
    )


def command_of(sources: Sources, amounts: Amounts, version: str) -> str:
    """Give the command that makes the same bundle again, without folders of this machine."""
    text, made = "minilm-l6", f" (the speech encoder by {SPEECH_COMMAND})"
    if (Path(sources.text) / MANIFEST_NAME).is_file():
        text = f"edge_ser/bundles/{Path(sources.text).name}"
    elif sources.text != DEFAULT_TEXT_SOURCE:
        text = "runs/text/model"
    if text != "minilm-l6":
        made = f" (the text encoder by {TEXT_COMMAND})"
    face = Path(sources.face).name
    if (Path(sources.face) / MANIFEST_NAME).is_file():
        face = f"edge_ser/bundles/{face}"
    if face.endswith(".safetensors"):
        made += f" (the face encoder by {FACE_COMMAND})"
    return (
        f"{COMMAND} --speech runs/speech --text {text} --face {face} --version {version} "
        f"--faces-per-label {amounts.faces_per_label} --audio-copies {amounts.audio_copies} "
        f"--face-copies {amounts.face_copies}{made}"
    )


def command(
    data: Annotated[Path, typer.Option(help="Folder with the data sets.")],
    output: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    speech: Annotated[Path, typer.Option(help="Folder of the speech encoder's runs.")],
    face: Annotated[
        Path, typer.Option(help="Weights of the face encoder, safetensors, or a bundle.")
    ],
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

    A complete command: python -m recipes.default_bundle.build --data data --speech runs/speech
    --text edge_ser/bundles/default --face edge_ser/bundles/default --output runs/default
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
