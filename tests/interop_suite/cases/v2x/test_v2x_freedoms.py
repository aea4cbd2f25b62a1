"""What the texts leave open in local lists, firmware, certificates and costs: nobody is FAILED for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from evidence.verdicts import Verdict
from fixtures.csms.commands import CallOutcome, Command, ignore_outcome
from fixtures.csms.defects.model import Defect
from fixtures.csms.exchange import Exchange
from fixtures.csms.world import World
from tests.interop_suite.cases.v2x.lawful_csms import LawfulCsms, freedom, lawful_csms

Payload = dict[str, Any]


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


def asking_before(action: str, question: str, payload: Payload) -> Defect:
    """Send a question of the CSMS's own before an action."""
    taken = freedom("lawful")

    def send(_world: World, command: Command) -> Sequence[Command]:
        return [Command(command.station, question, payload, ignore_outcome), command]

    taken.command(action)(send)
    return taken


def answering(action: str, change: Callable[[Exchange, Payload], None]) -> Defect:
    """Change the payload of an answer in place."""
    taken = freedom("lawful")
    taken.payload(action)(change)
    return taken


# -- local lists ------------------------------------------------------------------------------------------------------

LISTS = ("TC_D_01_CSMS", "TC_D_02_CSMS", "TC_D_03_CSMS", "TC_D_04_CSMS")


def test_csms_counts_list_versions_itself_no_false_alarm(csms: LawfulCsms) -> None:
    numbers = itertools.count(1_764_000_000, 60)
    counted = sending("SendLocalList", lambda payload: {**payload, "versionNumber": next(numbers)})
    assert csms.verdicts(counted, *LISTS) == {}


def test_csms_asks_for_the_list_version_before_each_update_no_false_alarm(csms: LawfulCsms) -> None:
    assert csms.verdicts(asking_before("SendLocalList", "GetLocalListVersion", {}), *LISTS) == {}


def test_csms_says_more_of_a_token_than_was_named_no_false_alarm(csms: LawfulCsms) -> None:
    def more(entry: Payload) -> Payload:
        if "idTokenInfo" not in entry:
            return entry
        group = {"groupIdToken": {"idToken": "GROUP", "type": "Central"}}
        return {**entry, "idTokenInfo": {**entry["idTokenInfo"], **group}}

    def told(payload: Payload) -> Payload:
        entries = payload.get("localAuthorizationList")
        return payload if entries is None else {**payload, "localAuthorizationList": list(map(more, entries))}

    assert csms.verdicts(sending("SendLocalList", told), *LISTS) == {}


# -- firmware ---------------------------------------------------------------------------------------------------------

UPDATES = ("TC_L_01_CSMS", "TC_L_07_CSMS", "TC_L_10_CSMS", "TC_L_11_CSMS")


@pytest.mark.parametrize(
    ("action", "cases"), [("UpdateFirmware", UPDATES), ("PublishFirmware", ("TC_L_17_CSMS", "TC_L_21_CSMS"))]
)
def test_csms_numbers_requests_itself_no_false_alarm(csms: LawfulCsms, action: str, cases: tuple[str, ...]) -> None:
    numbers = itertools.count(90_001)
    numbered = sending(action, lambda payload: {**payload, "requestId": next(numbers)})
    assert csms.verdicts(numbered, *cases) == {}


def test_second_update_with_the_number_of_the_first_is_not_strict_no_false_alarm(csms: LawfulCsms) -> None:
    same = sending("UpdateFirmware", lambda payload: {**payload, "requestId": 90_001})
    verdicts = csms.verdicts(same, "TC_L_01_CSMS", "TC_L_10_CSMS")
    assert verdicts == dict.fromkeys(("2.0.1-TC_L_10_CSMS", "2.1-TC_L_10_CSMS"), Verdict.NON_STRICT)


