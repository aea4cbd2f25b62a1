"""Message ids of 1.6, which are unique on one connection and no further."""

from __future__ import annotations

from fixtures.payloads import v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe, now

BLOCK = "RPC"


@case(
    id="ID_14",
    ocpp="1.6",
    title="A station counts its message ids from 1 again on its next connection",
    block=BLOCK,
    sends="A StatusNotification and a Heartbeat with the ids 1 and 2, and on a new connection the other way round.",
    expects="The CSMS SHALL answer each CALL itself: an id is unique on the connection that it was sent on.",
    clause=Clause("1.6J", "4.1.4"),
    defect="ids-known-across-connections",
    checks=(
        answered("StatusNotification", claim="Each StatusNotification is answered"),
        answered("Heartbeat", claim="Each Heartbeat is answered"),
    ),
)
def counted_anew(probe: Probe) -> None:
    station = probe.station
    calls = [
        ("StatusNotification", v16.status_notification(1, "Available", timestamp=now())),
        ("Heartbeat", v16.heartbeat()),
    ]
    for order in (calls, calls[::-1]):
        station.disconnect()
        probe.reconnect(station)
        for number, (action, payload) in enumerate(order, 1):
            station.call(action, payload, message_id=str(number))
