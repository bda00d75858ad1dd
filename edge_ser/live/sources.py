"""Which sources a live session listens to and looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_ser.capture.sources import LiveSource, Sink
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, ConfigError, MissingExtraError
from edge_ser.media.channels import Channel, checked_channel
from edge_ser.media.orientation import UPRIGHT, check_orientation
from edge_ser.media.transcript import Transcript


@dataclass(frozen=True)
class SourceOptions:
    """What was asked for; nothing asked for is the usual microphone and the first camera."""

    microphone: str | None = None
    camera: str | None = None
    orientation: int = UPRIGHT
    """How the camera is mounted, 1 to 8 as in EXIF."""
    listen: bool = True
    look: bool = True
    replay: Path | None = None
    speed: float = 1.0
    loop: bool = False
    url: str | None = None
    channel: Channel = "mix"
    """Which channel of a replayed file or of a stream is heard."""
    audio_track: int | None = None
    """Which sound track of a replayed file is heard."""
    pcm: bool = False
    pcm_rate: int = SAMPLE_RATE
    transcript: Transcript | None = None

    @property
    def live(self) -> bool:
        """Whether people are recorded now, so that their consent is needed."""
        return self.replay is None

    @property
    def named(self) -> bool:
        """Whether somebody named what to use, so that what cannot be opened is an error."""
        device = self.microphone is not None or self.camera is not None
        return not self.live or device or not (self.listen and self.look)


def make_sources(wanted: SourceOptions) -> list[LiveSource]:
    """Make the sources that were asked for; none is opened yet.

    Raises:
        ConfigError: if what was asked for does not go together, or an extra is missing.
        MediaError: if the orientation is none.
    """
    alone = [wanted.replay is not None, wanted.url is not None, wanted.pcm]
    if sum(alone) > 1:
        raise ConfigError("replay, url and pcm are three sources: choose one of them")
    if any(alone) and (wanted.microphone is not None or wanted.camera is not None):
        raise ConfigError("a microphone or a camera does not go with replay, url or pcm")
    if check_orientation(wanted.orientation) != UPRIGHT and (any(alone) or not wanted.look):
        raise ConfigError("an orientation is of a camera; files and streams tell their own")
    channel = checked_channel(wanted.channel)
    if channel != "mix" and wanted.replay is None and wanted.url is None:
        raise ConfigError("a channel is of a replayed file or a stream; devices are heard mixed")
    if wanted.audio_track is not None and wanted.replay is None:
        raise ConfigError("a sound track is of a replayed file")
    if wanted.replay is not None:
        from edge_ser.capture.replay import ReplaySource

        return [
            ReplaySource(
                wanted.replay,
                speed=wanted.speed,
                loop=wanted.loop,
                transcript=wanted.transcript,
                channel=channel,
                audio_track=wanted.audio_track,
            )
        ]
    if wanted.url is not None:
        from edge_ser.capture.network import NetworkSource

        return [NetworkSource(wanted.url, channel=channel)]
    if wanted.pcm:
        from edge_ser.capture.standard_input import PcmSource

        return [PcmSource(sample_rate=wanted.pcm_rate)]
    return _devices(wanted)


def start(sources: Sequence[LiveSource], sink: Sink, *, all_needed: bool) -> list[str]:
    """Start the sources; give what is missing, for those that could not be opened.

    Args:
        sources: what to start.
        sink: where they deliver to.
        all_needed: whether one that cannot be opened is an error.

    Raises:
        CaptureError: if a source that is needed, or every source, cannot be opened.
    """
    missing: list[str] = []
    for source in sources:
        try:
            source.start(sink)
        except CaptureError as error:
            if all_needed:
                raise
            missing.append(str(error))
    if len(missing) == len(sources):
        raise CaptureError(f"no source could be opened: {'; '.join(missing)}")
    return missing


def _devices(wanted: SourceOptions) -> list[LiveSource]:
    sources: list[LiveSource] = []
    if wanted.listen:
        from edge_ser.capture.microphone import MicrophoneSource

        device = wanted.microphone
        index = int(device) if device is not None and device.isdigit() else device
        try:
            sources.append(MicrophoneSource(index))
        except MissingExtraError:
            if device is not None or not wanted.look:
                raise
    if wanted.look:
        from edge_ser.capture.camera import CameraSource

        camera = wanted.camera if wanted.camera is not None else 0
        sources.append(CameraSource(camera, orientation=wanted.orientation))
    if not sources:
        raise ConfigError("neither listening nor looking leaves nothing to do")
    return sources
