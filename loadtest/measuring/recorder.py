"""What one process measured: both latencies of every CALL by window, and what happened second by second.

This is the source of truth of a load run; Locust's own table is a view that is fed from here. The station engine calls

    recorder.call(ocpp, action, direction, outcome, service_s, response_s, at)   # once for every CALL that ended
    recorder.fault(kind)            # a frame of the CSMS that was not a proper answer
    recorder.connection(outcome)    # a connection attempt that ended: OPENED, "refused 401", "reset", "timed out", …
    recorder.connected(+1 | -1)     # a WebSocket connection is up, or gone
    recorder.booted(+1 | -1)        # a station was accepted by BootNotification, or no longer counts as booted
    recorder.charging(+1 | -1)      # a station has its first transaction, or none any more
    recorder.lost(how, code, reason, after)       # a connection ended against the station's will
    recorder.callerror(ocpp, action, direction, code, text)   # besides `call`: what a CALLERROR said
    recorder.injected(kind)         # something that the run itself did to a frame or a connection, on purpose
    recorder.activity(kind)         # something that a station did and that is no CALL: a SEND, a cost on its display
    recorder.offered(n)             # n CALLs fell due in the schedules of this process, sent or not
    recorder.note(kind, *values)    # something for a plugin of the run (`loadtest.plugins.contract`), once

and never waits for anything. A CALL that timed out, was lost in flight or never sent is a CALL that ended. The module
does not import Locust, which would monkey-patch the process.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypedDict

from evidence.vocabulary import NOTES_DROPPED, OPENED, RAMP, TO_CSMS, is_failure
from ocppj.outcomes import Outcome

__all__ = ["CallTable", "Delta", "Key", "Recorder", "SecondCounts"]

_MOST_NOTES: Final = 200_000
"""Notes that wait for a master that is away."""
# A CSMS may invent error codes and, in the other direction, actions; each new one costs memory in every process.
_MAX_NAMES = 200
_MAX_NAME_LENGTH = 64
_OTHER = "(other)"
_MOST_TEXTS: Final = 100
"""Texts of CALLERRORs that are told apart."""
_TEXT_LENGTH: Final = 160
_NUMBERS: Final = re.compile(r"\d+")

Key = tuple[str, str, str, str]
"""ocpp, action, direction, outcome."""
SecondCounts = tuple[int, int, int, int, int, int, int]
"""A second since 1970, and in it: CALLs, failed CALLs, most connected, most booted, connections opened; and how many
CALLs of the stations had no answer yet when it was over."""


class Delta(TypedDict):
    """What was recorded since the last `Recorder.take`, in types that msgpack knows."""

    windows: dict[str, list[tuple[str, str, str, str, dict[int, int], dict[int, int]]]]
    """By window: ocpp, action, direction, outcome, service counts, response counts by bucket of `Histogram`."""
    rows: list[SecondCounts]
    faults: dict[str, int]
    connections: dict[str, int]
    lost: list[tuple[str, int, str, str, int, int, int]]
    """Connections that ended against the will of stations: how, code, reason, CALL that was open, how many, and the
    second since 1970 of the first and the last."""
    callerrors: list[tuple[str, str, str, str, str, int, int, int]]
    """ocpp, action, direction, code, text, how many, and the second since 1970 of the first and the last."""
    offered: dict[str, int]
    """CALLs that fell due, by window."""
    injected: dict[str, int]
    """What the run did to frames and connections on purpose, by kind."""
    activity: dict[str, int]
    """What stations did besides their CALLs, by kind."""
    notes: list[list[Any]]
    """For the plugins of the run: kinds and values."""


class CallTable(Protocol):
    """A view that shows the same CALLs: Locust's own statistics."""

    @property
    def fire(self) -> Callable[..., Any]:
        """What is called for each CALL, with the arguments of Locust's `request` event."""

    @property
    def alone(self) -> bool:
        """Whether sums will do, because nobody asks for each CALL."""

    def add(self, request_type: str, name: str, exception: str | None, counts: Mapping[int, int]) -> None:
        """Take the sums of one kind of CALL: a number for each bucket of `Histogram`."""


