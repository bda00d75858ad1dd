"""Cameras and streams on the network: RTSP, HTTP, RTP, UDP, SRT through FFmpeg (PyAV)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from edge_ser.capture.sources import DeviceLostError, LiveSource, Sink
from edge_ser.clock import monotonic_samples
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import CaptureError, ConfigError
from edge_ser.files import LIVE_SCHEMES, without_password
from edge_ser.media.audio_track import frame_to_mono
from edge_ser.media.channels import Channel, Downmix, checked_channel
from edge_ser.media.clip import PictureSampler, check_positive
from edge_ser.media.container import configure_decoder, start_of
from edge_ser.media.limits import address_options, probe_options, refused_picture, refused_sound
from edge_ser.media.orientation import STILL_CODECS, orientation_of
from edge_ser.media.packets import TICKS_A_SAMPLE, in_ticks
from edge_ser.media.video_track import believable_aspect, upright_rgb

# FFmpeg may buffer whole seconds unless it is told not to.
_LOW_DELAY: Final = {"fflags": "nobuffer", "analyzeduration": "1000000"}
_TCP: Final = {"rtsp_transport": "tcp"}

_MICROSECONDS: Final = 1_000_000

# Headers tell durations that are a little too long.
_NEARLY_ALL: Final = 0.9

# A clock that jumps further than this many samples is broken, and nothing to wait for.
_LONGEST_WAIT: Final = 10 * SAMPLE_RATE


class NetworkSource(LiveSource):
    """Delivers the sound and the pictures of an address; a lost connection is made again.

    What has an end (a file on a server) is delivered as fast as it plays, and ends the source.

    Sender and receiver have different clocks. A packet cannot arrive before it was sent, so the
    quickest packet since the connection was made tells the shift between the two best.
    """

    def __init__(
        self,
        address: str,
        *,
        frames_per_second: float = 15.0,
        maximum_side: int = 1280,
        reconnect: bool = True,
        timeout: float = 5.0,
        channel: Channel = "mix",
        now: Callable[[], int] = monotonic_samples,
        first_retry: float = 0.5,
    ) -> None:
        """Choose an address; it is opened by `start`.

        Args:
            address: for instance ``rtsp://user:password@camera/stream``.
            frames_per_second: pictures a second that are delivered at most.
            maximum_side: pictures whose longer side has more pixels are shrunk to it.
            reconnect: whether a stream that ends too early, or breaks, is opened again.
            timeout: seconds without an answer after which the connection is lost.
            channel: which is heard: mix, left, right, or a channel's number from 1 on.
            now: the clock of the capture times.
            first_retry: seconds until a lost connection is made again.

        Raises:
            ConfigError: if the address, a number or the channel is not usable.
        """
        self._shown = without_password(address)
        super().__init__(self._shown, first_retry=first_retry)
        parts = urlsplit(address)
        if parts.scheme.lower() not in LIVE_SCHEMES or not parts.netloc:
            raise ConfigError(
                f"{self._shown} is no address of a stream: it must begin with "
                f"{', '.join(s + '://' for s in LIVE_SCHEMES)}"
            )
        check_positive("frames_per_second", frames_per_second)
        check_positive("timeout", timeout)
        self._address = address
        self._frames_per_second = frames_per_second
        self._maximum_side = maximum_side
        self._reconnect = reconnect
        self._timeout = timeout
        self._channel = checked_channel(channel)
        self._now = now
        self._container: Any = None
        self._packets: Iterator[Any] = iter(())
        self._sampler = PictureSampler(frames_per_second)
        self._shift: int | None = None
        self._duration = 0
        self._reached = 0

    def _open(self) -> None:
        container = self._connected(_LOW_DELAY)
        if container.duration:
            # What low delay leaves out, to be as late as the connection only, may be all of a file.
            container.close()
            container = self._connected({})
        streams = [
            s
            for s in (container.streams.best("audio"), container.streams.best("video"))
            if s is not None and s.codec_context is not None
        ]
        refused = [refused_sound(s) if s.type == "audio" else refused_picture(s) for s in streams]
        if why := "; ".join(filter(None, refused)):
            container.close()
            raise CaptureError(f"{self._shown} cannot be used: {why}")
        if not streams:
            container.close()
            raise CaptureError(f"{self._shown} gives neither sound nor pictures that are known")
        for stream in streams:
            configure_decoder(stream, 1, {"flags": "low_delay"} if stream.type == "video" else {})
        self._container = container
        self._packets = container.demux(streams)
        self._sampler = PictureSampler(self._frames_per_second)
        self._downmix = Downmix(self._channel)
        self._shift = None
        self._duration = (container.duration or 0) * SAMPLE_RATE // _MICROSECONDS
        self._begin = start_of(streams[0]) // TICKS_A_SAMPLE
        self._reached = 0

    def _connected(self, options: dict[str, str]) -> Any:
        import av

        try:
            return av.open(
                self._address,
                options=probe_options(),
                container_options={**address_options(self._address), **_TCP, **options},
                timeout=self._timeout,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise CaptureError(
                f"{self._shown} cannot be opened ({reason}): check the address, the network and "
                "the password"
            ) from error

    def _deliver(self, sink: Sink) -> bool:
        import av

        try:
            packet, broken = next(self._packets, None), "the stream ended"
        except av.FFmpegError as error:
            packet, broken = None, f"the connection broke ({error.strerror})"
        if packet is None:
            if self._has_ended:
                return False
            if self._duration > 0 and self._reached == 0:
                raise CaptureError(
                    f"its server gives no part of this file ({broken}): download it first"
                )
            if self._reconnect:
                raise DeviceLostError(broken)
            self._note(error=broken)
            return False
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._count(damaged=1)
            return True
        for frame in frames:
            ticks = in_ticks(frame.pts, packet.stream.time_base)
            sent = None if ticks is None else ticks // TICKS_A_SAMPLE
            self._wait_for(sent)
            time = self._capture_time(sent)
            if packet.stream.type == "audio":
                mono = frame_to_mono(frame, self._downmix)
                self._push_audio(sink, mono, time, frame.sample_rate)
            elif self._sampler.wants(time if sent is None else sent):
                aspect = believable_aspect(packet.stream.sample_aspect_ratio)
                still = bytes(packet) if packet.stream.codec_context.name in STILL_CODECS else b""
                turned = orientation_of(frame, still)
                sink.push_video(upright_rgb(frame, self._maximum_side, aspect, turned), time)
                self._count(pictures=1)
            else:
                self._count(pictures_unwanted=1)
        return True

    @property
    def _has_ended(self) -> bool:
        """Whether so much of what has an end came that no broken connection cut it off."""
        return self._duration > 0 and self._reached >= _NEARLY_ALL * self._duration

    def _wait_for(self, sent: int | None) -> None:
        """Wait until what has an end, and comes as fast as the network can, would be played."""
        if self._duration <= 0 or sent is None:
            return
        self._reached = max(self._reached, sent - self._begin)
        early = 0 if self._shift is None else sent + self._shift - self._now()
        if 0 < early <= _LONGEST_WAIT:
            self._stopping.wait(early / SAMPLE_RATE)

    def _capture_time(self, sent: int | None) -> int:
        """Turn a time of the sender's clock into one of this machine's; None is now."""
        now = self._now()
        if sent is None:
            return now
        shift = now - sent
        if self._shift is None or shift < self._shift:
            self._shift = shift
        return sent + self._shift

    def _close(self) -> None:
        container, self._container = self._container, None
        self._packets = iter(())
        if container is not None:
            container.close()
