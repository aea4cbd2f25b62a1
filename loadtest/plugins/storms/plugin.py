"""The storms of a run as its leader knows them: when each is due, what became of it, and what goes into `run.json`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Final

from config.locations import Location
from evidence.redact import redact_text
from evidence.vocabulary import COOL_DOWN, MEASURE, UNDELIVERED
from loadtest.measuring.recorder import Delta
from loadtest.plugins.contract import REMOTE_START, Conclusion, Note, Plugin, RunAccess
from loadtest.plugins.storms.control_channel import ControlChannel
from loadtest.plugins.storms.formula import Expected, expected
from loadtest.plugins.storms.neighbours import Neighbours, neighbours_told
from loadtest.plugins.storms.outside import ChangeRoot, knock
from loadtest.plugins.storms.plan import Position, Return, Shuffle, ends, plan, position_of, returns, victims
from loadtest.plugins.storms.process import KIND
from loadtest.plugins.storms.result import StormRun, quantities_of, result_of
from loadtest.plugins.storms.shell import MOST_OUTPUT, run_shell_command
from loadtest.plugins.storms.stability import LEAST_SECONDS, Seconds
from loadtest.plugins.storms.tally import PER_SECOND
from loadtest.timing.backoff import Backoff
from loadtest.timing.pacing import Draws
from loadtest.workload.storms import (
    BrokerRestart,
    BrokerSlow,
    ClockSurge,
    CsmsRestart,
    MassRemoteStart,
    MiddleRestart,
    PortScan,
    RegionFailover,
    RootChange,
    Storm,
    make_storm,
    write_storm,
)
from loadtest.workload.vendor import NEUTRAL
from ocppj.errors import UsageError
from ocppj.identity import check_owned, is_mqtt

__all__ = ["StormPlugin"]

_BEFORE: Final = 30.0
"""Seconds that the time after a storm is compared with."""
_AFTER: Final = 10.0
"""Seconds after a storm, and after its grace, that are compared."""
_GRACE: Final = 10.0
"""Seconds beyond the expected return of the last station."""
_AHEAD: Final = 1.1
"""Seconds before its time that a storm is ordered, so that a beat a second does not delay it."""
_SAMPLED: Final = 1000
_DRAWN: Final = 200
"""Points of a curve on Locust's page."""

_logger = logging.getLogger(__name__)


