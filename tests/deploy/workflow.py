"""Runs a workflow of GitHub Actions as far as the examples need it: its `run` steps in order, on this machine.

A step that `uses` an action of the repository runs that composite action; of GitHub's own actions, `upload-artifact`
keeps folders, and `checkout` and `setup-python` have nothing to do here. Everything else is a mistake of the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Runner", "evaluate"]

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_NOTHING_TO_DO = ("actions/checkout@", "actions/setup-python@")
_UPLOAD = "actions/upload-artifact@"
_GH = """#!/bin/sh
# What `gh run` does for the workflow, with folders instead of runs.
case "$2" in
  list) [ ! -d "$ARTIFACTS" ] || echo 1 ;;
  download) while [ $# -gt 0 ]; do case "$1" in --name) name=$2 ;; --dir) dir=$2 ;; esac; shift; done
    cp -r "$ARTIFACTS/$name" "$dir" ;;
esac
"""


def evaluate(text: str, contexts: Mapping[str, Any]) -> str:
    """Put values in the place of expressions: names with dots, texts in quotes, `&&` and `||`."""
    return _EXPRESSION.sub(lambda found: _text(_either(found[1], contexts)), text)


def _either(expression: str, contexts: Mapping[str, Any]) -> Any:
    value: Any = ""
    for part in expression.split("||"):
        for word in part.split("&&"):
            value = _value(word.strip(), contexts)
            if not value:
                break
        if value:
            break
    return value


def _value(word: str, contexts: Mapping[str, Any]) -> Any:
    if word.startswith("'"):
        assert word.endswith("'"), word
        return word[1:-1]
    context, *path = word.split(".")
    value: Any = contexts[context]
    for name in path:
        value = value.get(name, "")
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Runner:
    """One repository on one machine; each `run` is one run of the workflow."""

    def __init__(self, folder: Path, workflow: Path, environment: Mapping[str, str]) -> None:
        """Keep the repository in `folder`, where the actions of the workflow are."""
        self.folder = folder
        self.artifacts = folder.parent / "artifacts"
        self._document = yaml.safe_load(workflow.read_text("utf-8"))
        self._temporary = folder.parent / "temporary"
        self._temporary.mkdir(exist_ok=True)
        tools = folder.parent / "tools"
        tools.mkdir(exist_ok=True)
        # The Python that `setup-python` brings is the one of these tests, whatever `python3` is here.
        for name, script in (("gh", _GH), ("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')):
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        self._environment = {**environment, "PATH": f"{tools}:{environment['PATH']}"}
        self.summary = ""
        self.said = ""

    def run(self, **contexts: Mapping[str, Any]) -> bool:
        """Run the one job, and return whether every step ended well."""
        (job,) = self._document["jobs"].values()
        self.summary = self.said = ""
        self._path: list[str] = []
        shutil.rmtree(self.folder / "plugstorm-history", ignore_errors=True)
        known = {"github": {"sha": "0123abc", "token": "t"}, "inputs": {}, "vars": {}, "secrets": {}} | contexts
        self._good = True
        self._uploads: list[tuple[str, str]] = []
        for step in job["steps"]:
            if self._good or step.get("if") == "always()":
                self._step(step, known)
        if self._good:
            # `gh run list --status success` looks at no other run.
            for name, path in self._uploads:
                shutil.rmtree(self.artifacts / name, ignore_errors=True)
                shutil.copytree(self.folder / path, self.artifacts / name)
        return self._good

    def _step(self, step: Mapping[str, Any], contexts: Mapping[str, Any]) -> None:
        uses = step.get("uses", "")
        if "run" in step:
            assert step["shell"] == "bash", "a shell of another system is another test"
            self._shell(evaluate(step["run"], contexts), self._words(step.get("env", {}), contexts))
        elif uses.startswith("./"):
            self._action(self.folder / uses, step, contexts)
        elif uses.startswith(_UPLOAD):
            given = step["with"]
            assert (self.folder / given["path"]).is_dir(), given["path"]
            self._uploads.append((given["name"], given["path"]))
        else:
            assert uses.startswith(_NOTHING_TO_DO), uses

    def _action(self, folder: Path, step: Mapping[str, Any], contexts: Mapping[str, Any]) -> None:
        action = yaml.safe_load((folder / "action.yml").read_text("utf-8"))
        given = self._words(step.get("with", {}), contexts)
        assert given.keys() <= action["inputs"].keys()
        inputs = {
            # GitHub takes an empty value of a caller for a value.
            name: given[name] if name in given else about.get("default", "")
            for name, about in action["inputs"].items()
        }
        missing = [name for name, about in action["inputs"].items() if about.get("required") and not inputs[name]]
        assert missing == []
        inner = {**contexts, "inputs": inputs, "github": {**contexts["github"], "action_path": str(folder)}}
        environment, before = self._words(step.get("env", {}), contexts), self._environment
        self._environment = {**before, **environment}
        for one in action["runs"]["steps"]:
            if self._good:
                self._step(one, inner)
        self._environment = before

    @staticmethod
    def _words(pairs: Mapping[str, Any], contexts: Mapping[str, Any]) -> dict[str, str]:
        return {name: evaluate(_text(value), contexts) for name, value in pairs.items()}

    def _shell(self, script: str, environment: Mapping[str, str]) -> None:
        files = {name: self._temporary / name for name in ("GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        known = {
            **self._environment,
            **environment,
            **{name: str(file) for name, file in files.items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "someone/csms",
            "RUNNER_TEMP": str(self._temporary),
        }
        known["ARTIFACTS"] = str(self.artifacts)
        known["PATH"] = os.pathsep.join([*reversed(self._path), known["PATH"]])
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        with subprocess.Popen(
            command, cwd=self.folder, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as done:
            assert done.stdout is not None
            said = done.stdout.read()
        self._path += files["GITHUB_PATH"].read_text().split()
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
        self.said += said
        self._good = self._good and done.returncode == 0
