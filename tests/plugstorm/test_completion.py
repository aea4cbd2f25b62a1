"""A shell completes commands, options and their words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugstorm.conftest import Plugstorm


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("plugstorm lo", {"load"}),
        ("plugstorm load --st", {"--stations", "--stages", "--start-at", "--storm", "--station-list"}),
        ("plugstorm csms --mode ", {"strict", "lenient"}),
    ],
)
def test_fish_is_offered_what_may_follow(
    plugstorm: Plugstorm, monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]
) -> None:
    monkeypatch.setenv("_PLUGSTORM_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("COLUMNS", "80")
    result = plugstorm()
    assert result.code == 0
    found = {line.partition("\t")[0] for line in result.out.splitlines()}
    assert found >= offered
    assert all(word.startswith(typed.rpartition(" ")[2]) for word in found)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed here")
def test_bash_completes_with_the_script_that_the_command_writes() -> None:
    folder = Path(sys.executable).parent
    script = """
        eval "$(plugstorm --show-completion bash)"
        COMP_WORDS=(plugstorm interop --check) COMP_CWORD=2
        _plugstorm_completion plugstorm
        echo "${COMPREPLY[@]}"
        complete -p plugstorm
    """
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["--check-driver", "complete -o default -F _plugstorm_completion plugstorm"]
