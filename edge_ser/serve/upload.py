"""A clip that a client sends: read in memory, bounded, and never written to a disk."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from edge_ser.errors import ConfigError
from edge_ser.media.channels import Channel, checked_channel
from edge_ser.serve.options import Limits
from edge_ser.serve.refusals import Refusal

_FIELDS: Final = frozenset({"file", "transcript", "asr", "speech_gate", "channel", "audio_track"})
_PIECE: Final = 2**20


@dataclass(frozen=True)
class Upload:
    """What a client asks to be decided."""

    file: BinaryIO
    transcript: str | None
    """Words, never the name of a file: it would be one of this machine."""
    asr: bool
    speech_gate: bool
    channel: Channel
    audio_track: int | None


class _InMemoryParser(MultiPartParser):
    """Keeps files in memory: the request as a whole is bounded before it comes here."""

    spool_max_size = sys.maxsize


async def read_upload(request: Request, limits: Limits) -> Upload:
    """Read a request's form.

    Raises:
        Refusal: if it is no form (415, 400), too long (413), too slow (408), or names what is not
            known (400).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "multipart/form-data":
        raise Refusal(415, "send the clip as multipart/form-data, in the field `file`")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.upload_bytes:
        raise _too_long(limits)
    parser = _InMemoryParser(
        Headers(request.headers),
        _bounded(request, limits),  # type: ignore[arg-type]
        max_files=1,
        max_fields=len(_FIELDS),
    )
    try:
        form = await asyncio.wait_for(parser.parse(), limits.upload_seconds)
    except asyncio.TimeoutError:
        raise Refusal(408, f"the clip did not come within {limits.upload_seconds:g} s") from None
    except MultiPartException as error:
        raise Refusal(400, error.message) from error
    except ClientDisconnect:
        raise Refusal(400, "the request was cut short") from None
    return _checked(form)


@contextmanager
def file_in_memory(content: BinaryIO) -> Iterator[str]:
    """Give a path by which FFmpeg reads what is in memory; it is gone afterwards.

    Raises:
        Refusal: if this system has no files in memory (501).
    """
    if sys.platform != "linux":
        raise Refusal(501, "uploads are kept in memory, which takes Linux: stream the clip instead")
    descriptor = os.memfd_create("clip")
    try:
        with content:
            while piece := content.read(_PIECE):
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def _bounded(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total > limits.upload_bytes:
            raise _too_long(limits)
        yield piece


def _too_long(limits: Limits) -> Refusal:
    return Refusal(
        413, f"the request is longer than the {limits.upload_bytes} bytes that this server takes"
    )


def _checked(form: FormData) -> Upload:
    unknown = sorted(set(form) - _FIELDS)
    if unknown:
        known = ", ".join(sorted(_FIELDS))
        raise Refusal(400, f"there is no field {', '.join(unknown)}; there are {known}")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Refusal(400, "the field `file` must hold the clip, with a file name")
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    track = texts.get("audio_track")
    try:
        channel = checked_channel(texts.get("channel", "mix"))
    except ConfigError as error:
        raise Refusal(400, str(error)) from None
    if track is not None and not (track.isdecimal() and len(track) < 4 and int(track) > 0):
        raise Refusal(400, f"audio_track must be a whole number from 1 on, not {track!r}")
    return Upload(
        file=file.file,
        transcript=texts.get("transcript"),
        asr=_flag(texts, "asr", default=False),
        speech_gate=_flag(texts, "speech_gate", default=True),
        channel=channel,
        audio_track=None if track is None else int(track),
    )


def _flag(texts: dict[str, str], name: str, *, default: bool) -> bool:
    value = texts.get(name, str(default)).lower()
    if value not in ("true", "false"):
        raise Refusal(400, f"{name} must be true or false, not {value!r}")
    return value == "true"
