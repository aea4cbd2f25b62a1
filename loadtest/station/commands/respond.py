"""What a station says to a CALL of the CSMS: the answer of a good station, changed by the handler of the command.

The answer is written before the reaction begins, as TriggerMessage demands (OCPP 1.6 §5.17, 2.x F06).
"""

from __future__ import annotations

from types import MappingProxyType

from fixtures.answers import answer as plausible_answer
from loadtest.station.commands.common import Reaction
from loadtest.station.commands.table import HANDLERS, REFUSED_BY_DEFAULT
from loadtest.station.contract import Controls
from loadtest.station.messaging import Reply
from loadtest.workload.answers import negative_status
from ocppj.actions import csms_actions
from ocppj.errors import Fault, RemoteProtocolError
from ocppj.messages import Call
from ocppj.outcomes import Outcome, is_accepted
from ocppj.registration import REGISTRATION
from ocppj.schemas import validator
from ocppj.versions import ErrorMeaning, Version

__all__ = ["respond"]

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


def respond(station: Controls, call: Call, *, refuse: bool = False) -> Reply:
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
    handler = HANDLERS[station.version].get(call.action)
    asked = handler is not None and (is_accepted(payload) or call.action in REFUSED_BY_DEFAULT)
    reaction = handler(station, request, payload) if handler is not None and asked else Reaction()
    if reaction.status is not None:
        payload = payload | {"status": reaction.status}
    return Reply(Outcome.ACCEPTED if is_accepted(payload) else Outcome.REJECTED, payload, then=reaction.then)


def _refusal(code: str, description: str) -> Reply:
    return Reply(f"{Outcome.CALLERROR}:{code}", code=code, description=description[:255])
