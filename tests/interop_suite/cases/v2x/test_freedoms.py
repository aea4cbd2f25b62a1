"""Freedoms of a CSMS in the blocks A to C of 2.x, judged from hand-made histories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.drive.outdated_tls import offer_tls_1_1
from interop_suite.steps.token_groups import group_is_told
from ocppj.versions import Version
from tests.interop_suite.odd_tcp import answering
from tests.interop_suite.recording import Recording, begun

CASES = {case.key: case for case in all_cases()}


def authorized(recording: Recording, number: int, token: str, group: str | None) -> None:
    told = {} if group is None else {"groupIdToken": {"idToken": group, "type": "Central"}}
    request = {"idToken": {"idToken": token, "type": "ISO14443"}}
    answer = {"idTokenInfo": {"status": "Accepted", **told}}
    recording.sent(json.dumps([2, f"m{number}", "Authorize", request]))
    recording.got(json.dumps([3, f"m{number}", answer]))


def groups(*told: str | None) -> list[Verdict]:
    """Judge what is told of two members of one group, and of one of another."""
    recording = begun(Version.V201)
    for token, group in (("AA01", "FLEET"), ("AA02", "FLEET"), ("BB01", "GUEST")):
        recording.note(member_of=[token, group])
    for number, (token, name) in enumerate(zip(("AA01", "aa02", "BB01"), told, strict=True)):
        authorized(recording, number, token, name)
    return [finding.verdict for finding in group_is_told().judge(recording.history())]


@pytest.mark.parametrize("told", [("FLEET", "FLEET", "GUEST"), ("fleet", "FLEET", "Guest"), ("17", "17", "18")])
def test_a_group_by_any_one_name_no_false_alarm(told: Sequence[str]) -> None:
    assert groups(*told) == [Verdict.OK] * 3


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (("AA01", "AA02", "BB01"), 1),
        (("FLEET", "FLEET", "FLEET"), 2),
        (("FLEET", None, "GUEST"), 1),
        (("FLEET", "GUEST", "GUEST"), 1),
    ],
)
def test_a_wrong_group_is_found_where_it_is_told(told: Sequence[str | None], wrong: int) -> None:
    verdicts = groups(*told)
    assert verdicts[wrong] is Verdict.FAILED


def findings(key: str, claim: str, recording: Recording) -> list[Verdict]:
    (check,) = [check for check in CASES[key].checks if check.claim.startswith(claim)]
    return [finding.verdict for finding in check.judge(recording.history())]


def signed(version: Version, **fields: Any) -> Recording:
    recording = begun(version)
    return recording.got(json.dumps([2, "c1", "CertificateSigned", {"certificateChain": "PEM", **fields}]))


@pytest.mark.parametrize(
    ("key", "fields", "verdict"),
    [
        ("2.0.1-TC_A_11_CSMS", {}, Verdict.OK),
        ("2.0.1-TC_A_11_CSMS", {"certificateType": "V2GCertificate"}, Verdict.FAILED),
        ("2.0.1-TC_A_12_CSMS", {}, Verdict.NON_STRICT),
        ("2.1-TC_A_12_CSMS", {"certificateType": "V2GCertificate"}, Verdict.NON_STRICT),
        ("2.1-TC_A_12_CSMS", {"certificateType": "V2GCertificate", "requestId": 2718}, Verdict.OK),
        ("2.1-TC_A_12_CSMS", {"certificateType": "V2GCertificate", "requestId": 3}, Verdict.FAILED),
    ],
)
def test_a_certificate_may_leave_its_use_out_no_false_alarm(key: str, fields: Any, verdict: Verdict) -> None:
    version = Version(key.partition("-")[0])
    assert findings(key, "The certificate is sent as", signed(version, **fields)) == [verdict]


def test_a_withdrawn_case_holds_nothing_against_a_csms_no_false_alarm() -> None:
    recording = begun(Version.V201).sent(json.dumps([2, "m1", "SignCertificate", {"csr": "PEM"}]))
    recording.got(json.dumps([3, "m1", {"status": "Accepted"}]))
    assert findings("2.0.1-TC_A_13_CSMS", "An accepted request", recording) == [Verdict.INFORMATIONAL]


def reads(*sizes: int) -> Recording:
    """Read five variables in requests of these sizes."""
    named = [("A", "1"), ("B", "2"), ("C", "3"), ("D", "4"), ("E", "5")]
    recording = begun(Version.V201)
    for number, size in enumerate(sizes):
        data = [{"component": {"name": c}, "variable": {"name": v}} for c, v in named[:size]]
        recording.got(json.dumps([2, f"c{number}", "GetVariables", {"getVariableData": data}]))
    return recording


@pytest.mark.parametrize(
    ("sizes", "verdicts"),
    [
        ((2, 2, 1), [Verdict.OK] * 3),
        ((1, 1, 1, 1, 1), [Verdict.OK] * 5),
        ((3, 2), [Verdict.FAILED, Verdict.OK]),
    ],
)
def test_reads_are_split_in_any_way_no_false_alarm(sizes: Sequence[int], verdicts: list[Verdict]) -> None:
    assert findings("2.0.1-TC_B_08_CSMS", "No GetVariables has more", reads(*sizes)) == verdicts


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (b"\x15\x03\x02\x00\x02\x02\x46", True),
        (b"", True),
        (b"\x16\x03\x02\x00\x31\x02\x00\x00\x2d\x03\x02" + bytes(40), False),
    ],
)
def test_tls_1_1_is_refused_by_an_alert_or_by_an_end_no_false_alarm(answer: bytes, refused: bool) -> None:  # noqa: FBT001  # a column of the table
    with answering(answer) as url:
        assert offer_tls_1_1(url, timeout=5)[0] is refused
