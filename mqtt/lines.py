"""What is the same for all messages of one station: its topics and properties, written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mqtt.client import Client
from mqtt.dialect import Attached, Dialect, Direction
from mqtt.form import Outgoing
from mqtt.properties import NO_PROPERTIES, Properties, Property, encode_properties, write_text

__all__ = ["Line", "attached", "line_of", "missing", "wanted_of"]

_NAMES: Final[Mapping[str, Property]] = {
    "content_type": Property.CONTENT_TYPE,
    "response_topic": Property.RESPONSE_TOPIC,
    "correlation_data": Property.CORRELATION_DATA,
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The station's end: what it publishes on, and what it subscribes to."""

    up: bytes
    """The topic of its CALLs, with its length."""
    up_answers: bytes
    """The topic of its answers, with its length."""
    qos: int
    retain: bool
    properties: bytes
    down: str
    """The topic on which the CSMS speaks."""
    down_answers: str | None
    """The topic of its answers, where that is another one."""
    down_qos: int
    wanted: tuple[Property, ...]
    """What every message of the CSMS must carry."""

    @property
    def down_filters(self) -> tuple[tuple[str, int], ...]:
        """The topics to subscribe to, each with its QoS."""
        topics = (self.down,) if self.down_answers is None else (self.down, self.down_answers)
        return tuple((topic, self.down_qos) for topic in topics)

    def missing(self, properties: Properties) -> str:
        """Name what a message of the CSMS does not carry; empty where nothing is missing."""
        return missing(self.wanted, properties) if self.wanted else ""

    def publish(self, client: Client, out: Outgoing) -> None:
        """Publish a message of the station."""
        topic = self.up_answers if out.is_answer else self.up
        client.publish(topic, out.payload, self.qos, retain=self.retain, properties=self.properties)


def line_of(dialect: Dialect, identity: str, subprotocol: str) -> Line:
    """Write the topics of a station; raises `UsageError` where its identity cannot be in a topic."""
    up, down = dialect.up, dialect.down

    def topic(template: str) -> str:
        return dialect.topic(template, identity, subprotocol)

    # Where answers go the same way there is one text for both, because every station of a fleet keeps its own.
    topic_up = write_text(topic(up.topic))
    return Line(
        up=topic_up,
        up_answers=write_text(topic(up.answers)) if up.answers else topic_up,
        qos=up.qos,
        retain=up.retain,
        properties=attached(dialect, up, identity, subprotocol),
        down=topic(down.topic),
        down_answers=None if down.answers is None else topic(down.answers),
        down_qos=down.qos,
        wanted=wanted_of(down.properties),
    )


def attached(dialect: Dialect, way: Direction, identity: str, subprotocol: str) -> bytes:
    """Write the properties that every message to or from a station has."""
    if way.properties == Attached():
        return NO_PROPERTIES
    found: dict[Property, Any] = {}
    for key, name in _NAMES.items():
        value = getattr(way.properties, key)
        if value is not None:
            found[name] = value
    if Property.RESPONSE_TOPIC in found:
        found[Property.RESPONSE_TOPIC] = dialect.topic(found[Property.RESPONSE_TOPIC], identity, subprotocol)
    if Property.CORRELATION_DATA in found:
        found[Property.CORRELATION_DATA] = found[Property.CORRELATION_DATA].encode()
    return encode_properties(found)


def wanted_of(properties: Attached) -> tuple[Property, ...]:
    """List the properties that a direction has."""
    return tuple(name for key, name in _NAMES.items() if getattr(properties, key) is not None)


def missing(wanted: tuple[Property, ...], properties: Properties) -> str:
    """Name the first property that is wanted and not there; empty where none is missing."""
    return next((name.name.replace("_", " ").lower() for name in wanted if name not in properties), "")
