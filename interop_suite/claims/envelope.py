"""What is wrong with the envelope of a message that can be read all the same, in words."""

from __future__ import annotations

from ocppj.errors import Fault
from ocppj.messages import CallError, CallResultError, Message
from ocppj.versions import RULES, Rules

__all__ = ["describe_fault"]


def describe_fault(fault: Fault, message: Message, rules: Rules) -> str:
    """Say what breaks the rule, and what the most or the right would be."""
    match fault, message:
        case Fault.FOREIGN_ERROR_CODE, CallError(code=code) | CallResultError(code=code):
            where = ", ".join(str(version) for version, others in RULES.items() if code in others.all_error_codes)
            return f"error code {code!r} is one of OCPP {where}, not of {rules.version}"
        case Fault.UNKNOWN_ERROR_CODE, CallError(code=code) | CallResultError(code=code):
            return f"error code {code[:60]!r} is one of no version of OCPP"
        case Fault.DESCRIPTION_TOO_LONG, CallError(description=text) | CallResultError(description=text):
            return f"errorDescription has {len(text)} characters, and {rules.error_description_max} is the most"
        case Fault.ID_TOO_LONG, _:
            return f"the message id has {len(message.message_id)} characters, and {rules.message_id_max} is the most"
        case Fault.EMPTY_ID, _:
            return "the message id is empty"
        case Fault.NULL_PAYLOAD, _:
            return "the payload is null instead of an object"
    return str(fault).replace("-", " ")
