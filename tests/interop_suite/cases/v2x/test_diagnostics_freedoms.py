"""What the texts leave open in monitors, logs, customers, streams and display messages: nobody is FAILED for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from evidence.verdicts import Verdict
from fixtures.csms.commands import CallOutcome, Command, ignore_outcome
from fixtures.csms.defects.model import Defect
from fixtures.csms.exchange import Exchange
from fixtures.csms.world import World
from interop_suite.catalogue import all_cases
from ocppj.versions import Version
from tests.interop_suite.cases.v2x.lawful_csms import LawfulCsms, freedom, lawful_csms
from tests.interop_suite.recording import Recording, begun

Payload = dict[str, Any]
BOTH = (Version.V201, Version.V21)


@pytest.fixture(scope="module")
def csms() -> Iterator[LawfulCsms]:
    with lawful_csms() as csms:
        yield csms


def sending(action: str, change: Callable[[Payload], Payload]) -> Defect:
    """Send an action with another payload than the operator named, as the CSMS may."""
    taken = freedom("lawful")

    def send(_world: World, command: Command) -> Sequence[Command]:
        return [command.carrying(change(command.payload))]

    taken.command(action)(send)
    return taken


def refusing(action: str, code: str) -> Defect:
    """Refuse to send an action at all."""
    taken = freedom("lawful")

    def refuse(_world: World, command: Command) -> Sequence[Command]:
        command.done(CallOutcome(status="error", code=code, description="not here", origin="csms"))
        return []

    taken.command(action)(refuse)
    return taken


def both(name: str, verdict: Verdict) -> dict[str, Verdict]:
    return {f"{version}-{name}": verdict for version in BOTH}


@pytest.mark.parametrize(
    ("action", "cases"),
    [
        ("GetLog", ("TC_N_35_CSMS", "TC_N_36_CSMS")),
        ("CustomerInformation", ("TC_N_27_CSMS", "TC_N_62_CSMS")),
        ("GetMonitoringReport", ("TC_N_47_CSMS",)),
        ("GetDisplayMessages", ("TC_O_02_CSMS", "TC_O_07_CSMS")),
    ],
)
def test_csms_numbers_requests_itself_no_false_alarm(csms: LawfulCsms, action: str, cases: tuple[str, ...]) -> None:
    numbers = itertools.count(90_001)
    numbered = sending(action, lambda payload: {**payload, "requestId": next(numbers)})
    assert csms.verdicts(numbered, *cases) == {}


def test_every_criterion_is_as_good_as_none_no_false_alarm(csms: LawfulCsms) -> None:
    every = ["PeriodicMonitoring", "ThresholdMonitoring", "DeltaMonitoring"]
    spelled_out = sending("GetMonitoringReport", lambda payload: {"monitoringCriteria": every, **payload})
    assert csms.verdicts(spelled_out, "TC_N_02_CSMS", "TC_N_47_CSMS") == {}


@pytest.mark.parametrize(
    ("action", "names", "cases"),
    [
        ("GetMonitoringReport", ("monitoringCriteria", "componentVariable"), ("TC_N_01_CSMS", "TC_N_60_CSMS")),
        ("ClearVariableMonitoring", ("id",), ("TC_N_44_CSMS",)),
        ("SetVariableMonitoring", ("setMonitoringData",), ("TC_N_09_CSMS",)),
        ("GetDisplayMessages", ("id",), ("TC_O_07_CSMS",)),
    ],
)
def test_lists_have_no_order_no_false_alarm(
    csms: LawfulCsms, action: str, names: tuple[str, ...], cases: tuple[str, ...]
) -> None:
    def backwards(payload: Payload) -> Payload:
        return {**payload, **{name: payload[name][::-1] for name in names if name in payload}}

    assert csms.verdicts(sending(action, backwards), *cases) == {}


def test_csms_wants_no_event_streams_no_false_alarm(csms: LawfulCsms) -> None:
    unwilling = freedom("lawful")

    @unwilling.payload("OpenPeriodicEventStream")
    def _(_exchange: Exchange, payload: Payload) -> None:
        payload["status"] = "Rejected"

    assert csms.verdicts(unwilling, "TC_N_105_CSMS") == {"2.1-TC_N_105_CSMS": Verdict.NOT_APPLICABLE}


def test_csms_numbers_display_messages_itself_no_false_alarm(csms: LawfulCsms) -> None:
    numbers = itertools.count(70_001)
    numbered = sending("SetDisplayMessage", lambda payload: {"message": {**payload["message"], "id": next(numbers)}})
    verdicts = csms.verdicts(numbered, "TC_O_01_CSMS", "TC_O_04_CSMS", "TC_O_12_CSMS", "TC_O_28_CSMS")
    assert verdicts == both("TC_O_12_CSMS", Verdict.NOT_APPLICABLE)


def test_csms_dates_messages_that_nobody_dated_no_false_alarm(csms: LawfulCsms) -> None:
    end = {"endDateTime": "2032-01-02T03:04:05Z"}
    dated = sending("SetDisplayMessage", lambda payload: {"message": {**end, **payload["message"]}})
    assert csms.verdicts(dated, "TC_O_01_CSMS", "TC_O_13_CSMS", "TC_O_27_CSMS") == {}


def test_csms_reads_the_display_before_it_writes_no_false_alarm(csms: LawfulCsms) -> None:
    careful = freedom("lawful")

    @careful.command("SetDisplayMessage")
    def _(_world: World, command: Command) -> Sequence[Command]:
        question = Command(command.station, "GetDisplayMessages", {"requestId": 5}, ignore_outcome)
        return [question, command]

    assert csms.verdicts(careful, "TC_O_01_CSMS", "TC_O_06_CSMS", "TC_O_12_CSMS") == {}


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("NotSupported", Verdict.NOT_APPLICABLE), ("PropertyConstraintViolation", Verdict.INCONCLUSIVE)],
)
def test_csms_that_refuses_an_order_is_not_failed_no_false_alarm(csms: LawfulCsms, code: str, verdict: Verdict) -> None:
    assert csms.verdicts(refusing("SetMonitoringLevel", code), "TC_N_17_CSMS") == both("TC_N_17_CSMS", verdict)


# -- the customer who must leave the local list ------------------------------------------------------------------------

GONE = {"idToken": {"idToken": "04aa", "type": "ISO14443"}}
STAYS = {"idToken": {"idToken": "04BB", "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted"}}
LISTED = {**GONE, "idTokenInfo": {"status": "Accepted"}}


def lists(*updates: tuple[str, list[Payload]]) -> Recording:
    recording = begun(Version.V201)
    for number, (kind, entries) in enumerate(updates):
        payload = {"versionNumber": number + 1, "updateType": kind, "localAuthorizationList": entries}
        recording.got(json.dumps([2, f"l{number}", "SendLocalList", payload]))
        recording.sent(f'[3,"l{number}",{{"status":"Accepted"}}]')
    customer = {"requestId": 1, "report": True, "clear": True, "idToken": {"idToken": "04AA", "type": "ISO14443"}}
    recording.got(json.dumps([2, "c", "CustomerInformation", customer]))
    return recording.sent('[3,"c",{"status":"Accepted"}]')


@pytest.mark.parametrize(
    ("updates", "verdict"),
    [
        ([("Full", [LISTED, STAYS]), ("Differential", [GONE])], Verdict.OK),
        ([("Full", [LISTED, STAYS]), ("Full", [STAYS])], Verdict.OK),
        ([("Full", [LISTED, STAYS]), ("Differential", [LISTED])], Verdict.FAILED),
        ([("Full", [LISTED, STAYS]), ("Differential", [STAYS])], Verdict.FAILED),
    ],
    ids=["removed", "replaced", "named with its information", "another one changed"],
)
def test_list_that_still_holds_the_customer_is_seen_in_either_form(
    updates: list[tuple[str, list[Payload]]], verdict: Verdict
) -> None:
    case = next(case for case in all_cases() if case.key == "2.0.1-TC_N_46_CSMS")
    findings = case.checks[0].judge(lists(*updates).history())
    assert [finding.verdict for finding in findings] == [verdict]
