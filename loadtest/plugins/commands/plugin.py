"""The plugin of a run that has commands: it lives with the leader, sends them, and finds out what they led to.

    plugin.fire("remote-start", identities, at)      # one command to each station, at a time of `RunAccess.clock`

Stations tell what they see only while its orders come, once a second (`loadtest.plugins.commands.observer`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from types import MappingProxyType
from typing import Any, Final

import gevent
import gevent.event

from drivers.base import MOST_AT_ONCE, Driver, TokenSettings
from evidence.histogram import write_hlog
from evidence.plugin_results import CommandOutcome
from evidence.vocabulary import COOL_DOWN, MEASURE
from loadtest.plugins.commands.figures import Figures, live_line
from loadtest.plugins.commands.matching import Api, Matcher, SeenEffect, Sent, digest_of, key_of
from loadtest.plugins.commands.observer import DID, ORDER, SEEN, STATE, machine_of
from loadtest.plugins.commands.roster import Roster, StationSeen, connector_id
from loadtest.plugins.commands.schedule import CommandSchedule, Due
from loadtest.plugins.commands.sender import Sender
from loadtest.plugins.commands.tokens import MOST_TOKENS, TokenStore
from loadtest.plugins.contract import REMOTE_START, Conclusion, Note, Plugin, RunAccess
from loadtest.timing.pacing import Draws
from loadtest.workload.command_catalogue import Candidates
from loadtest.workload.commands import Command, Errand, fill, plan
from ocppj.errors import HarnessError, UsageError
from ocppj.trace import wall_clock
from ocppj.versions import Version

__all__ = ["CommandPlugin"]

_logger = logging.getLogger(__name__)

_LAST_ANSWERS: Final = 2.0
"""Seconds that the end of a run waits for answers of the CSMS's API."""
_SPARE: Final = 32
_TOKEN_SETTERS: Final = 8
_TOKEN_TYPE: Final = "ISO14443"  # noqa: S105 - a word of the IdTokenEnumType
_TOKEN_TYPES: Final[Mapping[Version, str | None]] = MappingProxyType(
    {Version.V16: None, Version.V201: _TOKEN_TYPE, Version.V21: _TOKEN_TYPE}
)
"""An idTag of 1.6 has no type."""
_FIRED_RATE: Final = "1/h"
_LONG: Final = 3600.0
_AHEAD: Final = 3.0
"""Seconds that stations need to report that they are there, where they were not asked before."""


