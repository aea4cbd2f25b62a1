"""Which kind of connection a target needs."""

from __future__ import annotations

from typing import Final

from loadtest.transport.contract import Engine, Listener, Wire
from loadtest.transport.mqtt_socket import MqttSocket, TlsMqttSocket
from loadtest.transport.mqtt_trunk import TrunkEnd
from loadtest.transport.socket import StationSocket
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target
from loadtest.transport.tls import TlsStationSocket

__all__ = ["open_socket"]

_KINDS: Final[dict[tuple[bool, bool], type[Stream]]] = {
    (False, False): StationSocket,
    (False, True): TlsStationSocket,
    (True, False): MqttSocket,
    (True, True): TlsMqttSocket,
}
"""By whether the target takes MQTT, and whether it takes TLS."""


def open_socket(engine: Engine, target: Target, listener: Listener, source: str | None = None) -> Wire:
    """Make the connection that the target needs; it is not open yet."""
    if target.mqtt_connections:
        return TrunkEnd(engine, target, listener, source)
    return _KINDS[target.dialect is not None, target.tls is not None](engine, target, listener, source)
