"""Times of messages and records, read and compared."""

from __future__ import annotations

from datetime import UTC, datetime

from interop_suite.claims.history import History

__all__ = ["apart", "moment", "wall_at"]


def moment(text: object) -> datetime | None:
    """Read a time; one without a zone is taken for UTC, and anything else is None.

    Its letters may be small (RFC 3339 §5.6).
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def apart(one: object, other: object) -> float | None:
    """Count the seconds between two times as they are written; None where one of them cannot be read."""
    first, second = moment(one), moment(other)
    return None if first is None or second is None else abs((first - second).total_seconds())


def wall_at(history: History, t: float) -> float | None:
    """Tell our own wall clock, in seconds since 1970, at a monotonic time of the history."""
    for record in history.records:
        started = moment(record.info.get("started"))
        if started is not None:
            return started.timestamp() + t - record.t
    return None
