"""What a run shows of the CSMS's illness, in words that a stranger repeats: gone, mute, slow, leaking, stalling; pure.

An objective says that a limit was missed, a symptom what the CSMS did. A symptom needs more than chance, and more than
what the load generator did itself: latencies must have moved by far more than its timers were late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

import msgspec

from evidence.histogram import Histogram, Interval, Tag
from evidence.lost_words import why_lost
from evidence.run_model import LostConnections, Symptom
from evidence.vocabulary import OPENED, TO_CSMS
from loadtest.measuring.merged import Second
from ocppj.outcomes import Outcome

__all__ = ["Observed", "Slice", "slices_of", "symptoms"]

_UNANSWERED: Final = frozenset({Outcome.TIMEOUT, Outcome.LOST, Outcome.NEVER_SENT})
_MOST: Final = 0.95
_HALF: Final = 0.5
"""Shares of the most connections from which on a fleet is complete, and is there."""
_GONE: Final = 0.05
_LONG: Final = 5.0
"""Seconds of absence or silence that are no hiccup."""
_NOTICED: Final = 2.0
"""Seconds after the last answer in which a storm may have begun that is the reason of the silence."""
_FEW: Final = 3
_SLOWER: Final = 4.0
_LEAST_MORE: Final = 0.05
"""Seconds by which answers must have become slower."""
_TIMES_LAG: Final = 3.0
_PARTS: Final = 8
_LEAST_PARTS: Final = 4
_CALLS_A_PART: Final = 15
_ONE_STEP: Final = 0.6
"""Share of the whole growth in one step, from which on it is a step."""
_AS_HIGH: Final = 0.95
_MOSTLY: Final = 0.75
"""How far a median may fall behind the one before it, and how many have to keep up, in something that grows."""
_MORE_LOAD: Final = 1.3
_LEAST_STALL: Final = 1.5
"""Seconds."""
_LEAST_RATE: Final = 4.0
"""CALLs per second below which a second without an answer is chance."""
_ENOUGH_BUSY: Final = 3
_ENOUGH_CALLS: Final = 30
_ONE_AT_A_TIME: Final = (0.6, 1.6)
_MICROSECONDS: Final = 1e6


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What ended of one action within some seconds, counted from the start of the run."""

    start: float
    seconds: float
    answered: Histogram
    """Service times in µs of the CALLs that got an answer, whichever."""
    unanswered: int = 0
    """Time-outs."""
    patience: float = math.inf
    """The shortest time after which one of them was given up, in seconds."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run; times in seconds since its start."""

    rows: Sequence[Second]
    most: int
    """The most connections at one time."""
    slices: Mapping[str, Sequence[Slice]]
    """By action of the stations."""
    stopped: float
    """When the stations were told to leave."""
    struck: float = math.inf
    """When the first storm struck: what follows is judged as its recovery."""
    lag: float = 0.0
    """How late the timers of the load generator were at most, but for 1 % of the time."""
    stall: float = 0.0
    """How long the load generator itself stood still at most."""
    trusted: bool = True
    """Whether the load generator did what was asked of it, so that times say something."""
    strained: bool = False
    """Whether the load generator, and with it maybe this machine, was under strain."""
    lost: Sequence[LostConnections] = ()
    connections: Mapping[str, int] = {}
    """Attempts by outcome."""
    outcomes: Mapping[str, Mapping[str, int]] = {}
    """CALLs of the stations by action and outcome."""

    def between(self, start: float, end: float) -> list[Second]:
        """Return the seconds that lie in a part of the run."""
        return [row for row in self.rows if start <= row.t < end]

    def present(self, share: float) -> tuple[float, float]:
        """Return from when to when this share of the fleet was connected and nothing had struck it."""
        full = [row.t for row in self.rows if row.connected >= self.most * share and row.t < self.stopped]
        return (float(full[0] + 1), min(self.stopped, self.struck, full[-1] + 1.0)) if full else (0.0, 0.0)


def slices_of(intervals: Iterable[Interval]) -> dict[str, list[Slice]]:
    """Put the intervals of HDR logs together by action of the stations, all windows and versions in one."""
    found: dict[str, dict[float, list[tuple[Tag, Interval]]]] = {}
    for interval in intervals:
        tag = Tag.parse(interval.tag)
        if tag.direction == TO_CSMS:
            found.setdefault(tag.action, {}).setdefault(interval.start, []).append((tag, interval))
    return {
        action: [_slice(start, by_start[start]) for start in sorted(by_start)] for action, by_start in found.items()
    }


