"""One service level objective as a line of text: `Authorize response p99 < 500 ms`, `errors < 0.1 %`.

    [1.6|2.0.1|2.1] [ACTION] [from-csms] service|response p99|p99.9|…|min|mean|max  < 500 ms
    [1.6|2.0.1|2.1] [ACTION] [from-csms] errors|timeout|rejected|callerror:CODE|…   < 0.1 %   or   == 0
    [1.6|2.0.1|2.1] [ACTION] [from-csms] throughput|goodput                         > 50 /s
    ledger|kpi|storm|… QUANTITY  (of a plugin)                                          == 0   or   >= 99 %
    watch cpu|rss|fds|threads|METRIC growth|mean|max                                < 20 %
    neighbours.p50|p95|p99                                                          <= 1.2 * before
    stations booted|connected|lost · connections opened|failed|OUTCOME · faults …   >= 99 %   or   <= 3
    generator lag|stall|cpu|memory                                                  < 20 ms

`parse` reads a line and knows nothing of a run; `loadtest.judging.slo` evaluates it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NoReturn

import msgspec

from config.errors import ConfigError
from config.quantities import SECONDS, number
from config.words import hint
from evidence.vocabulary import DELIVERY_FAULTS, FROM_CSMS, TO_CSMS, TRIGGER_LOOP
from loadtest.judging.quantities import Kind, Quantities
from loadtest.transport.contract import Attempt
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError
from ocppj.outcomes import Outcome
from ocppj.versions import Version

__all__ = [
    "CALLS",
    "ERRORS",
    "FAILED",
    "GOODPUT",
    "NO_QUANTITIES",
    "OPERATORS",
    "SHARE",
    "THROUGHPUT",
    "Expression",
    "Family",
    "Latency",
    "parse",
]

Family = Literal["latency", "outcome", "rate", "stations", "connections", "faults", "generator", "plugin"]
Latency = Literal["service", "response"]

ERRORS: Final = "errors"
CALLS: Final = "calls"
THROUGHPUT: Final = "throughput"
GOODPUT: Final = "goodput"
FAILED: Final = "failed"
SHARE: Final = "%"

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }
)

_FROM_CSMS: Final = "from-csms"
_LATENCIES: Final = ("service", "response")
_STATISTICS: Final = ("p50", "p90", "p95", "p99", "p99.9", "min", "mean", "max")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_OUTCOMES: Final = (
    ERRORS,
    Outcome.ACCEPTED,
    Outcome.REJECTED,
    Outcome.CALLERROR,
    Outcome.TIMEOUT,
    Outcome.LOST,
    Outcome.NEVER_SENT,
    Outcome.SCHEMA_INVALID,
    Outcome.SILENT,
    Outcome.INJECTED,
    CALLS,
)
_RATES: Final = (THROUGHPUT, GOODPUT)
_STATIONS: Final = ("booted", "connected", "lost")
_CONNECTIONS: Final = (FAILED, *Attempt)
_FAULTS: Final = (Outcome.LATE, Outcome.UNSOLICITED, "duplicate", "unreadable", TRIGGER_LOOP, *DELIVERY_FAULTS)
_GENERATOR: Final[Mapping[str, Kind]] = MappingProxyType(
    {"lag": "time", "stall": "time", "cpu": "share", "memory": "memory"}
)
_GROUPS: Final = ("stations", "connections", "faults", "generator")

# What a value of each kind may be written in, and how many of the base unit (ms, count or ratio, 1/s, KB) one is.
_UNITS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "time": {"us": 0.001, "µs": 0.001} | {unit: SECONDS[unit] * 1000.0 for unit in ("ms", "s", "min")},
        "amount": {"": 1.0, SHARE: 0.01},
        "count": {"": 1.0},
        "rate": {f"/{unit}": 1 / SECONDS[unit] for unit in ("s", "min", "h")},
        "share": {SHARE: 0.01},
        "memory": {"KB": 1.0, "kB": 1.0, "MB": 1024.0, "GB": 1024.0**2},
        "ratio": {"* before": 1.0},
    }
)

NO_QUANTITIES: Final[Quantities] = MappingProxyType({})

_REFUSED: Final = re.compile(r"http-\d{3}|(?:connack|disconnect)-[a-z-]+")
_SHAPE: Final = re.compile(r"(?P<what>[^<>=!]*)(?P<operator>[<>=!]+)\s*(?P<value>[^\s%/a-zµ*×]*)\s*(?P<unit>.*)")
_NEIGHBOURS: Final = re.compile(r"^\s*neighbours[. ](p\d+)")
_TIMES: Final = re.compile(r"^[*×x]\s*")
_MOST_CHARACTERS: Final = 200


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says: some figure of a run, and the limit that it is compared with."""

    text: str
    """The line, with single spaces."""
    family: Family
    metric: str
    """The statistic, outcome class, rate or fact within the family."""
    operator: str
    limit: float
    """In the unit of the line."""
    unit: str
    scale: float
    """How many base units (ms, ratio or count, 1/s, KB) one unit of the line is."""
    latency: Latency = "response"
    ocpp: str | None = None
    action: str | None = None
    direction: str = TO_CSMS

    @property
    def percentile(self) -> float | None:
        """The percentile asked for; None for min, mean, max and whatever is not a latency."""
        match = _PERCENTILE.fullmatch(self.metric) if self.family == "latency" else None
        return None if match is None else float(match[1])

    @property
    def is_share(self) -> bool:
        """Whether a part of a whole is asked for rather than a number."""
        return self.unit == SHARE

    @property
    def subject(self) -> str:
        """Whose CALLs it is about, for people."""
        words = [self.ocpp or "", self.action or "CALL", _FROM_CSMS if self.direction == FROM_CSMS else ""]
        return " ".join(word for word in words if word)

    def holds(self, value: float) -> bool:
        """Compare a value in base units with the limit."""
        # 0.001 of 0.01 is not quite 0.1.
        return OPERATORS[self.operator](round(value / self.scale, 9), self.limit)


