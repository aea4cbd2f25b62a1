from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence.vocabulary import FROM_CSMS, is_failure
from loadtest.measuring.recorder import Recorder
from loadtest.timing.pacing import Draws
from loadtest.workload.answers import ANY, AnswerRule, Verdict, manner_of, negative_status, rule_for
from loadtest.workload.profile import Profile, read_profile
from ocppj.errors import UsageError
from ocppj.outcomes import Outcome
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness


def profile(**rules: AnswerRule) -> Profile:
    answers = {name.replace("ANY", ANY): rule for name, rule in rules.items()}
    return Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0, answers=answers)


def test_shares_and_delays_follow_from_the_draws() -> None:
    rule = AnswerRule(delay=(0.2, 2.0), reject=0.25, silence=0.05)
    draws, again = Draws(1, "PLG-1", "answers"), Draws(1, "PLG-1", "answers")
    manners = [manner_of(rule, draws) for _ in range(2000)]
    assert manners == [manner_of(rule, again) for _ in range(2000)]
    counts = {verdict: sum(manner.verdict is verdict for manner in manners) for verdict in Verdict}
    assert 400 < counts[Verdict.REJECT] < 600
    assert 60 < counts[Verdict.SILENCE] < 140
    assert 0.2 <= min(manner.delay for manner in manners) < max(manner.delay for manner in manners) < 2.0


def test_a_rule_of_its_own_comes_before_the_one_for_all() -> None:
    own, rest = AnswerRule(delay=1.0), AnswerRule(delay=2.0)
    assert rule_for({"Reset": own, ANY: rest}, "Reset") is own
    assert rule_for({"Reset": own, ANY: rest}, "ClearCache") is rest
    assert rule_for({"Reset": own}, "ClearCache") is None


@pytest.mark.parametrize(
    ("version", "action", "expected"),
    [
        (Version.V16, "RemoteStartTransaction", "Rejected"),
        (Version.V16, "UnlockConnector", "UnlockFailed"),
        (Version.V16, "ClearChargingProfile", "Unknown"),
        (Version.V16, "SendLocalList", "Failed"),
        (Version.V16, "UpdateFirmware", None),
        (Version.V201, "GetInstalledCertificateIds", "NotFound"),
        (Version.V201, "GetVariables", None),
    ],
)
def test_each_action_has_its_own_no(version: Version, action: str, expected: str | None) -> None:
    assert negative_status(version, action) == expected


# -- stations ----------------------------------------------------------------------------------------------------------


def hear(harness: FleetHarness, action: str, payload: dict[str, Any] | None = None, message_id: str = "late-1") -> None:
    harness.hear(json.dumps([2, message_id, action, payload or {}]))


def test_a_delayed_answer_comes_later_and_its_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = FleetHarness(Version.V16, profile(ClearCache=AnswerRule(delay=2.0))).start()
    counted: dict[str, float] = {}

    def call(
        _: Recorder, __: str, action: str, direction: str, ___: str, service: float, response: float, ____: float
    ) -> None:
        assert (direction, service) == (FROM_CSMS, response)
        counted[action] = response

    monkeypatch.setattr(Recorder, "call", call)
    hear(harness, "ClearCache")
    harness.run(1.9)
    assert harness.replies == []
    assert harness.command("GetLocalListVersion", {})[2] == {"listVersion": 0}  # nobody waits for another one's delay
    harness.run(0.2)
    assert harness.replies[-1] == [3, "late-1", {"status": "Accepted"}]
    assert counted["ClearCache"] == pytest.approx(2.0)
    assert counted["GetLocalListVersion"] == 0.0


def test_a_rejected_command_changes_nothing() -> None:
    rules = profile(ANY=AnswerRule(reject=1.0))
    harness = FleetHarness(Version.V16, rules).start()
    request = {"connectorId": 1, "idTag": "TAG"}
    assert harness.command("RemoteStartTransaction", request)[2] == {"status": "Rejected"}
    assert harness.command("UpdateFirmware", {"location": "ftp://x/", "retrieveDate": "2020-01-01T00:00:00Z"})[0] == 4
    # What is wrong is refused for that, and not by chance.
    assert harness.command("RemoteStartTransaction", {})[2] == "OccurenceConstraintViolation"
    harness.run(10.0)
    assert "StartTransaction" not in harness.actions
    outcomes = harness.outcomes()
    assert outcomes["RemoteStartTransaction", "rejected"] == 1
    assert outcomes["UpdateFirmware", "callerror:InternalError"] == 1


def test_a_silent_station_answers_nothing_and_owes_nothing() -> None:
    harness = FleetHarness(Version.V16, profile(ClearCache=AnswerRule(silence=1.0))).start()
    for number in range(5):
        hear(harness, "ClearCache", message_id=str(number))
    harness.run(100.0)
    assert harness.replies == []
    assert harness.station.messaging.session.unanswered == {}
    assert harness.outcomes()["ClearCache", "silent"] == 5
    assert not is_failure(Outcome.SILENT)


def test_an_answer_whose_connection_is_gone_is_counted_as_lost() -> None:
    harness = FleetHarness(Version.V16, profile(ClearCache=AnswerRule(delay=8.0))).start()
    hear(harness, "ClearCache")
    harness.lose()
    harness.run(20.0)
    assert harness.station.online
    assert harness.replies == []
    assert harness.outcomes()["ClearCache", "lost"] == 1


# -- the profile -------------------------------------------------------------------------------------------------------


def test_rules_are_read_from_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "title: x\n"
        "answers:\n"
        "  RemoteStartTransaction: {delay: [0.2, 2.0], reject: 0.05, silence: 0.01}\n"
        '  "*": {delay: 0.05}\n'
        "files: {download: [1, 2], reboot: false}\n"
    )
    found = read_profile(path)
    assert found.answers["RemoteStartTransaction"].delay == (0.2, 2.0)
    assert found.answers[ANY].delay == 0.05
    assert (found.files.download, found.files.reboot) == ((1.0, 2.0), False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "answers: {RemoteStartTransacton: {delay: 1}}",
            "'RemoteStartTransacton'.*did you mean 'RemoteStartTransaction'",
        ),
        ("answers: {Heartbeat: {delay: 1}}", "'Heartbeat', which is not an action of a CSMS"),
        ("answers: {Reset: {dely: 1}}", "'dely' is unknown; did you mean 'delay'"),
        ("answers: {Reset: {delay: [2, 1]}}", "lower bound first"),
        ("answers: {Reset: {reject: 2}}", "yaml:2: answers.Reset.reject: expected a number of at most 1, but it is 2"),
        ("answers: {Reset: {reject: 0.6, silence: 0.6}}", "together are more than 1"),
        ("files: {downlod: 1}", "'downlod' is unknown; did you mean 'download'"),
        ("files: {upload: -1}", "seconds from 0 up"),
    ],
)
def test_a_mistake_in_the_rules_is_one_line_that_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: x\n{text}\n")
    with pytest.raises(UsageError, match=complaint) as caught:
        read_profile(path)
    assert "\n" not in str(caught.value)
