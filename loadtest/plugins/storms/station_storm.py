"""A storm as one station lives it: the steps of its plan as callbacks in the hub, and what becomes of the station.

A station knows it as `Station.storm` and tells it when it connects, is accepted, fails or is disconnected.
A station storm that begins while another one lasts passes all of that on to the older one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from evidence.vocabulary import STAYS_AWAY
from fixtures.payloads import v2x, v16
from loadtest.plugins.storms.old_socket import OldSocket
from loadtest.plugins.storms.plan import StormStep, Verb
from loadtest.plugins.storms.tally import LOCKED_OUT, Tally
from loadtest.plugins.storms.twin import Twin
from loadtest.station.charging_session import ChargingSession
from loadtest.station.dialect.contract import Ending, Payload, Trigger
from loadtest.station.life import Life
from loadtest.station.state.connectors import token_for
from loadtest.station.station import Station
from loadtest.station.views import ChargingSessionView, Phase
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Wire
from loadtest.transport.target import Target
from ocppj.versions import Version

__all__ = ["State", "StationStorm"]


class State(Enum):
    """How far a station is."""

    WAITING = "waiting"
    """Nothing has hit it yet."""
    GONE = "gone"
    BACK = "back"
    """Connected, and not accepted yet."""
    ACCEPTED = "accepted"
    """Accepted, and something that it has said is still to be answered."""
    OVER = "over"


class StationStorm:
    """One storm and one station."""

    __slots__ = (
        "_back_at",
        "_booted_at",
        "_expects",
        "_gone_at",
        "_held",
        "_installs",
        "_is_mute",
        "_old_sockets",
        "_older",
        "_shuts_out",
        "_steps",
        "_timer",
        "_twin",
        "_until",
        "begins",
        "cuts",
        "state",
        "station",
        "tally",
        "target",
        "watched_until",
    )

    def __init__(
        self,
        station: Station,
        tally: Tally,
        steps: list[StormStep],
        begins: float,
        *,
        cuts: bool,
        target: Target | None = None,
    ) -> None:
        """Lay a storm upon a station; it begins at `begins`, in monotonic seconds.

        `target` is where the station connects to from then on. `cuts` tells what it waits for: to be accepted again,
        or for answers only.
        """
        self.station = station
        self.tally = tally
        self.begins = begins
        self.cuts = cuts
        self.target = target
        self.state = State.WAITING
        # Known at once, not when its turn among thousands of timers comes.
        self.watched_until = begins + steps[0].value if steps[0].verb is Verb.WATCH else float("-inf")
        """Until when a loss of the connection counts as the storm's, where it is not the station that plays it."""
        self._steps = steps
        self._until = float("-inf")
        self._gone_at = self._back_at = self._booted_at = 0.0
        self._expects = self._installs = False
        self._is_mute = False
        self._shuts_out = any(step.verb in _SHUT_OUT for step in steps)
        self._twin: Twin | None = None
        self._held: Wire | None = None
        self._old_sockets: list[OldSocket] = []
        older = station.storm
        assert older is None or isinstance(older, StationStorm)
        self._older = older
        station.storm = self
        self._timer: Timer | None = station.context.timers.at(begins + steps[0].at, self._next, self.station)

    # -- what the station asks and tells -----------------------------------------------------------------------------

    def refuses(self) -> bool:
        """Return whether an attempt to connect fails in this moment, and count it."""
        if self.station.context.clock() < self._until:
            self.tally.refused += 1
            return True
        return self._older is not None and self._older.refuses()

    @property
    def comes_between(self) -> bool:
        """Whether it keeps messages of the station from the CSMS, or its answers from the station."""
        if self._shuts_out and self.state is not State.WAITING:
            return True
        return self._older is not None and self._older.comes_between

    def where(self) -> Target | None:
        """Return where the station is to connect to, where that is not the usual place."""
        return self.target or (self._older.where() if self._older is not None else None)

    def plays_a_loss(self) -> bool:
        """Return whether the station has just cut its own connection, for this storm or an older one."""
        if self.cuts and self.state is State.GONE:
            return True
        return self._older is not None and self._older.plays_a_loss()

    def answered(self, response_s: float, outcome: str) -> None:
        """Count a CALL of the station: it is none of a neighbour."""
        self.tally.calls.add(response_s, outcome)

    def opened(self, now: float) -> None:
        """Take note that the station is connected."""
        self.tally.opened(now)
        if self.cuts and self.state is State.GONE and not self._further_cuts():
            self.state = State.BACK
            self._back_at = now
            self.tally.back(now, 1)
        if self._older is not None:
            self._older.opened(now)

    def accepted(self, now: float) -> None:
        """Take note that the CSMS has accepted the station."""
        if self.state is State.BACK:
            self.state = State.ACCEPTED
            self._booted_at = now
            self.tally.booted(now, 1)
            self.tally.outage(now - self._gone_at, 1)
        if self._installs:
            # That is what the new firmware says.
            self._installs = False
            self._say_firmware("Installed", now)
        if self._older is not None:
            self._older.accepted(now)

    def failed(self, outcome: str) -> None:
        """Take note that an attempt failed."""
        if self.state is not State.WAITING:
            self.tally.failed(outcome, self.station.context.clock())
        if self._older is not None:
            self._older.failed(outcome)

    def lost(self, now: float, *, played: bool = False) -> None:
        """Take note that the connection is gone; `played` where that was another storm's doing."""
        if self.station.life in (Life.STOPPING, Life.OFF):
            return
        played = played or self.plays_a_loss()
        if self.state is State.WAITING and now < self.watched_until:
            self._strike(now)
        elif self.state in (State.BACK, State.ACCEPTED):
            self.tally.lost_again += not played
            self._withdraw()
        if not played and self._twin is not None:
            self.tally.real_kicked += 1
        if not played and any(not old.judged for old in self._old_sockets):
            self.tally.new_kicked += 1
        if self._older is not None:
            self._older.lost(now, played=played)

    def stays_away(self, why: str) -> None:
        """Take note that the station comes back no more, because its vendor takes the loss for the end."""
        if self.cuts and self.state is State.GONE:
            self.tally.stays_away(why)
        if self._older is not None:
            self._older.stays_away(why)

    def end(self) -> None:
        """Let go of everything; the station is gone for good."""
        timers = self.station.context.timers
        timers.cancel(self._timer)
        self._timer = None
        for old in self._old_sockets:
            old.close()
        self._old_sockets.clear()
        self._held = None
        if self._twin is not None:
            self._twin.close()
            self._twin = None
        self.station.storm = None
        if self._older is not None:
            self._older.end()
            self._older = None

    # -- what the storm process asks -----------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether nothing more is to come and to be seen."""
        return self.state is State.OVER and not self._steps and not self._old_sockets

    def look(self, now: float) -> None:
        """See whether all that the station had to say is answered."""
        station = self.station
        if self.state is State.WAITING and not self._steps and now >= self.watched_until:
            self.state = State.OVER
        if self.state is not (State.ACCEPTED if self.cuts else State.GONE) or self._steps:
            return
        if self._held is not None or self._old_sockets or (self._expects and not self._charging_sessions()):
            return
        if station.online and not station.awaits_answer and not station.messages_waiting:
            self.state = State.OVER
            self.tally.drained(now)

    def leave(self) -> None:
        """Go, and leave the station to the storm before; a target stays."""
        if self.target is None and self.station.storm is self:
            older, self._older = self._older, None
            self.station.storm = older
            if older is not None and older.done:
                older.leave()

    # -- steps -------------------------------------------------------------------------------------------------------

    def _further_cuts(self) -> bool:
        return any(step.verb in _CUTS for step in self._steps)

    def _strike(self, now: float) -> None:
        """Count the station as hit, once."""
        if self.state is State.WAITING:
            self._gone_at = now
            self.tally.struck(now)
        self.state = State.GONE

    def _next(self, when: float) -> None:
        step = self._steps.pop(0)
        steps = self._steps
        self._timer = (
            self.station.context.timers.at(self.begins + steps[0].at, self._next, self.station) if steps else None
        )
        _STEPS[step.verb](self, step, when)

    def _cut(self, step: StormStep, when: float) -> None:
        self._until = self.begins + step.value
        self._lose(when)
        self.station.cut()

    def _close(self, step: StormStep, when: float) -> None:
        self._lose(when)
        self.station.cut(int(step.value))

    def _lose(self, when: float) -> None:
        """Count the loss before the station reports it, so that it is the storm's and no second one."""
        if self.state in (State.BACK, State.ACCEPTED):
            self._withdraw()
        self._strike(when)

    def _withdraw(self) -> None:
        """Take back that the station was back: it was not for good."""
        self.tally.back(self._back_at, -1)
        if self.state is State.ACCEPTED:
            self.tally.booted(self._booted_at, -1)
            self.tally.outage(self._booted_at - self._gone_at, -1)
        self.state = State.GONE

    def _off(self, _: StormStep, when: float) -> None:
        self._lose(when)
        self.station.lose_power()

    def _on(self, _: StormStep, __: float) -> None:
        self.station.start()

    def _connect(self, _: StormStep, __: float) -> None:
        self._until = float("-inf")
        self.station.connect_now()

    def _part(self, step: StormStep, when: float) -> None:
        self._lose(when)
        station = self.station
        socket = station.part()
        if socket is not None:
            self._old_sockets.append(
                OldSocket(socket, station.context.timers, when + step.value, self._old_socket_seen, station)
            )

    def _old_socket_seen(self, old: OldSocket, *, closed: bool) -> None:
        """Count what the CSMS has done with an old socket."""
        self.tally.old_closed += closed
        self.tally.old_open += not closed
        self._old_sockets.remove(old)

    def _mute(self, step: StormStep, when: float) -> None:
        station = self.station
        self._strike(when)
        socket = self._held = station.socket
        if socket is None:
            return
        socket.pause()
        # One answer at least has to wait for its reader.
        station.call("Heartbeat", {}, when)
        self._timer = station.context.timers.at(when + step.value, self._unmute, self.station)

    def _unmute(self, _: float) -> None:
        socket, self._held, self._timer = self._held, None, None
        if socket is not None and socket is self.station.socket:
            socket.resume()

    def _meters(self, _: StormStep, when: float) -> None:
        station = self.station
        self._strike(when)
        for connector in station.connectors:
            if connector.charging_session is not None and connector.charging_session.phase is Phase.CHARGING:
                connector.charging_session.report(when, Trigger.CLOCK)
            else:
                timestamp = station.context.timestamp(when)
                station.call(
                    "MeterValues",
                    station.dialect.meter_values(connector.model, connector.reading, timestamp, Trigger.CLOCK),
                    when,
                )

    def _plug_in(self, step: StormStep, when: float) -> None:
        busy = {
            connector.model.evse_id for connector in self.station.connectors if connector.charging_session is not None
        }
        sessions = self.station.context.profile.sessions
        for connector in self.station.connectors:
            if connector.operative and connector.model.evse_id not in busy:
                busy.add(connector.model.evse_id)
                charging_session = ChargingSession(self.station, connector, token_for(self.station, connector))
                charging_session.begin(when, when + step.value, authorize=sessions is None or sessions.authorize)

    def _charging_sessions(self) -> list[ChargingSessionView]:
        return [
            connector.charging_session
            for connector in self.station.connectors
            if connector.charging_session is not None
        ]

    def _suspend(self, _: StormStep, when: float) -> None:
        for charging_session in self._charging_sessions():
            charging_session.suspend(when)

    def _resume(self, _: StormStep, when: float) -> None:
        charging_sessions = self._charging_sessions()
        if charging_sessions:
            self._strike(when)
        else:
            self.state = State.OVER
        for charging_session in charging_sessions:
            charging_session.resume(when)

    def _firmware(self, step: StormStep, when: float) -> None:
        self._say_firmware(step.word, when)

    def _reboot(self, _: StormStep, when: float) -> None:
        self._lose(when)
        self._installs = True
        self.station.reboot(Ending.SOFT_RESET)

    def _say_firmware(self, word: str, when: float) -> None:
        payload = _FIRMWARE_STATUS[self.station.version](word, self.tally.number)
        self.station.call("FirmwareStatusNotification", payload, when)

    def _expect(self, _: StormStep, when: float) -> None:
        self._strike(when)
        self._expects = True

    def _beat(self, _: StormStep, when: float) -> None:
        """Say something, and believe the CSMS again that it hears."""
        station = self.station
        if self._is_mute:
            self._is_mute = False
            station.blame_again()
        if self._twin is not None:
            self._twin.close()
            self._twin = None
        self._strike(when)
        station.call("Heartbeat", {}, when)

    def _fall_mute(self, _: StormStep, when: float) -> None:
        station = self.station
        self._strike(when)
        self._is_mute = True
        station.blame_nobody()
        station.call("Heartbeat", {}, when)

    def _begin_twin(self, step: StormStep, when: float) -> None:
        self._strike(when)
        self._twin = Twin(self.station, self.tally, step.value)

    def _do(self, step: StormStep, when: float) -> None:
        assert step.act is not None
        self._strike(when)
        step.act(self.station, when)

    def _lock_out(self, _: StormStep, __: float) -> None:
        self.tally.stays_away(LOCKED_OUT)
        self.station.context.recorder.injected(f"{STAYS_AWAY}{LOCKED_OUT}")

    def _impair(self, step: StormStep, when: float) -> None:
        assert step.rule is not None
        self._strike(when)
        self.station.impair(step.rule)

    def _relieve(self, step: StormStep, _: float) -> None:
        assert step.rule is not None
        self.station.relieve(step.rule)

    def _watch(self, _: StormStep, __: float) -> None:
        """Do nothing: what is watched was known from the start."""


