"""Many files one after the other: a decision for each, or why there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_ser.errors import MediaError
from edge_ser.media.channels import Channel
from edge_ser.media.folders import find_clips, is_folder
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, sidecar_transcript
from edge_ser.result import FileDecision

if TYPE_CHECKING:
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.speaker.profile import Profile


def recognize_files(
    recognizer: EdgeRecognizer,
    paths: Iterable[str | os.PathLike[str]],
    *,
    asr: bool = False,
    profile: Profile | None = None,
    speech_gate: bool = True,
    channel: Channel = "mix",
    audio_track: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[FileDecision]:
    """Decide for every file that files, folders and patterns name; one that fails stops no other.

    Transcripts beside the files are read before the first decision is given, so that what is
    written of the decisions meanwhile is never taken for words.

    Args:
        recognizer: decides.
        paths: what `edge_ser.media.folders.find_clips` takes.
        asr: as for `EdgeRecognizer.recognize`; so are `profile` and `speech_gate`.
        profile: of the person who speaks in all of them.
        speech_gate: whether sound in which nobody speaks counts as absent.
        channel: as for `EdgeRecognizer.recognize`; so is `audio_track`.
        audio_track: which sound track of each is heard.
        progress: is told the file that is next, how many are done, and out of how many.

    Yields:
        Decisions in the order of `find_clips`; a file that cannot be used has an error instead.

    Raises:
        MediaError: if `paths` is no list of names.
        ConfigError, MissingExtraError, EngineError: as `EdgeRecognizer.recognize`: what ails one
            would ail all.
    """
    clips = find_clips(paths)
    words = [_words_beside(clip) for clip in clips]
    for done, (clip, spoken) in enumerate(zip(clips, words, strict=True)):
        if progress is not None:
            progress(Path(clip).name, done, len(clips))
        try:
            if isinstance(spoken, MediaError):
                raise spoken
            if is_folder(clip):
                raise MediaError(_nothing_in(clip))
            listen = asr and not (spoken is not None and spoken.text)
            with open_clip(clip, channel=channel, audio_track=audio_track) as opened:
                decision = recognizer.recognize(
                    opened,
                    None if listen else spoken,
                    asr=listen,
                    profile=profile,
                    speech_gate=speech_gate,
                )
        except MediaError as error:
            outcome = FileDecision(clip, None, " ".join(str(error).split()))
        else:
            outcome = FileDecision(clip, decision)
        yield outcome


def _words_beside(clip: str) -> Transcript | MediaError | None:
    try:
        return sidecar_transcript(clip)
    except MediaError as error:
        return error


def _nothing_in(folder: str) -> str:
    try:
        next(Path(folder).iterdir(), None)
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror or error}"
    return f"{folder} holds no media files; name one itself where its ending is unusual"
