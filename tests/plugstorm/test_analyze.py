"""`plugstorm analyze` as a person uses it: exit codes, outputs, and a log of a hundred stations with twelve faults."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.model import Side
from evidence import exit_codes
from ocppj.errors import InconclusiveError, UsageError
from plugstorm import analyze_command
from plugstorm.analyze_command import Request, columns_of
from tests.analysis.log_scenes import BOOT_16, DOWN, Scene, Talk, render, scenes

SCENES = {scene.name: scene for scene in scenes()}


def log_of(folder: Path, scene: str, name: str = "steve") -> Path:
    path = folder / "a.log"
    path.write_text(render(SCENES[scene], name))
    return path


def run(path: Path, **options: object) -> int:
    return analyze_command.run(Request(logs=[str(path)], **options))  # type: ignore[arg-type] # checked by msgspec


def test_a_good_log_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(log_of(tmp_path, "good")) == exit_codes.PASSED
    assert capsys.readouterr().out.startswith("Neither side broke a rule.")


@pytest.mark.parametrize(
    ("scene", "side", "code"),
    [
        ("no answer to a start", "any", exit_codes.FAILED),
        ("no answer to a start", "csms", exit_codes.FAILED),
        ("no answer to a start", "charge-point", exit_codes.PASSED),
        ("another transaction id", "charge-point", exit_codes.FAILED),
        ("another transaction id", "csms", exit_codes.PASSED),
        ("a time without a zone", "any", exit_codes.PASSED),
    ],
)
def test_required_rules_of_the_chosen_side_decide(tmp_path: Path, scene: str, side: str, code: int) -> None:
    assert run(log_of(tmp_path, scene), side=side) == code


def test_the_headline_names_the_side_and_what_was_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(log_of(tmp_path, "no answer to a start"))
    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        "CSMS: 1 rule broken. The session of connector 1 of INV-0001 was lost: the CSMS never answered its "
        "StartTransaction."
    )


def test_all_outputs_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, sarif, markdown = tmp_path / "a.html", tmp_path / "a.sarif", tmp_path / "a.md"
    path = log_of(tmp_path, "another transaction id")
    assert run(path, page=page, sarif=sarif, markdown=markdown, as_json=True) == exit_codes.FAILED
    analysis = json.loads(capsys.readouterr().out)
    assert analysis["counts"] == {"charge-point": {"other-transaction-id": 1}}
    result = json.loads(sarif.read_text())["runs"][0]["results"][0]
    assert result["ruleId"] == "other-transaction-id"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == analysis["findings"][0]["line"]
    assert "### charge point: `other-transaction-id`" in markdown.read_text()
    text = page.read_text()
    assert "other-transaction-id" in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_hostile_log_stays_text_on_the_page(tmp_path: Path) -> None:
    talk = Talk(BOOT_16).up("<script>alert(1)</script>", {}, [4, "NotImplemented", "", {}])
    path, page = tmp_path / "a.log", tmp_path / "a.html"
    path.write_text(render(Scene("x", talk.lines, set()), "steve"))
    run(path, page=page)
    assert "<script>" not in page.read_text()


def test_a_log_becomes_an_ocpp_trace_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = log_of(tmp_path, "another transaction id"), tmp_path / "a.jsonl"
    run(path, to="ocpp-trace", out=out, redact=True)
    assert "INV-0001" not in out.read_text()
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert {one["schemaVersion"] for one in told} == {"1.1"}
    assert all("action" in one for one in told)
    capsys.readouterr()
    run(out, as_json=True)
    assert json.loads(capsys.readouterr().out)["counts"] == {"charge-point": {"other-transaction-id": 1}}


def test_a_pipe_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = log_of(tmp_path, "another transaction id").read_bytes()
    piped = io.BufferedReader(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(piped))
    assert analyze_command.run(Request(logs=["-"])) == exit_codes.FAILED
    told = capsys.readouterr()
    assert "(standard input)" in told.out
    assert "charge point: other-transaction-id" in told.err


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log_of(tmp_path, "good")
    path.write_text(path.read_text() + 'odd [2,"1","Heartbeat",{}]\n')
    run(path)
    assert f"Not read: {path}:{len(SCENES['good'].lines) + 1}:" in capsys.readouterr().out


def test_mistakes_of_a_person_are_one_sentence(tmp_path: Path) -> None:
    for options, words in (
        ({"format": "stev"}, "known are"),
        ({"explain": True}, "--explain needs"),
        ({"to": "xml"}, "known is ocpp-trace"),
        ({"sarif": tmp_path / "no" / "a"}, "cannot be written"),
    ):
        with pytest.raises(UsageError, match=words):
            run(log_of(tmp_path, "good"), **options)
    with pytest.raises(UsageError, match="does not exist"):
        run(tmp_path / "none.log")
    with pytest.raises(UsageError, match="--columns takes"):
        columns_of(["when=x"])
    empty = tmp_path / "empty.log"
    empty.write_text("")
    with pytest.raises(InconclusiveError, match="no OCPP frame"):
        run(empty, format="steve")


def _good(number: int) -> Talk:
    return Talk(BOOT_16).status("Available").status("Preparing").start(1, 1000 + number).meter(1100, 1, 1000 + number)


FAULTS: dict[tuple[str, str], Callable[[int], Talk]] = {
    ("charge-point", "other-transaction-id"): lambda n: _good(n).meter(1200, 1, 999999),
    ("charge-point", "overlapping-start"): lambda n: _good(n).start(1, 5000 + n),
    ("charge-point", "register-backwards"): lambda n: _good(n).meter(900, 1, 1000 + n),
    ("charge-point", "schema"): lambda n: _good(n).up(
        "Authorize", {"idTag": "x" * 21}, [4, "FormationViolation", "", {}]
    ),
    ("charge-point", "unanswered-call"): lambda n: (
        _good(n).down("ClearCache", {}, answered=False, took=40).beat().beat()
    ),
    ("charge-point", "reused-id"): lambda n: _good(n).beat(message_id="1").status("Charging", message_id="1"),
    ("csms", "unanswered-call"): lambda n: _good(n).beat(answered=False, took=40).beat(),
    ("csms", "transaction-id-given-twice"): lambda n: _good(n).stop(1200, 1000 + n).start(1, 1000 + n),
    ("csms", "answer-schema"): lambda n: _good(n).up("Authorize", {"idTag": "x"}, {}),
    ("csms", "time-without-zone"): lambda n: _good(n).up("Heartbeat", {}, {"currentTime": "2026-03-02T08:00:20"}),
    ("csms", "answer-to-nothing"): lambda n: _good(n).say(DOWN, [3, "zzz", {}]),
    ("csms", "profile-start"): lambda n: _good(n).down(
        "SetChargingProfile",
        {
            "connectorId": 0,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "ChargePointMaxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
                },
            },
        },
        {"status": "Accepted"},
    ),
}


def test_of_a_hundred_stations_with_twelve_faults_all_twelve_are_found_and_no_other(tmp_path: Path) -> None:
    planted = dict(zip(range(4, 100, 8), FAULTS.items(), strict=True))
    lines: list[tuple[float, int, str]] = []
    for number in range(100):
        fault = planted.get(number)
        talk = _good(number) if fault is None else fault[1](number)
        text = render(Scene("x", talk.lines, set()), "steve").replace("INV-0001", f"INV-{number:04}")
        lines += [
            (line.after, number, row.replace("5e551011-0000", f"5e551011-{number:04}"))
            for line, row in zip(talk.lines, text.splitlines(), strict=True)
        ]
    path = tmp_path / "fleet.log"
    path.write_text("\n".join(row for _, _, row in sorted(lines)) + "\n")
    analysis = analyze_command.analyze(Request(logs=[str(path)]))
    found = Counter((finding.station, str(finding.side), finding.rule) for finding in analysis.findings)
    assert found == Counter({(f"INV-{number:04}", side, rule): 1 for number, ((side, rule), _) in planted.items()})
    assert analysis.rules_of(Side.CSMS) == 6
    assert analysis.rules_of(Side.STATION) == 6
