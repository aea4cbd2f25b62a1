"""The virtual charge point, which timers and the session core drive; no greenlet, no sleeping.

Read `contract.py` first: it says what the parts are, and what they may ask of one another.
"""

from __future__ import annotations

from loadtest.station.context import Context
from loadtest.station.station import Station

__all__ = ["Context", "Station"]
