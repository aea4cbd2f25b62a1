"""What the stations told and the CSMS confirmed, against what it recorded: nothing lost, doubled or crossed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import PRIMARY, History
from interop_suite.claims.kept_records import same_number
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import TOKEN_STATUS

__all__ = [
    "Told",
    "accepted_starts",
    "confirmed",
    "is_closed",
    "keeps_own_energy",
    "read_records",
    "recorded",
    "recorded_end",
    "recorded_once",
    "records_of",
    "sessions_began",
]

POLL = 0.1
"""Seconds between two looks at records that may come late."""


class Told(msgspec.Struct, kw_only=True):
    """A transaction as a station told it and the CSMS confirmed it; the register is in Wh."""

    id: int | str
    token: str | None = None
    at: str | None = None
    """When it began, as the station wrote it."""
    begin: float | None = None
    end: float | None = None
    ended: bool = False


def confirmed(history: History, *, role: str = PRIMARY) -> dict[str, Told]:
    """Collect the transactions of a station by id, as text, from the messages that were answered with a CALLRESULT.

    A start of 1.6 whose tag was refused is none: its transactionId may be any number, and several starts may share it.
    """
    told: dict[str, Told] = {}
    for call in history.calls(role=role):
        if call.kind is not AnswerKind.RESULT:
            continue
        payload = call.payload
        match call.action:
            case "StartTransaction":
                number = call.result.get("transactionId")
                if isinstance(number, int) and _goes_on(call):
                    told[str(number)] = Told(
                        id=number,
                        token=field(payload, "idTag"),
                        at=field(payload, "timestamp"),
                        begin=field(payload, "meterStart"),
                    )
            case "StopTransaction":
                known = told.get(str(field(payload, "transactionId")))
                if known is not None and not known.ended:
                    known.end, known.ended = field(payload, "meterStop"), True
            case "TransactionEvent":
                _follow(told, payload)
    return told


def _goes_on(call: Exchange) -> bool:
    """Return whether the answer to a start lets the session go on; in 2.x no idTokenInfo says that too."""
    status = field(call.result, TOKEN_STATUS[call.call.rules.version])
    return call.kind is AnswerKind.RESULT and status in ("Accepted", None)


def accepted_starts(history: History, *, role: str = PRIMARY) -> list[Exchange]:
    """List the starts of a station that the CSMS let go on, in whichever version."""
    starts = [
        *history.calls("StartTransaction", role=role),
        *(e for e in history.calls("TransactionEvent", role=role) if field(e.payload, "eventType") == "Started"),
    ]
    return [call for call in starts if _goes_on(call)]


def sessions_began(count: int = 1, *, role: str = PRIMARY) -> Check:
    """Require that sessions began, each with a token that was accepted; where we had no such token, it is wanting."""
    claim = "The session that the case is about began" if count == 1 else f"The {count} sessions of the case began"

    def judge(history: History) -> list[Finding]:
        began = len(accepted_starts(history, role=role))
        if began >= count:
            return [Finding(verdict=Verdict.OK, claim=claim, actual=f"{began} began")]
        if any(history.notes("token_made_up")):
            actual = "the CSMS knows no token of ours; --token Accepted=TAG names one that it knows"
            return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual)]
        return [Finding(verdict=Verdict.INCONCLUSIVE, claim=claim, actual=f"{began} of {count} began")]

    return Check(claim=claim, judge=judge)


def _follow(told: dict[str, Told], event: dict[str, Any]) -> None:
    number = field(event, "transactionInfo.transactionId")
    if number is None:
        return
    known = told.setdefault(number, Told(id=number, at=field(event, "timestamp")))
    known.token = known.token or field(event, "idToken.idToken")
    register = field(event, "meterValue.0.sampledValue.0.value")
    if field(event, "eventType") == "Started":
        known.begin = register
    elif field(event, "eventType") == "Ended":
        known.end, known.ended = register, True


def recorded(history: History, *, role: str = PRIMARY, nth: int = -1) -> list[dict[str, Any]] | None:
    """Read the records of a station as the driver gave them last, or at some other time; None when it never did."""
    identity = history.station(role)
    reads = [
        record.info["transactions"]
        for record in history.records
        if record.info.get("operation") == "recorded" and record.station == identity
    ]
    return reads[nth] if -len(reads) <= nth < len(reads) else None


def records_of(rows: Iterable[dict[str, Any]], told: Told) -> list[dict[str, Any]]:
    """List the records with the id of a transaction."""
    return [row for row in rows if str(row.get("transactionId")) == str(told.id)]


def _check(claim: str, look: Callable[[Told, list[dict[str, Any]]], tuple[bool, str] | None], role: str) -> Check:
    def judge(history: History) -> list[Finding]:
        rows = recorded(history, role=role)
        findings = []
        for told in confirmed(history, role=role).values() if rows is not None else ():
            seen = look(told, rows or [])
            if seen is not None:
                holds, actual = seen
                verdict = Verdict.OK if holds else Verdict.FAILED
                findings.append(Finding(verdict=verdict, claim=claim, actual=f"transaction {told.id}: {actual}"))
        return findings

    return Check(claim=claim, judge=judge)


def recorded_once(*, role: str = PRIMARY) -> Check:
    """Claim that each confirmed transaction is in the records once, and no other one began with it."""

    def look(told: Told, rows: list[dict[str, Any]]) -> tuple[bool, str]:
        own = records_of(rows, told)
        if not own:
            return False, "it is not recorded"
        extra = len(own) - 1 + sum(row not in own and _same_time(row.get("startTime"), told.at) for row in rows)
        return extra == 0, "it is recorded" if extra == 0 else f"it is recorded, and {extra} more that began with it"

    return _check("Each confirmed transaction is recorded once", look, role)


def _same_time(one: object, other: object) -> bool:
    try:
        return datetime.fromisoformat(str(one).upper()) == datetime.fromisoformat(str(other).upper())
    except (ValueError, TypeError):
        return False


def recorded_end(*, role: str = PRIMARY) -> Check:
    """Claim that a transaction is closed when its end was confirmed, and open when not, with its own last register."""

    def look(told: Told, rows: list[dict[str, Any]]) -> tuple[bool, str] | None:
        own = records_of(rows, told)
        if not own:
            return None
        state, stop = own[0].get("state"), own[0].get("meterStop")
        right = state == ("closed" if told.ended else "open")
        if right and told.ended and told.end is not None and stop is not None:
            right = same_number(told.end, stop)
        return right, f"recorded as {state} with meterStop {stop}, told {'no end' if told.end is None else told.end}"

    return _check("A transaction is recorded as ended with its own meter value, and only when it has", look, role)


def keeps_own_energy(*, role: str = PRIMARY) -> Check:
    """Claim that every recorded pair of registers is the one that was told."""

    def look(told: Told, rows: list[dict[str, Any]]) -> tuple[bool, str] | None:
        own = records_of(rows, told)
        if not own or told.begin is None or told.end is None:
            return None
        start, stop = own[0].get("meterStart"), own[0].get("meterStop")
        if start is None or stop is None:
            return None
        right = same_number(told.begin, start) and same_number(told.end, stop)
        return right, f"recorded from {start} to {stop} Wh, told from {told.begin} to {told.end} Wh"

    return _or_not_written(_check("Each transaction keeps the energy that was told for it", look, role), role)


def _or_not_written(check: Check, role: str) -> Check:
    """Make what records of transactions do not hold at all a thing that this CSMS does not have."""

    def judge(history: History) -> list[Finding]:
        found, rows = check.judge(history), recorded(history, role=role) or []
        own = [row for told in confirmed(history, role=role).values() for row in records_of(rows, told)]
        if found or not own or any(row.get(name) is not None for row in own for name in ("meterStart", "meterStop")):
            return found
        actual = "the records of this CSMS name no meterStart and meterStop"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=check.claim, actual=actual)]

    return Check(claim=check.claim, judge=judge)


def is_closed(*transactions: int | str) -> Callable[[list[dict[str, Any]]], bool]:
    """Wait for transactions to be recorded as closed."""
    wanted = {str(number) for number in transactions}
    return lambda rows: wanted <= {str(row.get("transactionId")) for row in rows if row.get("state") == "closed"}


def read_records(
    probe: Probe, settled: Callable[[list[dict[str, Any]]], bool], *, station: ScriptedStation | None = None
) -> None:
    """Read a station's records until they are settled or the patience is over; a CSMS may write them down later."""
    target = station or probe.station
    rounds = max(1, int(probe.target.timeout / POLL))
    for _ in range(rounds):
        if settled(probe.recorded_transactions(target.identity)):
            return
        target.pump(lambda: False, POLL)
