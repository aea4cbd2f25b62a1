"""How much a CSMS holds within its objectives: which load to try next, and what the trials say together.

The load is a number of stations, or of charging sessions or commands in a second. Doubling until a load is missed, then
bisection, then repeats on both sides of the knee until two of three trials agree. Everything follows from the list of
trials, so a search can be judged again from its file; pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.capacity_model import CapacityFinding, Limit, Search, Trial
from loadtest.planning.gave_way import what_gave_way

__all__ = ["MOST_TRIALS", "RATE_STEP", "conclude", "load_of", "next_load", "size_of"]

AGREE: Final = 2
"""How many of three trials must agree at the knee."""
GIVE_UP: Final = 3
"""How often a load is tried while nothing can be said because of the generator."""
MOST_TRIALS: Final = 40
RATE_STEP: Final = 0.1
"""Sessions or commands a second by which two loads differ at least."""

_UNITS: Final = {"stations": "stations", "sessions": "sessions/s", "commands": "commands/s"}


def size_of(trial: Trial) -> int:
    """Return the load of a trial in whole steps: stations, or tenths of a rate."""
    return trial.stations if trial.rate is None else round(trial.rate / RATE_STEP)


def load_of(size: int, search: Search) -> float:
    """Return the load of so many steps."""
    return float(size) if search == "stations" else round(size * RATE_STEP, 3)


def next_load(trials: Sequence[Trial], *, start: int, most: int, precision: float = 0.05) -> int | None:
    """Choose the next load in steps; None when the search is over.

    `precision` is how close, as a share, the two sides of the knee must come.
    """
    if len(trials) >= MOST_TRIALS or _generator_failed(trials):
        return None
    if trials and trials[-1].word == "generator":
        return size_of(trials[-1])
    votes = _votes(trials)
    tie = next((size for size, (kept, missed) in votes.items() if kept == missed), None)
    if tie is not None:
        return tie
    low, high = _knee(votes)
    if high is None:
        if not votes:
            return min(start, most)
        return min(low * 2, most) if low < most else _unsure(votes, low)
    if high - low > max(1, int(precision * high)):
        return (low + high) // 2
    return _unsure(votes, low) or _unsure(votes, high)


def conclude(
    trials: Sequence[Trial], *, most: int, search: Search = "stations", interrupted: bool = False
) -> CapacityFinding:
    """Say what the trials have shown; `most` in steps."""
    votes = _votes(trials)
    low, high = _knee(votes)
    kept, missed = votes.get(low, (0, 0))
    kept_above, missed_above = (0, 0) if high is None else votes[high]
    limit: Limit = "csms"
    if interrupted:
        limit = "interrupted"
    elif _generator_failed(trials):
        limit = "generator"
    elif high is None and low >= most:
        limit = "maximum"
    elif len(trials) >= MOST_TRIALS:
        limit = "trials"
    gave_way = "" if high is None else what_gave_way(trials, held=low, missed=high, size_of=size_of)
    fleet = max((trial.stations for trial in trials if size_of(trial) == low and trial.word == "kept"), default=0)
    return CapacityFinding(
        stations=low if search == "stations" else fleet,
        limit=limit,
        missed_at=high if search == "stations" else None,
        kept=kept,
        of=kept + missed,
        sentence=_sentence(trials, limit, low, high, search=search, gave_way=gave_way),
        search=search,
        held=load_of(low, search),
        missed=None if high is None else load_of(high, search),
        missed_in=missed_above,
        missed_of=kept_above + missed_above,
        gave_way=gave_way,
    )


def _votes(trials: Sequence[Trial]) -> dict[int, tuple[int, int]]:
    """Count how often each load was kept and missed."""
    votes: dict[int, tuple[int, int]] = {}
    for trial in trials:
        if trial.word != "generator":
            kept, missed = votes.get(size_of(trial), (0, 0))
            votes[size_of(trial)] = (kept + (trial.word == "kept"), missed + (trial.word == "missed"))
    return votes


def _knee(votes: dict[int, tuple[int, int]]) -> tuple[int, int | None]:
    """Return the largest load that was held below the smallest that was not; a tie counts as neither."""
    high = min((size for size, (kept, missed) in votes.items() if missed > kept), default=None)
    held = (size for size, (kept, missed) in votes.items() if kept > missed)
    return max((size for size in held if high is None or size < high), default=0), high


def _unsure(votes: dict[int, tuple[int, int]], size: int) -> int | None:
    return size if size and max(votes[size]) < AGREE else None


def _generator_failed(trials: Sequence[Trial]) -> bool:
    """Return whether the generator failed each time with one load: less often may be due to other programs."""
    last = trials[-GIVE_UP:]
    return (
        len(last) == GIVE_UP
        and len({size_of(trial) for trial in last}) == 1
        and all(trial.word == "generator" for trial in last)
    )


def _sentence(
    trials: Sequence[Trial], limit: Limit, low: int, high: int | None, *, search: Search, gave_way: str
) -> str:
    unit = _UNITS[search]
    held_amount = f"{load_of(low, search):g} {unit}"
    nothing = "did not hold a single fleet" if search == "stations" else f"did not hold any rate of {search}"
    held = f"the CSMS holds {held_amount}" if low else f"the CSMS {nothing}"
    match limit:
        case "generator":
            at = f"{load_of(size_of(trials[-1]), search):g}"
            why = trials[-1].reasons[0] if trials[-1].reasons else ""
            start = f"the CSMS holds at least {held_amount}" if low else "nothing can be said of the CSMS"
            if all(trial.starved for trial in trials[-GIVE_UP:]):
                return (
                    f"{start}; with {at} other programs kept the generator from its work in {GIVE_UP} runs, so run "
                    f"again on a quiet machine. {why}"
                ).rstrip()
            return f"{start}; with {at} the generator, not the CSMS, is the limit. {why}".rstrip()
        case "maximum":
            flag = "--max-stations" if search == "stations" else "--max-rate"
            return f"the CSMS holds at least {held_amount}, the most that were to be tried ({flag})."
        case "interrupted" | "trials":
            return f"{held}, as far as the search went ({len(trials)} trials)."
    if high is None:
        return f"{held}."
    above = f"{load_of(high, search):g}"
    why = next((trial.missed[0] for trial in trials if size_of(trial) == high and trial.missed), "")
    said = f"{held}; with {above} it missed {why}." if low else f"{held}: already {above} missed {why}."
    return f"{said} {gave_way}.".replace("..", ".") if gave_way else said
