"""The objectives of every load run, whatever else is asked of it: a run that passes has been survived.

Each has a name, by which it is switched off (`--no-objective NAME`) or gets another limit in the SLO file or in the
profile:

    objectives:
      charging-success: 80 %
      failed-calls: off

What did not happen in a run is no fault here: an objective about charging says nothing of a run without charging. That
is the difference to an objective that somebody has written down (`loadtest.judging.slo`). Transactions that are lost,
duplicated or crossed fail a run by the ledger (`loadtest.plugins.ledger.plugin`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.quantities import number, share
from config.words import hint
from config.yaml_files import read_yaml
from evidence.run_model import SloResult
from evidence.vocabulary import CHECK, MEASURE, TO_CSMS, is_failure
from loadtest.judging.slo import Figures, Reading
from loadtest.judging.slo_expression import OPERATORS, SHARE
from ocppj.errors import UsageError, as_usage_error
from ocppj.outcomes import Outcome

__all__ = [
    "BUILT_IN",
    "CERTAIN",
    "CSMS_ANSWERS",
    "OFF",
    "BuiltIn",
    "Overrides",
    "built_in",
    "judge_built_in",
    "read_objectives",
    "read_overrides",
]

OFF: Final = "off"
_KEY: Final = "objectives"
_STORMS: Final = "storm metastable"
_COMMANDS: Final = "command failed"
_MOST_NAMED: Final = 3
_DIGITS: Final = 6
_PERCENT: Final = 0.01

Overrides = Mapping[str, float | None]
"""By name: another limit in the unit of the objective, or None where it is switched off."""


CSMS_ANSWERS: Final = "csms-answers"
"""The objective for which somebody connects once more when the run is over."""


class BuiltIn(msgspec.Struct, frozen=True, kw_only=True):
    """One objective that needs no file."""

    name: str
    title: str
    """What is compared, as reports show it."""
    operator: str
    limit: float
    """In `unit`."""
    unit: str = ""
    measure: Callable[[Figures], Reading]
    """Base units; the reason of a missed one is a sentence without its end, for people who read one line."""
    fixed: bool = False
    """Whether another limit makes no sense, so that it can only be switched off."""
    certain: bool = False
    """Whether a miss is the CSMS's fault even where the load generator did badly."""

    @property
    def text(self) -> str:
        """The objective in a line."""
        return self.title if self.fixed else f"{self.title} {self.operator} {self.limit:g} {self.unit}".rstrip()


# -- what each measures ------------------------------------------------------------------------------------------------


def _answers(figures: Figures) -> Reading:
    end = figures.at_end
    if end is None or end.answers is None:
        return Reading(None, "" if end is None else end.why)
    return Reading(float(end.answers), f"the CSMS did not answer when the run was over: {end.why}")


def _lets_in(figures: Figures) -> Reading:
    if not figures.connected:
        return Reading(None)
    boots = _outcomes(figures, action="BootNotification")
    unanswered = sum(count for outcome, count in boots.items() if is_failure(outcome))
    said = f"{unanswered} of {sum(boots.values())} BootNotifications got no answer" if unanswered else "it refused them"
    return Reading(float(figures.booted), f"the CSMS accepted none of {figures.connected} connected stations: {said}")


def _stays_accepted(figures: Figures) -> Reading:
    end = figures.at_end
    if end is None or not end.had_been_accepted or _is_undecided(figures):
        return Reading(None)
    return Reading(
        min(end.accepted / end.had_been_accepted, 1.0),
        f"{end.accepted} of {end.had_been_accepted} stations that had been accepted were still so at the end",
    )


def _failed_calls(figures: Figures) -> Reading:
    counts = _outcomes(figures, MEASURE)
    commands = figures.plugins.get(_COMMANDS, (None, None))[1]
    if _STORMS in figures.plugins or commands:
        # Storms cut connections, and stations that the CSMS resets close theirs: such CALLs are not the CSMS's.
        counts = {name: n for name, n in counts.items() if name not in (Outcome.LOST, Outcome.NEVER_SENT)}
    total = sum(counts.values())
    if not total:
        return Reading(None)
    failed = {outcome: count for outcome, count in counts.items() if is_failure(outcome)}
    worst = sorted(failed.items(), key=lambda pair: -pair[1])[:_MOST_NAMED]
    named = ", ".join(f"{count} {outcome}" for outcome, count in worst)
    return Reading(sum(failed.values()) / total, f"{sum(failed.values())} of {total} CALLs failed ({named})", total)


def _charging(figures: Figures) -> Reading:
    succeeded, attempts = figures.plugins.get("kpi charging-success", (None, None))
    if succeeded is None or not attempts:
        return Reading(None)
    return Reading(succeeded / attempts, f"{succeeded:.0f} of {attempts:.0f} charging attempts succeeded")


def _own_checks(figures: Figures) -> Reading:
    failed = {kind.removeprefix(CHECK): count for kind, count in figures.faults.items() if kind.startswith(CHECK)}
    if not failed:
        return Reading(None)
    worst = max(failed, key=lambda what: failed[what])
    others = f" and {len(failed) - 1} other checks" if len(failed) > 1 else ""
    sentence = f'the check "{worst}" of your own stations failed {failed[worst]} times{others}'
    return Reading(float(sum(failed.values())), sentence)


def _storms(figures: Figures) -> Reading:
    count = figures.plugins.get(_STORMS, (None, None))[0]
    plural = "storm" if count == 1 else "storms"
    return Reading(count, "" if count is None else f"the CSMS did not recover from {count:.0f} {plural}")


