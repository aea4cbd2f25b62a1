"""A driver file in a whole run: options, secrets, and the folder of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.csms import practice_csms
from interop_suite.main import run_interop
from interop_suite.run.request import InteropRequest
from interop_suite.run.state import State, reproduce_command

SECRET = "s3cret-of-the-api"
DRIVER = """\
driver: mine
variables:
  url: {required: true}
  key: {secret: true, default: "${ENV:MINE_KEY}", required: true}
http: {base_url: "{{ url }}", headers: {X-Key: "{{ key }}"}}
operations:
  register: {http: {method: POST, url: "/stations/{{ identity }}", body: {}}}
  trigger:
    - actions: [GetConfiguration]
      unsupported: "the page is gone"
    - http: {method: POST, url: "/stations/{{ identity }}/calls/{{ action }}", body: "{{ payload }}"}
      answer: {status: "{{ response.json.status }}", description: "{{ key }}"}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MINE_KEY", SECRET)
    (tmp_path / "mine.yaml").write_text(DRIVER)
    return str(tmp_path / "mine.yaml")


def test_run_with_a_driver_file_leaves_its_verdicts_and_no_secret(file: str, tmp_path: Path) -> None:
    with practice_csms() as csms:
        settings = InteropRequest(
            url=csms.url,
            driver=file,
            driver_options={"url": csms.control_url},
            select="TC_013,TC_019_1",
            out=str(tmp_path / "run"),
        )
        finished = run_interop(settings, jobs=1, write=lambda _: None)
    run = json.loads((finished.folder / "run.json").read_text())
    assert finished.exit_code == 0
    assert run["target"]["driver"] == "mine"
    assert {case["id"]: (case["verdict"], case["reason"]) for case in run["cases"]} == {
        "TC_013_CSMS": ("OK", "Every claim holds."),
        "TC_019_1_CSMS": ("NOT_APPLICABLE", "the page is gone"),
    }
    assert f"--driver-option url={csms.control_url}" in run["cases"][1]["reproduce"] + run["cases"][0]["reproduce"]
    files = [path for path in finished.folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path.name for path in files if SECRET in path.read_text(errors="replace")] == []


def test_state_knows_the_secrets_of_its_driver(file: str, tmp_path: Path) -> None:
    with practice_csms() as csms:
        options = {"url": csms.control_url}
        settings = InteropRequest(
            url=csms.url, driver=file, driver_options=options, password="p4ss", out=str(tmp_path / "run")
        )
        state = State.start(settings)
        state.stack.close()
    assert state.secrets == {SECRET, "p4ss"}
    assert f"--driver-option url={csms.control_url}" in reproduce_command(state.cases[0], settings, embedded=False)
