"""The examples for CI are well formed, say the same, and end with the right code whatever plugstorm says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from reports.allure import categories
from tests.deploy.workflow import evaluate
from tests.test_house import ROOT

EXAMPLES = ROOT / "examples" / "ci"
NIGHTLY = EXAMPLES / "nightly.sh"
# It ends as the test wants: interop, the comparisons and load runs by the codes in files; runs leave a run.json.
PLUGSTORM = """#!/bin/sh
echo "$*" >> "$SAID"
case "$1" in
  interop | load)
    for word in "$@"; do [ "$last" != --out ] || out=$word; last=$word; done
    mkdir -p "$out" && echo '{}' > "$out/run.json" ;;
esac
code=0
while read -r ends what; do case "$*" in "$what"*) code=$ends ;; esac; done < "$CODES"
exit "$code"
"""


class Night:
    """A folder with a plugstorm that only pretends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin" / "plugstorm").write_text(PLUGSTORM)
        (folder / "bin" / "plugstorm").chmod(0o755)
        self.history = folder / "plugstorm-history"
        self.before = self.history / "20250101T000000Z"
        for run in ("interop", "load-1"):
            (self.before / run).mkdir(parents=True)
            (self.before / run / "run.json").write_text("{}")

    def run(self, codes: str = "", **environment: str) -> int:
        (self.folder / "codes").write_text(codes)
        (self.folder / "said").write_text("")
        known = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "SAID": "said", "CODES": "codes"}
        command = ["sh", str(NIGHTLY)]
        done = subprocess.run(command, cwd=self.folder, env=known | environment, check=False, capture_output=True)
        return done.returncode

    def said(self, command: str) -> list[str]:
        lines = (self.folder / "said").read_text().splitlines()
        return [line for line in lines if line.startswith(command)]

    @property
    def kept(self) -> list[str]:
        runs = [path.parent for path in self.history.glob("*/*/run.json")]
        return sorted(run.name for run in runs if run.parent != self.before)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


GOOD = ["interop", "load-1", "load-2", "load-3", "load-4", "load-5"]


def test_a_good_night_is_kept(night: Night) -> None:
    words = {"CSMS_URL": "ws://127.0.0.1:9/x", "LABEL": "1.4", "CSMS_OPTIONS": "--driver d.yaml"}
    assert night.run(**words) == 0
    assert night.kept == GOOD
    loads = night.said("load")
    assert len(loads) == 5
    assert all("--url ws://127.0.0.1:9/x --driver d.yaml" in line and "--label 1.4" in line for line in loads)
    assert len(night.said("history")) == 1


@pytest.mark.parametrize(
    "what", ["compare --baseline latest --runs plugstorm-history plugstorm-night/interop", "compare"]
)
def test_a_regression_fails_and_is_not_the_next_base(night: Night, what: str) -> None:
    assert night.run(f"1 {what}\n") == 1
    assert night.kept == []
    assert night.run("1 compare\n", ACCEPT="yes") == 0
    assert night.kept == GOOD


def test_the_first_night_has_nothing_to_be_compared_with(night: Night) -> None:
    shutil.rmtree(night.history)
    assert night.run("1 compare\n") == 0
    assert night.said("compare") == []
    assert night.kept == GOOD


def test_failed_cases_and_objectives_alone_fail_nothing(night: Night) -> None:
    assert night.run("1 interop\n1 load\n") == 0
    assert night.kept == GOOD


def test_when_nobody_can_tell_it_is_no_regression(night: Night) -> None:
    assert night.run("3 compare\n3 interop\n") == 0


def test_spoilt_runs_are_made_again(night: Night) -> None:
    assert night.run("3 load --stations 100 --spawn-rate 50 --duration 60s --warm-up 5 --seed 2\n") == 0
    assert night.kept == ["interop", "load-1", "load-3", "load-4", "load-5", "load-6"]
    assert night.run("3 load\n") == 0
    assert len(night.said("load")) == 8


@pytest.mark.parametrize(
    ("codes", "code"), [("4 load\n", 4), ("2 interop\n", 2), ("2 compare\n", 2), ("130 load\n", 130)]
)
def test_what_is_no_verdict_ends_the_night(night: Night, codes: str, code: int) -> None:
    assert night.run(codes) == code
    assert night.kept == []


def test_the_suite_can_be_left_out_and_old_nights_go(night: Night) -> None:
    old = [night.history / f"2026010{day}T000000Z" for day in range(1, 6)]
    for one in old:
        (one / "load-1").mkdir(parents=True)
    assert night.run(INTEROP="no", KEEP="3") == 0
    assert night.said("interop") == []
    assert [one.exists() for one in old] == [False, False, False, True, True]


# -- the files of the systems -----------------------------------------------------------------------------------------


def test_the_files_for_github_fit_each_other() -> None:
    workflow = yaml.safe_load((EXAMPLES / "github" / "nightly.yml").read_text("utf-8"))
    action = yaml.safe_load((EXAMPLES / "github" / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    assert all("shell" in step for step in action["runs"]["steps"])
    # YAML 1.1 reads the key `on` as true.
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}
    assert set(workflow) == {True, "name", "permissions", "concurrency", "jobs"}
    (job,) = workflow["jobs"].values()
    assert all(set(step) <= {"name", "uses", "with", "run", "shell", "env", "if"} for step in job["steps"])
    (ours,) = (step for step in job["steps"] if step.get("uses", "").startswith("./"))
    assert set(ours["with"]) <= set(action["inputs"])
    settings = {name for step in action["runs"]["steps"] for name in step.get("env", {})} - {"WHEEL"}
    assert settings <= set(re.findall(r"^: \"\$\{(\w+):=", NIGHTLY.read_text(), re.MULTILINE))


def test_the_file_for_gitlab_is_as_gitlab_reads_it() -> None:
    (job,) = yaml.safe_load((EXAMPLES / "gitlab" / ".gitlab-ci.yml").read_text("utf-8")).values()
    known = {"image", "rules", "timeout", "cache", "variables", "script", "artifacts"}
    assert set(job) == known
    assert set(job["artifacts"]) <= {"when", "expire_in", "paths", "expose_as", "reports"}
    assert job["cache"]["when"] == "on_success"
    assert all(isinstance(line, str) for line in job["script"])


def test_the_file_for_jenkins_has_balanced_blocks_and_known_sections() -> None:
    text = (EXAMPLES / "jenkins" / "Jenkinsfile").read_text("utf-8")
    # Without what is quoted or said to people, which may hold anything.
    text = re.sub(r"'''.*?'''", "", text, flags=re.DOTALL)
    text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|//.*", "", text)
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    sections = re.findall(r"^ {4}(\w+) \{", text, re.MULTILINE)
    assert sections == ["agent", "triggers", "options", "parameters", "environment", "stages", "post"]


def test_the_configuration_of_allure_3_has_our_categories() -> None:
    config = msgspec.json.decode((EXAMPLES / "allurerc.json").read_bytes())
    assert config["categories"] == categories()


def test_expressions_are_those_of_github() -> None:
    contexts = {"inputs": {"accept": True, "none": False}, "vars": {"A": "a"}, "github": {"sha": "1"}}
    for text, value in (
        ("x ${{ github.sha }} y", "x 1 y"),
        ("${{ vars.B || 'default words' }}", "default words"),
        ("${{ vars.A || 'b' }}", "a"),
        ("${{ inputs.accept && 'yes' || '' }}", "yes"),
        ("${{ inputs.none && 'yes' || '' }}", ""),
        ("${{ inputs.accept }}", "true"),
    ):
        assert evaluate(text, contexts) == value
