"""What the CSMS says of tokens that its operator registered, in every answer that names one.

A log knows no registrations: `analysis.rulebook.tokens` can only hold one answer against another. What both judge by,
when a token is over, is `analysis.message_values.is_over`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from analysis.message_values import is_over
from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field, other_than, shown
from interop_suite.claims.history import History
from interop_suite.claims.moments import apart, moment, wall_at
from ocppj.versions import Version

__all__ = ["token_findings"]

_SAME_TIME = 1.0
"""Seconds: a CSMS may keep times without their fractions."""
_CONCURRENT = "ConcurrentTx"


class _Words(msgspec.Struct, frozen=True):
    """Where a version says what."""

    token: str
    info: str
    group: str
    group_type: str
    """Of what kind the group is; empty where groups have none."""
    expiry: str
    expiry_is_own: bool
    """Whether the date is that of the token, and not that of what a station may keep."""
    clause: Clause


_V2X = _Words(
    "idToken.idToken",
    "idTokenInfo",
    "groupIdToken.idToken",
    "groupIdToken.type",
    "cacheExpiryDateTime",
    expiry_is_own=False,
    clause=Clause("201-6", "C01.FR.07"),
)
_WORDS: Mapping[Version, _Words] = MappingProxyType(
    {
        Version.V16: _Words(
            "idTag", "idTagInfo", "parentIdTag", "", "expiryDate", expiry_is_own=True, clause=Clause("1.6", "7.27")
        ),
        Version.V201: _V2X,
        Version.V21: _V2X,
    }
)


def token_findings(history: History) -> Iterator[Finding]:
    """Hold each answer about a registered token against its registration; what is optional may be left out."""
    words = _WORDS[history.rules.version]
    kinds: dict[str, str] = {}
    for exchange in history.exchanges:
        info = _info(exchange, words)
        token = field(exchange.payload, words.token)
        if info is None or not isinstance(token, str):
            continue
        registered = _registration(history, token, exchange.call.line)
        if registered is None:
            problems = _over(info, words, wall_at(history, exchange.call.t))
        elif field(exchange.payload, "idToken.type") not in (None, registered.get("type")):
            continue
        else:
            problems = _problems(history, exchange, info, registered, words)
        for problem in (*problems, *_other_kind(kinds, info, words)):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="What the CSMS says of a token is what its operator registered",
                actual=f"{exchange.action}: {problem}",
                clause=words.clause,
                frame=exchange.answer.line if exchange.answer else None,
            )


def _info(exchange: Exchange, words: _Words) -> Mapping[str, Any] | None:
    if not exchange.by_station or exchange.kind is not AnswerKind.RESULT or not exchange.call.scripted:
        return None
    if exchange.result.get("certificateStatus") not in (None, "Accepted"):
        # A contract certificate that does not hold spoils its token (2.0.1 errata 2023-12 C07.FR.15 to C07.FR.17).
        return None
    info = field(exchange.result, words.info)
    return info if isinstance(info, Mapping) else None


def _registration(history: History, token: str, before: int) -> Mapping[str, Any] | None:
    """Find how a token was registered last; None for one that nobody registered."""
    found = [
        call.info
        for call in history.driver_calls
        if call.operation == "set_token" and call.error is None and call.line < before
        if str(call.info.get("token")).casefold() == token.casefold()
    ]
    return found[-1] if found else None


def _problems(
    history: History, exchange: Exchange, info: Mapping[str, Any], registered: Mapping[str, Any], words: _Words
) -> Iterator[str]:
    status, wanted = info.get("status"), registered["status"]
    own = wall_at(history, exchange.call.t)
    expiry, today = moment(registered.get("expiry")), own
    if words.expiry_is_own and expiry is not None and today is not None and expiry.timestamp() < today:
        wanted = "Expired" if wanted == "Accepted" else wanted
    if wanted == "Accepted":
        if status != wanted and not (status == _CONCURRENT and _runs(history, exchange, words)):
            yield f"status is {shown(status)} of a token that was registered as Accepted"
    elif status == "Accepted":
        yield f"status is 'Accepted' of a token that is {wanted}"
    yield from _wrong_group(info, registered, words)
    yield from _wrong_expiry(info, registered, words, today)


def _runs(history: History, exchange: Exchange, words: _Words) -> bool:
    """Return whether the token began a session before."""
    token = str(field(exchange.payload, words.token)).casefold()
    return any(
        earlier.by_station
        and earlier.call.line < exchange.call.line
        and earlier.action in ("StartTransaction", "TransactionEvent")
        and str(field(earlier.payload, words.token)).casefold() == token
        for earlier in history.exchanges
    )


def _wrong_group(info: Mapping[str, Any], registered: Mapping[str, Any], words: _Words) -> Iterator[str]:
    told, wanted = field(info, words.group), registered.get("parent")
    if told == "":
        yield f"{words.group} is empty: a token without a group has none, and is in none with all others"
        return
    if isinstance(told, str) and isinstance(wanted, str) and told.casefold() != wanted.casefold():
        yield f"{words.group} {other_than(told, wanted)}"


def _other_kind(kinds: dict[str, str], info: Mapping[str, Any], words: _Words) -> Iterator[str]:
    """Find a group that is told with another type than before: stations compare both (2.x IdTokenType)."""
    group, kind = field(info, words.group), field(info, words.group_type) if words.group_type else None
    if isinstance(group, str) and isinstance(kind, str):
        before = kinds.setdefault(group.casefold(), kind)
        if before.casefold() != kind.casefold():
            yield f"{words.group_type} of {group!r} is {kind!r}, and was {before!r} before"


def _wrong_expiry(
    info: Mapping[str, Any], registered: Mapping[str, Any], words: _Words, today: float | None
) -> Iterator[str]:
    told, wanted = info.get(words.expiry), registered.get("expiry")
    when = moment(told)
    if when is None:
        return
    difference = apart(told, wanted)
    if words.expiry_is_own and difference is not None and difference > _SAME_TIME:
        yield f"{words.expiry} {other_than(told, wanted)}"
    else:
        yield from _over(info, words, today)


def _over(info: Mapping[str, Any], words: _Words, today: float | None) -> Iterator[str]:
    """Find a date that has passed beside Accepted, which no token has, whoever registered it."""
    told = info.get(words.expiry)
    if info.get("status") == "Accepted" and is_over(told, today):
        yield f"{words.expiry} is {told!r}, which is over, although the status is Accepted"
