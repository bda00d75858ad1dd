"""Opening a media file, and saying exactly why one cannot be opened."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_ser.errors import MediaError
from edge_ser.files import address_advice
from edge_ser.media.limits import LARGEST_PICTURE, file_options, probe_options
from edge_ser.media.packets import TICKS, in_ticks

if TYPE_CHECKING:
    from av.container import InputContainer

# Sound or pictures without a header: FFmpeg guesses rate and size from a file's ending.
_HEADERLESS = re.compile(r"rawvideo|bin|mulaw|alaw|vidc|[suf][0-9]+(le|be)?")
_RAW_ENDINGS = frozenset({".pcm", ".raw", ".s16", ".f32", ".sw", ".lpcm"})
_RAW_ADVICE = (
    "it has no header that tells its rate: raw sound is given as (samples, rate), piped into "
    "`edge-ser live --pcm --pcm-rate RATE`, or converted "
    "(ffmpeg -f s16le -ar RATE -i FILE FILE.wav)"
)

_LONGEST_PRIMING = TICKS // 5

# Bytes that a header may have at most, where nothing follows it.
_HEADER = 256

# Bytes of PCM that are read at once.
_PCM_PACKET = 65536


def media_path(path: str | os.PathLike[str]) -> Path:
    """Check that `path` is a file that can be read and is not empty.

    Raises:
        MediaError: if it is not; the message says why.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise MediaError(
            f"a clip is a path, a Clip or (samples, rate), not {type(path).__name__}: give sound "
            "with its rate, sound and pictures by clip_from_arrays, bytes in memory as a file"
        )
    text = os.fspath(path)
    if advice := address_advice(text, recording=True):
        raise MediaError(advice)
    if not text or "\0" in text:
        raise MediaError(f"{text!r} is not the path of a file")
    found = Path(text)
    try:
        if found.is_dir():
            raise MediaError(f"{found} is a folder, not a file: name one clip inside it")
        if not found.exists():
            hint = "; it is a link to nothing" if found.is_symlink() else ""
            raise MediaError(f"no such file: {found}{hint}")
        if not found.is_file():
            raise MediaError(f"{found} is a device or a pipe, not a file")
        if found.stat().st_size == 0:
            raise MediaError(f"{found} is empty (0 bytes): record or copy it again")
        with found.open("rb"):
            pass
    except PermissionError as error:
        raise MediaError(f"no permission to read {found}: change its rights or owner") from error
    except OSError as error:
        raise MediaError(f"{found} cannot be read: {error.strerror or error}") from error
    return found


def open_container(path: Path, *, for_sound: bool = False) -> InputContainer:
    """Open a file that `media_path` has checked.

    Args:
        path: the file.
        for_sound: whether nothing but sound is read, of a file whose header tells all of it: no
            picture is decoded then to learn more of them.

    Raises:
        MediaError: if it is not a media file, or is damaged beyond its first bytes.
    """
    import av

    # The prefix keeps a file from being taken for an address.
    # Plain PCM comes in crumbs otherwise; other formats have no such option and ignore it.
    try:
        container = av.open(
            f"file:{path.absolute()}",
            options={**probe_options(), **({"skip_frame": "all"} if for_sound else {})},
            container_options={**file_options(), "max_size": str(_PCM_PACKET)},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"{path} cannot be opened: {_explain(path, error)}") from error
    names = set(container.format.name.split(","))
    raw = "image2" in names and path.suffix.lower() in _RAW_ENDINGS
    if raw or any(_HEADERLESS.fullmatch(name) for name in names):
        container.close()
        raise MediaError(f"{path} cannot be opened: {_RAW_ADVICE}")
    return container


def configure_decoder(stream: Any, threads: int, options: dict[str, str]) -> None:
    """Set what a stream's decoder may use; must come before the first decoded packet."""
    context = stream.codec_context
    context.thread_count = threads
    # Of its own accord PyAV lets threads share a picture's slices alone, and most have only one.
    context.thread_type = "AUTO"
    context.options = {"max_pixels": str(LARGEST_PICTURE), **options}


def start_of(stream: Any) -> int:
    """Presentation time of a stream's first sample or picture in `TICKS`, 0 if it is not told."""
    start = in_ticks(stream.start_time, stream.time_base) or 0
    # Encoders begin with priming samples that a decoder throws away: sound then starts at 0.
    if stream.type == "audio" and -_LONGEST_PRIMING < start < 0:
        return 0
    return start


def nothing_decoded(path: Path, warnings: Sequence[str], *, unsized: bool = False) -> str:
    """Why nothing of a file that was opened can be decoded.

    Args:
        path: the file.
        warnings: what was found while it was read.
        unsized: whether it has pictures that do not tell how large they are.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    # WebP's extended header, with the flag of an animation.
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
        why = "animated WebP has no decoder here; convert it to GIF, PNG or MP4"
    elif unsized:
        why = f"its pictures are damaged, or have more than {LARGEST_PICTURE:,} pixels"
    else:
        why = "; ".join(warnings) or "it has a header, and nothing behind it: record it again"
    return f"nothing of {path} can be decoded: {why}"


def _explain(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
        if head[4:8] == b"ftyp" and not _has_index(path):
            return (
                "it is an MP4 or MOV whose index (moov) is missing, because it was cut short or "
                "its recording was not ended properly; copy it again or repair it"
            )
    if path.suffix.lower() in _RAW_ENDINGS:
        return _RAW_ADVICE
    if _holds_only_zeros(path):
        return "it holds only zeros: the copy or the download did not finish"
    if _is_text(head):
        return "it is a text, not a recording, whatever its name says"
    if head[:4] in (b"RIFF", b"RF64", b"OggS", b"fLaC") and len(head) < _HEADER:
        return f"it ends within its header, after {len(head)} bytes: record or copy it again"
    reason = getattr(error, "strerror", None) or str(error)
    return f"it is not a media file, or it is damaged ({reason})"


def _holds_only_zeros(path: Path) -> bool:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            if block.strip(b"\0"):
                return False
    return True


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 27 for byte in head)


def _has_index(path: Path) -> bool:
    """Tell whether an MP4 has a whole `moov` box (ISO/IEC 14496-12, 4.2) among its top boxes."""
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            length, kind = struct.unpack(">I4s", header[:8])
            if length == 1 and len(header) == 16:
                (length,) = struct.unpack(">Q", header[8:])
            if kind == b"moov":
                return bool(position + length <= size)
            if length < 8:
                return False
            position += length
    return False