def _slice(start: float, parts: Sequence[tuple[Tag, Interval]]) -> Slice:
    answered, timeouts = Histogram(), Histogram()
    for tag, interval in parts:
        if tag.outcome not in _UNANSWERED and tag.kind == "service":
            answered.merge(interval.histogram.counts)
        elif tag.outcome == Outcome.TIMEOUT and tag.kind == "service":
            timeouts.merge(interval.histogram.counts)
    patience = timeouts.min / _MICROSECONDS if timeouts.counts else math.inf
    seconds = parts[0][1].seconds
    return Slice(start=start, seconds=seconds, answered=answered, unanswered=timeouts.count, patience=patience)


def symptoms(seen: Observed) -> list[Symptom]:
    """Return what the CSMS did wrong, the gravest first; what a graver one explains is left out."""
    end = _gone(seen) or _mute(seen)
    if end is not None and end.at is not None:
        seen = msgspec.structs.replace(seen, stopped=end.at)
    refusal = _refuses(seen)
    found = [one for one in (end, refusal) if one is not None]
    if seen.trusted:
        narrow = _serialised(seen)
        drift = None if narrow else _slower(seen)
        others = (drift,) if drift else (_stalls(seen), _loses(seen), narrow)
        found += [one for one in others if one is not None]
    return found


# -- no more answers ---------------------------------------------------------------------------------------------------


def _gone(seen: Observed) -> Symptom | None:
    """Return that the connections were lost and stayed away."""
    rows = seen.between(0, seen.stopped)
    present = [row.t for row in rows if row.connected > seen.most * _GONE]
    taken = [one for one in seen.lost if one.first < seen.stopped]
    since = float(present[-1]) if present else 0.0
    is_lost = sum(one.count for one in taken) >= seen.most / 2
    if not present or not is_lost or seen.stopped - since <= _LONG or seen.struck < since + _NOTICED:
        return None
    last = [one for one in taken if one.last >= since - _LONG] or taken
    reasons: dict[str, int] = {}
    for one in last:
        reasons[why_lost(one)] = reasons.get(why_lost(one), 0) + one.count
    worst, count = max(reasons, key=lambda reason: reasons[reason]), sum(reasons.values())
    most = "" if len(reasons) == 1 else f", {reasons[worst]:,} of them"
    failed = {outcome: number for outcome, number in seen.connections.items() if outcome != OPENED}
    then = f"; new connections failed, most with {max(failed, key=lambda word: failed[word])}" if failed else ""
    connections = "1 connection" if count == 1 else f"{count:,} connections"
    says = f"the CSMS went away {since:.0f} s after the start: {connections} ended ({worst}{most}){then}"
    return Symptom(word="gone", says=says, at=since)


def _mute(seen: Observed) -> Symptom | None:
    """Return that the connections stayed and the answers did not."""
    rows = seen.between(0, seen.stopped)
    good = [row.t for row in rows if row.calls > row.errors]
    since = good[-1] + 1.0 if good else 0.0
    rest = [row for row in rows if row.t >= since]
    gaps = [later - earlier for earlier, later in pairwise(good)]
    silence = seen.stopped - since
    longest = max(gaps, default=0)
    if not rest or seen.struck < since + max(_NOTICED, longest) or silence < max(_LONG, 2.0 * longest):
        return None
    open_still = rest[-1].connected
    ignored = sum(row.errors for row in rest) + rest[-1].waiting
    if ignored < _FEW or open_still < max(seen.most / 2, 1):
        return None
    begin = f"the CSMS went mute {since:.0f} s after the start: from then on" if good else "the CSMS is mute:"
    says = f"{begin} it answered no CALL, although {open_still:,} connections stayed open"
    return Symptom(word="mute", says=says, at=since)


def _refuses(seen: Observed) -> Symptom | None:
    """Return that no driver may charge."""
    outcomes = seen.outcomes.get("Authorize", {})
    refused = outcomes.get(Outcome.REJECTED, 0)
    if refused < _FEW or outcomes.get(Outcome.ACCEPTED):
        return None
    says = f"the CSMS refused every token: {refused:,} of {sum(outcomes.values()):,} Authorize got no Accepted"
    return Symptom(word="refuses-tokens", says=says)


