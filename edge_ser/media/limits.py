"""What of FFmpeg is let near a stranger's file or address, and how large its contents may be."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

# A larger picture is damage or an attack on memory: 8K television has 33 million pixels.
LARGEST_PICTURE: Final = 64 * 1024 * 1024
"""Pixels that a picture may have."""

MOST_CHANNELS: Final = 64
"""Channels that a sound track may have: no room has more loudspeakers."""

# These read other files or addresses, or take any text for a picture or an input device.
_LEADING_ELSEWHERE: Final = frozenset(
    {"concat", "dash", "hls", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp", "tty", "vobsub"}
    | {"webm_dash_manifest"}
)

# What each kind of address may use; a redirection leads to the same kind, or to a safer one.
_WEB: Final = "http,https,httpproxy,tcp,tls,crypto"
_PROTOCOLS: Final = {
    "http": _WEB,
    "https": "https,httpproxy,tcp,tls,crypto",
    "rtsp": "rtsp,rtp,srtp,tcp,udp",
    "rtsps": "rtsps,rtp,srtp,tcp,tls,udp",
    "rtp": "rtp,srtp,udp",
    "srt": "srt,udp",
    "tcp": "tcp",
    "udp": "udp",
}

# From this release on PyAV hands options on to what looks into streams before they are known; those
# before it crash on MPEG.
_HANDS_ON: Final = (17, 1)


def file_options() -> dict[str, str]:
    """Options of a container that is a file: it leads to nothing but itself."""
    # A name with % in it is a name, not a pattern of other files' names.
    return {
        "protocol_whitelist": "file",
        "format_whitelist": _formats(frozenset()),
        "pattern_type": "none",
    }


def address_options(address: str) -> dict[str, str]:
    """Options of a container that is an address: what was asked for, and nothing else.

    A playlist is followed if it was asked for by its name, over the address's own protocols.
    """
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    asked = {scheme} & {"rtsp", "rtp"} | ({"rtsp"} if scheme == "rtsps" else set())
    if parts.path.lower().endswith((".m3u8", ".m3u")):
        asked.add("hls")
    if parts.path.lower().endswith(".mpd"):
        asked.add("dash")
    return {
        "protocol_whitelist": _PROTOCOLS[scheme],
        "format_whitelist": _formats(frozenset(asked)),
    }


def probe_options() -> dict[str, str]:
    """Options of what looks into the streams of a container while it is opened."""
    import av

    release = tuple(int(part) for part in av.__version__.split(".")[:2])
    return {"max_pixels": str(LARGEST_PICTURE)} if release >= _HANDS_ON else {}


def refused_picture(stream: Any) -> str | None:
    """Why the pictures of a stream are too large; None if they are not, or tell no size yet."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height <= LARGEST_PICTURE:
        return None
    return (
        f"its pictures have {width} x {height} pixels, and {LARGEST_PICTURE:,} are the most that "
        "are taken: make them smaller"
    )


def refused_sound(stream: Any) -> str | None:
    """Why the sound of a stream has too many channels; None if it has not."""
    channels = int(stream.codec_context.channels)
    if channels <= MOST_CHANNELS:
        return None
    return f"its sound has {channels} channels, and {MOST_CHANNELS} are the most that are taken"


@cache
def _formats(asked: frozenset[str]) -> str:
    """Names of all formats but those that lead elsewhere and were not asked for."""
    import av

    refused = _LEADING_ELSEWHERE - asked
    return ",".join(sorted(av.formats_available - refused))
