"""The words of a load run in `run.json`: directions, windows and outcomes, shared by writers and readers."""

from __future__ import annotations

from typing import Final

from ocppj.outcomes import Outcome

__all__ = [
    "CHECK",
    "COOL_DOWN",
    "DELIVERY_FAULTS",
    "DUPLICATE_DELIVERY",
    "FROM_CSMS",
    "MEASURE",
    "NOTES_DROPPED",
    "NO_PROPERTIES",
    "OPENED",
    "OTHER_DIALECT",
    "PUBLISH_REFUSED",
    "RAMP",
    "RETAINED_DELIVERY",
    "SLOW_CONSUMER",
    "SLOW_READER",
    "STATION_CRASH",
    "STAYS_AWAY",
    "TO_CSMS",
    "TRIGGER_LOOP",
    "UNDELIVERED",
    "WARM_UP",
    "WINDOWS",
    "is_failure",
]

TO_CSMS: Final = "station-to-csms"
FROM_CSMS: Final = "csms-to-station"

RAMP: Final = "ramp"
WARM_UP: Final = "warm-up"
MEASURE: Final = "measure"
COOL_DOWN: Final = "cool-down"
WINDOWS: Final = (RAMP, WARM_UP, MEASURE, COOL_DOWN)
"""The windows of a run in their order; only the CALLs intended within `measure` are judged."""

OPENED: Final = "opened"
"""Outcome of a connection attempt that succeeded; every other word is a failure."""

UNDELIVERED: Final = "transaction-message-undelivered"
"""The fault under which transaction messages are counted that a station gave up."""
CHECK: Final = "check: "
"""Begins the fault under which failed checks of people's own stations are counted."""
DUPLICATE_DELIVERY: Final = "mqtt-duplicate-delivery"
RETAINED_DELIVERY: Final = "mqtt-retained-delivery"
"""Messages that a broker may deliver again (DUP flag), and old ones that it had kept for whoever subscribes."""
OTHER_DIALECT: Final = "mqtt-other-dialect"
NO_PROPERTIES: Final = "mqtt-properties-missing"
"""Messages whose payload is of another dialect, or that lack the MQTT 5 properties of this one."""
PUBLISH_REFUSED: Final = "mqtt-publish-refused"
"""Messages of stations that the broker did not take."""
DELIVERY_FAULTS: Final = (DUPLICATE_DELIVERY, RETAINED_DELIVERY, OTHER_DIALECT, NO_PROPERTIES, PUBLISH_REFUSED)
SLOW_READER: Final = "slow-reader"
SLOW_CONSUMER: Final = "slow-consumer"
"""Faults of a CSMS that does not read what is sent to it: for a while, and for so long that the station gave up."""
STATION_CRASH: Final = "station-crash"
"""The fault under which mistakes of Plugstorm at one station are counted."""
TRIGGER_LOOP: Final = "trigger-loop"
"""The fault under which triggers are counted by which the CSMS makes a station reconnect again and again."""
STAYS_AWAY: Final = "stays away after: "
"""Begins the injected kind under which stations are counted that come back no more, as their vendor has it."""
NOTES_DROPPED: Final = "notes-dropped"
"""The fault under which notes to plugins are counted that found no room in memory."""

# A silence that the load profile asked for says nothing about the CSMS, and neither does a fault that the run injected.
_NO_FAILURES = frozenset({Outcome.ACCEPTED, Outcome.REJECTED, Outcome.SILENT, Outcome.INJECTED})


def is_failure(outcome: str) -> bool:
    """Return whether the CSMS gave a CALL with this outcome no proper answer; a rejection is a proper answer."""
    return outcome not in _NO_FAILURES
