"""A log that is still being written: findings as they come, and the judgement so far with Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

from evidence import exit_codes
from tests.analysis.log_scenes import Scene, Talk, render, scenes


def test_a_pipe_is_followed_and_ctrl_c_gives_the_judgement_so_far() -> None:
    scene = next(scene for scene in scenes() if scene.name == "no answer to a start")
    with subprocess.Popen(
        [sys.executable, "-m", "plugstorm", "analyze", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(render(scene, "steve"))
        process.stdin.flush()
        # The pipe stays open: this comes although the log goes on.
        assert "CSMS: unanswered-call" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == exit_codes.FAILED
    assert out.startswith("CSMS: 1 rule broken. The session of connector 1 of INV-0001 was lost")
    assert "Traceback" not in errors


def test_two_lines_of_a_quiet_station_are_enough() -> None:
    talk = Talk().up("Authorize", {"idTag": "x" * 21}, [4, "FormationViolation", "", {}])
    with subprocess.Popen(
        [sys.executable, "-m", "plugstorm", "analyze", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(render(Scene("x", talk.lines, set()), "evcc") + "\n")
        process.stdin.flush()
        assert "charge point: schema" in process.stderr.readline()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == exit_codes.FAILED
    assert "read as evcc" in out
