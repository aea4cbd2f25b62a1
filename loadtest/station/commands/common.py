"""What the command handlers of all features share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from loadtest.station.contract import Controls

__all__ = ["Handler", "Reaction", "Request", "parts_of"]

Request = dict[str, Any]


class Reaction(NamedTuple):
    """What changes in the plausible answer, and what is to be done after it; None: nothing."""

    status: str | None = None
    then: Callable[[], object] | None = None


Handler = Callable[[Controls, Request, Request], Reaction]
"""From the station, a valid request and the plausible answer, which it may change, to the reaction."""


def parts_of(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut a report into parts; there is always a first one."""
    return [items[start : start + size] for start in range(0, max(1, len(items)), size)]
