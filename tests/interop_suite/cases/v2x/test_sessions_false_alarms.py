"""Freedoms that the texts leave a CSMS in sessions, remote control, availability, reservations and meter values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.run.judge import judge
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

Payload = dict[str, Any]
ACCEPTED: Payload = {"idTokenInfo": {"status": "Accepted"}}
TOKEN: Payload = {"idToken": "04A1B2C3D4E5F6", "type": "ISO14443"}
OTHER_TOKEN: Payload = {"idToken": "04FFEEDDCCBBAA", "type": "ISO14443"}
TIME = "2026-01-01T09:00:00.000Z"


def case(name: str, version: Version) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


class Talk:
    """A station and a CSMS that say what they are told to."""

    def __init__(self, name: str, version: Version = Version.V201) -> None:
        self.case = case(name, version)
        self.recording: Recording = begun(version)
        self._ids: Iterator[int] = count()

    def ask(self, action: str, payload: Payload, answer: Payload) -> Talk:
        number = next(self._ids)
        self.recording.sent(json.dumps([2, f"s{number}", action, payload]))
        self.recording.got(json.dumps([3, f"s{number}", answer]))
        return self

    def event(self, kind: str, trigger: str, answer: Payload, **more: Any) -> Talk:
        info = {"transactionId": "tx-1", **more.pop("info", {})}
        seq_no = next(self._ids)
        payload = {"eventType": kind, "timestamp": TIME, "triggerReason": trigger, "seqNo": seq_no}
        return self.ask("TransactionEvent", {**payload, "transactionInfo": info, **more}, answer)

    def order(self, action: str, ordered: Payload, sent: Payload, answer: Payload) -> Talk:
        """Have the operator ask for one thing, and the CSMS send what may be another."""
        self.recording.driver(operation="trigger", action=action, payload=ordered)
        self.command(action, sent, answer)
        result = {"status": "answered", "payload": answer}
        self.recording.driver(operation="outcome", action=action, result=result)
        return self

    def command(self, action: str, payload: Payload, answer: Payload) -> Talk:
        number = next(self._ids)
        self.recording.got(json.dumps([2, f"c{number}", action, payload]))
        self.recording.sent(json.dumps([3, f"c{number}", answer]))
        return self

    def heartbeat(self) -> Talk:
        return self.ask("Heartbeat", {}, {"currentTime": TIME})

    def status(self, value: str, evse: int = 2, connector: int = 1) -> Talk:
        payload = {"timestamp": TIME, "connectorStatus": value, "evseId": evse, "connectorId": connector}
        return self.ask("StatusNotification", payload, {})

    def note(self, **info: Any) -> Talk:
        self.recording.note(**info)
        return self

    @property
    def verdict(self) -> Verdict:
        return judge(self.case, self.recording.history()).verdict


# -- sessions --------------------------------------------------------------------------------------------------------


def test_answers_that_say_more_than_they_must_no_false_alarm() -> None:
    told = {**ACCEPTED["idTokenInfo"], "cacheExpiryDateTime": "2031-01-01T00:00:00Z", "chargingPriority": 3}
    talk = Talk("TC_E_10_CSMS").ask("Authorize", {"idToken": TOKEN}, {"idTokenInfo": told})
    answer = {"idTokenInfo": told, "totalCost": 0, "chargingPriority": 1}
    assert talk.event("Started", "Authorized", answer, idToken=TOKEN).verdict is Verdict.OK


def test_token_that_is_not_told_to_be_accepted_is_failed() -> None:
    talk = Talk("TC_E_10_CSMS").ask("Authorize", {"idToken": TOKEN}, ACCEPTED)
    assert talk.event("Started", "Authorized", {}, idToken=TOKEN).verdict is Verdict.FAILED


def status_talk(*named: str) -> Talk:
    talk = Talk("TC_E_30_CSMS").event("Started", "Authorized", ACCEPTED, idToken=TOKEN)
    answer = {"ongoingIndicator": True, "messagesInQueue": False}
    for number in named[:-1]:
        talk.command("GetTransactionStatus", {"transactionId": number}, answer)
    talk.order("GetTransactionStatus", {"transactionId": "tx-1"}, {"transactionId": named[-1]}, answer)
    return talk.note(status_of=[named[-1] == "tx-1", named[-1]]).heartbeat()


def test_csms_that_asks_for_the_status_of_sessions_on_its_own_as_well_no_false_alarm() -> None:
    assert status_talk("an-older-one", "tx-1").verdict is Verdict.OK


def test_csms_that_asks_for_the_status_of_another_session_is_failed() -> None:
    assert status_talk("an-older-one").verdict is Verdict.FAILED


def limited(*answers: Payload) -> Talk:
    talk = Talk("TC_E_110_CSMS", Version.V21).event("Started", "Authorized", answers[0], idToken=TOKEN)
    for answer in answers[1:]:
        talk.event("Updated", "ChargingStateChanged", answer)
    return talk


def test_limit_that_is_told_in_a_later_answer_no_false_alarm() -> None:
    limit = {"transactionLimit": {"maxEnergy": 14_500.0}}
    assert limited(ACCEPTED, {}, limit).verdict is Verdict.OK


@pytest.mark.parametrize("value", [14.5, 14_400, None])
def test_limit_that_is_another_one_or_never_told_is_failed(value: float | None) -> None:
    limit = {} if value is None else {"transactionLimit": {"maxEnergy": value}}
    assert limited({**ACCEPTED, **limit}, {}).verdict is Verdict.FAILED


# -- remote control --------------------------------------------------------------------------------------------------


def remote_start(sent: Payload) -> Talk:
    ordered = {"evseId": 2, "remoteStartId": 7, "idToken": TOKEN}
    talk = Talk("TC_F_03_CSMS").order("RequestStartTransaction", ordered, sent, {"status": "Accepted"})
    given = sent["idToken"]["idToken"]
    talk.note(token_as_asked=[given.upper() == TOKEN["idToken"], given])
    return talk.event("Started", "RemoteStart", ACCEPTED, idToken=TOKEN, info={"remoteStartId": sent["remoteStartId"]})


def test_csms_that_numbers_remote_starts_itself_and_writes_tokens_small_no_false_alarm() -> None:
    small = {**TOKEN, "idToken": TOKEN["idToken"].lower()}
    assert remote_start({"evseId": 2, "remoteStartId": 90_001, "idToken": small}).verdict is Verdict.OK


@pytest.mark.parametrize("change", [{"evseId": 1}, {"idToken": {**TOKEN, "type": "Central"}}])
def test_remote_start_at_another_evse_or_of_another_token_is_failed(change: Payload) -> None:
    assert remote_start({"evseId": 2, "remoteStartId": 7, "idToken": TOKEN, **change}).verdict is Verdict.FAILED


def triggered(name: str, ordered: Payload, sent: Payload) -> Talk:
    talk = Talk(name).order("TriggerMessage", ordered, sent, {"status": "Accepted"})
    sample = {"value": 1, "context": "Trigger"}
    reading = {"evseId": 2, "meterValue": [{"timestamp": TIME, "sampledValue": [sample]}]}
    return talk.ask("MeterValues", reading, {})


@pytest.mark.parametrize("place", [{}, {"evse": {"id": 0}}])
def test_whole_station_is_named_by_no_evse_or_by_evse_0_no_false_alarm(place: Payload) -> None:
    message = {"requestedMessage": "MeterValues"}
    assert triggered("TC_F_12_CSMS", message, {**message, **place}).verdict is Verdict.OK


def test_trigger_of_one_evse_that_names_a_connector_as_well_no_false_alarm() -> None:
    message = {"requestedMessage": "MeterValues", "evse": {"id": 2}}
    assert triggered("TC_F_11_CSMS", message, {**message, "evse": {"id": 2, "connectorId": 1}}).verdict is Verdict.OK


@pytest.mark.parametrize("place", [{}, {"evse": {"id": 1}}])
def test_trigger_of_another_evse_is_failed(place: Payload) -> None:
    message = {"requestedMessage": "MeterValues"}
    sent = {**message, **place}
    assert triggered("TC_F_11_CSMS", {**message, "evse": {"id": 2}}, sent).verdict is Verdict.FAILED


# -- availability ----------------------------------------------------------------------------------------------------


def taken_out(*sent: Payload) -> Talk:
    ordered = {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}}
    talk = Talk("TC_G_07_CSMS")
    for payload in sent[:-1]:
        talk.command("ChangeAvailability", payload, {"status": "Accepted"})
    talk.order("ChangeAvailability", ordered, sent[-1], {"status": "Accepted"})
    return talk.status("Unavailable").heartbeat()


WANTED: Payload = {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}}


def test_availability_of_something_else_that_the_csms_changes_on_its_own_no_false_alarm() -> None:
    assert taken_out({"operationalStatus": "Operative"}, WANTED).verdict is Verdict.OK


def test_custom_data_in_a_change_of_availability_no_false_alarm() -> None:
    assert taken_out({**WANTED, "customData": {"vendorId": "org.example"}}).verdict is Verdict.OK


@pytest.mark.parametrize("evse", [{"id": 1, "connectorId": 2}, {"id": 2}, {"id": 2, "connectorId": 2}, None])
def test_availability_of_another_place_is_failed(evse: Payload | None) -> None:
    place = {} if evse is None else {"evse": evse}
    assert taken_out({"operationalStatus": "Inoperative", **place}).verdict is Verdict.FAILED


# -- reservations ----------------------------------------------------------------------------------------------------


def cancelled(first: int, second: int, named: int) -> Talk:
    talk = Talk("TC_H_17_CSMS")
    places = ((38, 2, TOKEN, first), (39, 1, OTHER_TOKEN, second))
    for ordered, evse, token, chosen in places:
        order = {"id": ordered, "expiryDateTime": TIME, "idToken": token, "evseId": evse}
        talk.order("ReserveNow", order, {**order, "id": chosen}, {"status": "Accepted"})
    talk.status("Reserved").status("Reserved", 1)
    cancel = {"reservationId": first}
    talk.order("CancelReservation", cancel, {"reservationId": named}, {"status": "Accepted"})
    return talk.note(cancelled=[named == first, named]).status("Available")


@pytest.mark.parametrize(("first", "second"), [(38, 39), (1, 2), (70_123, 70_122)])
def test_csms_that_numbers_reservations_itself_no_false_alarm(first: int, second: int) -> None:
    assert cancelled(first, second, first).verdict is Verdict.OK


def test_cancelling_the_newer_of_two_reservations_is_failed() -> None:
    assert cancelled(38, 39, 39).verdict is Verdict.FAILED


def reserved(sent: Payload) -> Talk:
    ordered = {"id": 41, "expiryDateTime": TIME, "idToken": TOKEN, "evseId": 2}
    talk = Talk("TC_H_22_CSMS").order("ReserveNow", ordered, {**ordered, **sent}, {"status": "Rejected"})
    return talk.heartbeat()


@pytest.mark.parametrize("time", ["2026-01-01T09:00:00Z", "2026-01-01T10:00:00.000+01:00"])
def test_expiry_in_another_notation_no_false_alarm(time: str) -> None:
    assert reserved({"expiryDateTime": time}).verdict is Verdict.OK


@pytest.mark.parametrize(
    "change", [{"evseId": 1}, {"idToken": OTHER_TOKEN}, {"expiryDateTime": "2026-01-01T10:00:00Z"}]
)
def test_reservation_of_something_else_is_failed(change: Payload) -> None:
    assert reserved(change).verdict is Verdict.FAILED


# -- meter values ----------------------------------------------------------------------------------------------------


def idle_readings(*answers: Payload) -> Talk:
    talk = Talk("TC_J_01_CSMS")
    for evse, answer in enumerate(answers):
        sample = {"value": 100 + evse, "context": "Sample.Clock"}
        reading = {"evseId": evse, "meterValue": [{"timestamp": TIME, "sampledValue": [sample]}]}
        talk.ask("MeterValues", reading, answer)
    return talk


def test_custom_data_in_the_answers_to_readings_no_false_alarm() -> None:
    assert idle_readings({}, {"customData": {"vendorId": "org.example"}}, {}).verdict is Verdict.OK


def test_answer_to_a_reading_at_the_end_that_tells_the_cost_no_false_alarm() -> None:
    talk = Talk("TC_J_09_CSMS").event("Started", "Authorized", ACCEPTED, idToken=TOKEN)
    talk.event("Updated", "MeterValuePeriodic", {"totalCost": 0.75})
    assert talk.event("Ended", "StopAuthorized", {**ACCEPTED, "totalCost": 1.5}).verdict is Verdict.OK
