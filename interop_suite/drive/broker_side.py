"""What a case does at the broker itself: payloads of its own, other topics, and what goes over topics of others."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from interop_suite.drive.mqtt_wire import BROKER_PATIENCE, MqttTransport, MqttWire, Refusal
from interop_suite.drive.offer import Trait
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from mqtt.dialect import Dialect
from mqtt.form import Form
from mqtt.lines import line_of
from mqtt.packets import Publish
from mqtt.properties import write_text

__all__ = ["Ear", "dialect_of", "form_of", "listening", "post"]

_SHOWN = 2000
"""Characters of a payload that a trace keeps."""
_EVERYTHING = "#"


def dialect_of(station: ScriptedStation) -> Dialect:
    """Return what is spoken; raises `NoWayError` without a broker."""
    return _wire_of(station).dialect


def form_of(station: ScriptedStation, text: str) -> bytes:
    """Write an OCPP-J message as the dialect does."""
    return Form(dialect_of(station), station.rules).write(text).payload


def post(
    station: ScriptedStation,
    payload: bytes,
    *,
    text: str | None = None,
    topic: str | None = None,
    properties: bytes | None = None,
) -> None:
    """Publish a payload for a station, on its own topic or another one.

    `text` is the OCPP-J message that it stands for, if it stands for one.
    """
    wire = _wire_of(station)
    if not wire.connected:
        station.note(not_sent="raw")
        return
    if text is not None:
        station.record_sent(text)
    shown = payload[:_SHOWN].decode("utf-8", "replace")
    station.note(posted=shown, **({} if topic is None else {"topic": topic}))
    wire.publish(wire.line.up if topic is None else write_text(topic), payload, wire.line.qos, properties=properties)


class Ear:
    """Another client of the broker, which hears what it lets anybody hear."""

    def __init__(self, station: ScriptedStation, filters: Iterable[str]) -> None:
        """Subscribe with the credentials of a station; raises `NoWayError` where the broker does not let it."""
        own = _wire_of(station)
        self._wire = MqttWire(own.broker, own.dialect, station.version)
        line = line_of(own.dialect, station.identity, station.rules.subprotocol)
        self._properties = line.properties
        name = f"plugstorm-ear-{secrets.token_hex(4)}"
        try:
            self._wire.log_in(name, station.identity, station.offer.password, BROKER_PATIENCE)
            # With more QoS a broker holds back what comes after the first few until they are acknowledged.
            self._wire.subscribe(tuple((topic, 0) for topic in filters), BROKER_PATIENCE)
        except Refusal as error:
            self._wire.abort()
            raise NoWayError(f"over MQTT the broker does not let us see what else goes over it: {error}") from None

    def say(self, topic: str, payload: bytes) -> None:
        """Publish a message on a topic, as somebody who is no station."""
        self._wire.publish(write_text(topic), payload, 1, properties=self._properties)
        self._wire.arrive()

    def take(self, *stations: ScriptedStation) -> list[Publish]:
        """Write down what concerns these stations, and return it; they have heard their answers before.

        What names a station in its topic concerns it, and what a station has sent does not.
        """
        for station in stations:
            station.take_in()
        self._wire.arrive()
        found = []
        for message in self._wire.messages():
            named = next((each for each in stations if each.identity in message.topic), None)
            if named is None or message.topic in _own_topics(named):
                continue
            found.append(message)
            info: dict[str, Any] = {"overheard": message.topic, "qos": message.qos, "retain": message.retain}
            named.note(**info, payload=message.payload[:_SHOWN].decode("utf-8", "replace"))
        return found

    def put_away(self) -> None:
        """Leave."""
        self._wire.abort()


@contextlib.contextmanager
def listening(station: ScriptedStation, *filters: str) -> Iterator[Ear]:
    """Hear everything, or some topics, for the length of a `with`."""
    ear = Ear(station, filters or (_EVERYTHING,))
    try:
        yield ear
    finally:
        ear.put_away()


def _own_topics(station: ScriptedStation) -> tuple[str, str]:
    line = _wire_of(station).line
    return line.up[2:].decode(), line.up_answers[2:].decode()


def _wire_of(station: ScriptedStation) -> MqttWire:
    station.need(Trait.BROKER)
    assert isinstance(station.transport, MqttTransport)
    assert isinstance(station.wire, MqttWire)
    return station.wire
