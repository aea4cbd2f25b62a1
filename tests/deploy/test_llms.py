"""llms.txt leads to pages that exist and names commands and exit codes that do."""

from __future__ import annotations

import re
import shlex

from evidence import exit_codes
from tests.test_docs import COMMANDS, DOCS
from tests.test_house import ROOT

TEXT = (ROOT / "llms.txt").read_text("utf-8")


def test_it_is_laid_out_as_readers_expect() -> None:
    lines = [line for line in TEXT.splitlines() if line]
    assert lines[0] == "# Plugstorm"
    assert lines[1].startswith("> ")
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE)[-1] == "Optional"


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .", TEXT, re.MULTILINE)
    assert len(links) > 12
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert {"docs/install.md", "docs/deploy.md", "docs/schemas/README.md"} <= {*links}
    assert (DOCS / "schemas").is_dir()


def test_its_commands_are_known() -> None:
    lines = re.findall(r"`plugstorm ([^`]+)`", TEXT)
    assert len(lines) > 8
    for line in lines:
        name, *words = shlex.split(line)
        if name == "COMMAND":
            continue
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert [word for word in words if word.startswith("--") and word not in known] == [], line


def test_its_exit_codes_are_those_of_the_program() -> None:
    told = re.search(r"Exit codes: (.*?)\. An", TEXT, re.DOTALL)
    assert told is not None
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"\b\d+\b", told[1])} == codes
