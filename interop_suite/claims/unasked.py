"""What the CSMS sends of its own accord: it is about what its station told, and takes nothing back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field, shown
from interop_suite.claims.history import History
from ocppj.versions import Version

__all__ = ["unasked_findings"]

_PLACES = ("transactionId", "chargingProfile.transactionId", "message.transactionId")
_CLAUSE = Clause("201-4", "4.1.7")


def unasked_findings(history: History) -> Iterator[Finding]:
    """Find certificates for refused requests; and in 2.x commands about transactions that nobody told, and more."""
    yield from _signed_all_the_same(history)
    if history.rules.version is Version.V16:
        return
    yield from _foreign_transactions(history)
    yield from _unasked_verdicts(history)


_REFUSED: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("SWP", "A02.FR.12"),
        **dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "A02.FR.11")),
    }
)


def _signed_all_the_same(history: History) -> Iterator[Finding]:
    """Find CertificateSigned for a station that asked for nothing, or all of whose requests were Rejected before."""
    if history.triggers("CertificateSigned"):
        return
    fresh = {record.station for record in history.records if "new" in record.info}
    said: dict[str, set[str]] = {}
    for exchange in history.exchanges:
        station = exchange.call.station
        if exchange.by_station and exchange.action == "SignCertificate":
            said.setdefault(station, set()).add(str(exchange.result.get("status")))
        elif exchange.action == "CertificateSigned" and not exchange.by_station:
            answers = said.get(station, set())
            if answers != {"Rejected"} and (answers or station not in fresh):
                continue
            why = "SignCertificate was answered Rejected" if answers else "the station never sent SignCertificate"
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="A certificate is for a request that was accepted",
                actual=f"CertificateSigned came, although {why}",
                clause=_REFUSED[history.rules.version],
                frame=exchange.call.line,
            )
            return


def _foreign_transactions(history: History) -> Iterator[Finding]:
    fresh = {record.station for record in history.records if "new" in record.info}
    named = {
        _text(field(call.info.get("payload") or {}, place))
        for call in history.driver_calls
        if call.operation == "trigger"
        for place in _PLACES
    }
    for command in history.exchanges:
        if command.by_station or not command.call.scripted or command.call.station not in fresh:
            continue
        number = next((value for place in _PLACES if (value := field(command.payload, place)) is not None), None)
        if number is None or _text(number) in named | _told(history, command):
            continue
        yield Finding(
            verdict=Verdict.FAILED,
            claim="A command is about a transaction that its station told",
            actual=f"{command.action} names {shown(number)}, of which the station told nothing",
            clause=_CLAUSE,
            frame=command.call.line,
        )


def _told(history: History, command: Exchange) -> set[str | None]:
    return {
        _text(field(call.payload, "transactionInfo.transactionId"))
        for call in history.exchanges
        if call.by_station and call.action == "TransactionEvent" and call.call.station == command.call.station
    }


def _text(value: Any) -> str | None:
    return value.casefold() if isinstance(value, str) else None


def _unasked_verdicts(history: History) -> Iterator[Finding]:
    accepted: set[tuple[str, str | None]] = set()
    for call in history.exchanges:
        if not call.by_station or call.action != "TransactionEvent" or call.kind is not AnswerKind.RESULT:
            continue
        session = call.call.station, _text(field(call.payload, "transactionInfo.transactionId"))
        status = field(call.result, "idTokenInfo.status")
        if field(call.payload, "idToken") is not None:
            accepted = accepted | {session} if status == "Accepted" else accepted - {session}
        elif session in accepted and status not in (None, "Accepted"):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="An event without a token is no question about one",
                actual=f"idTokenInfo.status is {shown(status)}, after the token of the session was accepted",
                clause=_CLAUSE,
                frame=call.answer.line if call.answer else None,
            )
