"""Cases that somebody's log became (`plugstorm analyze --to-case`): read from files, and played like every other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from analysis.recorded_case import NOW, TOKEN, TRANSACTION, RecordedCase, Step, placeholders
from config.errors import ConfigError
from config.locations import Location
from config.typed import convert
from config.yaml_files import read_yaml
from drivers.base import token_need, trigger_need
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from ocppj.errors import UsageError, as_usage_error
from ocppj.trace import wall_clock
from ocppj.versions import Version

__all__ = ["cases_of", "read_recorded_case"]

_BLOCK = "Recorded"
_EVERY_CALL_IS_ANSWERED: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("1.6J-E", "3.2"),
        Version.V201: Clause("201-4", "4.1.1"),
        Version.V21: Clause("21-4", "4.1.1"),
    }
)
_UNKNOWN = frozenset({"Invalid", "Unknown"})
"""What a CSMS says of a token that nobody gave it."""
_NO_TRANSACTION: Mapping[Version, Any] = MappingProxyType({Version.V16: -1, Version.V201: "", Version.V21: ""})
"""What stands for a transaction whose start was not answered (OCPP 1.6 errata §3.17)."""


def cases_of(files: Sequence[str]) -> list[Case]:
    """Return the cases that files hold, or those of the suite where there are none; raises `UsageError`."""
    cases: dict[str, Case] = {}
    for file in files:
        case = read_recorded_case(Path(file))
        if case.key in cases:
            raise UsageError(f"{file}: another file has a case {case.key} already; change its `id`")
        cases[case.key] = case
    return list(cases.values()) if files else all_cases()


@as_usage_error(ConfigError)
def read_recorded_case(path: Path) -> Case:
    """Read a file that `--to-case` wrote, perhaps changed by hand; raises `UsageError` with file and line."""
    value, location = read_yaml(path, "recorded case")
    told = convert(value, RecordedCase, location)
    _check_names(told, location)
    calls = [step for step in told.steps if step.by == "station"]
    commands = dict.fromkeys(step.action for step in told.steps if step.by == "csms")
    tokens = dict.fromkeys(status for status in told.tokens.values() if status not in _UNKNOWN)
    return Case(
        id=told.id,
        ocpp=told.version,
        title=told.title,
        block=_BLOCK,
        profile=_BLOCK,
        initiator="station",
        sends=f"{', '.join(dict.fromkeys(step.action for step in calls)) or 'Nothing'}, as the log has it.",
        expects="The CSMS SHALL answer every CALL as the file says, and send what its operator orders.",
        clause=_EVERY_CALL_IS_ANSWERED[told.version],
        level=Level.REQUIRED,
        needs=(*map(token_need, tokens), *map(trigger_need, commands)),
        defect="",
        also=(),
        checks=(*_answers(calls), *map(fulfilled, commands)),
        script=lambda probe: _Play(probe, told).run(),
        start=Start.BOOTED,
        password=False,
        bystander=False,
        may_end_csms=False,
    )


def _check_names(told: RecordedCase, location: Location) -> None:
    """Raise `ConfigError` for a name of something new that nothing gives."""
    for number, step in enumerate(told.steps):
        for name in (*placeholders(step.payload), *placeholders(step.answer)):
            known = name.startswith((NOW, TRANSACTION)) or name[1:] in told.tokens
            if not known:
                place = location.below("steps").below(number)
                raise place.error(f"{name} is neither {NOW}, nor {TRANSACTION} with a number, nor one of `tokens`")
            if name.startswith(NOW) and name != NOW and not _is_shift(name.removeprefix(NOW)):
                raise location.below("steps").below(number).error(f"{name}: seconds follow {NOW}, as in {NOW}+3600")


def _is_shift(text: str) -> bool:
    return text[:1] in ("+", "-") and text[1:].isdecimal()


def _answers(calls: Sequence[Step]) -> Iterator[Check]:
    counts: Counter[str] = Counter()
    for step in calls:
        fields: dict[str, Expected] = {
            path: one_of(value) for path, value in step.answer.items() if not _is_name(value)
        }
        nth = counts[step.action]
        counts[step.action] += 1
        place = f" (line {step.line} of the log)" if step.line else ""
        what = ", ".join(f"{path} {value}" for path, value in step.answer.items() if path in fields)
        claim = f"The CSMS answers {step.action}{f' with {what}' if what else ''}{place}"
        yield answered(step.action, fields, nth=nth, claim=claim)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.startswith((NOW, TOKEN, TRANSACTION))


class _Play:
    """One play of a recorded case."""

    def __init__(self, probe: Probe, told: RecordedCase) -> None:
        self._probe = probe
        self._told = told
        self._names: dict[str, Any] = {}

    def run(self) -> None:
        self._get_tokens()
        for step in self._told.steps:
            if step.by == "station":
                self._say(step)
            else:
                self._await(step)

    def _get_tokens(self) -> None:
        probe = self._probe
        first = True
        for name, status in self._told.tokens.items():
            if status in _UNKNOWN:
                token = probe.unknown_token()
            elif status == "Accepted" and not first:
                token = probe.another_token()
            else:
                token = probe.token(status)
                first = first and status != "Accepted"
            self._names[f"${name}"] = token

    def _say(self, step: Step) -> None:
        answer = self._probe.station.call(step.action, self._filled(step.payload))
        for path, value in step.answer.items():
            if isinstance(value, str) and value.startswith(TRANSACTION) and answer.ok:
                self._names[value] = answer.get(path)

    def _await(self, step: Step) -> None:
        station = self._probe.station
        if step.refuse:
            station.reply(step.action, error=(step.refuse[0], step.refuse[1]))
        else:
            station.reply(step.action, self._filled(step.answer) if step.answer else None)
        self._probe.command(step.action, self._filled(step.payload))
        station.expect(step.action)

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {key: self._filled(item) for key, item in value.items()}
            case list():
                return [self._filled(item) for item in value]
            case str() if value.startswith("$$"):
                return value[1:]
            case str() if value.startswith(NOW):
                return wall_clock(time.time() + float(value.removeprefix(NOW) or 0))
            case str() if value.startswith(TRANSACTION):
                return self._transaction(value)
            case str() if value.startswith("$"):
                return self._names[value]
        return value

    def _transaction(self, name: str) -> Any:
        """Return the id that the CSMS gave (1.6), or a new one of the station (2.x)."""
        if name not in self._names:
            nobody_gave_one = _NO_TRANSACTION[self._told.version]
            self._names[name] = nobody_gave_one or str(uuid4())
        return self._names[name]
