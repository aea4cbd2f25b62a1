"""How many stations a CSMS holds within its objectives: which fleet to try next, and what the trials say together.

Doubling until an objective is missed, then bisection, then repeats on both sides of the knee until two of three trials
agree. Everything follows from the list of trials, so a search can be judged again from its file; pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.capacity_model import CapacityFinding, Limit, Trial, TrialWord
from evidence.run_model import LoadRun, SloResult
from loadtest.judging.slo import Threshold

__all__ = [
    "BOOTED",
    "conclude",
    "next_stations",
    "strain",
    "trial_of",
    "with_booted",
]

BOOTED: Final = "stations booted >= 99 %"
"""What a CSMS that holds a fleet does at least; left out where the objectives speak of booted stations themselves."""
AGREE: Final = 2
"""How many of three trials must agree at the knee."""
MOST_TRIALS: Final = 40
MOST_STRAIN: Final = 10.0


def next_stations(trials: Sequence[Trial], *, start: int, most: int, precision: float = 0.05) -> int | None:
    """Choose the size of the next fleet; None when the search is over.

    `precision` is how close, as a share, the two sides of the knee must come.
    """
    if len(trials) >= MOST_TRIALS or _generator_failed(trials):
        return None
    if trials and trials[-1].word == "generator":
        return trials[-1].stations
    votes = _votes(trials)
    tie = next((stations for stations, (kept, missed) in votes.items() if kept == missed), None)
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


def conclude(trials: Sequence[Trial], *, most: int, interrupted: bool = False) -> CapacityFinding:
    """Say what the trials have shown."""
    votes = _votes(trials)
    low, high = _knee(votes)
    kept, missed = votes.get(low, (0, 0))
    limit: Limit = "csms"
    if interrupted:
        limit = "interrupted"
    elif _generator_failed(trials):
        limit = "generator"
    elif high is None and low >= most:
        limit = "maximum"
    elif len(trials) >= MOST_TRIALS:
        limit = "trials"
    return CapacityFinding(
        stations=low,
        limit=limit,
        missed_at=high,
        kept=kept,
        of=kept + missed,
        sentence=_sentence(trials, limit, low, high),
    )


def trial_of(run: LoadRun, thresholds: Sequence[Threshold], stations: int, folder: str = "") -> Trial:
    """Boil a finished run down."""
    pairs = list(zip(thresholds, (slo for slo in run.slo if not slo.built_in), strict=True))
    missed = [f"{slo.expr} ({_measured(slo)})" for slo in run.slo if not slo.passed and not slo.undecided]
    slowest = max((call.response_ms for call in run.calls if call.response_ms), key=lambda p: p.p99, default=None)
    word: TrialWord = "missed" if missed else "kept"
    return Trial(
        stations=stations,
        word=word if run.generator.verdict == "VALID" else "generator",
        missed=missed,
        reasons=list(run.generator.reasons),
        strain=max((strain(threshold, slo) for threshold, slo in pairs), default=0.0),
        calls_per_s=run.throughput.get("calls_per_s", 0.0),
        failed_per_s=run.throughput.get("failed_per_s", 0.0),
        p50_ms=slowest.p50 if slowest else None,
        p99_ms=slowest.p99 if slowest else None,
        generator=run.generator.verdict,
        folder=folder,
    )


def strain(threshold: Threshold, result: SloResult) -> float:
    """Return how far an objective is used up: below 1 it is kept, above it is missed; at most `MOST_STRAIN`."""
    expression = threshold.expression
    value, bound = result.value, expression.limit
    if value is None:
        return MOST_STRAIN
    upper = expression.operator.startswith("<")
    lower = expression.operator.startswith(">")
    used = 0.0 if result.passed or result.undecided else MOST_STRAIN
    if upper and bound > 0:
        used = value / bound
    elif lower and expression.is_share:
        # Of 99 % the interesting part is the one that may be missing.
        used = (100 - value) / (100 - bound) if bound < 100 else used  # noqa: PLR2004 - percent
    elif lower and value > 0:
        used = bound / value
    return min(used, MOST_STRAIN)


def with_booted(thresholds: Sequence[Threshold]) -> bool:
    """Return whether the objectives say how many stations must have booted."""
    return any(one.expression.family == "stations" and one.expression.metric == "booted" for one in thresholds)


def _votes(trials: Sequence[Trial]) -> dict[int, tuple[int, int]]:
    """Count how often each size was kept and missed."""
    votes: dict[int, tuple[int, int]] = {}
    for trial in trials:
        if trial.word != "generator":
            kept, missed = votes.get(trial.stations, (0, 0))
            votes[trial.stations] = (kept + (trial.word == "kept"), missed + (trial.word == "missed"))
    return votes


def _knee(votes: dict[int, tuple[int, int]]) -> tuple[int, int | None]:
    """Return the largest size that was held below the smallest that was not; a tie counts as neither."""
    high = min((stations for stations, (kept, missed) in votes.items() if missed > kept), default=None)
    held = (stations for stations, (kept, missed) in votes.items() if kept > missed)
    return max((stations for stations in held if high is None or stations < high), default=0), high


def _unsure(votes: dict[int, tuple[int, int]], stations: int) -> int | None:
    return stations if stations and max(votes[stations]) < AGREE else None


def _generator_failed(trials: Sequence[Trial]) -> bool:
    """Return whether the generator failed twice in a row with one size: once may be due to other programs."""
    last = trials[-AGREE:]
    return (
        len(last) == AGREE
        and len({trial.stations for trial in last}) == 1
        and all(trial.word == "generator" for trial in last)
    )


def _sentence(trials: Sequence[Trial], limit: Limit, low: int, high: int | None) -> str:
    held = f"the CSMS holds {low} stations" if low else "the CSMS did not hold a single fleet"
    match limit:
        case "generator":
            at = trials[-1].stations
            why = trials[-1].reasons[0] if trials[-1].reasons else ""
            start = f"the CSMS holds at least {low} stations" if low else "nothing can be said of the CSMS"
            return f"{start}; with {at} the generator, not the CSMS, is the limit. {why}".rstrip()
        case "maximum":
            return f"the CSMS holds at least {low} stations, the most that were to be tried (--max-stations)."
        case "interrupted" | "trials":
            return f"{held}, as far as the search went ({len(trials)} trials)."
    if high is None:
        return f"{held}."
    why = next((trial.missed[0] for trial in trials if trial.stations == high and trial.missed), "")
    return f"{held}; with {high} it missed {why}." if low else f"{held}: already {high} missed {why}."


def _measured(result: SloResult) -> str:
    if result.value is None:
        return result.reason
    return f"measured {result.value:g} {result.unit}".rstrip()
