"""What a CSMS must not send a station as it stands with it, whoever judges it (1.6 §4.2, 2.x Part 2 B01 to B03)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from ocppj.registration import REGISTRATION, Registration
from ocppj.versions import Version

__all__ = ["TRIGGERS", "Untimely", "untimely"]

TRIGGERS = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})
"""Commands by which a CSMS asks a station to say something."""


class Untimely(StrEnum):
    """Why a command comes at a wrong moment."""

    BEFORE_BOOT = "before the first boot was answered"
    REJECTED = "the station is Rejected"
    SESSION_WHILE_PENDING = "a session is begun or ended while the station is Pending"
    BOOT_AGAIN = "an accepted station is asked to boot again"


_NOT_ONCE_ACCEPTED: Final = {Version.V16: ("BootNotification",)}
"""What an accepted station is not asked for with TriggerMessage (1.6 errata §3.40)."""


def untimely(version: Version, state: Registration, action: str, payload: Any) -> Untimely | None:
    """Say what is wrong with the moment of a command, or None.

    `state` is how the station stands with the CSMS. How much each of these weighs differs between the versions, and so
    does what may excuse it: what an operator ordered, or a BootNotification that waits for its answer.
    """
    if state is Registration.UNKNOWN:
        return Untimely.BEFORE_BOOT
    if state is Registration.REJECTED:
        return Untimely.REJECTED
    if state is Registration.PENDING:
        forbidden = REGISTRATION[version][state].csms_forbidden
        return Untimely.SESSION_WHILE_PENDING if forbidden is None or action in forbidden else None
    asks_to_boot = action == "TriggerMessage" and isinstance(payload, dict)
    if asks_to_boot and payload.get("requestedMessage") in _NOT_ONCE_ACCEPTED.get(version, ()):
        # 2.x leaves the answer to the station (F06).
        return Untimely.BOOT_AGAIN
    return None
