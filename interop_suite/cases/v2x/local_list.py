"""Local Authorization List: full and differential updates, an empty list, and the version that a station has."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import above, each, field, one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.local_lists import ORDER, differences, version_rises
from interop_suite.steps.operator_orders import new_tokens, ordered
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Local Authorization List"
PROFILE = "Local Auth List"
CLAUSE = Clause("201-4", "4.1.7")
ASK = "GetLocalListVersion"


def _entry(token: str, status: str | None = "Accepted") -> dict[str, Any]:
    info = {} if status is None else {"idTokenInfo": {"status": status}}
    return {"idToken": {"idToken": token, "type": "ISO14443"}, **info}


def _update(kind: str, version: int, *entries: dict[str, Any]) -> dict[str, Any]:
    listed = {"localAuthorizationList": list(entries)} if entries else {}
    return {"versionNumber": version, "updateType": kind, **listed}


def _send(probe: Probe, *updates: dict[str, Any]) -> None:
    probe.station.reply(ORDER, {"status": "Accepted"})
    for update in updates:
        probe.command(ORDER, update)
    heartbeat(probe.station)


_REMOVES = "An entry that is to be removed is sent without idTokenInfo"


def _judge_removal(history: History) -> list[Finding]:
    wanted = {str(token).casefold() for token in history.notes("removed_token")}
    return [
        Finding(
            verdict=Verdict.FAILED if "idTokenInfo" in entry else Verdict.OK,
            claim=_REMOVES,
            actual=f"{entry}",
            frame=call.call.line,
        )
        for call in differences(history)
        for entry in _entries(call)
        if str(field(entry, "idToken.idToken")).casefold() in wanted
    ]


def _entries(call: Exchange) -> list[dict[str, Any]]:
    entries = field(call.payload, "localAuthorizationList")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


_STILL_REFUSED = "A token that is blocked, and is to be so in the list, is not sent as Accepted"


def _judge_refused(history: History) -> list[Finding]:
    """Hold the list against a token that both its operator and the order call Blocked."""
    blocked = {str(token).casefold() for token in history.notes("blocked_token")}
    entries = [
        (call, entry)
        for call in history.commands(ORDER)
        for entry in _entries(call)
        if str(field(entry, "idToken.idToken")).casefold() in blocked
    ]
    if not entries and history.commands(ORDER):
        actual = "it is not in the list" if blocked else "no driver can block a token"
        return [Finding(verdict=Verdict.OK, claim=_STILL_REFUSED, actual=actual)]
    return [
        Finding(
            verdict=Verdict.FAILED if field(entry, "idTokenInfo.status") == "Accepted" else Verdict.OK,
            claim=_STILL_REFUSED,
            actual=f"{entry}",
            frame=call.call.line,
        )
        for call, entry in entries
    ]


@case(
    id="TC_D_01_CSMS",
    ocpp=VERSIONS,
    title="Send a full local list",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to SendLocalList, then a Heartbeat.",
    expects="The CSMS SHALL send a Full update with a version above 0 and every entry with its idTokenInfo.",
    clause=CLAUSE,
    defect="local-list-without-version",
    also=("local-list-all-accepted",),
    checks=(
        ordered(
            ORDER,
            {
                "versionNumber": above(0),
                "updateType": one_of("Full"),
                "localAuthorizationList": each("idToken", "idTokenInfo"),
            },
        ),
        Check(claim=_STILL_REFUSED, judge=_judge_refused),
        still_serves(),
    ),
)
def full_list(probe: Probe) -> None:
    first, second = new_tokens(probe, 2)
    if probe.driver.missing(token_need("Blocked"), probe.version) is None:
        second = probe.token("Blocked")
        probe.station.note(blocked_token=second)
    _send(probe, _update("Full", 7, _entry(first), _entry(second, "Blocked")))


@case(
    id="TC_D_02_CSMS",
    ocpp=VERSIONS,
    title="Add tokens to the local list",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to SendLocalList of a full list and of a difference, then a Heartbeat.",
    expects="The CSMS SHALL send the new entries alone, with idTokenInfo, as Differential with a higher version.",
    clause=CLAUSE,
    defect="list-version-always-one",
    also=("list-difference-sent-as-full",),
    checks=(
        ordered(
            ORDER,
            {
                "versionNumber": above(0),
                "updateType": one_of("Differential"),
                "localAuthorizationList": each("idToken", "idTokenInfo"),
            },
        ),
        version_rises,
        still_serves(),
    ),
)
def added_tokens(probe: Probe) -> None:
    kept, first, second = new_tokens(probe, 3)
    _send(
        probe,
        _update("Full", 11, _entry(kept)),
        _update("Differential", 12, _entry(first), _entry(second, "Blocked")),
    )


@case(
    id="TC_D_03_CSMS",
    ocpp=VERSIONS,
    title="Remove a token from the local list",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to SendLocalList of a full list and of a difference that removes one entry, then a Heartbeat.",
    expects="The CSMS SHALL send the entry to remove without idTokenInfo, as Differential with a higher version.",
    clause=CLAUSE,
    defect="list-removal-with-info",
    also=("list-difference-sent-as-full", "list-version-always-one", "deletion-sent-as-entry"),
    checks=(
        ordered(
            ORDER,
            {
                "versionNumber": above(0),
                "updateType": one_of("Differential"),
                "localAuthorizationList": each("idToken"),
            },
        ),
        version_rises,
        Check(claim=_REMOVES, judge=_judge_removal),
        still_serves(),
    ),
)
def removed_token(probe: Probe) -> None:
    first, removed, last = new_tokens(probe, 3)
    probe.station.note(removed_token=removed)
    _send(
        probe,
        _update("Full", 21, _entry(first), _entry(removed), _entry(last)),
        _update("Differential", 22, _entry(removed, None)),
    )


@case(
    id="TC_D_04_CSMS",
    ocpp=VERSIONS,
    title="Empty the local list",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to SendLocalList of a list and of no entries at all, then a Heartbeat.",
    expects="The CSMS SHALL send a Full update that leaves localAuthorizationList out.",
    clause=CLAUSE,
    defect="empty-list-sent-as-array",
    also=(
        "deletion-sent-as-entry",
        "local-list-cut",
    ),
    checks=(
        ordered(
            ORDER,
            {"versionNumber": above(0), "updateType": one_of("Full"), "localAuthorizationList": one_of(None)},
        ),
        still_serves(),
    ),
)
def empty_list(probe: Probe) -> None:
    _send(probe, _update("Full", 31, _entry(*new_tokens(probe, 1))), _update("Full", 32))


@case(
    id="TC_D_08_CSMS",
    ocpp=VERSIONS,
    title="Ask for the version of the local list",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER), trigger_need(ASK)),
    sends="Accepted to SendLocalList, the version of that list to GetLocalListVersion, then a Heartbeat.",
    expects="The CSMS SHALL send GetLocalListVersion, take the answer and go on.",
    clause=CLAUSE,
    defect="list-version-from-memory",
    checks=(ordered(ASK, {}), still_serves()),
)
def list_version(probe: Probe) -> None:
    station = probe.station
    station.reply(ORDER, {"status": "Accepted"})
    probe.command(ORDER, _update("Full", 41, *map(_entry, new_tokens(probe, 2))))
    sent = station.expect(ORDER) or {}
    station.reply(ASK, {"versionNumber": sent.get("versionNumber", 0)})
    probe.command(ASK, {})
    heartbeat(station)


@case(
    id="TC_D_09_CSMS",
    ocpp=VERSIONS,
    title="Ask for the version of the local list where there is none",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ASK), trigger_need(ORDER)),
    sends="The answer 0 to GetLocalListVersion, Accepted to SendLocalList, then a Heartbeat.",
    expects="The CSMS SHALL send GetLocalListVersion, take 0 as no list, and still send the list that is ordered then.",
    clause=CLAUSE,
    defect="list-version-zero-taken-for-no-support",
    checks=(
        ordered(ASK, {}),
        ordered(ORDER, {"updateType": one_of("Full")}, claim="A list is sent to a station that has none"),
        still_serves(),
    ),
)
def no_list(probe: Probe) -> None:
    probe.station.reply(ASK, {"versionNumber": 0})
    probe.command(ASK, {})
    _send(probe, _update("Full", 51, *map(_entry, new_tokens(probe, 2))))