class StormPlugin(Plugin):
    """Leads the storms of one run after another."""

    name = "storm"
    kinds = frozenset({KIND})
    _access: RunAccess
    _storms: list[StormRun]
    _due: list[Storm]
    _seconds: Seconds
    _neighbours: Neighbours
    _control_channel: ControlChannel | None = None
    _measured_from: float | None
    """When the window `measure` began, in seconds since the start of the run."""
    _stopped: float | None

    def __init__(
        self,
        storms: Sequence[Storm],
        *,
        backoff: Backoff | Mapping[Backoff, float],
        seed: int = 0,
        owned: Sequence[str] = (),
        run_command: Callable[[str, float, Callable[[int, str], object]], object] | None = None,
        mute: Callable[[float, float, Callable[[int, str], object]], object] | None = None,
        change_root: ChangeRoot | None = None,
        call_timeout: float = 30.0,
        url: str = "",
    ) -> None:
        """Plan these storms; raises `UsageError` for one that goes to a host that is not `owned`.

        `run_command` runs a shell command after a delay in seconds and gives its exit code and output to a callback.
        `change_root` makes a CSMS go over to another root; None where that is not in our hands.
        `mute` keeps a CSMS from answering for some seconds after a delay; None where that is not in our hands.
        `call_timeout` is after how many seconds stations give up an answer; `url` is that of the CSMS.
        """
        self._planned = list(storms)
        self._backoff = backoff
        self._ways = list(backoff) if isinstance(backoff, Mapping) else [backoff]
        self._seed = seed
        self._owned = tuple(owned)
        self._run_command = run_command or run_shell_command
        self._mute = mute
        self._change_root = change_root
        self._call_timeout = call_timeout
        self._url = url
        for storm in storms:
            self._check_target(storm)
            self._check_means(storm)
        self._reset()

    # -- the course of the run -----------------------------------------------------------------------------------------

    def begin(self, access: RunAccess) -> None:
        """Begin a run."""
        self._reset()
        self._access = access
        self._due = sorted(self._planned, key=lambda storm: storm.at)
        self._control_channel = ControlChannel(access.folder)

    def note(self, worker: str, note: Note) -> None:
        """Add what a process tells of a storm."""
        del worker
        _, number, news = note
        for one in self._storms:
            if one.number == number and one.result is None:
                one.totals.add(news)

    def delta(self, delta: Delta) -> None:
        """Hear what a process recorded."""
        second = int(self._access.clock())
        self._seconds.add(delta, second, self._access.started)
        self._neighbours.add(delta, second)

    def beat(self, elapsed: float, window: str) -> None:
        """Order the storms that are due and take requests."""
        if window == MEASURE and self._measured_from is None:
            self._measured_from = elapsed
        if self._measured_from is not None and window != COOL_DOWN:
            while self._due and elapsed + _AHEAD >= self._measured_from + self._due[0].at:
                storm = self._due.pop(0)
                self._order(storm, "schedule", max(self._measured_from + storm.at - elapsed, 0.0))
        if self._control_channel is not None:
            for name, document in self._control_channel.take():
                self._control_channel.answer(name, self.trigger(document, "command"))
        for one in self._storms:
            if one.result is None and elapsed >= self._after_until(one) + LEAST_SECONDS:
                one.result = self._conclude(one, elapsed)
        oldest = min((one.began for one in self._storms if one.result is None), default=elapsed)
        for figures in (self._seconds, self._neighbours):
            figures.forget(min(oldest, elapsed) - _BEFORE - 1)

    def stopping(self) -> None:
        """Note that the run ends."""
        self._stopped = self._access.clock()

    @property
    def keeps_stations_away(self) -> bool:
        """Whether a storm that cuts connections is not over, or has just begun to be."""
        now = self._access.clock()
        return any(one.storm.cuts and one.began <= now <= one.settles for one in self._storms)

    def standing(self) -> Conclusion:
        """Return how far each storm is; objectives look at those that are over."""
        lines = []
        for one in self._storms:
            if one.result is None and one.struck:
                back = one.totals.total("back") if one.storm.cuts else one.totals.total("drained")
                since = self._access.clock() - one.began
                accepted = f", {one.totals.total(one.goal)} accepted" if one.storm.cuts else ""
                lines.append(f"{one.storm.name} {since:.0f} s ago: {back} of {one.struck} stations back{accepted}")
        return Conclusion(quantities=quantities_of(self._results), lines=lines)

    def conclude(self) -> Conclusion:
        """Write all storms."""
        now = self._stopped if self._stopped is not None else self._access.clock()
        for one in self._storms:
            if one.result is None:
                one.result = self._conclude(one, now)
        if self._control_channel is not None:
            self._control_channel.close()
            self._control_channel = None
        for storm in self._due:
            _logger.warning(
                "The storm %s was due %g s into the measurement; the run was shorter.", storm.name, storm.at
            )
        fields = {"storms": self._results} if self._storms else {}
        return Conclusion(fields=fields, quantities=quantities_of(self._results))

    # -- what people ask ---------------------------------------------------------------------------------------------

    @property
    def storms(self) -> list[dict[str, Any]]:
        """The storms so far: name, number, seconds since the start of the run, stations hit and back."""
        return [
            {
                "storm": one.storm.name,
                "number": one.number,
                "at": round(one.began, 1),
                "struck": one.struck,
                "back": one.totals.total(one.goal),
                "over": one.result is not None,
            }
            for one in self._storms
        ]

    def recoveries(self, most: int = 6) -> list[dict[str, Any]]:
        """Return the latest storms with their curves so far; those that are over have their verdict."""
        now = self._access.clock() if self._storms else 0.0
        found = []
        for one in self._storms[-most:]:
            result, since = one.result, max(now - one.began, 0.0)
            curve = one.totals.curve(since, one.expected) if result is None else result["curve"]
            step = max(len(curve) // _DRAWN, 1)
            found.append(
                {
                    "storm": one.storm.name,
                    "number": one.number,
                    "says": one.storm.says,
                    "at": round(one.began, 1),
                    "since": round(since, 1),
                    "wanted": one.stations,
                    "struck": one.struck,
                    "connected": one.totals.total("back") if one.storm.cuts else one.struck,
                    "back": one.totals.total(one.goal),
                    "over": result is not None,
                    "recovered": None if result is None else result["recovered"],
                    "reasons": [] if result is None else result["reasons"],
                    "curve": [
                        {key: row[key] for key in ("t", "back", "expected") if key in row} | {"goal": row[one.goal]}
                        for row in curve[::step]
                    ],
                }
            )
        return found

    def trigger(self, document: Any, who: str) -> dict[str, Any]:
        """Start a storm now because somebody asks for it; return its number and name, or an `error`."""
        try:
            storm = make_storm(document, Location("The storm"))
            if isinstance(storm, CsmsRestart) and storm.command:
                raise UsageError(  # noqa: TRY301 - answered like all other mistakes
                    "A running test takes no `command`; restart the CSMS yourself, and trigger this with cut=false"
                )
            if isinstance(storm, MiddleRestart | RootChange) and storm.command:
                raise UsageError("A running test takes no `command`; name it in the profile or with --storm")  # noqa: TRY301
            self._check_target(storm)
            self._check_means(storm)
            number = self._order(storm, who, 0.0)
        except UsageError as error:
            return {"error": str(error)}
        return {"storm": storm.name, "number": number, "stations": self._storms[-1].stations}

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _results(self) -> list[dict[str, Any]]:
        return [one.result for one in self._storms if one.result is not None]

    def _reset(self) -> None:
        self._storms = []
        self._due = []
        self._seconds = Seconds()
        self._neighbours = Neighbours()
        self._measured_from = self._stopped = None
        self.roots: list[str] = []
        """Files with the roots that the CSMS may have gone over to."""
        if self._control_channel is not None:
            self._control_channel.close()
            self._control_channel = None

    def _check_target(self, storm: Storm) -> None:
        if isinstance(storm, RegionFailover) and storm.to:
            check_owned(storm.to, self._owned)

    def _check_means(self, storm: Storm) -> None:
        if isinstance(storm, MiddleRestart) and not storm.command and self._mute is None:
            raise UsageError(
                "The storm middle-restart needs the command that restarts what stands behind the CSMS's sockets "
                "(command=…); only the practice CSMS with its --control-url needs none"
            )

        if isinstance(storm, RootChange) and not storm.command and self._change_root is None:
            raise UsageError(
                "The storm root-change needs the new root (ca=…) and what makes the CSMS use it (command=…); "
                "only the practice CSMS with its --control-url needs none"
            )
        if isinstance(storm, RootChange) and self._url and not self._url.startswith("wss:"):
            raise UsageError("The storm root-change needs a CSMS with TLS, at a URL that begins with wss://")
        if isinstance(storm, BrokerRestart | BrokerSlow) and self._url and not is_mqtt(self._url):
            raise UsageError(f"The storm {storm.name} needs a broker, at a URL that begins with mqtt:// or mqtts://")

    def _strike_csms(self, one: StormRun, storm: Storm, delay: float) -> None:
        """Do what a storm does to the CSMS itself."""
        if isinstance(storm, CsmsRestart | MiddleRestart | RootChange) and storm.command:
            self._run_command(storm.command, delay, lambda code, said: self._command_ended(one, code, said))
        elif isinstance(storm, MiddleRestart) and self._mute is not None:
            self._mute(storm.down, delay, lambda code, said: self._command_ended(one, code, said))
        elif isinstance(storm, RootChange) and self._change_root is not None:
            self._change_root.change(delay, lambda code, said: self._command_ended(one, code, said))
        elif isinstance(storm, PortScan):
            knock(self._access.url, storm, delay, lambda found: setattr(one, "scan", found))

    def _order(self, storm: Storm, trigger: str, delay: float) -> int:
        """Order a storm; raises `UsageError` where it cannot come."""
        if self._stopped is not None:
            raise UsageError("The run ends; no storm begins any more.")
        access = self._access
        if isinstance(storm, ClockSurge) and storm.align:
            now = access.started + access.clock() + delay
            delay += storm.align - now % storm.align
        number = len(self._storms) + 1
        total = max(access.target(), 1)
        began = access.clock() + delay
        one = StormRun(
            storm=storm,
            number=number,
            trigger=trigger,
            began=began,
            stations=victims(storm, total),
            settles=began + ends(storm),
        )
        if isinstance(storm, MassRemoteStart):
            self._ask_for_starts(one, storm, total, delay)
        self._storms.append(one)
        one.expected = self._promise(storm, one)
        last = one.expected.when(0.999) if one.expected is not None else ends(storm)
        one.settles = one.began + (ends(storm) + storm.grace if storm.grace else max(last, ends(storm)) + _GRACE)
        if isinstance(storm, MiddleRestart):
            # What was said in vain is given up only then, and said again: messages of transactions later still.
            one.settles += self._call_timeout + (0.0 if storm.grace else NEUTRAL.retry.interval)
        self._strike_csms(one, storm, delay)
        order = {"kind": KIND, "number": number, "storm": write_storm(storm), "delay": delay, "total": total}
        if isinstance(storm, RootChange):
            path = access.folder / "next-root.pem"
            if not storm.ca and self._change_root is not None:
                path.write_bytes(self._change_root.next_root)
            self.roots.append(storm.ca or str(path))
            order["ca"] = self.roots[-1]
        access.order(order)
        _logger.info("Storm %d: %s, %d of %d stations.", number, storm.name, one.stations, total)
        return number

    def _ask_for_starts(self, one: StormRun, storm: MassRemoteStart, total: int, delay: float) -> None:
        shuffle = Shuffle(self._seed, total, f"storm/{one.number}")
        positions = {n: position_of(storm, shuffle, n, total, Draws(0, "")) for n in range(1, total + 1)}
        stations = [
            [number, round(delay + position.index / position.count * storm.spread, 3)]
            for number, position in positions.items()
            if position is not None
        ]
        if not self._access.ask(REMOTE_START, {"stations": sorted(stations, key=lambda pair: pair[1])}):
            raise UsageError(
                "The storm mass-remote-start makes the CSMS start transactions, which needs a driver (--driver)"
            )

    def _command_ended(self, one: StormRun, code: int, said: str) -> None:
        one.exit_code = code
        level = logging.WARNING if code else logging.INFO
        _logger.log(level, "The command of storm %d (%s) ended with %d.", one.number, one.storm.name, code)
        for line in redact_text(said[:MOST_OUTPUT]).splitlines():
            _logger.log(level, "storm %d: %s", one.number, line)

    def _promise(self, storm: Storm, one: StormRun) -> Expected | None:
        """Work the formula out for the stations of a storm, or for as many of them as make a smooth curve."""
        if not storm.cuts:
            return None
        if isinstance(storm, CsmsRestart) and (storm.command or not storm.cut):
            return expected(self._backoff, [Return(0.0, storm.down, at_once=False)])
        step = max(one.stations // _SAMPLED, 1)
        indices = range(0, one.stations, step)
        draws = {index: Draws(self._seed, str(index), f"storm/{one.number}") for index in indices}
        return expected(
            self._backoff,
            [returns(plan(storm, Position(index, one.stations, draws[index]))) for index in indices],
        )

    def _measured_promise(self, one: StormRun) -> Expected | None:
        """Work the formula out for a restart that was not ours, from when it began and ended for the stations."""
        storm = one.storm
        if not isinstance(storm, CsmsRestart) or not (storm.command or not storm.cut):
            return one.expected
        back = one.totals.counts("back")
        # Attempts failed, so the first that did not tells when it was up again.
        up = min((bucket for bucket, count in back.items() if count > 0), default=0) / PER_SECOND
        up = up if one.totals.total("failed") else 0.0
        lost = [
            Return(bucket / PER_SECOND, max(up, bucket / PER_SECOND), at_once=False)
            for bucket, count in one.totals.counts("struck").items()
            for _ in range(count)
        ]
        return expected(self._backoff, lost)

    def _after_from(self, one: StormRun) -> float:
        """Return when the CSMS counts as recovered: when all are back, and at the latest after the grace."""
        if one.struck and one.totals.total("drained") >= one.struck:
            return min(max(one.began + one.totals.last_change, one.began + ends(one.storm)) + 1.0, one.settles)
        return one.settles

    def _after_until(self, one: StormRun) -> float:
        since = self._after_from(one)
        later = [other.began for other in self._storms if other.began > since]
        return min([since + _AFTER, *later])

    def _before_from(self, one: StormRun) -> float:
        """Return when the calm before a storm begins: not during the ramp, nor soon after another storm."""
        others = [self._after_from(other) for other in self._storms if other.number < one.number]
        begin = one.began if self._measured_from is None else self._measured_from
        return max([begin, one.began - _BEFORE, *others])

    def _conclude(self, one: StormRun, now: float) -> dict[str, Any]:
        since = self._after_from(one)
        until = min(self._after_until(one), now)
        before = (self._before_from(one), one.began)
        # Also of a storm that takes an instant.
        during = (int(one.began), max(ceil(min(since, now)), int(one.began) + 2))
        stations = max(self._access.target(), 1) - one.struck
        return result_of(
            one,
            before=self._seconds.sample(*before),
            during=self._seconds.sample(*during),
            neighbours=neighbours_told(
                self._neighbours, stations=stations, before=before, during=during, until=max(until, during[1])
            ),
            after=self._seconds.sample(since, until),
            expected=self._measured_promise(one),
            backoff=", ".join(map(str, self._ways)),
            lost=self._seconds.faults(UNDELIVERED, one.began, min(max(since, until), now)),
            lasted=min(max(since, one.began + one.totals.last_change), now) - one.began,
            lag_ms=self._access.lag_ms(),
        )
