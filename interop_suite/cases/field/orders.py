"""Orders of the operator that are less plain than in certification, and tokens that look alike."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from drivers.base import StationSettings, token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.payloads import v2x, v16
from fixtures.time_style import TimeStyle
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import BYSTANDER, History
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.probe import NoWayError, Probe, now
from interop_suite.drive.setup import Start
from interop_suite.steps.charging import TOKEN_STATUS, Charging, authorize
from interop_suite.steps.registration import WAIT, booted_as
from interop_suite.steps.shared_case import ALL, V2X, shared, wire_clause
from interop_suite.steps.transaction_records import sessions_began
from interop_suite.steps.v16 import ago
from ocppj.errors import InconclusiveError
from ocppj.versions import Version

BLOCK = "Field"
TOKEN = token_need("Accepted")


def _cite(v16_clause: Clause, v2x_number: str) -> dict[Version, Clause]:
    return {Version.V16: v16_clause, **{version: Clause("201-6", v2x_number) for version in V2X}}


def _needs(actions: Mapping[Version, str], *others: str) -> dict[Version, tuple[str, ...]]:
    return {version: (*others, trigger_need(action)) for version, action in actions.items()}


STOP: Mapping[Version, str] = {
    Version.V16: "RemoteStopTransaction",
    **dict.fromkeys(V2X, "RequestStopTransaction"),
}


@shared(
    id="FLD_50",
    title="Each of two sessions is stopped from afar",
    block=BLOCK,
    initiator="csms",
    needs=_needs(STOP, TOKEN),
    sends="Two sessions at two places, Rejected to the requests to stop the older and the newer one; then both ends.",
    expects="The CSMS SHALL name the session that its operator means, and neither the first nor the latest.",
    clause=_cite(Clause("1.6", "5.12"), "F03.FR.01"),
    defect="stop-names-latest-session",
    also={
        Version.V16: ("remote-stop-wrong-transaction", "stop-names-first-session"),
        **dict.fromkeys(V2X, ("request-stop-wrong-transaction", "stop-names-first-session", "order-before-once-more")),
    },
    checks={version: (sessions_began(2), fulfilled(STOP[version])) for version in ALL},
)
def each_session(probe: Probe) -> None:
    station, action = probe.station, STOP[probe.version]
    sessions = [
        Charging(station, probe.token()),
        Charging(station, probe.another_token(), connector=2),
    ]
    for number, session in enumerate(sessions, 1):
        session.begin(1000 * number)
    station.reply(action, {"status": "Rejected"})
    for session in sessions:
        probe.command(action, {"transactionId": session.id})
    for session in sessions:
        session.end(5000)


_TRIGGER: Mapping[Version, dict[str, Any]] = {
    Version.V16: {"requestedMessage": "StatusNotification", "connectorId": 1},
    **{v: {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}} for v in V2X},
}
_STATUS: Mapping[Version, Callable[[], dict[str, Any]]] = {
    Version.V16: lambda: v16.status_notification(1, "Available", timestamp=now()),
    **dict.fromkeys(V2X, lambda: v2x.status_notification(1, 1, "Available", now())),
}


@shared(
    id="FLD_51",
    title="What a Pending station was asked for is taken from it",
    block=BLOCK,
    initiator="csms",
    start=Start.CONNECTED,
    needs=("boot-status:Pending", trigger_need("TriggerMessage")),
    sends="A boot that is answered Pending, Accepted to TriggerMessage for a StatusNotification, and that.",
    expects="The CSMS SHALL answer what it has asked for with a CALLRESULT.",
    clause=_cite(Clause("1.6", "4.2"), "B02.FR.09"),
    defect="triggered-message-refused",
    also=(
        "trigger-drops-evse",
        "trigger-message-for-another-message",
    ),
    checks=(
        asked("TriggerMessage"),
        answered("StatusNotification", claim="The message that was asked for is answered"),
    ),
)
def triggered_while_pending(probe: Probe) -> None:
    station = booted_as(probe, "Pending")
    station.reply("TriggerMessage", {"status": "Accepted"})
    probe.command("TriggerMessage", _TRIGGER[probe.version])
    if station.expect("TriggerMessage") is not None:
        station.call("StatusNotification", _STATUS[probe.version]())


@shared(
    id="FLD_52",
    title="A station that was accepted once can be told to wait",
    block=BLOCK,
    needs=("boot-status:Pending",),
    sends="The boot of a station that has been accepted before, when its operator wants it to wait.",
    expects="The CSMS SHALL answer as its operator has decided since.",
    clause=_cite(Clause("1.6", "4.2"), "B02.FR.01"),
    defect="once-accepted-for-ever",
    also=("boot-status-ignored",),
    checks=(
        answered("BootNotification", {"status": one_of("Pending")}, nth=-1, claim="The operator's decision counts"),
    ),
)
def accepted_before(probe: Probe) -> None:
    probe.set_up(probe.station, StationSettings(boot_status="Pending", interval=WAIT))
    probe.send_boot(probe.station)


LOG: Mapping[Version, str] = {Version.V16: "GetDiagnostics", **dict.fromkeys(V2X, "GetLog")}


def _window_16() -> dict[str, Any]:
    return {
        "location": "ftp://files.example.org/logs",
        "startTime": ago(hours=9),
        "stopTime": ago(hours=3),
        "retries": 4,
        "retryInterval": 45,
    }


def _window_2x() -> dict[str, Any]:
    log = {
        "remoteLocation": "https://files.example.org/logs",
        "oldestTimestamp": ago(hours=9),
        "latestTimestamp": ago(hours=3),
    }
    return {"logType": "DiagnosticsLog", "requestId": 41, "retries": 4, "retryInterval": 45, "log": log}


_WINDOW: Mapping[Version, Callable[[], dict[str, Any]]] = {
    Version.V16: _window_16,
    **dict.fromkeys(V2X, _window_2x),
}


@shared(
    id="FLD_53",
    title="A log is asked for with its window and its retries",
    block=BLOCK,
    initiator="csms",
    needs=_needs(LOG),
    sends="An answer to the request for a log of some hours, with four retries.",
    expects="The CSMS SHALL hand over what its operator named: the window, the retries and their interval.",
    clause=_cite(Clause("1.6", "5.9"), "TC_N_25_CSMS"),
    defect="log-window-lost",
    also=(
        "get-log-dates-swapped",
        "get-log-https-as-http",
        "get-log-of-another-kind",
    ),
    checks={version: (asked(LOG[version]),) for version in ALL},
)
def log_window(probe: Probe) -> None:
    probe.command(LOG[probe.version], _WINDOW[probe.version]())


# -- tokens ----------------------------------------------------------------------------------------------------------

# A card of ISO 14443 has 4 or 7 bytes; what is typed in may have any length.
_OF_ANY_LENGTH: Mapping[Version, TokenKind | None] = {Version.V16: None, **dict.fromkeys(V2X, TokenKind.KEY_CODE)}
_AUTHORIZE: Mapping[Version, Callable[[str], dict[str, Any]]] = {
    Version.V16: v16.authorize,
    **dict.fromkeys(V2X, lambda token: v2x.authorize(Token(value=token, kind=TokenKind.KEY_CODE))),
}
LONGEST: Mapping[Version, int] = {Version.V16: 20, **dict.fromkeys(V2X, 36)}
"""Characters of an idTag (OCPP 1.6 §7.28) and of an idToken."""


@shared(
    id="FLD_54",
    title="Tokens of full length that differ in their last character are two tokens",
    block=BLOCK,
    needs=(TOKEN, token_need("Blocked")),
    sends="Authorize with an accepted and with a blocked token, both as long as can be and alike but for the last.",
    expects="The CSMS SHALL accept the first and not the second.",
    clause=_cite(Clause("1.6", "7.28"), "C01.FR.02"),
    defect="tokens-known-by-their-beginning",
    also=("blocked-tag-authorized",),
    checks={
        version: (
            answered("Authorize", {TOKEN_STATUS[version]: one_of("Accepted")}, nth=0, claim="The first is accepted"),
            answered(
                "Authorize",
                {TOKEN_STATUS[version]: one_of("Blocked", "Invalid")},
                nth=1,
                claim="The second is not accepted",
            ),
        )
        for version in ALL
    },
)
def alike(probe: Probe) -> None:
    stem = secrets.token_hex(18).upper()[: LONGEST[probe.version] - 1]
    for last, status in (("A", "Accepted"), ("B", "Blocked")):
        probe.give_token(f"{stem}{last}", status, type=_OF_ANY_LENGTH[probe.version])
    for last in "AB":
        probe.station.call("Authorize", _AUTHORIZE[probe.version](f"{stem}{last}"))


@shared(
    id="FLD_59",
    title="A token that its operator blocks is blocked from then on",
    block=BLOCK,
    needs=(TOKEN, token_need("Blocked")),
    sends="Authorize with an accepted token, and again once its operator has blocked it.",
    expects="The CSMS SHALL answer what the token is worth now, and not what it was worth before.",
    clause=_cite(Clause("1.6", "4.1"), "C01.FR.02"),
    defect="token-status-of-first-sight",
    also=("blocked-tag-authorized",),
    checks={
        version: (
            answered("Authorize", {TOKEN_STATUS[version]: one_of("Accepted")}, nth=0, claim="At first it is accepted"),
            answered(
                "Authorize",
                {TOKEN_STATUS[version]: one_of("Blocked", "Invalid")},
                nth=1,
                claim="Afterwards it is not accepted",
            ),
        )
        for version in ALL
    },
)
def blocked_later(probe: Probe) -> None:
    token = probe.made_up_token()
    probe.give_token(token, "Accepted")
    authorize(probe.station, token)
    try:
        probe.give_token(token, "Blocked")
    except InconclusiveError as error:
        raise NoWayError(f"the driver registers a token once only: {error}") from error
    authorize(probe.station, token)


@shared(
    id="FLD_67",
    title="A token that its operator makes known is known from then on",
    block=BLOCK,
    needs=(TOKEN,),
    sends="Authorize with a token that nobody knows, and again once its operator has made it known.",
    expects="The CSMS SHALL accept it afterwards: the answer says what the token is worth now.",
    clause=_cite(Clause("1.6", "4.1"), "C01.FR.02"),
    defect="unknown-token-remembered",
    also=("token-status-of-first-sight",),
    checks={
        version: (
            answered(
                "Authorize", {TOKEN_STATUS[version]: one_of("Accepted")}, nth=1, claim="Once known, it is accepted"
            ),
        )
        for version in ALL
    },
)
def known_later(probe: Probe) -> None:
    token = probe.made_up_token()
    authorize(probe.station, token)
    try:
        probe.give_token(token, "Accepted")
    except InconclusiveError as error:
        raise NoWayError(f"the driver cannot register a token that was seen before: {error}") from error
    authorize(probe.station, token)


AT_ONCE = 4
"""Rounds in which two stations ask at the same moment; one may happen to go well."""


@shared(
    id="FLD_68",
    title="Two stations that ask at the same moment are each answered for their own token",
    block=BLOCK,
    bystander=True,
    needs=(TOKEN, token_need("Blocked")),
    sends=f"{AT_ONCE} times: Authorize of two stations before either is answered, one of them with a blocked token.",
    expects="The CSMS SHALL answer each for the token that it asked about, whoever else asks meanwhile.",
    clause=_cite(Clause("1.6", "4.1"), "C01.FR.02"),
    defect="answer-for-token-of-neighbour",
    also=("blocked-tag-authorized",),
    checks={
        version: (
            answered("Authorize", {TOKEN_STATUS[version]: one_of("Accepted")}, claim="The good token is accepted"),
            answered(
                "Authorize",
                {TOKEN_STATUS[version]: one_of("Blocked", "Invalid")},
                role=BYSTANDER,
                claim="The blocked one is not",
            ),
        )
        for version in ALL
    },
)
def asked_at_once(probe: Probe) -> None:
    words = DIALOGUES[probe.version]
    asking = (probe.station, words.authorize(probe.token())), (probe.bystander, words.authorize(probe.token("Blocked")))
    for _ in range(AT_ONCE):
        calls = [(station, station.start_call("Authorize", payload)) for station, payload in asking]
        for station, call in calls:
            if call is not None:
                station.finish(call)


def _elsewhere(minutes: int, offset: int) -> str:
    """Write the time some minutes from now on the clock of another zone."""
    return TimeStyle(f"{offset:+03d}:00", digits=0).writer()(time.time() + minutes * 60)


@case(
    id="FLD_55",
    ocpp=Version.V16,
    title="An expiry date is a moment, however its zone is written",
    block=BLOCK,
    needs=(TOKEN, token_need("expiry")),
    sends="Authorize with a tag that is good for 30 more minutes, written with -10:00, and one over, with +10:00.",
    expects="The CSMS SHALL accept the first and not the second.",
    clause=Clause("1.6", "3.15"),
    defect="expiry-compared-as-text",
    also=("passed-expiry-ignored", "expired-tag-authorized"),
    checks=(
        answered("Authorize", {"idTagInfo.status": one_of("Accepted")}, nth=0, claim="The good one is accepted"),
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Expired")},
            tolerate={"idTagInfo.status": ("Invalid", "Blocked")},
            nth=1,
            claim="The one that is over is not",
        ),
    ),
)
def zones_of_expiry(probe: Probe) -> None:
    for minutes, offset in ((30, -10), (-30, 10)):
        authorize(probe.station, probe.token(expiry=_elsewhere(minutes, offset)))


# -- values and lists ------------------------------------------------------------------------------------------------

SET: Mapping[Version, str] = {Version.V16: "ChangeConfiguration", **dict.fromkeys(V2X, "SetVariables")}
VALUES = (" two  blanks ", "Power.Offered,", "007", "true")
"""Texts that stay as they are: a station compares them letter by letter."""
LONG = f"Grüße \u2713 {'0123456789' * 49}"
"""As many characters as a value of 1.6 has room for (§7.19), some of them outside ASCII (OCPP-J §4.1.2)."""


def _variable(value: str) -> dict[str, Any]:
    about = {"component": {"name": "DisplayCtrlr"}, "variable": {"name": "Greeting"}}
    return {"setVariableData": [{**about, "attributeValue": value}]}


_SETTING: Mapping[Version, Callable[[str], dict[str, Any]]] = {
    Version.V16: lambda value: {"key": "Greeting", "value": value},
    **dict.fromkeys(V2X, _variable),
}


@shared(
    id="FLD_56",
    title="A value is set letter by letter",
    block=BLOCK,
    initiator="csms",
    needs=_needs(SET),
    sends=f"Answers to orders that set a value to {', '.join(map(repr, VALUES))}, and to {len(LONG)} characters.",
    expects="The CSMS SHALL send each value as its operator wrote it, as a text.",
    clause=_cite(Clause("1.6", "5.3"), "B05.FR.02"),
    defect="values-trimmed",
    also=("values-in-ascii",),
    checks={version: (asked(SET[version]),) for version in ALL},
)
def letter_by_letter(probe: Probe) -> None:
    for value in (*VALUES, LONG):
        probe.command(SET[probe.version], _SETTING[probe.version](value))


_TWO_IDS = "Two reservations have two ids"
_RESERVED: Mapping[Version, str] = {Version.V16: "reservationId", **dict.fromkeys(V2X, "id")}


def _judge_reservations(history: History) -> list[Finding]:
    name = _RESERVED[history.rules.version]
    numbers = [field(call.payload, name) for call in history.commands("ReserveNow")]
    if len(numbers) < 2:  # noqa: PLR2004  # two reservations
        return []
    verdict = Verdict.OK if len(set(numbers)) == len(numbers) else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_TWO_IDS, actual=f"{name} {numbers}")]


def _reservation_16(number: int, token: str) -> dict[str, Any]:
    return {"connectorId": number, "expiryDate": ago(minutes=-30), "idTag": token, "reservationId": 500 + number}


def _reservation_2x(number: int, token: str) -> dict[str, Any]:
    token_type = {"idToken": token, "type": "ISO14443"}
    return {"id": 500 + number, "expiryDateTime": ago(minutes=-30), "idToken": token_type, "evseId": number}


_RESERVATION: Mapping[Version, Callable[[int, str], dict[str, Any]]] = {
    Version.V16: _reservation_16,
    **dict.fromkeys(V2X, _reservation_2x),
}


@shared(
    id="FLD_57",
    title="Two reservations at one station are told apart",
    block=BLOCK,
    initiator="csms",
    needs=(TOKEN, trigger_need("ReserveNow")),
    sends="Accepted to two reservations, of two places by two tokens.",
    expects="The CSMS SHALL give each an id of its own: the second one with an id takes the place of the first.",
    clause={**wire_clause("4.2.1", "4.1.7", "4.1.7"), Version.V16: Clause("1.6", "5.13")},
    defect="reservation-id-constant",
    also=(
        "reserve-another-evse",
        "reserve-with-one-id",
    ),
    checks=(asked("ReserveNow"), Check(claim=_TWO_IDS, judge=_judge_reservations)),
)
def two_reservations(probe: Probe) -> None:
    probe.station.reply("ReserveNow", {"status": "Accepted"})
    for number, token in enumerate((probe.token(), probe.another_token()), 1):
        probe.command("ReserveNow", _RESERVATION[probe.version](number, token))


ENTRIES = 25
_NUMBER: Mapping[Version, str] = {Version.V16: "listVersion", **dict.fromkeys(V2X, "versionNumber")}
_WHO: Mapping[Version, Callable[[str], dict[str, Any]]] = {
    Version.V16: lambda token: {"idTag": token},
    **dict.fromkeys(V2X, lambda token: {"idToken": {"idToken": token, "type": "ISO14443"}}),
}
_INFO: Mapping[Version, str] = {Version.V16: "idTagInfo", **dict.fromkeys(V2X, "idTokenInfo")}
_WHOLE = "Every entry that was ordered is sent"
_DELETED = "An entry without info, which deletes a token, is sent without"


def _list(version: Version, number: int, entries: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {_NUMBER[version]: number, "updateType": kind, "localAuthorizationList": entries}


def _entry(version: Version, token: str, *, deletes: bool = False) -> dict[str, Any]:
    who = _WHO[version](token)
    return who if deletes else {**who, _INFO[version]: {"status": "Accepted"}}


def _judge_entries(history: History) -> list[Finding]:
    lists = [field(call.payload, "localAuthorizationList") or [] for call in history.commands("SendLocalList")]
    if not lists:
        return []
    most = max(map(len, lists))
    verdict = Verdict.OK if most >= ENTRIES else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_WHOLE, actual=f"{most} of {ENTRIES} entries")]


def _judge_deletions(history: History) -> list[Finding]:
    updates = [
        call for call in history.commands("SendLocalList") if field(call.payload, "updateType") == "Differential"
    ]
    if not updates:
        return []
    with_info = [e for call in updates for e in field(call.payload, "localAuthorizationList") or [] if _has_info(e)]
    actual = f"it has {with_info[0]}" if with_info else "it has none"
    verdict = Verdict.FAILED if with_info else Verdict.OK
    return [Finding(verdict=verdict, claim=_DELETED, actual=actual, frame=updates[-1].call.line)]


def _has_info(entry: Mapping[str, Any]) -> bool:
    return any(name in entry for name in _INFO.values())


@shared(
    id="FLD_58",
    title="A long local list is sent whole, and deletions are deletions",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("SendLocalList"),),
    sends=f"Accepted to a full list of {ENTRIES} tokens, and to an update that deletes one of them.",
    expects="The CSMS SHALL send every entry; one without info removes a token, and one with a status adds it.",
    clause={**wire_clause("4.2.1", "4.1.7", "4.1.7"), Version.V16: Clause("1.6", "7.1")},
    defect="local-list-cut",
    also=(
        "deletion-sent-as-entry",
        "differential-list-sent-as-full",
        "list-difference-sent-as-full",
        "list-removal-with-info",
    ),
    checks=(
        asked("SendLocalList"),
        Check(claim=_WHOLE, judge=_judge_entries),
        Check(claim=_DELETED, judge=_judge_deletions),
    ),
)
def long_list(probe: Probe) -> None:
    probe.station.reply("SendLocalList", {"status": "Accepted"})
    tokens = [probe.made_up_token() for _ in range(ENTRIES)]
    # Some CSMSs list only tokens that they know.
    if probe.driver.missing(TOKEN, probe.version) is None:
        for token in tokens:
            probe.give_token(token, "Accepted")
    entries = [_entry(probe.version, token) for token in tokens]
    probe.command("SendLocalList", _list(probe.version, 31, entries, "Full"))
    gone = [_entry(probe.version, tokens[7], deletes=True)]
    probe.command("SendLocalList", _list(probe.version, 32, gone, "Differential"))
