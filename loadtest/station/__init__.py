"""The virtual charge point: a state machine that timers and the session core drive; no greenlet, no sleeping."""

from __future__ import annotations

from loadtest.station.context import Context
from loadtest.station.station import Station

__all__ = ["Context", "Station"]