def _unanswered(figures: Figures) -> Reading:
    count, whole = figures.plugins.get("kpi unanswered", (None, None))
    if count is None or _is_undecided(figures):
        return Reading(None)
    return Reading(count, f"{count:.0f} of {whole or 0:.0f} transactions got no answer to their start or stop")


def _outcomes(figures: Figures, *windows: str, action: str | None = None) -> dict[str, int]:
    """Count the CALLs of the stations by outcome, of all windows where none is named."""
    counts: dict[str, int] = {}
    for window in windows or figures.seconds:
        for (_, name, direction, outcome), latencies in figures.window(window).items():
            if direction == TO_CSMS and action in (None, name):
                counts[outcome] = counts.get(outcome, 0) + latencies.response.count
    return counts


def _is_undecided(figures: Figures) -> bool:
    """Return whether a storm was too close to the end to see what became of its stations."""
    return _STORMS in figures.plugins and figures.plugins[_STORMS][0] is None


# -- the table ---------------------------------------------------------------------------------------------------------

BUILT_IN: Final = (
    BuiltIn(
        name=CSMS_ANSWERS,
        title="the CSMS answers when the run is over",
        operator="==",
        limit=1,
        measure=_answers,
        fixed=True,
        certain=True,
    ),
    BuiltIn(
        name="lets-stations-in",
        title="stations accepted by the CSMS",
        operator=">=",
        limit=1,
        measure=_lets_in,
        certain=True,
    ),
    BuiltIn(
        name="stays-accepted",
        title="stations still accepted at the end",
        operator=">=",
        limit=99,
        unit=SHARE,
        measure=_stays_accepted,
    ),
    BuiltIn(
        name="storms-recovered",
        title="storms without recovery",
        operator="<=",
        limit=0,
        measure=_storms,
    ),
    BuiltIn(
        name="charging-success",
        title="charging success",
        operator=">=",
        limit=95,
        unit=SHARE,
        measure=_charging,
    ),
    BuiltIn(
        name="own-checks",
        title="failed checks of your own stations",
        operator="<=",
        limit=0,
        measure=_own_checks,
    ),
    BuiltIn(
        name="failed-calls",
        title="failed CALLs",
        operator="<=",
        limit=1,
        unit=SHARE,
        measure=_failed_calls,
    ),
    BuiltIn(
        name="transactions-answered",
        title="transactions without an answer",
        operator="<=",
        limit=0,
        measure=_unanswered,
    ),
)
"""The gravest first: the headline of a run names the first that was missed."""

CERTAIN: Final = frozenset(one.name for one in BUILT_IN if one.certain)
"""The names of those that a bad load generator does not excuse."""
_BY_NAME: Final = {one.name: one for one in BUILT_IN}


# -- which hold, and how they went -------------------------------------------------------------------------------------


def read_overrides(given: Any, location: Location) -> dict[str, float | None]:
    """Read the `objectives` of a file: by name, `off` or another limit; raises `ConfigError`."""
    if not isinstance(given, dict):
        raise location.error("expected names of built-in objectives, as in charging-success: 80 %")
    found: dict[str, float | None] = {}
    for name, value in given.items():
        here = location.below(name)
        if name not in _BY_NAME:
            raise here.error(f"{name!r} is not a built-in objective; {hint(name, _BY_NAME)}")
        found[name] = _limit(_BY_NAME[name], value, here)
    return found


@as_usage_error(ConfigError)
def read_objectives(path: Path) -> dict[str, float | None]:
    """Read the `objectives` of an SLO file; raises `UsageError` that says which line of it is wrong."""
    document, location = read_yaml(path, "SLO file")
    given = document.get(_KEY, {}) if isinstance(document, dict) else {}
    return read_overrides(given, location.below(_KEY))


def _limit(one: BuiltIn, value: Any, location: Location) -> float | None:
    if value is False or value == OFF:
        return None
    if one.fixed:
        raise location.error(f"{one.name} has no limit; expected {OFF}, but it is {value!r}")
    try:
        return share(value) / _PERCENT if one.unit == SHARE else number(value)
    except ConfigError as error:
        raise location.error(str(error)) from None


def built_in(overrides: Overrides, switched_off: Iterable[str] = ()) -> list[BuiltIn]:
    """Return the built-in objectives of a run; raises `UsageError` for a name that none has."""
    names = set(switched_off)
    for name in names:
        if name not in _BY_NAME:
            raise UsageError(f"--no-objective {name}: there is no such built-in objective; {hint(name, _BY_NAME)}")
    names |= {name for name, limit in overrides.items() if limit is None}
    chosen = (one for one in BUILT_IN if one.name not in names)
    limits = {name: limit for name, limit in overrides.items() if limit is not None}
    return [msgspec.structs.replace(one, limit=limits.get(one.name, one.limit)) for one in chosen]


def judge_built_in(objectives: Sequence[BuiltIn], figures: Figures) -> list[SloResult]:
    """Hold the built-in objectives against a finished run; those about what did not happen are left out."""
    results = []
    for one in objectives:
        value, reason, n = one.measure(figures)
        if value is None:
            continue
        shown = value / _PERCENT if one.unit == SHARE else value
        passed = OPERATORS[one.operator](round(shown, 9), one.limit)
        results.append(
            SloResult(
                expr=one.text,
                value=round(shown, _DIGITS),
                passed=passed,
                reason="" if passed else reason,
                unit=one.unit,
                n=n,
                built_in=one.name,
            )
        )
    return results
