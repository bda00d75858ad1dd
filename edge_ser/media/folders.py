"""Which clips are meant by a list of files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from edge_ser.errors import MediaError
from edge_ser.media.transcript import TRANSCRIPT_SUFFIXES

MEDIA_SUFFIXES: Final = (
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac",
    ".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg",
)  # fmt: skip


def find_clips(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the clips that files, folders and patterns name, each once.

    - a folder stands for the media files in it and below, known by their endings, in sorted order;
      hidden ones and links to folders are left out. A folder without any stays in the list.
    - a pattern that the shell left alone (``*.wav``, ``**/*.mp4``) stands for what it matches.
    - any other name stays as it is, whether there is such a file or not, but for a transcript
      beside a clip that is in the list too: ``*`` names both.

    Raises:
        MediaError: if this is no list of names.
    """
    # Of one name alone the letters would be taken for names, and its slash for the whole disk.
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise MediaError("give a list of files and folders, [clip], not one name alone")
    paths = list(paths)
    for path in paths:
        if not isinstance(path, (str, os.PathLike)):
            raise MediaError(
                f"give a list of files and folders, not of {type(path).__name__}: sound in memory "
                "is decided for by EdgeRecognizer.recognize"
            )
    named = [match for path in paths for match in _matches(os.fspath(path))]
    clips = {Path(name).parent / Path(name).stem for name in named if not _is_transcript(name)}
    found: dict[str, str] = {}
    for name in named:
        if _is_transcript(name) and Path(name).parent / Path(name).stem in clips:
            continue
        for clip in _media_below(name) if is_folder(name) else [name]:
            found.setdefault(os.path.normpath(Path(clip).absolute()), clip)
    return list(found.values())


def is_folder(name: str) -> bool:
    """Whether a name is a folder's; of no name, nor one that is too long, it is asked in vain."""
    return os.path.isdir(name)  # noqa: PTH112 - `Path` takes no name for the current folder


def is_one_clip(paths: Sequence[str]) -> bool:
    """Whether this is one file by its own name: neither several, nor a folder, nor a pattern."""
    return len(paths) == 1 and not is_folder(paths[0]) and _matches(paths[0]) == list(paths)


def _matches(path: str) -> list[str]:
    if os.path.lexists(path):  # whatever letters are in its name
        return [path]
    return sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207 - it may be absolute


def _is_transcript(name: str) -> bool:
    return Path(name).suffix.lower() in TRANSCRIPT_SUFFIXES


def _media_below(folder: str) -> list[str]:
    """Media files in sorted order; what cannot be listed, and a folder without any, as itself."""
    found: list[Path] = []

    def refused(error: OSError) -> None:
        found.append(Path(os.fsdecode(error.filename)))

    for here, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = [Path(here, name) for name in files if not name.startswith(".")]
        found += [path for path in below if path.suffix.lower() in MEDIA_SUFFIXES]
    return [str(path) for path in sorted(found)] or [folder]
