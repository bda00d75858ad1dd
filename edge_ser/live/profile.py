"""The profile that a live session begins with, or makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_ser.errors import ConfigError
from edge_ser.files import is_there, writing
from edge_ser.speaker.profile import Profile, adaptation_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_ser.bundles.loading import Bundle
    from edge_ser.stream import EmotionStream
    from edge_ser.streaming.enrolment import Enrolment

_ASK = {
    "neutral": "speak as you do when nothing moves you",
    "any": "speak as you like",
}


class LiveProfile:
    """Loads a profile, or enrols somebody while the stream runs and saves what came of it.

    Thread contract: belongs to one thread.
    """

    def __init__(self, bundle: Bundle, file: Path | None, seconds: float | None) -> None:
        """Check what was asked for.

        Args:
            bundle: of the recognizer.
            file: of the profile.
            seconds: of speech to enrol with; None only uses the file.

        Raises:
            ConfigError: if the two do not go together, the bundle cannot enrol anybody, or the
                profile is missing or another bundle's.
        """
        if seconds is not None and file is None:
            raise ConfigError("to enroll somebody, name the file of the profile: where it goes")
        if seconds is not None and not seconds > 0:
            raise ConfigError(f"enroll is {seconds:g} s; it must be positive")
        self.profile: Profile | None = None
        self._file = file
        self._seconds = seconds
        self._told = 0.0
        self._enrolment: Enrolment | None = None
        if file is None:
            return
        adaptation = adaptation_of(bundle)
        self._ask = _ASK[adaptation.enrol_with]
        if seconds is None or is_there(file):
            self.profile = Profile.load(file)
            self.profile.check(bundle)
        elif not file.absolute().parent.is_dir():
            with writing(file):
                file.lstat()  # fails, and so says what is wrong with the folder

    def begin(self, stream: EmotionStream, tell: Callable[[str], None]) -> None:
        """Start to listen, if that was asked for."""
        if self._seconds is None:
            return
        self._enrolment = stream.enroll(self._seconds, extend=self.profile)
        if self.profile is not None:
            tell(
                f"{self._file} is gone on from ({self.profile.seconds:.0f} s of speech); for "
                "another person name another file"
            )
        tell(f"enrolling: {self._ask}, {self._seconds:g} s without the pauses")

    def look(self, tell: Callable[[str], None]) -> None:
        """Tell how far the enrolment is; save the profile once there is one."""
        enrolment = self._enrolment
        if enrolment is None:
            return
        if enrolment.done:
            self._enrolment = None
            profile = enrolment.result(0)
            if self._file is not None:
                profile.save(self._file)
            tell(f"enrolled: {profile.seconds:.1f} s of speech in {self._file}")
        elif enrolment.heard_seconds >= self._told + 1:
            self._told = enrolment.heard_seconds
            tell(f"enrolling: {self._told:.0f} of {enrolment.wanted_seconds:g} s")

    def end(self, tell: Callable[[str], None]) -> None:
        """The stream has ended.

        Raises:
            CaptureError: if too little was said to make a profile.
        """
        self.look(tell)
        if self._enrolment is not None:
            self._enrolment.result(5)
            self.look(tell)