def parse(text: str, quantities: Quantities = NO_QUANTITIES) -> Expression:
    """Read one line; raises `UsageError` that names the word that is wrong and the nearest one that is known.

    `quantities` are those of the plugins that take part.
    """
    line = " ".join(text.split())
    match = _SHAPE.fullmatch(line)
    if match is None or len(line) > _MOST_CHARACTERS:
        _refuse(line, "it compares nothing; write it as in 'Authorize response p99 < 500 ms' or 'errors < 0.1 %'")
    if match["operator"] not in OPERATORS:
        _refuse(line, f"{match['operator']} is not a comparison; known are {', '.join(OPERATORS)}")
    limit = _limit(line, match["value"])
    words = _NEIGHBOURS.sub(r"storm neighbours-\1", match["what"]).split()
    if not words:
        _refuse(line, f"it does not say what is compared; begin with {', '.join((*_RATES, ERRORS, *_LATENCIES))} …")
    unit = _TIMES.sub("* ", match["unit"].strip())
    return _Reader(line, words, match["operator"], limit, unit, quantities=quantities).read()


class _Reader:
    """Reads the words in front of the comparison."""

    def __init__(
        self, line: str, words: list[str], sign: str, limit: float, unit: str, *, quantities: Quantities
    ) -> None:
        self.line = line
        self.words = words
        self.sign = sign
        self.limit = limit
        self.unit = unit
        self.quantities = quantities
        self.ocpp: str | None = None
        self.action: str | None = None
        self.direction = TO_CSMS

    def read(self) -> Expression:
        if self.words[0] in (*_GROUPS, *self.quantities):
            return self._group(self.words[0], self.words[1:])
        while self.words and self._is_subject(self.words[0]):
            self.words.pop(0)
        if not self.words:
            _refuse(self.line, f"say what of it: {', '.join((*_LATENCIES, ERRORS, *_RATES))} …")
        first, *rest = self.words
        if first in _LATENCIES:
            return self._latency(first, rest)
        if rest:
            _unknown(self.line, rest[0] if self._is_metric(first) else first, self._vocabulary())
        if first in _RATES:
            return self._make("rate", first, "rate")
        if self._is_metric(first):
            return self._make("outcome", first, "count" if first == CALLS else "amount")
        if first in _FAULTS:
            _refuse(self.line, f"{first} is counted over the whole run and all actions; write 'faults {first}'")
        if first in _STATISTICS or _PERCENTILE.fullmatch(first):
            _refuse(self.line, f"say of which latency: 'service {first}' or 'response {first}'")
        return _unknown(self.line, first, self._vocabulary())

    def _group(self, group: str, rest: list[str]) -> Expression:
        known: dict[str, tuple[str, ...]] = {
            "stations": _STATIONS,
            "connections": _CONNECTIONS,
            "faults": _FAULTS,
            "generator": tuple(_GENERATOR),
        } | {name: tuple(quantities) for name, quantities in self.quantities.items()}
        open_kind = _open_kind(self.quantities.get(group, {}), "-".join(rest)) if rest else None
        if open_kind is not None:
            return self._make("plugin", f"{group} {'-'.join(rest)}", open_kind)
        if len(rest) != 1:
            _refuse(self.line, f"{group} takes one word of {', '.join(known[group])}")
        word = rest[0]
        # The ways in which a connection attempt fails are as many as there are HTTP statuses and reasons of brokers.
        if word not in known[group] and not (group == "connections" and _REFUSED.fullmatch(word)):
            _unknown(self.line, word, known[group])
        if group == "stations":
            return self._make("stations", word, "amount")
        if group == "connections":
            return self._make("connections", word, "amount")
        if group == "faults":
            return self._make("faults", word, "amount")
        if group in self.quantities:
            return self._make("plugin", f"{group} {word}", self.quantities[group][word])
        return self._make("generator", word, _GENERATOR[word])

    def _latency(self, kind: str, rest: list[str]) -> Expression:
        if len(rest) != 1:
            _refuse(self.line, f"{kind} takes one word of {', '.join(_STATISTICS)}")
        statistic = rest[0]
        if statistic not in _STATISTICS and not _is_percentile(statistic):
            _unknown(self.line, statistic, _STATISTICS)
        return self._make("latency", statistic, "time", latency="service" if kind == "service" else "response")

    def _make(self, family: Family, metric: str, kind: str, latency: Latency = "response") -> Expression:
        units = _UNITS[kind]
        if self.unit not in units:
            names = " or ".join(unit or "no unit" for unit in units)
            wrong = f"{self.unit!r} is not a unit of {metric}" if self.unit else f"{metric} needs a unit"
            _refuse(self.line, f"{wrong}; write {names}")
        return Expression(
            text=self.line,
            family=family,
            metric=str(metric),
            operator=self.sign,
            limit=self.limit,
            unit=self.unit,
            scale=units[self.unit],
            latency=latency,
            ocpp=self.ocpp,
            action=self.action,
            direction=self.direction,
        )

    def _is_subject(self, word: str) -> bool:
        if word in list(Version) and self.ocpp is None:
            self.ocpp = word
        elif word == _FROM_CSMS:
            self.direction = FROM_CSMS
        elif any(word in actions for actions in ACTIONS.values()) and self.action is None:
            self.action = word
        else:
            return False
        return True

    def _is_metric(self, word: str) -> bool:
        return word in _OUTCOMES or word.startswith(f"{Outcome.CALLERROR}:")

    def _vocabulary(self) -> tuple[str, ...]:
        actions = {action for known in ACTIONS.values() for action in known}
        return (*_LATENCIES, *_OUTCOMES, *_RATES, *_GROUPS, *self.quantities, _FROM_CSMS, *sorted(actions))


def _open_kind(quantities: Mapping[str, Kind], word: str) -> Kind | None:
    """Return the kind of a quantity of a group that has names of its own, such as those of metrics."""
    if not any(name.startswith("*") for name in quantities):
        return None
    if word in quantities and not word.startswith("*"):
        return quantities[word]
    endings = {name[1:]: kind for name, kind in quantities.items() if name.startswith("*")}
    return next((kind for end, kind in endings.items() if word.endswith(end) and word != end), None)


def _limit(line: str, text: str) -> float:
    if not text:
        _refuse(line, "there is no number behind the comparison")
    try:
        return number(text)
    except ConfigError as error:
        _refuse(line, str(error))


def _is_percentile(word: str) -> bool:
    match = _PERCENTILE.fullmatch(word)
    return match is not None and float(match[1]) > 0


def _refuse(line: str, why: str) -> NoReturn:
    raise UsageError(f"The objective {line!r} cannot be read: {why}")


def _unknown(line: str, word: str, known: tuple[str, ...]) -> NoReturn:
    _refuse(line, f"{word!r} is unknown; {hint(word, known)}")