def _firmware_status_v16(word: str, _: int) -> Payload:
    return v16.firmware_status_notification(word)


def _firmware_status_v2x(word: str, number: int) -> Payload:
    return v2x.firmware_status_notification(word, request_id=number)


_FIRMWARE_STATUS: Final[dict[Version, Callable[[str, int], Payload]]] = {
    Version.V16: _firmware_status_v16,
    Version.V201: _firmware_status_v2x,
    Version.V21: _firmware_status_v2x,
}

_STEPS: Final[dict[Verb, Callable[[StationStorm, StormStep, float], None]]] = {
    Verb.CUT: StationStorm._cut,  # noqa: SLF001 - a dispatch table of this very class
    Verb.CLOSE: StationStorm._close,  # noqa: SLF001
    Verb.OFF: StationStorm._off,  # noqa: SLF001
    Verb.ON: StationStorm._on,  # noqa: SLF001
    Verb.CONNECT: StationStorm._connect,  # noqa: SLF001
    Verb.PART: StationStorm._part,  # noqa: SLF001
    Verb.MUTE: StationStorm._mute,  # noqa: SLF001
    Verb.METERS: StationStorm._meters,  # noqa: SLF001
    Verb.PLUG_IN: StationStorm._plug_in,  # noqa: SLF001
    Verb.SUSPEND: StationStorm._suspend,  # noqa: SLF001
    Verb.RESUME: StationStorm._resume,  # noqa: SLF001
    Verb.FIRMWARE: StationStorm._firmware,  # noqa: SLF001
    Verb.REBOOT: StationStorm._reboot,  # noqa: SLF001
    Verb.EXPECT: StationStorm._expect,  # noqa: SLF001
    Verb.BEAT: StationStorm._beat,  # noqa: SLF001
    Verb.FALL_MUTE: StationStorm._fall_mute,  # noqa: SLF001
    Verb.TWIN: StationStorm._begin_twin,  # noqa: SLF001
    Verb.DO: StationStorm._do,  # noqa: SLF001
    Verb.LOCKED_OUT: StationStorm._lock_out,  # noqa: SLF001
    Verb.IMPAIR: StationStorm._impair,  # noqa: SLF001
    Verb.RELIEVE: StationStorm._relieve,  # noqa: SLF001
    Verb.WATCH: StationStorm._watch,  # noqa: SLF001
}
_CUTS: Final = frozenset({Verb.CUT, Verb.CLOSE, Verb.OFF, Verb.PART, Verb.REBOOT})
_SHUT_OUT: Final = _CUTS | {Verb.MUTE, Verb.FALL_MUTE, Verb.TWIN, Verb.LOCKED_OUT, Verb.IMPAIR, Verb.WATCH}
