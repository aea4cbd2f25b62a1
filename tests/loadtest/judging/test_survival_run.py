"""Load runs against a CSMS that does not survive them: each fails, and its first line says what happened."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from evidence import exit_codes
from fixtures.csms import spawn_practice_csms
from loadtest.judging.slo_built_in import CERTAIN

pytestmark = pytest.mark.waits(20)

BUSY = "title: busy\nheartbeat: 0.5\nsessions: {duration: 1, gap: 1, unplug: 0.1}\n"
STARTS = "title: starts\nheartbeat: 2\nsessions: {duration: 0.3, gap: 0.3, unplug: 0.1}\n"
"""More starts than a CSMS handles one after the other."""


class Told:
    """What a run left: exit code, `run.json`, the headline of `summary.md`, and what the terminal shows last."""

    def __init__(self, code: int, folder: Path, terminal: str) -> None:
        self.code = code
        self.run: dict[str, Any] = json.loads((folder / "run.json").read_text())
        self.headline = (folder / "summary.md").read_text().splitlines()[2]
        self.screens = {
            "terminal": " ".join(terminal.split()),
            "summary.md": (folder / "summary.md").read_text().replace("\\", ""),
            "run.json": json.dumps(self.run, ensure_ascii=False),
            "report.html": html.unescape((folder / "report.html").read_text()),
            "junit.xml": html.unescape((folder / "junit.xml").read_text()),
        }

    @property
    def symptoms(self) -> list[str]:
        return [symptom["word"] for symptom in self.run["symptoms"]]

    @property
    def is_starved(self) -> bool:
        """Whether this machine was too busy to judge a CSMS that is still there."""
        return bool(self.run["generator"]["verdict"] == "INVALID" and self.code == exit_codes.INVALID)


def load(
    folder: Path,
    defects: tuple[str, ...],
    trouble_after: float,
    *words: str,
    profile: str = BUSY,
    stations: int = 6,
    duration: str = "9s",
    call_timeout: str = "1",
) -> Told:
    folder.mkdir(exist_ok=True)
    (folder / "busy.yaml").write_text(profile)
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", str(stations), "--spawn-rate", str(stations)]
    command += ["--out", "run", "--duration", duration, "--profile", "busy.yaml", "--call-timeout", call_timeout]
    command += ["--warm-up", "0.5", *words]
    with spawn_practice_csms(defects=defects, trouble_after=trouble_after) as csms:
        done = subprocess.run(
            [*command, "--url", csms.url],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (folder / "run" / "run.json").exists(), done.stderr
    return Told(done.returncode, folder / "run", done.stdout)


class Case(NamedTuple):
    """A CSMS that gives way, and what is said of it."""

    defect: str
    how: dict[str, Any]
    symptom: str
    sentence: str
    missed: str = ""
    """Objective that it cannot but miss."""


ILL = {
    "dies": Case("load-dies", {"trouble_after": 4.0, "duration": "14s"}, "gone", "The CSMS went away", "csms-answers"),
    "mute": Case("load-mute", {"trouble_after": 4.0, "duration": "14s"}, "mute", "The CSMS went mute", "csms-answers"),
    "mute from the start": Case(
        "load-mute", {"trouble_after": 0.0}, "mute", "The CSMS is mute: it answered no CALL", "lets-stations-in"
    ),
    "refuses all": Case(
        "load-no-tokens", {"trouble_after": 0.0}, "refuses-tokens", "refused every token", "charging-success"
    ),
    "slow after a while": Case(
        "load-slow",
        {"trouble_after": 5.0, "duration": "16s", "call_timeout": "30"},
        "slow",
        "The CSMS became slow about",
        "failed-calls",
    ),
    "leaks": Case(
        "load-leaks",
        {"trouble_after": 0.0, "duration": "12s", "call_timeout": "30"},
        "slowing",
        "as one does that leaks memory or connections",
    ),
    "loses 1 %": Case(
        "load-loses-answers",
        {"trouble_after": 0.0, "duration": "14s", "call_timeout": "2", "stations": 20},
        "loses-answers",
        "The CSMS loses answers",
        "transactions-answered",
    ),
    "serialises one action": Case(
        "load-serialised",
        {"trouble_after": 0.0, "duration": "14s", "call_timeout": "30", "stations": 50, "profile": STARTS},
        "serialised",
        "StartTransaction is serialised: the CSMS handles one at a time",
    ),
    "stalls 2 s each 30 s": Case(
        "load-stalls",
        {"trouble_after": 3.0, "duration": "40s", "call_timeout": "30", "stations": 10},
        "stalls",
        "The CSMS stood still 2 times for about 2",
    ),
}


ATTEMPTS = 2
"""Other tests on the machine may leave too little of it to one run."""


@pytest.mark.timeout(900)
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ILL)
def test_a_csms_that_gives_way_is_never_survived_and_every_first_screen_says_what_it_did(
    tmp_path: Path, name: str
) -> None:
    case = ILL[name]
    for attempt in range(ATTEMPTS):
        told = load(tmp_path / str(attempt), (case.defect,), **case.how)
        missed = {slo["built_in"] for slo in told.run["slo"] if not slo["passed"]}
        if case.missed in CERTAIN:
            assert case.missed in missed
            assert (told.run["verdict"], told.code) == ("failed", exit_codes.FAILED)
        if case.symptom in told.symptoms and (not case.missed or case.missed in missed):
            break
    else:
        assert told.run["generator"]["verdict"] != "VALID", (told.symptoms, missed)
        return
    assert any(case.sentence.lower() in symptom["says"].lower() for symptom in told.run["symptoms"])
    if told.symptoms[0] == case.symptom and not told.is_starved:
        assert case.sentence in told.headline.replace("\\", "")
    silent = [screen for screen, text in told.screens.items() if case.sentence.lower() not in text.lower()]
    assert silent == []
    assert told.code == (exit_codes.INVALID if told.is_starved else exit_codes.FAILED) or not case.missed


@pytest.fixture
def busy_neighbour() -> Iterator[None]:
    """Keep a processor busy with another program."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbour:
        yield
        neighbour.kill()


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("busy_neighbour")
def test_a_right_csms_keeps_every_built_in_objective_beside_a_busy_program(tmp_path: Path) -> None:
    told = load(tmp_path, (), 0.0, call_timeout="30", duration="6s")
    assert all(slo["passed"] for slo in told.run["slo"]), told.run["slo"]
    if told.is_starved:
        return
    assert (told.run["verdict"], told.code) == ("passed", exit_codes.PASSED)
    assert "no SLO was set" in told.headline
    if told.run["generator"]["verdict"] == "DEGRADED":
        assert "The load generator was DEGRADED" in told.screens["summary.md"]


@pytest.mark.timeout(400)
def test_an_objective_that_is_switched_off_by_name_fails_nothing_and_is_named(tmp_path: Path) -> None:
    off = [word for name in ("charging-success", "failed-calls") for word in ("--no-objective", name)]
    told = load(tmp_path, ("load-no-tokens",), 0.0, *off)
    assert told.is_starved or told.code == exit_codes.PASSED, told.run["slo"]
    assert told.run["settings"]["no-objective"] == ["charging-success", "failed-calls"]
    assert "charging-success (off)" in told.screens["summary.md"]
