"""What is known of one worker of a run: which of its reports came, how many CALLs they hold, and how it fares."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["WorkerState"]

_RATE_OVER: Final = 10
"""Reports over which the rate of a worker is averaged."""


class WorkerState(msgspec.Struct, kw_only=True):
    """What the master knows of one worker in this run; times on the master's clock."""

    name: str
    joined: float
    heard: float
    """When the last message of any kind came."""
    reported: float
    """When the last new report came."""
    upto: int = 0
    """All reports up to this number were applied."""
    ahead: set[int] = set()
    """Numbers applied beyond a gap."""
    repeated: int = 0
    resent: int = 0
    """Gaps that were filled later."""
    calls: int = 0
    asked: int = 0
    """CALLs that its stations were given to send."""
    ended: int = 0
    """Those of them that have ended, in whatever way."""
    rows: list[tuple[float, int]] = []
    """When the latest reports came and how many CALLs each held."""
    claimed: int = 0
    """CALLs by the worker's own count."""
    stations: int = 0
    booted: int = 0
    charging: int = 0
    most_stations: int = 0
    last: bool = False
    left: float | None = None
    """When it ended, if that was before the end of the run."""
    health: dict[str, Any] = {}

    def has(self, seq: int) -> bool:
        """Return whether the report of this number was applied."""
        return seq <= self.upto or seq in self.ahead

    def add_number(self, seq: int) -> None:
        """Note that the report of this number was applied."""
        self.ahead.add(seq)
        while self.upto + 1 in self.ahead:
            self.upto += 1
            self.ahead.remove(self.upto)

    def add_calls(self, calls: int, now: float) -> None:
        """Count the CALLs of a new report."""
        self.calls += calls
        self.rows.append((now, calls))
        del self.rows[:-_RATE_OVER]
        self.reported = now

    @property
    def missed(self) -> int:
        """How many reports are known to exist and did not come."""
        return max(self.ahead, default=self.upto) - self.upto - len(self.ahead)

    @property
    def complete(self) -> bool:
        """Whether everything that the worker recorded is here."""
        return self.last and not self.missed

    @property
    def miscounted(self) -> int:
        """By how many CALLs the merged histograms of a complete worker differ from its own count."""
        return abs(self.claimed - self.calls) if self.complete else 0

    @property
    def unended(self) -> int:
        """How many CALLs of a worker whose last figures are here have no end in them."""
        return max(self.asked - self.ended, 0) if self.complete else 0

    @property
    def rate(self) -> float | None:
        """CALLs a second over the latest reports; None before there are two of them."""
        rows = self.rows[-_RATE_OVER:]
        seconds = rows[-1][0] - rows[0][0] if rows else 0.0
        return sum(calls for _, calls in rows[1:]) / seconds if seconds > 0 else None

    def estimated_loss(self, now: float, interval: float, typical: float = 0.0) -> int:
        """Estimate the CALLs that a worker made and could not report: its rate over the time that it still lived.

        `interval` is the time between two reports: a worker that dies takes up to that much with it. `typical` is the
        rate of other workers, for one that died too early to have shown its own.
        """
        if self.complete:
            return 0
        lived = min(max(self.heard - self.reported, 0.0) + interval, max(now - self.reported, 0.0))
        return round((typical if self.rate is None else self.rate) * lived)