def test_station_that_boots_after_an_update_may_be_told_to_wait_no_false_alarm(csms: LawfulCsms) -> None:
    told: set[str] = set()

    def wait(exchange: Exchange, payload: Payload) -> None:
        station = exchange.station.identity
        if exchange.payload["reason"] == "FirmwareUpdate" and station not in told:
            told.add(station)
            payload |= {"status": "Pending", "interval": 0}

    assert csms.verdicts(answering("BootNotification", wait), "TC_L_01_CSMS") == {}
    assert len(told) == 2


def test_checksum_in_capital_letters_no_false_alarm(csms: LawfulCsms) -> None:
    capitals = sending("UnpublishFirmware", lambda payload: {"checksum": payload["checksum"].upper()})
    assert csms.verdicts(capitals, "TC_L_21_CSMS", "TC_L_22_CSMS", "TC_L_23_CSMS") == {}


# -- certificates -----------------------------------------------------------------------------------------------------


def test_certificate_with_line_ends_of_windows_no_false_alarm(csms: LawfulCsms) -> None:
    windows = sending(
        "InstallCertificate", lambda payload: {**payload, "certificate": payload["certificate"].replace("\n", "\r\n")}
    )
    assert csms.verdicts(windows, "TC_M_01_CSMS", "TC_M_03_CSMS", "TC_M_20_CSMS", "TC_M_101_CSMS") == {}


def test_hash_data_in_capital_letters_no_false_alarm(csms: LawfulCsms) -> None:
    def capitals(payload: Payload) -> Payload:
        return {"certificateHashData": {name: value.upper() for name, value in payload["certificateHashData"].items()}}

    assert csms.verdicts(sending("DeleteCertificate", capitals), "TC_M_20_CSMS", "TC_M_21_CSMS") == {}


def test_type_is_named_where_a_certificate_is_looked_for_to_be_deleted_no_false_alarm(csms: LawfulCsms) -> None:
    named = sending("GetInstalledCertificateIds", lambda _: {"certificateType": ["CSMSRootCertificate"]})
    assert csms.verdicts(named, "TC_M_20_CSMS", "TC_M_21_CSMS") == {}


@pytest.mark.parametrize(
    ("action", "answer", "cases"),
    [
        (
            "Get15118EVCertificate",
            {"status": "Failed", "exiResponse": ""},
            ("TC_M_26_CSMS", "TC_M_28_CSMS", "TC_M_100_CSMS"),
        ),
        ("GetCertificateStatus", {"status": "Failed"}, ("TC_M_24_CSMS",)),
    ],
)
def test_csms_that_has_nobody_to_ask_for_a_car_no_false_alarm(
    csms: LawfulCsms, action: str, answer: Payload, cases: tuple[str, ...]
) -> None:
    def decline(_exchange: Exchange, payload: Payload) -> None:
        payload.clear()
        payload |= answer

    verdicts = csms.verdicts(answering(action, decline), *cases)
    assert set(verdicts.values()) == {Verdict.NOT_APPLICABLE}
    assert len(verdicts) == len(cases) * 2 - ("TC_M_100_CSMS" in cases)


def test_contract_that_one_car_gets_and_another_does_not_is_not_failed_no_false_alarm(csms: LawfulCsms) -> None:
    served: set[str] = set()

    def decline_second(exchange: Exchange, payload: Payload) -> None:
        if exchange.station.identity in served:
            payload |= {"status": "Failed", "exiResponse": ""}
        served.add(exchange.station.identity)

    verdicts = csms.verdicts(answering("Get15118EVCertificate", decline_second), "TC_M_26_CSMS")
    assert set(verdicts.values()) == {Verdict.NOT_APPLICABLE}


def test_answer_of_a_responder_that_only_pretends_is_not_strict_no_false_alarm(csms: LawfulCsms) -> None:
    pretended = answering("GetCertificateStatus", lambda _, payload: payload.update(ocspResult="T0NTUCBzYXlzIGdvb2Q="))
    assert set(csms.verdicts(pretended, "TC_M_24_CSMS").values()) == {Verdict.NON_STRICT}


