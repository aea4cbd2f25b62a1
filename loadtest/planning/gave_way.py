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
_MOST_OF: Final = 2 / 3
"""Of the trials that must agree: on a busy machine one of them may be odd."""
_THIRDS: Final = 3


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One action in the trials that were held, and in those that were not.

    Times are those beyond the time that every action of a trial took: a generator that is late, or a CSMS that is slow
    as a whole, adds the same to all of them.
    """

    action: str
    calm_ms: float
    late_ms: float
    late_per_s: float
    is_steady: bool
    """Whether most trials that missed had the same throughput, the one that was asked for most among them."""

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
    seen = [one for action in _actions(late) if (one := _seen(action, calm, late, size_of)) is not None]
    waiting = [one for one in seen if one.waits]
    if len(waiting) == 1 and len(seen) > 1:
        sizes = [size_of(trial) for trial in late]
        return _of_one(waiting[0], is_pushed=max(sizes) > _FLAT * min(sizes))
    if waiting:
        return f"{', '.join(one.action for one in waiting)} wait, the other actions do not" if len(seen) > 1 else ""
    return _of_all(calm, late)


def _of_one(one: _Seen, *, is_pushed: bool) -> str:
    """Tell what one action does; `is_pushed`: whether it was asked for clearly more in some trials than in others."""
    if is_pushed and one.is_steady:
        return f"{one.action} is serialised: throughput stays at {one.late_per_s:.0f}/s while its queue grows"
    return f"{one.action} becomes slow alone: its mean time to an answer grows by {one.late_ms - one.calm_ms:.0f} ms"


def _of_all(calm: Sequence[Trial], late: Sequence[Trial]) -> str:
    """Tell whether every action waits; of a late generator nobody knows whose the time is."""
    trusted = [trial for trial in late if not trial.notes]
    if not trusted:
        return ""
    before, after = (median(_common_ms(trial) for trial in trials) for trials in (calm, trusted))
    if after <= max(before * _SLOWER, before + _SLOWER_MS):
        return ""
    rates = [sum(flow.per_s for flow in trial.flows) for trial in trusted]
    return f"Every action waits: the CSMS as a whole gives way near {median(rates):.0f} CALL/s"


def _common_ms(trial: Trial) -> float:
    """Return the time that every action of a trial took at least."""
    return min(flow.service_ms for flow in trial.flows)


def _actions(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(flow.action for trial in trials for flow in trial.flows))


def _flows_with(action: str, trials: Sequence[Trial]) -> list[tuple[Trial, ActionFlow]]:
    return [(trial, flow) for trial in trials for flow in trial.flows if flow.action == action]


def _seen(action: str, calm: Sequence[Trial], late: Sequence[Trial], size_of: Callable[[Trial], int]) -> _Seen | None:
    quiet, busy = _flows_with(action, calm), _flows_with(action, late)
    if not quiet or not busy:
        return None
    rate = median(flow.per_s for _, flow in busy)
    near = [rate / _FLAT <= flow.per_s <= rate * _FLAT for _, flow in busy]
    pushed = max(range(len(busy)), key=lambda index: size_of(busy[index][0]))
    return _Seen(
        action=action,
        calm_ms=median(flow.service_ms - _common_ms(trial) for trial, flow in quiet),
        late_ms=median(flow.service_ms - _common_ms(trial) for trial, flow in busy),
        late_per_s=median([flow.per_s for (_, flow), is_near in zip(busy, near, strict=True) if is_near] or [rate]),
        is_steady=near[pushed] and sum(near) >= _MOST_OF * len(near),
    )
