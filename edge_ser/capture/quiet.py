"""Keeping device libraries from writing to the terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what is written to the process's standard error nowhere, for a moment.

    PortAudio's back ends write pages about sound cards that are not there, from C and past every
    Python stream; a library must not. Only one thread at a time does this; what other threads
    write meanwhile is lost, so it is for the opening of devices alone.
    """
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:
            # There is no standard error: nothing can be written to it.
            yield
            return
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
