"""From a log to a test: what it becomes is played against the next release, by the interop suite or under load."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import Mode, practice_csms
from interop_suite.run.plan import make_driver
from interop_suite.run.recorded import cases_of, read_recorded_case
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of
from interop_suite.selftest.bench import CALL_TIMEOUT, PATIENCE
from loadtest.workload.profile import read_profile
from ocppj.errors import InconclusiveError, UsageError
from ocppj.versions import Version
from plugstorm import analyze_command
from plugstorm.analyze_command import Request
from tests.analysis.log_scenes import BOOT_2X, BOOT_16, STATION, Scene, Talk, render, scenes

SCENES = {scene.name: scene for scene in scenes()}
Play = Callable[..., CaseResult]


def session_16() -> Talk:
    """Write a day of 1.6 with a remote stop, a refused token, and a command that is refused."""
    talk = Talk(BOOT_16).status("Available").status("Preparing")
    talk.up("Authorize", {"idTag": "INVENTED1"}, {"idTagInfo": {"status": "Accepted"}})
    talk.up("Authorize", {"idTag": "INVENTED2"}, {"idTagInfo": {"status": "Invalid"}})
    talk.start(number=7).status("Charging").meter(1100)
    talk.down("GetDiagnostics", {"location": "ftp://192.0.2.1/x"}, [4, "NotSupported", "no", {}])
    talk.down("RemoteStopTransaction", {"transactionId": 7}, {"status": "Accepted"})
    return talk.stop().status("Finishing").beat()


def session_2x() -> Talk:
    talk = Talk(BOOT_2X).event("Started", 0).event("Updated", 1)
    talk.down("RequestStopTransaction", {"transactionId": "tx-invented-1"}, {"status": "Accepted"})
    return talk.event("Ended", 2).beat()


def authorize(tag: str) -> dict[str, Any]:
    return {"by": "station", "action": "Authorize", "payload": {"idTag": tag}}


def analyzed(folder: Path, talk: Talk | Scene, **options: Any) -> Path:
    path = folder / "morning.log"
    path.write_text(render(Scene("x", talk.lines, set()), "steve"))
    with contextlib.suppress(InconclusiveError):
        analyze_command.run(Request(logs=[str(path)], **options))
    return path


def case_of(folder: Path, talk: Talk | Scene, **options: Any) -> Path:
    path = folder / "case.yaml"
    analyzed(folder, talk, to_case=path, **options)
    return path


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    with contextlib.ExitStack() as stack:
        csms = stack.enter_context(practice_csms(call_timeout=CALL_TIMEOUT))
        request = stack.enter_context(csms_request(csms, InteropRequest(timeout=PATIENCE)))
        driver = make_driver(request)
        stack.callback(driver.close)
        runner = Runner(target_of(request), driver, None, introspection=csms)

        def run(path: Path, *defects: str, mode: Mode = Mode.STRICT) -> CaseResult:
            csms.behave(mode=mode, defects=list(defects))
            csms.reset()
            return runner.run(read_recorded_case(path))

        yield run


@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.LENIENT])
@pytest.mark.parametrize("talk", [session_16, session_2x], ids=["1.6", "2.0.1"])
def test_a_recorded_case_passes_where_the_csms_is_right(
    tmp_path: Path, play: Play, talk: Callable[[], Talk], mode: Mode
) -> None:
    result = play(case_of(tmp_path, talk()), mode=mode)
    assert (result.verdict, result.reason) == (Verdict.OK, "Every claim holds.")


@pytest.mark.parametrize(
    ("talk", "defect", "words"),
    [
        (session_16, "meter-values-refused", "answers MeterValues"),
        (session_16, "start-without-transaction-id", "StartTransaction response"),
        (session_16, "unknown-tag-authorized", "idTagInfo.status Invalid"),
        (session_16, "remote-stop-wrong-transaction", "carries what the operator named"),
        (session_2x, "event-update-unanswered", "answers TransactionEvent"),
        (session_2x, "request-stop-wrong-transaction", "RequestStopTransaction"),
    ],
)
def test_a_recorded_case_fails_where_the_csms_is_wrong(
    tmp_path: Path, play: Play, talk: Callable[[], Talk], defect: str, words: str
) -> None:
    result = play(case_of(tmp_path, talk()), defect)
    assert result.verdict is Verdict.FAILED
    assert words in " ".join((result.reason, *result.actual))


def test_what_the_csms_did_wrong_in_the_log_is_expected_right(tmp_path: Path, play: Play) -> None:
    path = case_of(tmp_path, SCENES["no answer to a start"])
    (start,) = (step for step in yaml.safe_load(path.read_text())["steps"] if step["action"] == "StartTransaction")
    assert "answer" not in start
    assert play(path).verdict is Verdict.OK


def test_a_case_holds_nothing_of_the_persons_in_the_log(tmp_path: Path) -> None:
    text = case_of(tmp_path, session_16()).read_text()
    assert "INVENTED" not in text
    assert "2026-03-02T" not in text
    told = yaml.safe_load(text)
    assert told["tokens"] == {"token1": "Accepted", "token2": "Invalid"}
    starts = {step["action"]: step for step in told["steps"]}
    assert starts["StartTransaction"]["answer"]["transactionId"] == "$transaction1"
    assert starts["RemoteStopTransaction"]["payload"] == {"transactionId": "$transaction1"}
    assert starts["GetDiagnostics"]["refuse"] == ["NotSupported", "no"]


def test_what_cannot_be_played_is_listed_with_its_reason(tmp_path: Path) -> None:
    talk = (
        Talk(BOOT_16).meter(1100, number=3).up("Authorize", {"idTag": "x" * 21}, {"idTagInfo": {"status": "Invalid"}})
    )
    told = yaml.safe_load(case_of(tmp_path, talk.beat()).read_text())
    assert [step["action"] for step in told["steps"]] == ["Heartbeat"]
    assert ["began before" in told["left_out"][0], "schema" in told["left_out"][1]] == [True, True]


def test_the_conversation_of_the_first_finding_becomes_the_case(tmp_path: Path) -> None:
    good, bad = (render(SCENES[name], "steve") for name in ("good", "no answer to a start"))
    path, case = tmp_path / "a.log", tmp_path / "case.yaml"
    path.write_text(good.replace(STATION, "INV-0007") + bad)
    analyze_command.run(Request(logs=[str(path)], to_case=case))
    assert len(yaml.safe_load(case.read_text())["steps"]) == 5
    analyze_command.run(Request(logs=[str(path)], to_case=case, case_of="INV-0007"))
    assert len(yaml.safe_load(case.read_text())["steps"]) > 8


def test_a_time_in_the_future_stays_as_far_away(tmp_path: Path) -> None:
    talk = Talk(BOOT_16)
    payload = {"connectorId": 1, "expiryDate": talk.stamp(600), "idTag": "INVENTED1", "reservationId": 4}
    (step,) = yaml.safe_load(case_of(tmp_path, talk.down("ReserveNow", payload, {"status": "Accepted"})).read_text())[
        "steps"
    ]
    assert step["payload"]["expiryDate"].startswith("$now+60")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ocpp": "1.5"}, "is one of 1.6, 2.0.1, 2.1"),
        ({"id": "x"}, "begins with a letter"),
        ({"stesp": []}, "did you mean 'steps'"),
        ({"steps": [{"by": "csms", "action": "Heartbeat"}]}, "the csms sends no Heartbeat"),
        (
            {"steps": [{"by": "station", "action": "Authorize", "payload": {"idTag": "$token9"}}]},
            r"\$token9 is neither",
        ),
        ({"steps": [{"by": "station", "action": "Authorize", "payload": {"idTag": "$now+x"}}]}, "seconds follow"),
        ({"steps": [{"by": "station", "action": "Heartbeat", "refuse": ["a", "b"]}]}, "to a CALL of the CSMS"),
    ],
)
def test_a_case_that_cannot_be_played_says_where(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = case_of(tmp_path, session_16())
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(UsageError, match=words):
        read_recorded_case(path)


def test_two_files_with_one_case_are_refused(tmp_path: Path) -> None:
    path = str(case_of(tmp_path, session_16()))
    assert [case.id for case in cases_of([path])] == ["RECORDED_MORNING"]
    with pytest.raises(UsageError, match="change its `id`"):
        cases_of([path, path])


def test_a_log_becomes_a_profile_that_load_replays(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    analyzed(tmp_path, session_16(), to_replay=path)
    recorded = read_profile(path).recorded
    (cues,) = recorded.cues
    assert [cue.action for cue in cues][:3] == ["StatusNotification", "StatusNotification", "Authorize"]
    assert "BootNotification" not in {cue.action for cue in cues}
    assert next(cue for cue in cues if cue.action == "StartTransaction").transaction == 7
    times = [cue.at for cue in cues]
    assert times == sorted(times)
    assert recorded.left_out == 0


def test_a_replay_knows_the_clock_of_a_log_that_writes_local_times(tmp_path: Path) -> None:
    talk = session_16()
    talk.lines = [line._replace(after=line.after + 7200) for line in talk.lines]
    path = tmp_path / "night.yaml"
    analyzed(tmp_path, talk, to_replay=path)
    (cues,) = read_profile(path).recorded.cues
    start = next(cue for cue in cues if cue.action == "StartTransaction")
    analyzed(tmp_path, session_16(), to_replay=path)
    (same,) = read_profile(path).recorded.cues
    assert start.wall == pytest.approx(next(cue for cue in same if cue.action == "StartTransaction").wall, abs=0.01)


def test_a_replay_says_the_same_when_it_is_analyzed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    analyzed(tmp_path, SCENES["another transaction id"], to_replay=tmp_path / "night.yaml", redact=True)
    assert "INVENTED1" not in (tmp_path / "night.jsonl").read_text()
    capsys.readouterr()
    analyze_command.run(Request(logs=[str(tmp_path / "night.jsonl")], as_json=True))
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert "other-transaction-id" in counts["charge-point"]
    assert "csms" not in counts


def test_secrets_of_a_log_reach_no_copy(tmp_path: Path) -> None:
    talk = Talk(BOOT_16)
    talk.down("ChangeConfiguration", {"key": "AuthorizationKey", "value": "5ecret-5ecret"}, {"status": "Accepted"})
    talk.beat()
    trace, case, replay = tmp_path / "t.jsonl", tmp_path / "c.yaml", tmp_path / "r.yaml"
    analyzed(tmp_path, talk, to="ocpp-trace", out=trace, to_case=case, to_replay=replay)
    for path in (trace, case, replay, tmp_path / "r.jsonl"):
        assert "5ecret" not in path.read_text()
        assert path.stat().st_size > 40


def test_mistakes_about_copies_are_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(render(SCENES["good"], "steve"))
    for options, words in (
        ({"to_case": tmp_path / "x.txt"}, "ends in .yaml"),
        ({"to_replay": tmp_path / "x.jsonl"}, "ends in .yaml"),
        ({"to_replay": tmp_path / "no" / "x.yaml"}, "cannot be written"),
        ({"case_of": "X"}, "--case-of names"),
    ):
        with pytest.raises(UsageError, match=words):
            analyze_command.run(Request(logs=[str(log)], **options))
    with pytest.raises(InconclusiveError, match="no CALL of X"):
        analyze_command.run(Request(logs=[str(log)], to_case=tmp_path / "x.yaml", case_of="X"))
    timeless = tmp_path / "b.log"
    beat, answer = '[2,"1","Heartbeat",{}]', '[3,"1",{"currentTime":"2026-03-02T08:00:00Z"}]'
    timeless.write_text(f"[MO] Send: {beat}\n[MO] Recv: {answer}\n")
    with pytest.raises(UsageError, match="line 1 of the log has none"):
        analyze_command.run(Request(logs=[str(timeless)], ocpp=Version.V16, to_replay=tmp_path / "x.yaml"))