# -- costs ------------------------------------------------------------------------------------------------------------


def test_final_cost_that_is_not_rounded_no_false_alarm(csms: LawfulCsms) -> None:
    def unrounded(_exchange: Exchange, payload: Payload) -> None:
        if "totalCost" in payload:
            payload["totalCost"] += 0.0049

    assert csms.verdicts(answering("TransactionEvent", unrounded), "TC_I_02_CSMS") == {}


def test_running_cost_in_answers_to_events_no_false_alarm(csms: LawfulCsms) -> None:
    def running(exchange: Exchange, payload: Payload) -> None:
        if exchange.payload["eventType"] != "Ended":
            payload["totalCost"] = 1.23

    cases = ("TC_I_01_CSMS", "TC_I_02_CSMS", "TC_I_113_CSMS", "TC_I_122_CSMS")
    assert csms.verdicts(answering("TransactionEvent", running), *cases) == {}


def test_tariff_is_not_sent_to_a_station_that_was_asked_what_it_can_no_false_alarm(csms: LawfulCsms) -> None:
    careful = asking_before("ClearCache", "GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"})

    def ask(exchange: Exchange, payload: Payload) -> None:
        payload.pop("tariff", None)
        exchange.follow_up("GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"})

    careful.payload("Authorize")(ask)
    assert set(csms.verdicts(careful, "TC_I_109_CSMS").values()) == {Verdict.NOT_APPLICABLE}


def test_default_tariff_that_the_csms_describes_as_well_no_false_alarm(csms: LawfulCsms) -> None:
    described = [{"format": "UTF8", "language": "en", "content": "by the hour"}]
    more = sending(
        "SetDefaultTariff", lambda payload: {**payload, "tariff": {**payload["tariff"], "description": described}}
    )
    cases = ("TC_I_101_CSMS", "TC_I_102_CSMS", "TC_I_105_CSMS", "TC_I_106_CSMS", "TC_I_110_CSMS")
    assert csms.verdicts(more, *cases) == {}


# -- orders that a CSMS refuses ---------------------------------------------------------------------------------------

REFUSABLE = ("TC_D_02_CSMS", "TC_L_01_CSMS", "TC_L_11_CSMS", "TC_M_20_CSMS", "TC_I_106_CSMS", "TC_I_113_CSMS")


@pytest.mark.parametrize(
    ("code", "verdict"), [("NotSupported", Verdict.NOT_APPLICABLE), ("InternalError", Verdict.INCONCLUSIVE)]
)
def test_csms_that_refuses_every_order_is_never_failed_no_false_alarm(
    csms: LawfulCsms, code: str, verdict: Verdict
) -> None:
    taken = freedom("lawful")

    @taken.command()
    def _(_world: World, command: Command) -> Sequence[Command]:
        command.done(CallOutcome(status="error", code=code, description="not here", origin="csms"))
        return []

    assert set(csms.verdicts(taken, *REFUSABLE).values()) == {verdict}


NONSENSE = ("TC_D_03_CSMS", "TC_L_01_CSMS", "TC_L_17_CSMS", "TC_M_15_CSMS", "TC_M_20_CSMS", "TC_I_102_CSMS")


@pytest.mark.parametrize(
    "payload", [None, {}, {"localAuthorizationList": "?", "certificateHashData": "?", "tariff": []}]
)
def test_order_that_makes_no_sense_is_failed_and_breaks_nothing(csms: LawfulCsms, payload: Payload | None) -> None:
    taken = freedom("nonsense")

    @taken.command()
    def _(_world: World, command: Command) -> Sequence[Command]:
        return [command.carrying(payload)]

    assert set(csms.verdicts(taken, *NONSENSE).values()) == {Verdict.FAILED}
