"""One run against several that came before it: what those differ in among themselves is noise."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from reports.compare_load import Change, Trend

__all__ = ["against_all"]


def against_all(comparisons: Sequence[Sequence[Change]]) -> list[Change]:
    """Put the changes against each base together, figure by figure; a figure that one base lacks is told by the others.

    A figure moved only where it moved against every base, in one direction, and by more than the bases differ.
    """
    if len(comparisons) == 1:
        return list(comparisons[0])
    members: dict[tuple[str, str], list[Change]] = {}
    for changes in comparisons:
        for change in changes:
            members.setdefault((change.name, change.figure), []).append(change)
    order = tuple(Trend)
    return sorted(map(_joined, members.values()), key=lambda change: order.index(change.direction))


def _joined(changes: Sequence[Change]) -> Change:
    values = [change.base for change in changes if change.base is not None]
    if not values or len(changes) == 1:
        return changes[0]
    spread = max(values) - min(values)
    low = min(change.noise[0] if change.noise else change.base or 0.0 for change in changes)
    high = max(change.noise[1] if change.noise else change.base or 0.0 for change in changes)
    noise = (min(low, min(values) - spread), max(high, max(values) + spread))
    directions = {change.direction for change in changes} - {Trend.UNKNOWN}
    direction = directions.pop() if len(directions) == 1 else Trend.SAME if directions else Trend.UNKNOWN
    new = changes[0].new
    is_inside = new is not None and noise[0] <= new <= noise[1]
    if direction in (Trend.WORSE, Trend.BETTER) and is_inside and changes[0].unit != "met":
        direction = Trend.SAME
    return msgspec.structs.replace(
        changes[0], base=median(values), direction=direction, noise=None if noise[0] == noise[1] else noise
    )
