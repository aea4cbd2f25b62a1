"""How a fleet comes back: the ways of its vendors, with their shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.workload.vendor import NEUTRAL, load_vendor

if TYPE_CHECKING:
    from loadtest.timing.backoff import Backoff
    from loadtest.workload.profile import Profile

__all__ = ["ways_back"]


def ways_back(profile: Profile, backoff: Backoff) -> dict[Backoff, float]:
    """Tell how the stations of a profile space their connection attempts, with the share of each way in the fleet.

    `backoff` is that of the vendors without a way of their own.
    """
    parts = profile.members or ((profile, 1.0),)
    ways: dict[Backoff, float] = {}
    for part, weight in parts:
        vendors = part.vendors or profile.vendors or {NEUTRAL.name: 1.0}
        for name, share in vendors.items():
            way = load_vendor(name).way_back(backoff)
            whole = sum(vendors.values()) * sum(other for _, other in parts)
            ways[way] = ways.get(way, 0.0) + weight * share / whole
    return ways