class CommandPlugin(Plugin):
    """Commands through a driver, within one run after another."""

    name = "command"
    kinds = frozenset({SEEN, DID, STATE})

    def __init__(
        self,
        commands: Sequence[Command],
        versions: Iterable[Version],
        make_driver: Callable[[], Driver],
        seed: int,
        *,
        duration: float | None = None,
        most: int = MOST_AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Plan; raises `UsageError` for commands that no station of the run could be sent.

        `duration` is that of the run in seconds, where it has one; `most` commands are under way at once.
        """
        self._versions = list(versions)
        self._commands = list(commands)
        self._planned = plan(self._commands, self._versions)
        self._make_driver = make_driver
        self._seed = seed
        self._duration = _LONG if duration is None else duration
        self._most = most
        self._clock = clock
        self._machine = machine_of()
        self._line = ""

    # -- the run -----------------------------------------------------------------------------------------------------

    def begin(self, access: RunAccess) -> None:
        """Begin a run: open the driver, and make tokens known while the stations come."""
        self._access = access
        now = self._clock()
        self._zero = now - access.clock()
        self._errands = {errand.label: errand for errand in self._planned}
        self._figures = Figures()
        self._matcher = Matcher(self._closed)
        self._roster = Roster()
        self._tokens = TokenStore()
        self._stopped: float | None = None
        self._on = bool(self._planned)
        self._begun: set[str] = set()
        self._number = 0
        self._complained = False
        self._draws = Draws(self._seed, "stations", "commands")
        self._schedule = CommandSchedule(
            self._planned, self._seed, lambda: self._access.stations or self._roster.online
        )
        self._news = gevent.event.Event()
        self._driver = self._make_driver()
        self._driver.begin(access.folder)
        self._sender = Sender(self._driver, self._clock, self._prepare, self._answered, self._most)
        self._helpers = [gevent.spawn(self._keep_time)]
        starts = [errand for errand in self._planned if errand.uses("token")]
        rate = sum(errand.rate.of(self._access.stations) for errand in starts)
        self._make_tokens_known(ceil(rate * self._duration) + _SPARE if starts else 0)

    def note(self, worker: str, note: Note) -> None:  # noqa: ARG002 - stations are known by their identity
        """Hear what a station saw or did, or how it stands."""
        kind, *values = note
        if kind == STATE:
            self._roster.learn(values[0])
        elif kind == SEEN:
            station, action, key, digest, taken, at = values
            self._matcher.seen(station, action, key, digest, at, taken=taken)
        else:
            station, seen_effect, key, at = values
            self._matcher.did(station, SeenEffect(seen_effect), key, at)

    def beat(self, elapsed: float, window: str) -> None:  # noqa: ARG002 - the clock here is finer
        """Keep stations watching, begin what the window lets begin, and close what is over."""
        if not self._on:
            return
        now = self._clock()
        self._access.order({"kind": ORDER, "machine": self._machine, "sent": now})
        if window == COOL_DOWN:
            self._schedule.end()
        elif self._stopped is None:
            self._begin_errands(window, now)
        self._matcher.settle(now)
        under_way = len(self._matcher) + self._sender.waiting
        self._line = live_line(self._figures.verdicts, under_way, self._figures.merged("reach"))

    def stopping(self) -> None:
        """Send nothing more."""
        if self._stopped is None:
            self._stopped = self._clock()
            self._schedule.clear()
            self._news.set()

    def standing(self) -> Conclusion:
        """Return how things stand."""
        lines = [self._line] if self._line else []
        return Conclusion(quantities=self._figures.quantities(), lines=lines)

    def conclude(self) -> Conclusion:
        """Close everything, and write the histograms."""
        self.stopping()
        assert self._stopped is not None
        if self._on:
            self._sender.drain(_LAST_ANSWERS)
        for due in self._sender.stop():
            waited = self._stopped - due.at
            self._count_unsent(due, waited if waited >= due.errand.command.timeout else None)
        gevent.killall(self._helpers, timeout=1.0)
        if self._on:
            # What stations still report would reach the next run.
            self._access.order({"kind": ORDER, "last": True})
        self._driver.close()
        self._matcher.end(self._stopped)
        seconds = self._clock() - self._zero
        intervals = list(self._figures.intervals(seconds))
        if intervals:
            path = self._access.folder / "histograms" / "commands.hlog"
            write_hlog(path, intervals, started=self._access.started)
        rows = self._figures.rows()
        return Conclusion(fields={"commands": rows} if rows else {}, quantities=self._figures.quantities())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The commands so far, as `run.json` will hold them."""
        return self._figures.rows()

    @property
    def outcomes(self) -> list[tuple[str, str, str, int]]:
        """Command, version and outcome, and how often that was so far."""
        return list(self._figures.outcomes())

    def fire(self, alias: str, stations: Sequence[str], at: float) -> None:
        """Send one command to each of these stations at a time of `RunAccess.clock`, or now where that has passed.

        `alias` is the name of a planned command, an alias or an action. Raises `UsageError` for one that no station of
        the run knows. A station that is not there then counts as `no-target`; so where nothing was planned, call this
        or `watch` three seconds ahead, for stations to tell that they are there.
        """
        errand = self._errands.get(alias)
        if errand is None:
            errand = self._errands[alias] = self.errand_of(alias)
        self.watch()
        if errand.uses("token"):
            self._make_tokens_known(len(stations))
        for station in stations:
            self._schedule.add(Due(errand=errand, at=self._zero + at, station=station))
        self._news.set()

    def asked(self, kind: str, request: dict[str, Any]) -> bool:
        """Start a transaction at each station of a storm, after its delay in seconds; other requests are not for us."""
        if kind != REMOTE_START:
            return False
        now = self._access.clock() + (0.0 if self._on else _AHEAD)
        for number, delay in request["stations"]:
            self.fire("remote-start", [self._access.identity(number)], now + delay)
        return True

    def errand_of(self, alias: str) -> Errand:
        """Find what `fire` would send; raises `UsageError` where no station of the run knows it."""
        planned = next((errand for errand in self._planned if errand.label == alias), None)
        if planned is not None:
            return planned
        try:
            command = Command(action=alias, rate=_FIRED_RATE)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return plan([command], self._versions)[0]

    def watch(self) -> None:
        """Have stations tell what they see from now on, though nothing was planned."""
        self._on = True

    # -- time --------------------------------------------------------------------------------------------------------

    def _begin_errands(self, window: str, now: float) -> None:
        for errand in self._planned:
            wanted = window == MEASURE or errand.command.during == "run"
            if wanted and errand.label not in self._begun and len(self._roster):
                self._begun.add(errand.label)
                self._schedule.begin([errand.label], now)
                self._news.set()

    def _keep_time(self) -> None:
        """Hand over each command at its time."""
        while True:
            now = self._clock()
            for due in self._schedule.due(now):
                self._sender.submit(due)
            self._news.clear()
            when = self._schedule.next_at
            self._news.wait(None if when is None else max(when - self._clock(), 0.0))

    # -- one command -------------------------------------------------------------------------------------------------

    def _prepare(self, due: Due, now: float) -> Sent | None:
        """Choose the station and fill the payload in; None where nothing is sent, which is counted."""
        errand = due.errand
        if now - due.at > errand.command.timeout:
            self._count_unsent(due, now - due.at)
            return None
        seen = self._choose(due)
        if seen is None:
            self._count_unsent(due, None)
            return None
        recipe = errand.recipes[Version(seen.ocpp)]
        self._number += 1
        connector = seen.connector_for(recipe.target)
        token = (self._tokens.take(seen.identity, self._is_idle) or seen.token) if errand.uses("token") else ""
        payload = fill(
            recipe.payload,
            {
                "token": token,
                "tokenType": _TOKEN_TYPE,
                "connector": connector_id(seen.ocpp, connector),
                "evse": connector.evse_id,
                "transactionId": connector.transaction_id,
                "number": self._number,
                "limit": errand.command.limit,
                "now": wall_clock(time.time()),
            },
        )
        sent = Sent(
            errand=errand,
            recipe=recipe,
            ocpp=seen.ocpp,
            station=seen.identity,
            payload=payload,
            key=key_of(recipe.action, payload),
            digest=digest_of(payload),
            intended=due.at,
            sent=now,
            token=token,
        )
        self._matcher.begin(sent)
        return sent

    def _choose(self, due: Due) -> StationSeen | None:
        errand = due.errand
        if due.station is None:
            return self._roster.choose(
                errand.recipes.keys(), errand.target, self._draws, lambda station: self._is_free(station, errand)
            )
        seen = self._roster.find(due.station)
        if seen is None or seen.ocpp not in errand.recipes:
            return None
        needs_transaction = errand.target is Candidates.CHARGING and Candidates.CHARGING not in seen.targets
        return None if needs_transaction else seen

    def _is_idle(self, station: str) -> bool:
        seen = self._roster.find(station)
        return seen is not None and Candidates.IDLE in seen.targets and not self._matcher.at(station)

    def _is_free(self, station: str, errand: Errand) -> bool:
        """Return whether no open command at a station gets into the way of another one."""
        opened = self._matcher.at(station)
        if not opened:
            return True
        recipe = next(iter(errand.recipes.values()))
        if recipe.disturbs:
            return False
        return not any(sent.errand.label == errand.label or sent.recipe.action == "Reset" for sent in opened)

    def _answered(self, sent: Sent, api: Api, at: float, why: str) -> None:
        self._matcher.answered(sent, api, at, why)

    def _closed(self, sent: Sent, verdict: CommandOutcome) -> None:
        self._figures.close(sent, verdict)
        if sent.token and (sent.cut_short or verdict not in (CommandOutcome.ACCEPTED, CommandOutcome.OPEN)):
            self._tokens.rest(sent.token)

    def _count_unsent(self, due: Due, waited: float | None) -> None:
        version, recipe = next(iter(due.errand.recipes.items()))
        self._figures.never_sent(due.errand.label, version, recipe.action, recipe.effect, waited)

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _make_tokens_known(self, number: int) -> None:
        """Have the CSMS know so many tokens for commands; where it takes none, the stations' own are used."""
        number = min(number, MOST_TOKENS) - self._tokens.made
        version = self._versions[0]
        if number > 0 and self._driver.missing("token:Accepted", version) is None:
            wanted = iter([self._tokens.make() for _ in range(number)])
            self._helpers += [gevent.spawn(self._set_tokens, wanted, version) for _ in range(_TOKEN_SETTERS)]

    def _set_tokens(self, wanted: Iterable[str], version: Version) -> None:
        settings = TokenSettings(status="Accepted", type=_TOKEN_TYPES[version])
        for token in wanted:
            if self._stopped is not None:
                return
            try:
                self._driver.set_token(token, settings, version)
            except HarnessError as error:
                if not self._complained:
                    self._complained = True
                    _logger.warning("The CSMS takes no more tokens (%s); stations' own are used.", error)
                return
            self._tokens.add(token)
