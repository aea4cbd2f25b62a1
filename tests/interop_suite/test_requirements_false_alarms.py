"""What the texts allow beside what they ask: doubtful starts, stations that wait, certificates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.certificates import Authority, common_name, make_csr
from fixtures.models import station as make_station
from interop_suite.cases.v16.certificates import names
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.general import general_findings
from interop_suite.claims.orders import differences
from interop_suite.drive.station import ScriptedStation
from interop_suite.run.judge import judge
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

TIME = "2026-01-01T12:00:00Z"


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


def found(name: str, recording: Recording) -> dict[str, str]:
    """What the judge found in a recording, by claim."""
    result = judge(case(name, recording.version), recording.history())
    return {finding["claim"]: finding["verdict"] for finding in result.findings}


def told(recording: Recording) -> list[str]:
    return [finding.actual for finding in general_findings(recording.history())]


def asked(recording: Recording, action: str, payload: object, answer: object) -> Recording:
    number = str(len(recording.records))
    return recording.sent(json.dumps([2, number, action, payload])).got(json.dumps([3, number, answer]))


def refused(recording: Recording, action: str, payload: object) -> Recording:
    number = str(len(recording.records))
    recording.sent(json.dumps([2, number, action, payload]))
    return recording.got(json.dumps([4, number, "PropertyConstraintViolation", "meterStart", {}]))


# -- starts ------------------------------------------------------------------------------------------------------------

GOOD_TAG = "A start with a tag that is no longer good is not Accepted"
ODD = "A start is answered whatever a sanity check says of its values"
ZERO = "A start of a meter at 0 is answered with a transactionId"


def start(meter: int = 1000) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "TAG", "meterStart": meter, "timestamp": TIME}


@pytest.mark.parametrize("status", ["Expired", "Invalid", "Blocked", "ConcurrentTx"])
@pytest.mark.parametrize("number", [0, -1, 4711])
def test_start_that_is_refused_in_whatever_words_no_false_alarm(status: str, number: int) -> None:
    answer = {"idTagInfo": {"status": status}, "transactionId": number}
    assert found("AU_22", asked(begun(), "StartTransaction", start(), answer))[GOOD_TAG] == "OK"


def test_start_with_a_tag_that_has_expired_is_failed_when_it_is_accepted() -> None:
    answer = {"idTagInfo": {"status": "Accepted"}, "transactionId": 7}
    assert found("AU_22", asked(begun(), "StartTransaction", start(), answer))[GOOD_TAG] == "FAILED"


def test_start_that_a_sanity_check_refuses_is_not_strict_and_one_at_zero_is_failed() -> None:
    assert found("ST_35", refused(begun(), "StartTransaction", start(-250)))[ODD] == "NON_STRICT"
    assert found("ST_35", refused(begun(), "StartTransaction", start(0)))[ZERO] == "FAILED"


def test_start_with_odd_values_that_is_answered_as_not_accepted_no_false_alarm() -> None:
    answer = {"idTagInfo": {"status": "Invalid"}, "transactionId": 8}
    assert found("ST_35", asked(begun(), "StartTransaction", start(-250), answer))[ODD] == "OK"


def test_start_of_a_clock_that_is_wrong_may_be_refused_no_false_alarm() -> None:
    recording = refused(begun(), "StartTransaction", start())
    assert found("FLD_65", recording)["The CSMS answers StartTransaction"] == "NON_STRICT"


# -- a station that waits ----------------------------------------------------------------------------------------------

STAYS = "The connection of a Pending station stays open"


def pending(version: Version) -> Recording:
    return asked(begun(version), "BootNotification", {}, {"status": "Pending", "currentTime": TIME, "interval": 60})


@pytest.mark.parametrize(
    ("version", "verdict"), [(Version.V16, "NON_STRICT"), (Version.V201, "FAILED"), (Version.V21, "FAILED")]
)
def test_pending_station_that_is_cut_off_is_told_as_the_version_says(version: Version, verdict: str) -> None:
    assert found("ST_40", pending(version).closed())[STAYS] == verdict


def test_pending_station_that_leaves_by_itself_no_false_alarm() -> None:
    assert found("ST_40", pending(Version.V21).closed(by="station", code=1000))[STAYS] == "OK"


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_group_that_is_empty_is_told_and_one_that_is_missing_no_false_alarm() -> None:
    registered = begun().driver(operation="set_token", token="TAG", status="Accepted")
    info = {"idTagInfo": {"status": "Accepted", "parentIdTag": ""}}
    (actual,) = told(asked(registered, "Authorize", {"idTag": "TAG"}, info))
    assert "parentIdTag is empty" in actual
    plain = begun().driver(operation="set_token", token="TAG", status="Accepted")
    assert told(asked(plain, "Authorize", {"idTag": "TAG"}, {"idTagInfo": {"status": "Accepted"}})) == []


# -- orders ------------------------------------------------------------------------------------------------------------

PEM = Authority("Plugstorm Test Root").certificate_pem.decode()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_certificate_that_arrives_with_other_line_ends_no_false_alarm(ends: str) -> None:
    sent = {"certificate": PEM.strip().replace("\n", ends)}
    assert differences("InstallCertificate", {"certificate": PEM}, sent) == []


@pytest.mark.parametrize("instead", ["", " ", "\\n"])
def test_certificate_that_arrives_on_one_line_is_a_difference(instead: str) -> None:
    sent = {"certificate": PEM.replace("\n", instead)}
    assert differences("InstallCertificate", {"certificate": PEM}, sent)


def test_zero_that_the_operator_named_is_not_left_out() -> None:
    named = {"connectorId": 0, "stackLevel": 0}
    assert len(differences("ClearChargingProfile", named, {})) == len(named)
    assert differences("SetChargingProfile", {"limit": 0}, {"limit": 0.0}) == []


# -- certificates ------------------------------------------------------------------------------------------------------


def sign(recording: Recording, status: str) -> Recording:
    return asked(recording, "SignCertificate", {"csr": "-"}, {"status": status})


def signed(recording: Recording) -> Recording:
    return recording.got('[2,"c","CertificateSigned",{"certificateChain":"-"}]').sent('[3,"c",{"status":"Accepted"}]')


def test_certificate_for_a_request_that_was_rejected_is_told() -> None:
    assert told(signed(sign(begun(), "Rejected"))) == [
        "CertificateSigned came, although SignCertificate was answered Rejected"
    ]


def test_certificate_that_a_station_never_asked_for_is_told_of_a_new_station_only() -> None:
    unasked = "CertificateSigned came, although the station never sent SignCertificate"
    assert unasked in told(signed(begun().note(new=True)))
    assert told(signed(begun())) == []


def test_certificate_for_a_later_request_or_by_order_no_false_alarm() -> None:
    assert told(signed(sign(sign(begun(), "Rejected"), "Accepted"))) == []
    by_order = sign(begun(), "Rejected").driver(operation="trigger", action="CertificateSigned", payload={})
    assert told(signed(by_order)) == []


def test_certificate_in_the_name_of_the_identity_or_of_the_serial_number_no_false_alarm() -> None:
    station = object.__new__(ScriptedStation)
    station.model, station.identity = make_station("ac-dual", "CP-7", seed=0), "CP-7"
    request = make_csr("CP-7", "Plugstorm")
    authority = Authority("Root")
    for name in ("CP-7", station.model.serial_number):
        assert names(authority.sign_csr(request.csr_pem, common_name=name).decode(), request, station)
    template = authority.sign_csr(request.csr_pem, common_name="csms").decode()
    assert not names(template, request, station)
    assert common_name(template) == "csms"
    assert common_name("no certificate") == ""


# -- lists of an order -------------------------------------------------------------------------------------------------


def test_entry_of_a_list_that_comes_twice_is_a_difference() -> None:
    named = {"localAuthorizationList": [{"idTag": "A"}, {"idTag": "B"}]}
    twice = {"localAuthorizationList": [{"idTag": "A"}, {"idTag": "B"}, {"idTag": "A"}]}
    assert len(differences("SendLocalList", named, twice)) == 1


def test_entry_that_a_csms_adds_itself_or_was_asked_for_twice_no_false_alarm() -> None:
    named = {"key": ["A"]}
    assert differences("GetConfiguration", named, {"key": ["A", "B"]}) == []
    doubled = {"key": ["A", "A"]}
    assert differences("GetConfiguration", doubled, doubled) == []