# -- late answers ------------------------------------------------------------------------------------------------------


def _slower(seen: Observed) -> Symptom | None:
    """Return that half of the answers took much longer later than at first: since a moment, or more and more."""
    start, end = seen.present(_HALF)
    parts = _parts(seen, start, end)
    if len(parts) < _FEW:
        return None
    middles = [part.middle for part in parts]
    growth = middles[-1] - middles[0]
    enough = max(_LEAST_MORE, _TIMES_LAG * seen.lag)
    split = max(range(1, len(middles)), key=lambda place: middles[place] - middles[place - 1])
    before, after = median(middles[:split]), median(middles[split:])
    is_loaded = parts[-1].rate > parts[0].rate * _MORE_LOAD
    load = "although it answered no more CALLs than before"
    if is_loaded:
        load = f"while the load grew from {parts[0].rate:.3g} to {parts[-1].rate:.3g} CALLs per second"
    if middles[split] - middles[split - 1] > _ONE_STEP * growth:
        is_apart = min(middles[split:]) >= 2 * max(middles[:split])
        if not is_apart or after - before < enough or after < _SLOWER * before:
            return None
        at = parts[split].start
        halves = f"half of its answers took up to {_time(before)} before, and {_time(after)} from then on"
        says = f"the CSMS became slow about {at:.0f} s after the start: {halves}, {load}"
        return Symptom(word="slow", says=says, at=at)
    rising = sum(later >= _AS_HIGH * earlier for earlier, later in pairwise(middles))
    if (
        len(parts) < _LEAST_PARTS
        or growth < enough
        or middles[-1] < _SLOWER * middles[0]
        or rising < _MOSTLY * (len(middles) - 1)
    ):
        return None
    leak = "" if is_loaded else ", as one does that leaks memory or connections"
    halves = f"half of its answers took up to {_time(middles[0])} at first, and {_time(middles[-1])} at the end"
    return Symptom(word="slowing", says=f"the CSMS became slower and slower: {halves}, {load}{leak}", at=start)


class _Part(NamedTuple):
    start: float
    seconds: float
    answered: Histogram

    @property
    def middle(self) -> float:
        """The time within which half of the answers came, in seconds."""
        return self.answered.percentile(50) / _MICROSECONDS

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered.count / self.seconds


