"""What a CSMS can make a station do: the answer of a good station, and where the station really acts, its reactions.

The answer is written before the reaction begins, as TriggerMessage demands (OCPP 1.6 §5.17, 2.x F06).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from fixtures.answers import answer as plausible_answer
from loadtest.station.commands.common import Reaction
from loadtest.station.commands.table import DEEDS, EVEN_AFTER_NO
from loadtest.station.state.store import store_of
from loadtest.workload.answers import Verdict, manner_of, negative_status, rule_for
from ocppj.actions import csms_actions
from ocppj.errors import Fault, RemoteProtocolError
from ocppj.outcomes import Outcome, is_accepted
from ocppj.registration import REGISTRATION
from ocppj.schemas import validator
from ocppj.versions import ErrorMeaning, Version

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.station.station import Station
    from ocppj.events import CallReceived
    from ocppj.messages import Call

__all__ = ["Reply", "answer_by_rule", "respond"]

Request = dict[str, Any]


class Reply(NamedTuple):
    """What to say, and what to do once it is said; `payload` None means a CALLERROR."""

    outcome: str
    payload: Request | None = None
    code: str = ""
    description: str = ""
    then: Callable[[], object] | None = None


_ERRORS = MappingProxyType({Fault.BAD_ACTION: ErrorMeaning.UNKNOWN_ACTION, Fault.BAD_PAYLOAD: ErrorMeaning.FORMAT})
# What a schema says was wrong, as the error that a receiver names; anything else is an invalid value.
_KEYWORDS = MappingProxyType(
    {
        "additionalProperties": ErrorMeaning.FORMAT,
        "maxItems": ErrorMeaning.OCCURRENCE,
        "minItems": ErrorMeaning.OCCURRENCE,
        "required": ErrorMeaning.OCCURRENCE,
        "type": ErrorMeaning.TYPE,
    }
)
_COMMANDS = MappingProxyType({version: frozenset(csms_actions(version)) for version in Version})


def respond(station: Station, call: Call, *, refuse: bool = False) -> Reply:
    """Answer a CALL of the CSMS; never raises for what is in it.

    With `refuse` a command that is right is answered with the action's own no, or where it has none with a CALLERROR.
    """
    rules = station.dialect.rules
    permission = REGISTRATION[station.version][station.registration]
    if permission.csms_forbidden is None:
        # OCPP 2.0.1 errata 2023-12, B03.FR.08.
        return _refusal(rules.code(ErrorMeaning.SECURITY), "The station is not registered.")
    request = call.payload or {}
    known = call.action in _COMMANDS[station.version]
    if known:
        errors = validator(station.version, call.action, "request").errors(request)
        if errors:
            meaning = _KEYWORDS.get(errors[0].keyword, ErrorMeaning.PROPERTY)
            return _refusal(rules.code(meaning), f"{errors[0].path or '/'}: {errors[0].message}")
    if known and refuse:
        status = negative_status(station.version, call.action)
        if status is None:
            return _refusal(rules.code(ErrorMeaning.INTERNAL), "The load profile wants this refused.")
        return Reply(Outcome.REJECTED, {"status": status})
    now = station.context.timestamp(station.context.clock())
    try:
        payload = plausible_answer(station.version, call.action, request, station.individual, now=now)
    except RemoteProtocolError as error:
        return _refusal(rules.code(_ERRORS.get(error.fault, ErrorMeaning.GENERIC)), error.reason)
    if call.action in permission.csms_forbidden:
        return Reply(Outcome.REJECTED, payload | {"status": "Rejected"})
    maker = DEEDS[station.version].get(call.action)
    asked = maker is not None and (is_accepted(payload) or call.action in EVEN_AFTER_NO)
    reaction = maker(station, request, payload) if maker is not None and asked else Reaction()
    if reaction.status is not None:
        payload = payload | {"status": reaction.status}
    return Reply(Outcome.ACCEPTED if is_accepted(payload) else Outcome.REJECTED, payload, then=reaction.then)


def answer_by_rule(station: Station, event: CallReceived) -> None:
    """Answer as the load profile wants it: later, with a no, or never; without a rule for the action, at once."""
    rule = rule_for(station.context.profile.answers, event.call.action)
    if rule is None:
        station.answer(event)
        return
    manner = manner_of(rule, store_of(station).answer_draws)
    if manner.verdict is Verdict.SILENCE:
        station.session.ignore(event.call.message_id)
        station.record_command(event, Outcome.SILENT)
    elif manner.delay > 0:
        late = _Late(station, event, refuse=manner.verdict is Verdict.REJECT)
        station.context.timers.at(event.at + manner.delay, late.due, station)
    else:
        station.answer(event, refuse=manner.verdict is Verdict.REJECT)


class _Late:
    """An answer that is still to come; the station decides when it gives it."""

    __slots__ = ("_event", "_refuse", "_socket", "station")

    def __init__(self, station: Station, event: CallReceived, *, refuse: bool) -> None:
        self.station = station
        self._event = event
        self._refuse = refuse
        self._socket = station.socket

    def due(self, _: float) -> None:
        station = self.station
        if station.speaking and station.socket is self._socket:
            station.answer(self._event, refuse=self._refuse)
        else:
            # The question came on a connection that is gone, and so does the answer.
            station.record_command(self._event, Outcome.LOST)


def _refusal(code: str, description: str) -> Reply:
    return Reply(f"{Outcome.CALLERROR}:{code}", code=code, description=description[:255])
