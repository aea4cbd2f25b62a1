"""Hints name options that exist, as the command line that somebody has used calls them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import loadtest
from loadtest.locust_edge.options import OPTIONS, in_locusts_words
from plugstorm.cli import app

pytestmark = pytest.mark.waits

ROOT = Path(loadtest.__file__).parent
FLAG = re.compile(r"--[a-z][a-z-]+")
OF_LOCUST = {"--plugstorm-help", "--headless", "--autostart", "--autoquit", "--processes", "--users", "--host"}
"""Those of Locust's own that we use ourselves."""


def flags_of_plugstorm() -> set[str]:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group, which typer does not say
    return {flag for command in commands.values() for parameter in command.params for flag in parameter.opts}


def texts(path: Path) -> Iterator[str]:
    """Return every text of a module but its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def test_every_option_that_a_text_names_exists() -> None:
    known = flags_of_plugstorm() | {option.locust for option in OPTIONS} | OF_LOCUST
    named = {flag: path.name for path in ROOT.rglob("*.py") for text in texts(path) for flag in FLAG.findall(text)}
    assert len(named) > 30
    assert {flag: where for flag, where in named.items() if flag not in known} == {}


def test_hints_are_written_for_plugstorm_load_and_translated_for_locust() -> None:
    ours = {option.locust for option in OPTIONS if option.flag and option.flag != option.locust}
    hints = [
        path
        for path in ROOT.rglob("*.py")
        if path.name not in {"options.py", "request.py"}
        and ours & {flag for text in texts(path) if " " in text for flag in FLAG.findall(text)}
    ]
    assert hints == []
    assert in_locusts_words("check --url, --ca and --stations; see --slo") == (
        "check --host, --tls-ca and --users; see --slo"
    )


def test_every_option_of_a_run_is_in_the_help_of_both_commands() -> None:
    locustfile = ROOT / "locustfile.py"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--plugstorm-help"]
    of_locust = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    missing = [option.locust for option in OPTIONS if option.locust not in of_locust]
    assert missing == []
    load = typer.main.get_command(app).commands["load"]  # type: ignore[attr-defined]  # as above
    flags = {flag for parameter in load.params for flag in parameter.opts}
    assert {option.field for option in OPTIONS if option.flag not in flags} == {"no_locust_table"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("parent", ["", "1"])
def test_a_refused_address_is_named_as_the_person_has_given_it(parent: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfile.py"), "--headless", "--users", "1"]
    command += ["--host", "ws://127.0.0.1:9/ocpp", "--out", "run", "--logfile", "log"]
    environment = {"PLUGSTORM_PARENT": parent} if parent else {}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert ("(--url)" if parent else "(--host)") in done.stderr