class _Series:
    """The two histograms of one key within one window, and what Locust needs to hear of each CALL."""

    __slots__ = ("exception", "name", "request_type", "response", "service")

    def __init__(self, ocpp: str, action: str, direction: str, outcome: str) -> None:
        self.service: defaultdict[int, int] = defaultdict(int)
        self.response: defaultdict[int, int] = defaultdict(int)
        self.request_type = f"OCPP {ocpp}" if direction == TO_CSMS else f"OCPP {ocpp} from CSMS"
        self.name = action
        # Locust keys its error table by this text: the class and never an id.
        self.exception: str | None = str(outcome) if is_failure(outcome) else None


class Recorder:
    """Counts for one process; drained by `take`, which loses and repeats nothing."""

    __slots__ = (
        "_activity",
        "_booted",
        "_booted_most",
        "_by_window",
        "_callerrors",
        "_calls",
        "_charging",
        "_clock",
        "_connected",
        "_connected_most",
        "_connections",
        "_edges",
        "_errors",
        "_faults",
        "_fire",
        "_injected",
        "_lost",
        "_names",
        "_notes",
        "_offered",
        "_offered_now",
        "_open_calls",
        "_opened",
        "_rows",
        "_second",
        "_second_ends",
        "_series",
        "_since",
        "_table",
        "_texts",
        "_wall_offset",
        "before_take",
        "total",
    )
    _series: dict[Key, _Series]
    _since: float
    _second: int
    _second_ends: float
    _calls: int
    _errors: int
    _opened: int
    _lost: dict[tuple[str, int, str, str], list[int]]
    _callerrors: dict[tuple[str, str, str, str, str], list[int]]
    _texts: dict[str, str]
    _connected_most: int
    _booted_most: int
    _rows: list[tuple[int, int, int, int, int, int]]
    _open_calls: int
    _notes: list[list[Any]]
    before_take: list[Callable[[], None]]
    """Called at the beginning of `take`, to leave notes that belong to the same CALLs."""
    total: int
    """CALLs of this run in all completed seconds."""

    def __init__(
        self,
        table: CallTable | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: float | None = None,
    ) -> None:
        """Start in the window `ramp`.

        `table` is another view of the same CALLs, which gets sums where those will do. `clock` gives the monotonic
        seconds that all times here are in; `wall` is the present in seconds since 1970 (default: ask the system).
        """
        now = clock()
        self._table = table
        self._fire: Callable[..., Any] | None = None
        self._clock = clock
        self._wall_offset = (time.time() if wall is None else wall) - now
        self._connected = self._booted = self._charging = 0
        self.before_take = []
        self._restart(now)

    # -- hot path ----------------------------------------------------------------------------------------------------

    def call(  # noqa: C901, PLR0917 - inlined and positional, because it runs once a CALL
        self,
        ocpp: str,
        action: str,
        direction: str,
        outcome: str,
        service_s: float | None,
        response_s: float,
        at: float | None = None,
    ) -> None:
        """Count a CALL that ended at `at` (default: now), under the window of its intended time, `at - response_s`.

        `outcome` is an `Outcome` or `callerror:<code>`. `service_s` is None for a CALL that never went to the wire.
        For a CALL of the CSMS both latencies are the time that the station took to answer.
        """
        if at is None:
            at = self._clock()
        table = self._series if at - response_s >= self._since else self._by_window[self._window_at(at - response_s)]
        try:
            series = table[ocpp, action, direction, outcome]
        except KeyError:
            series = self._new_series(table, ocpp, action, direction, outcome)
        # Histogram.record, written out twice: a method call would cost as much again as the counting.
        value = int(response_s * 1e6 + 0.5)
        if value >= 2048:  # noqa: PLR2004 - see Histogram
            shift = value.bit_length() - 11
            value = (shift << 10) + (value >> shift)
        elif value < 0:
            value = 0
        series.response[value] += 1
        if service_s is not None:
            value = int(service_s * 1e6 + 0.5)
            if value >= 2048:  # noqa: PLR2004 - see Histogram
                shift = value.bit_length() - 11
                value = (shift << 10) + (value >> shift)
            elif value < 0:
                value = 0
            series.service[value] += 1
        if at >= self._second_ends:
            self._next_second(at)
        self._calls += 1
        exception = series.exception
        if exception is not None:
            self._errors += 1
        if self._fire is not None:
            self._fire(
                request_type=series.request_type,
                name=series.name,
                response_time=response_s * 1e3,
                response_length=0,
                exception=exception,
                context={},
            )

    def fault(self, kind: str) -> None:
        """Count a frame of the CSMS that was not a proper answer: an unreadable or unsolicited one, a second answer."""
        self._faults[self._known(kind)] += 1

    def connection(self, outcome: str) -> None:
        """Count a connection attempt that ended in this way."""
        self._connections[self._known(outcome)] += 1
        if outcome == OPENED:
            self._seconds_passed()
            self._opened += 1

    def connected(self, delta: int) -> None:
        """Note that so many connections came up, or went down (negative)."""
        self._seconds_passed()
        self._connected += delta
        self._connected_most = max(self._connected_most, self._connected)

    def booted(self, delta: int) -> None:
        """Note that so many stations were accepted, or no longer are (negative)."""
        self._seconds_passed()
        self._booted += delta
        self._booted_most = max(self._booted_most, self._booted)

    def charging(self, delta: int) -> None:
        """Note that so many stations began to charge, or ended it (negative)."""
        self._charging += delta

    def lost(self, how: str, code: int, reason: str = "", after: str = "") -> None:
        """Count a connection that ended against the station's will; `after` is the CALL that had no answer yet."""
        self._seconds_passed()
        key = (how, code, self._known(reason[:_MAX_NAME_LENGTH]), after)
        found = self._lost.setdefault(key, [0, self._second, self._second])
        found[0] += 1
        found[2] = self._second

    def callerror(self, ocpp: str, action: str, direction: str, code: str, text: str) -> None:
        """Keep what a CALLERROR said; texts that differ in numbers only, such as ids, count as the first of them."""
        self._seconds_passed()
        text = text[:_TEXT_LENGTH]
        shape = _NUMBERS.sub("0", text)
        is_full = len(self._texts) >= _MOST_TEXTS
        text = self._texts.get(shape, _OTHER) if is_full else self._texts.setdefault(shape, text)
        key = (ocpp, self._known(action), direction, self._known(code), text)
        found = self._callerrors.setdefault(key, [0, self._second, self._second])
        found[0] += 1
        found[2] = self._second

    def injected(self, kind: str) -> None:
        """Count something that the run itself did to a frame or a connection, or that followed from it."""
        self._injected[self._known(kind)] += 1

    def activity(self, kind: str) -> None:
        """Count something that a station did and that is no CALL."""
        self._activity[self._known(kind)] += 1

    def offered(self, count: int = 1, intended_at: float | None = None) -> None:
        """Count CALLs that fell due in the schedules of this process, at `intended_at` (default: now)."""
        if intended_at is None or intended_at >= self._since:
            self._offered_now += count
        else:
            self._offered[self._window_at(intended_at)] += count

    def note(self, kind: str, *values: Any) -> None:
        """Leave a note for a plugin of the run; values are types that msgpack knows."""
        if len(self._notes) < _MOST_NOTES:
            self._notes.append([kind, *values])
        else:
            self.fault(NOTES_DROPPED)

    # -- windows and draining ----------------------------------------------------------------------------------------

    @property
    def current_window(self) -> str:
        """The window that a CALL intended now belongs to."""
        return self._edges[-1][1]

    @property
    def connected_now(self) -> int:
        """How many connections are up."""
        return self._connected

    @property
    def booted_now(self) -> int:
        """How many stations are accepted."""
        return self._booted

    @property
    def charging_now(self) -> int:
        """How many stations have a transaction."""
        return self._charging

    @property
    def made(self) -> int:
        """How many CALLs have ended in this run, those of the second that still runs included."""
        return self.total + self._calls

    @property
    def untouched(self) -> bool:
        """Whether nothing was recorded since the start of the run."""
        seen = self.total or self._calls or self._connections or self._connected or self._faults or self._notes
        return not seen

    def window(self, name: str, at: float | None = None) -> None:
        """Begin a window; CALLs intended before `at` (default: now) still go to the earlier ones."""
        if name == self.current_window:
            return
        since = max(self._clock() if at is None else at, self._since)
        self._settle_offered()
        self._since = since
        self._edges.append((since, name))
        self._series = self._by_window.setdefault(name, {})

    def restart(self) -> None:
        """Forget what was counted and begin a new run in the window `ramp`; connections that are up stay counted."""
        self._restart(self._clock())

    def take(self, *, final: bool = False) -> Delta:
        """Return what was recorded since the last call; the second that still runs is held back unless `final`."""
        self._tell_before()
        now = self._clock()
        if final:
            self._next_second(now, close=True)
        elif now >= self._second_ends:
            self._next_second(now)
        windows = {}
        for window, table in self._by_window.items():
            entries = []
            for (ocpp, action, direction, outcome), series in table.items():
                if series.response:
                    if self._table is not None and self._fire is None:
                        self._table.add(series.request_type, series.name, series.exception, series.response)
                    counts = (dict(series.service), dict(series.response))
                    entries.append((ocpp, action, direction, str(outcome), *counts))
                    if direction == TO_CSMS:
                        self._open_calls -= sum(series.response.values())
                    series.service.clear()
                    series.response.clear()
            if entries:
                windows[window] = entries
        self._settle_offered()
        self._open_calls += self._offered.total()
        delta = Delta(
            windows=windows,
            rows=[(*row, max(self._open_calls, 0)) for row in self._rows],
            faults=dict(self._faults),
            connections=dict(self._connections),
            lost=[(*key, count, first, last) for key, (count, first, last) in self._lost.items()],
            callerrors=[(*key, count, first, last) for key, (count, first, last) in self._callerrors.items()],
            offered=dict(self._offered),
            injected=dict(self._injected),
            activity=dict(self._activity),
            notes=self._notes,
        )
        self._rows = []
        self._notes = []
        self._lost = {}
        self._callerrors = {}
        for counter in (self._faults, self._connections, self._offered, self._injected, self._activity):
            counter.clear()
        self._choose_view()
        return delta

    # -- inside ------------------------------------------------------------------------------------------------------

    def _restart(self, now: float) -> None:
        self._by_window: dict[str, dict[Key, _Series]] = {RAMP: {}}
        self._series = self._by_window[RAMP]
        self._since = float("-inf")
        self._edges: list[tuple[float, str]] = [(self._since, RAMP)]
        self._names: set[str] = set()
        self._faults: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self._injected: Counter[str] = Counter()
        self._activity: Counter[str] = Counter()
        self._offered: Counter[str] = Counter()
        self._offered_now = 0
        self._lost = {}
        self._callerrors = {}
        self._texts = {}
        self._rows = []
        self._open_calls = 0
        self._notes = []
        self._second = int(now + self._wall_offset)
        self._second_ends = self._second + 1 - self._wall_offset
        self.total = 0
        self._begin_second()
        self._choose_view()

    def _settle_offered(self) -> None:
        """Count what was offered in the present window under its name."""
        if self._offered_now:
            self._offered[self.current_window] += self._offered_now
            self._offered_now = 0

    def _tell_before(self) -> None:
        for tell in self.before_take:
            tell()

    def _choose_view(self) -> None:
        """Decide how the table hears of the CALLs until the next `take`: each by itself, or all in sums."""
        self._fire = None if self._table is None or self._table.alone else self._table.fire

    def _begin_second(self) -> None:
        self._calls = self._errors = self._opened = 0
        self._connected_most = self._connected
        self._booted_most = self._booted

    def _seconds_passed(self) -> None:
        now = self._clock()
        if now >= self._second_ends:
            self._next_second(now)

    def _next_second(self, now: float, *, close: bool = False) -> None:
        """Complete the running second and, with no CALLs in them, those that passed since; `close` ends it early."""
        present = int(now + self._wall_offset) + close
        while self._second < present:
            self._rows.append(
                (self._second, self._calls, self._errors, self._connected_most, self._booted_most, self._opened)
            )
            self.total += self._calls
            self._begin_second()
            self._second += 1
        self._second_ends = self._second + 1 - self._wall_offset

    def _window_at(self, intended: float) -> str:
        return next((name for since, name in reversed(self._edges) if intended >= since), RAMP)

    def _new_series(self, table: dict[Key, _Series], ocpp: str, action: str, direction: str, outcome: str) -> _Series:
        key = (ocpp, self._known(action), direction, self._known(outcome))
        series = table.get(key)
        if series is None:
            series = table[key] = _Series(*key)
        return series

    def _known(self, name: str) -> str:
        """Return the name to count under: itself, until a peer has invented too many."""
        if name in self._names:
            return name
        if len(self._names) < _MAX_NAMES and len(name) <= _MAX_NAME_LENGTH:
            self._names.add(name)
            return name
        return f"{Outcome.CALLERROR}:{_OTHER}" if name.startswith(f"{Outcome.CALLERROR}:") else _OTHER
