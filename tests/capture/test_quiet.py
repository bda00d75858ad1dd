"""Device libraries are kept quiet, and everyone else is heard again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge_ser.capture.quiet import quiet_stderr


def test_what_c_code_writes_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with quiet_stderr():
        os.write(2, b"noise of a driver ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_is_passed_on_and_standard_error_is_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(OSError, match="device"), quiet_stderr():
        raise OSError("device")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_a_process_without_standard_error_is_no_problem() -> None:
    program = (
        "import os; os.close(2)\n"
        "from edge_ser.capture.quiet import quiet_stderr\n"
        "with quiet_stderr(): print('done')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"done"
