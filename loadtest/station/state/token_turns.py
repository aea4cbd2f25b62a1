"""Which of several tokens the next driver at a connector shows."""

from __future__ import annotations

from loadtest.station.contract import Host, State

__all__ = ["TokenTurns"]


class TokenTurns(State):
    """Lets the tokens of a station take turns; no two connectors ever show the same one, where there are enough."""

    __slots__ = ("_lease", "_shown", "_sockets")

    def __init__(self, station: Host) -> None:
        """Begin with the first token of each connector."""
        super().__init__(station)
        self._lease = station.lease
        self._sockets = len(station.connectors)
        self._shown: dict[int, int] = {}

    def next(self, connector: int) -> str:
        """Return the token of the next driver at a connector, counted from 1."""
        turn = self._shown.get(connector, 0)
        self._shown[connector] = turn + 1
        return self._lease.token_at(connector, turn=turn, connectors=self._sockets)
