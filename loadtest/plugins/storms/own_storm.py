"""Storms that people write in Python: what happens to each station, as a list of steps.

    @own_storm
    class Tunnel(OwnStorm, frozen=True, kw_only=True):
        name: ClassVar[str] = "tunnel"
        says: ClassVar[str] = "A ferry with chargers aboard goes through a tunnel."
        length: float = 5.0

        def steps(self, position):
            at = position.index / position.count * 10
            return [cut(at, down=self.length)]

Such a storm is drawn, measured and judged as the built-in ones. `docs/custom-stations.md` explains it with an example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from loadtest.plugins.storms.plan import Position, StormStep, Verb, add_plan
from loadtest.station.contract import Host
from loadtest.timing.pacing import Draws
from loadtest.workload.impair import Impairment
from loadtest.workload.storms import Storm, add_storm

__all__ = [
    "OwnStorm",
    "Position",
    "StormStep",
    "beat",
    "close",
    "connect",
    "cut",
    "impair",
    "own_storm",
    "power_off",
    "power_on",
    "relieve",
    "say",
]


class OwnStorm(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A storm of somebody's own making; a subclass says what happens, and its fields are its parameters."""

    def steps(self, position: Position) -> list[StormStep]:
        """List what happens to one station, in the order of time; the same for the same position.

        `position` has the `index` of the station among `count` that are hit, and `draws` of its own.
        """
        raise NotImplementedError

    def lasts(self) -> float:
        """Return when the storm is over, in seconds from its begin: with the last step, unless a subclass says more."""
        positions = [Position(index, _SAMPLED, Draws(0, str(index))) for index in range(_SAMPLED)]
        steps = [step for one in positions for step in self.steps(one)]
        return max((step.value if step.verb is Verb.CUT else step.at for step in steps), default=0.0)


_SAMPLED: Final = 100
_Kind = TypeVar("_Kind", bound=type[OwnStorm])


def own_storm(kind: _Kind) -> _Kind:
    """Make a storm known by its `name`, for `--storm`, profiles and the web page; raises `UsageError` for one twice."""
    add_storm(kind)
    add_plan(kind, _steps, lambda storm: storm.lasts())
    return kind


def _steps(storm: OwnStorm, position: Position) -> list[StormStep]:
    return sorted(storm.steps(position), key=lambda step: step.at)


# -- steps: what may happen to a station, `at` seconds from the begin of the storm -------------------------------------


def cut(at: float, *, down: float = 0.0) -> StormStep:
    """Let the connection end without a word; attempts fail for `down` seconds, then the back-off decides."""
    return StormStep(at, Verb.CUT, at + down)


def close(at: float, code: int = 1001) -> StormStep:
    """Let the connection end with a Close frame."""
    return StormStep(at, Verb.CLOSE, code)


def connect(at: float) -> StormStep:
    """Connect without waiting for the back-off."""
    return StormStep(at, Verb.CONNECT)


def power_off(at: float) -> StormStep:
    """Cut the power: transactions end, and the station boots when it is back."""
    return StormStep(at, Verb.OFF)


def power_on(at: float) -> StormStep:
    """Switch the power on again."""
    return StormStep(at, Verb.ON)


def impair(at: float, rule: Impairment) -> StormStep:
    """Put the frames under a rule; `relieve` takes it back."""
    return StormStep(at, Verb.IMPAIR, rule=rule)


def relieve(at: float, rule: Impairment) -> StormStep:
    """Take a rule back."""
    return StormStep(at, Verb.RELIEVE, rule=rule)


def beat(at: float) -> StormStep:
    """Send a Heartbeat, so that there is something to answer."""
    return StormStep(at, Verb.BEAT)


def say(at: float, do: Callable[[Host, float], object]) -> StormStep:
    """Call a function with the station and the time, which may send CALLs with `station.call`; it must not wait."""
    return StormStep(at, Verb.DO, act=do)
