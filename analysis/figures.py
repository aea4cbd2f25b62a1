"""How often an action was sent, and how long its answers took."""

from __future__ import annotations

__all__ = ["Figures"]


class Figures:
    """Counts one action of one side; latencies in classes of an eighth: small, and exact enough to speak of."""

    __slots__ = ("buckets", "calls", "count", "errors", "longest", "results", "total", "unanswered")

    def __init__(self) -> None:
        """Start without CALLs."""
        self.calls = self.results = self.errors = self.unanswered = 0
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Take the latency of an answer."""
        if seconds < 0:
            # The clock of the log stepped back.
            return
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)
        # The four highest bits of the time in tenths of a millisecond, and their place.
        tenths = int(seconds * 1e4)
        place = tenths.bit_length() - 4
        bucket = tenths if place <= 0 else place * 16 + (tenths >> place)
        buckets = self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def merge(self, other: Figures) -> None:
        """Take what another one counted."""
        self.calls += other.calls
        self.results += other.results
        self.errors += other.errors
        self.unanswered += other.unanswered
        self.count += other.count
        self.total += other.total
        self.longest = max(self.longest, other.longest)
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def quantile_ms(self, share: float) -> float | None:
        """Return the latency that a share of the answers did not exceed, in milliseconds."""
        if not self.count:
            return None
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                place, bits = divmod(bucket, 16) if bucket >= 16 else (0, bucket)  # noqa: PLR2004 - four bits
                return round(min(((bits + 1) << max(place, 0)) / 10, self.longest * 1e3), 3)
        return None
