"""A disk that takes no more ends a run with one line."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.disk import disk_error

pytestmark = pytest.mark.waits


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_file_that_cannot_grow_is_one_line_and_exit_code_2(jobs: str, tmp_path: Path) -> None:
    command = ["interop", "--ocpp", "1.6", "--select", "RPC_01,RPC_02,TC_001,TC_003", "--jobs", jobs]
    ended = subprocess.run(  # our own command
        [sys.executable, "-m", "plugstorm", *command, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        preexec_fn=_limit_files,  # a limit of the process is what is wanted
        # Bytecode would be cut off as well, and stay for whoever comes next.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "INTERNALERROR" not in ended.stdout + ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith(f"plugstorm: error: {tmp_path / 'run'}")
    assert lines[0].endswith("cannot be written: File too large")


def test_full_disk_is_told_from_a_refused_connection() -> None:
    assert disk_error(OSError(errno.ENOSPC, "No space left on device", "/r/a")) == ("/r/a", "No space left on device")
    assert disk_error("E   OSError: [Errno 28] No space left on device: '/r/b'\n") == (
        "/r/b",
        "No space left on device",
    )
    assert disk_error("OSError: [Errno 28] No space left on device") == (None, "No space left on device")
    assert disk_error(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")) is None
    assert disk_error("OSError: [Errno 111] Connection refused") is None
