"""When cars come: the plan of each EVSE follows from draws alone, never from how fast the CSMS answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from loadtest.station.battery_swaps import BatterySwaps
from loadtest.station.charging_session import ChargingSession
from loadtest.station.contract import Host
from loadtest.station.own_arrivals import OwnArrivals
from loadtest.station.replay import ReplayPlayer
from loadtest.station.state.connectors import token_for
from loadtest.station.state.reservations import admits
from loadtest.station.views import ConnectorView
from loadtest.timing.pacing import van_der_corput
from loadtest.timing.timers import Timer
from loadtest.workload.profile import Profile, Sessions
from loadtest.workload.sessions import PlannedSession, Schedule

__all__ = ["Arrivals", "PlannedArrivals", "arrivals_at"]


def arrivals_at(station: Host) -> Arrivals | BatterySwaps | PlannedArrivals | OwnArrivals | ReplayPlayer | None:
    """Plan what the station's profile says; None where nobody comes."""
    profile, recorded = station.profile, station.profile.recorded
    if profile.sessions is not None:
        return Arrivals(station, profile.sessions)
    if profile.swaps is not None:
        return BatterySwaps(station, profile.swaps)
    if profile.cars is not None:
        return OwnArrivals(station, profile.cars)
    if profile.workload is not None:
        return PlannedArrivals(station, profile, _by_curve(station, profile))
    if not recorded.stations:
        return None
    number = (station.lease.number - 1) % recorded.stations
    if recorded.sessions:
        return PlannedArrivals(station, profile, [(iter(recorded.sessions[number]), list(station.connectors))])
    own = profile.replay is None or profile.replay.tokens == "own"
    return ReplayPlayer(
        station, recorded.cues[number], partial(token_for, station, station.connectors[0]) if own else None
    )


def _by_curve(station: Host, profile: Profile) -> list[tuple[Iterator[PlannedSession], list[ConnectorView]]]:
    assert profile.workload is not None
    by_evse: dict[int, list[ConnectorView]] = {}
    for connector in station.connectors:
        by_evse.setdefault(connector.model.evse_id, []).append(connector)
    return [
        (
            Schedule(
                profile.workload,
                seed=station.context.seed,
                identity=station.lease.identity,
                evse=evse,
                start=profile.start,
            ),
            connectors,
        )
        for evse, connectors in by_evse.items()
    ]


class Arrivals:
    """The arrivals at one station; of the connectors of one EVSE, one is used at a time."""

    __slots__ = ("_evses", "_sessions", "_station")

    def __init__(self, station: Host, sessions: Sessions) -> None:
        """Plan for every EVSE of the station."""
        self._station = station
        self._sessions = sessions
        by_evse: dict[int, list[ConnectorView]] = {}
        for connector in station.connectors:
            by_evse.setdefault(connector.model.evse_id, []).append(connector)
        self._evses = [_Evse(station, sessions, connectors) for connectors in by_evse.values()]

    def plan(self, now: float) -> None:
        """Let the first cars come, spread over the whole fleet and the whole cycle."""
        for rank, evse in enumerate(self._evses):
            phase = van_der_corput(self._station.lease.number + rank * _FAR_APART)
            evse.expect(now + phase * self._sessions.cycle)

    def cancel(self) -> None:
        """Let no more cars come."""
        for evse in self._evses:
            evse.cancel()


_FAR_APART = 0x5555
"""Distance in the sequence of phases between the EVSEs of one station, so that they do not move in step."""


class _Evse:
    __slots__ = ("_connectors", "_next", "_sessions", "station")

    def __init__(self, station: Host, sessions: Sessions, connectors: list[ConnectorView]) -> None:
        self.station = station
        self._sessions = sessions
        self._connectors = connectors
        self._next: Timer | None = None

    def expect(self, when: float) -> None:
        self._next = self.station.context.timers.at(when, self._arrives, self.station)

    def cancel(self) -> None:
        self.station.context.timers.cancel(self._next)
        self._next = None

    def _arrives(self, when: float) -> None:
        station, sessions = self.station, self._sessions
        context, draws = station.context, station.draws
        until = when + context.draw(sessions.duration, draws)
        gap = context.draw(sessions.gap, draws)
        connector = self._connectors[draws.below(len(self._connectors))]
        self.expect(until + gap)
        # A driver who finds the connector taken or out of order drives on.
        token = token_for(station, connector)
        if (
            connector.operative
            and not any(other.charging_session for other in self._connectors)
            and admits(station, connector, token)
        ):
            ChargingSession(station, connector, token).begin(when, until, authorize=sessions.authorize)


class PlannedArrivals:
    """Arrivals that a schedule or a recording knows beforehand, in the time of the simulated day."""

    __slots__ = ("_tracks",)

    def __init__(
        self, station: Host, profile: Profile, tracks: list[tuple[Iterator[PlannedSession], list[ConnectorView]]]
    ) -> None:
        """Take the sessions, and the connectors at which they are planned."""
        authorize = profile.workload is None or profile.workload.authorize
        self._tracks = [_Track(station, sessions, connectors, authorize=authorize) for sessions, connectors in tracks]

    def plan(self, now: float) -> None:
        """Go on where the day is; a car that should be there already plugs in at once, with what it still wants."""
        for track in self._tracks:
            track.plan(now)

    def cancel(self) -> None:
        """Let no more cars come."""
        for track in self._tracks:
            track.cancel()


class _Track:
    __slots__ = ("_authorize", "_connectors", "_next", "_session", "_sessions", "station")

    def __init__(
        self, station: Host, sessions: Iterator[PlannedSession], connectors: list[ConnectorView], *, authorize: bool
    ) -> None:
        self.station = station
        self._sessions = sessions
        self._connectors = connectors
        self._authorize = authorize
        self._session: PlannedSession | None = None
        self._next: Timer | None = None

    def plan(self, now: float) -> None:
        for session in self._sessions:
            if self._clock(session.until) <= now:
                continue
            if self._clock(session.at) >= now:
                self._expect(session)
                return
            self._comes(session, now)

    def cancel(self) -> None:
        self.station.context.timers.cancel(self._next)
        self._next = None

    def _clock(self, seconds: float) -> float:
        """Return when a moment of the simulated day is."""
        return self.station.context.began + seconds / self.station.profile.compression

    def _expect(self, session: PlannedSession | None) -> None:
        self._session = session
        if session is not None:
            self._next = self.station.context.timers.at(self._clock(session.at), self._arrives, self.station)

    def _arrives(self, when: float) -> None:
        session = self._session
        assert session is not None
        self._expect(next(self._sessions, None))
        self._comes(session, when)

    def _comes(self, session: PlannedSession, when: float) -> None:
        connector = self._connector_for(session)
        # A driver who finds the connector taken or out of order drives on.
        if connector is None:
            return
        token = session.token or token_for(self.station, connector)
        if admits(self.station, connector, token):
            ChargingSession(self.station, connector, token).begin(
                when, self._clock(session.until), authorize=self._authorize, planned=session
            )

    def _connector_for(self, session: PlannedSession) -> ConnectorView | None:
        connectors = self._connectors
        taken = {connector.model.evse_id for connector in connectors if connector.charging_session is not None}
        free = [connector for connector in connectors if connector.operative and connector.model.evse_id not in taken]
        if session.connector is not None:
            return next((connector for connector in free if connector.model.number == session.connector), None) or (
                free[0] if free and session.connector > len(connectors) else None
            )
        return free[int(session.pick * len(free))] if free else None
