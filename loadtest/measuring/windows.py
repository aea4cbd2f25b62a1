"""When a run passes from one window to the next; only what was intended within `measure` is judged."""

from __future__ import annotations

from math import ceil
from typing import Final

from evidence.vocabulary import COOL_DOWN, MEASURE, RAMP, WARM_UP

__all__ = ["WindowPlan", "slow_ramp"]

PATIENCE: Final = 10.0
"""Seconds without another booted station after which the ramp ends: the CSMS will not take the rest."""
_RAMP_SHARE: Final = 0.5
_WARM_UP_SHARE: Final = 0.1
_WARM_UP_MOST: Final = 10.0


def slow_ramp(stations: int, spawn_rate: float, duration: float) -> str | None:
    """Say that stations still start when measuring begins; None where they do not. `duration` in seconds, 0: no end."""
    ramp = stations / spawn_rate
    if not 0 < duration * _RAMP_SHARE < ramp:
        return None
    return (
        f"the stations need {ramp:.0f} s to start, and measuring begins after half of the run, "
        f"{duration * _RAMP_SHARE:.0f} s, with a part of them: take --duration {ceil(ramp / _RAMP_SHARE)}s or more, "
        "or a higher --spawn-rate"
    )


class WindowPlan:
    """Decides the window from the progress of a run; times in seconds since its start."""

    def __init__(
        self,
        *,
        duration: float | None = None,
        warm_up: float | None = None,
        cool_down: float = 0.0,
        is_staged: bool = False,
    ) -> None:
        """Plan for a run of this duration (None: without an end).

        The ramp may take half of the duration, so that a CSMS that never accepts the last station is measured, too. In
        a run of stages, ramps are what is measured: the window ends with the first accepted station.
        """
        self._is_staged = is_staged
        self._duration = duration
        if warm_up is None:
            warm_up = _WARM_UP_MOST if duration is None else min(_WARM_UP_MOST, duration * _WARM_UP_SHARE)
        self._warm_up = warm_up
        self._cool_down = cool_down
        self._booted = 0
        self._booted_at = 0.0
        self._ramp_ended: float | None = None
        self._stopping = False

    def stop(self) -> None:
        """Note that the run ends now."""
        self._stopping = True

    def window(self, elapsed: float, *, spawned: bool, booted: int, target: int) -> str:
        """Return the present window; call it about once a second.

        `spawned` tells whether Locust started all users, `booted` how many stations are accepted out of `target`.
        """
        if booted > self._booted or not spawned:
            self._booted = max(booted, self._booted)
            self._booted_at = elapsed
        if self._stopping or self._is_cooling(elapsed):
            return COOL_DOWN
        if self._ramp_ended is None and self._ramp_is_over(elapsed, spawned=spawned, booted=booted, target=target):
            self._ramp_ended = elapsed
        if self._ramp_ended is None:
            return RAMP
        return MEASURE if elapsed >= self._ramp_ended + self._warm_up else WARM_UP

    def _is_cooling(self, elapsed: float) -> bool:
        return self._duration is not None and self._cool_down > 0 and elapsed >= self._duration - self._cool_down

    def _ramp_is_over(self, elapsed: float, *, spawned: bool, booted: int, target: int) -> bool:
        if self._duration is not None and elapsed >= self._duration * _RAMP_SHARE:
            return True
        if self._is_staged:
            return booted > 0
        return spawned and (booted >= target or elapsed >= self._booted_at + PATIENCE)
