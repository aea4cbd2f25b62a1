"""What gave way in a CSMS beyond the highest load that it holds, from how it answered each action; pure.

By Little's law the CALLs that wait are the answers in a second times the mean time to an answer, so no clock within the
CSMS is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

import msgspec

from evidence.capacity_model import ActionFlow, Trial

__all__ = ["flows_of", "what_gave_way"]

_SLOWER: Final = 4.0
_SLOWER_MS: Final = 60.0
_FLAT: Final = 1.15
"""Throughput within this factor has stayed the same."""
_THIRDS: Final = 3


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One action in the trials that were held, and in those that were not."""

    action: str
    calm_ms: float
    late_ms: float
    late_per_s: float
    spread: float
    """The highest throughput of the trials that missed, as a multiple of the lowest."""

    @property
    def waits(self) -> bool:
        return self.late_ms > max(self.calm_ms * _SLOWER, self.calm_ms + _SLOWER_MS)


def flows_of(
    slices: Sequence[tuple[str, float, int, float]], begin: float, end: float, width: float
) -> list[ActionFlow]:
    """Boil the slices of a run down, the most frequent action first.

    A slice is an action, its beginning in seconds, the answers in it and their mean service time in ms; only those that
    lie between `begin` and `end` as a whole count.
    """
    inside = [one for one in slices if begin <= one[1] and one[1] + width <= end + 1e-6]
    starts = sorted({start for _, start, _, _ in inside})
    if not starts:
        return []
    part = max(len(starts) // _THIRDS, 1)
    flows = []
    for action in dict.fromkeys(action for action, *_ in inside):
        mine = [one for one in inside if one[0] == action]
        answers = sum(count for _, _, count, _ in mine)
        spent = sum(count * service for _, _, count, service in mine)
        flows.append(
            ActionFlow(
                action=action,
                per_s=round(answers / (len(starts) * width), 3),
                service_ms=round(spent / answers, 3) if answers else 0.0,
                queue_first=_queue(mine, set(starts[:part]), width),
                queue_last=_queue(mine, set(starts[-part:]), width),
            )
        )
    return sorted(flows, key=lambda flow: -flow.per_s)


def _queue(mine: Sequence[tuple[str, float, int, float]], starts: set[float], width: float) -> float:
    spent = sum(count * service for _, start, count, service in mine if start in starts)
    return round(spent / 1000 / (len(starts) * width), 2)


def what_gave_way(trials: Sequence[Trial], *, held: int, missed: int, size_of: Callable[[Trial], int]) -> str:
    """Say in a sentence what became the limit; empty where the trials do not show it."""
    calm = [trial for trial in trials if trial.word == "kept" and size_of(trial) <= held and trial.flows]
    late = [trial for trial in trials if trial.word == "missed" and size_of(trial) >= missed and trial.flows]
    if not calm or not late:
        return ""
    seen = [one for action in _actions(late) if (one := _seen(action, calm, late)) is not None]
    waiting = [one for one in seen if one.waits]
    if not waiting:
        return ""
    if len(waiting) == 1 and len(seen) > 1:
        sizes = [size_of(trial) for trial in late]
        return _of_one(waiting[0], is_pushed=max(sizes) > _FLAT * min(sizes))
    if len(waiting) * 2 > len(seen):
        rates = [sum(flow.per_s for flow in trial.flows) for trial in late]
        return f"Every action waits: the CSMS as a whole gives way near {median(rates):.0f} CALL/s"
    names = ", ".join(one.action for one in waiting)
    return f"{names} wait, the other actions do not"


def _of_one(one: _Seen, *, is_pushed: bool) -> str:
    """Tell what one action does; `is_pushed`: whether it was asked for clearly more in some trials than in others."""
    if is_pushed and one.spread <= _FLAT:
        return f"{one.action} is serialised: throughput stays at {one.late_per_s:.0f}/s while its queue grows"
    return f"{one.action} becomes slow alone: its mean time to an answer grows to {one.late_ms:.0f} ms"


def _actions(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(flow.action for trial in trials for flow in trial.flows))


def _seen(action: str, calm: Sequence[Trial], late: Sequence[Trial]) -> _Seen | None:
    quiet = [flow for trial in calm for flow in trial.flows if flow.action == action]
    busy = [flow for trial in late for flow in trial.flows if flow.action == action]
    rates = [flow.per_s for flow in busy]
    if not quiet or not rates or max(rates) <= 0:
        return None
    return _Seen(
        action=action,
        calm_ms=median(flow.service_ms for flow in quiet),
        late_ms=max(flow.service_ms for flow in busy),
        late_per_s=median(rates),
        spread=max(rates) / max(min(rates), 1e-9),
    )
