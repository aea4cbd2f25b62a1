"""How a CALL of a station ended, as classes rather than pass or fail.

An answer that says "no" may be fast and correct, and still the driver stands at a dead charger: goodput is not
throughput.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["Outcome", "as_seen", "injected", "is_accepted"]


class Outcome(StrEnum):
    """The classes; a CALLERROR is further split by its code as `callerror:<code>`."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CALLERROR = "callerror"
    TIMEOUT = "timeout"
    LOST = "lost"
    """The connection ended while the CALL was open."""
    NEVER_SENT = "never-sent"
    """The connection ended while the CALL waited in the station's queue."""
    LATE = "late"
    SCHEMA_INVALID = "schema-invalid"
    UNSOLICITED = "unsolicited"
    SILENT = "silent"
    """Of the CSMS's CALL: the load profile wanted no answer."""
    INJECTED = "injected"
    """Ended without a proper answer because of a fault that the run itself injected."""


def injected(outcome: str) -> str:
    """Write the outcome of a CALL that the run itself has spoilt, with how it ended for the station."""
    return f"{Outcome.INJECTED}:{outcome}"


def as_seen(outcome: str) -> str:
    """Return how a CALL ended for the station, whoever was to blame."""
    return outcome.removeprefix(f"{Outcome.INJECTED}:")


# Where an answer keeps its yes or no. The words are those of all versions together: no word is a yes in one
# version and a no in another.
_STATUS_HOLDERS = ("idTagInfo", "idTokenInfo")
_YES = frozenset(
    {
        "Accepted",
        "Unlocked",
        "Scheduled",
        "RebootRequired",
        "AcceptedCanceled",
        "Downloading",
        "NoTransaction",
        "Unpublished",
    }
)


def is_accepted(payload: Mapping[str, Any] | None) -> bool:
    """Return whether an answer says yes: its `status`, or that of its idTagInfo / idTokenInfo; without any, it does."""
    if not payload:
        return True
    status = payload.get("status")
    if status is None:
        if "idTagInfo" not in payload and "idTokenInfo" not in payload:
            # Nearly every answer without a status.
            return True
        for holder in _STATUS_HOLDERS:
            info = payload.get(holder)
            if isinstance(info, dict):
                status = info.get("status")
                break
    return status is None or (isinstance(status, str) and status in _YES)