def _parts(seen: Observed, start: float, end: float) -> list[_Part]:
    """Cut the answers into parts of equal length; those with too few answers are joined with the one before."""
    chosen = [one for slices in seen.slices.values() for one in slices if start <= one.start < end]
    number = min(_PARTS, sum(one.answered.count for one in chosen) // _CALLS_A_PART)
    if number < _LEAST_PARTS:
        return []
    length = (end - start) / number
    parts = [_Part(start + place * length, length, Histogram()) for place in range(number)]
    for one in chosen:
        parts[min(int((one.start - start) / length), number - 1)].answered.merge(one.answered.counts)
    joined: list[_Part] = []
    for part in parts:
        if joined and (part.answered.count < _FEW or joined[-1].answered.count < _FEW):
            joined[-1].answered.merge(part.answered.counts)
            joined[-1] = joined[-1]._replace(seconds=joined[-1].seconds + length)
        else:
            joined.append(part)
    return joined


def _stalls(seen: Observed) -> Symptom | None:
    """Return that for seconds nobody was answered, and then everybody."""
    start, end = seen.present(_MOST)
    rows = seen.between(start, end)
    if not rows or median(row.calls for row in rows) < _LEAST_RATE:
        return None
    stops: list[list[int]] = []
    for before, row in pairwise(rows):
        # Those that wait are counted some time after the second.
        if row.calls > row.errors or max(before.waiting, row.waiting) < _FEW - 1:
            continue
        if stops and row.t - stops[-1][-1] == 1:
            stops[-1].append(row.t)
        else:
            stops.append([row.t])
    lengths = [_length(seen, stop) for stop in stops if stop[-1] < rows[-1].t]
    least = max(_LEAST_STALL, 2 * seen.stall)
    stops = [stop for stop, length in zip(stops, lengths, strict=False) if length >= least]
    lengths = [length for length in lengths if length >= least]
    # On a machine that is short of processors, a CSMS beside us may have got none for a moment.
    if not stops or (seen.strained and len(stops) == 1):
        return None
    return Symptom(
        word="stalls", says=_stall_words([stop[0] for stop in stops], median(lengths)), at=float(stops[0][0])
    )


def _length(seen: Observed, stop: Sequence[int]) -> float:
    """Return how long a stall was: as long as the slowest answer took, and its whole seconds at least."""
    around = (
        one.answered.max / _MICROSECONDS
        for slices in seen.slices.values()
        for one in slices
        if one.answered.counts and stop[0] - 1 <= one.start <= stop[-1] + 3
    )
    return max(*around, float(len(stop)))


def _stall_words(times: Sequence[int], length: float) -> str:
    if len(times) == 1:
        return f"the CSMS stood still for {_time(length)}, {times[0]} s after the start: it answered nobody meanwhile"
    gaps = [later - earlier for earlier, later in pairwise(times)]
    often = "" if max(gaps) - min(gaps) > max(2, 0.2 * median(gaps)) else f", every {median(gaps):.0f} s"
    named = ", ".join(str(time) for time in times[:4]) + (", …" if len(times) > 4 else "")  # noqa: PLR2004 - fit a line
    begin = f"the CSMS stood still {len(times)} times for about {_time(length)}{often}"
    return f"{begin} ({named} s after the start): it answered nobody meanwhile"


# -- some answers ------------------------------------------------------------------------------------------------------


def _loses(seen: Observed) -> Symptom | None:
    """Return that single CALLs got no answer while the others got theirs at once."""
    chosen = [one for slices in seen.slices.values() for one in slices if one.start < seen.stopped]
    lost = sum(one.unanswered for one in chosen)
    answered = Histogram()
    for one in chosen:
        answered.merge(one.answered.counts)
    total = lost + answered.count
    by_time: dict[float, int] = {}
    for one in chosen:
        if one.unanswered:
            by_time[one.start] = by_time.get(one.start, 0) + one.unanswered
    is_scattered = len(by_time) >= _FEW and max(by_time.values()) <= lost / 2
    fast = answered.percentile(99) / _MICROSECONDS
    patience = min((one.patience for one in chosen), default=math.inf)
    if lost < _FEW or not is_scattered or lost > total / 5 or fast > patience / 4:
        return None
    share = f"{100 * lost / total:.2g} %"
    says = (
        f"the CSMS loses answers: {lost:,} of {total:,} CALLs ({share}) never got one, now and then, "
        f"while 99 % of the others were answered within {_time(fast)}"
    )
    return Symptom(word="loses-answers", says=says)


def _serialised(seen: Observed) -> Symptom | None:
    """Return that one action is handled one at a time: it gets no faster than one CALL in the time of one CALL."""
    for action, slices in sorted(seen.slices.items()):
        mine = [one for one in slices if one.answered.counts and one.start < min(seen.stopped, seen.struck)]
        if sum(one.answered.count for one in mine) < _ENOUGH_CALLS:
            continue
        single = min(one.answered.min for one in mine) / _MICROSECONDS
        busy = [one for one in mine if one.answered.percentile(50) / _MICROSECONDS >= _FEW * single]
        seconds = sum(one.seconds for one in busy)
        if seconds < _ENOUGH_BUSY or single <= 0:
            continue
        waited, others = Histogram(), Histogram()
        for one in busy:
            waited.merge(one.answered.counts)
        during = {one.start for one in busy}
        for name, parts in seen.slices.items():
            for one in parts if name != action else ():
                if one.start in during:
                    others.merge(one.answered.counts)
        rate, half = waited.count / seconds, waited.percentile(50) / _MICROSECONDS
        low, high = _ONE_AT_A_TIME
        rest = others.percentile(50) / _MICROSECONDS
        if others.count < _FEW or half < max(5 * rest, _TIMES_LAG * seen.lag) or not low <= rate * single <= high:
            continue
        says = (
            f"{action} is serialised: the CSMS handles one at a time, so its throughput stays at {rate:.3g} per second "
            f"while its queue grows (half of them waited {_time(half)} or more; "
            f"half of the other answers took up to {_time(rest)})"
        )
        return Symptom(word="serialised", says=says, at=busy[0].start)
    return None


def _time(seconds: float) -> str:
    value, unit = (seconds, "s") if seconds >= 1 else (max(seconds * 1000, 0.1), "ms")
    return f"{float(f'{value:.2g}'):g} {unit}"
