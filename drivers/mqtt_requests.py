"""Messages of a driver file over MQTT: publish one, and wait for another that answers it."""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from drivers.base import DriverError
from mqtt.client import Client, Delivered, Event
from mqtt.errors import MqttError
from mqtt.packets import ConnAck, Connect, Disconnect, Level, Publish, SubAck
from mqtt.properties import write_text
from mqtt.reasons import REFUSED, explain
from ocppj.errors import UsageError
from ocppj.identity import PORTS, check_target_url, is_mqtt, is_secure, without_user

__all__ = ["Address", "Wanted", "exchange"]

_RECEIVE: Final = 65_536
_KEEP_ALIVE: Final = 300
"""Seconds; a connection lasts as long as one operation."""


class Address(NamedTuple):
    """A broker, and who logs in to it."""

    url: str
    level: Level
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout: float = 30.0
    """Seconds for each step but the last."""


class Wanted(NamedTuple):
    """The message that is waited for."""

    topic: str
    """A topic filter."""
    fits: Callable[[dict[str, Any]], bool]
    timeout: float


def exchange(
    address: Address, topic: str, payload: bytes, *, qos: int, retain: bool, wanted: Wanted | None
) -> dict[str, Any] | None:
    """Publish a message, and return the one that is wanted, as `topic`, `text`, and `json` where it is JSON.

    None where it has not come in time. Without one that is wanted, the response is empty. Raises `DriverError`.
    """
    for name in (topic,) if wanted is None else (topic, wanted.topic):
        if not name or "\0" in name:
            raise DriverError(f"{name!r} is no topic")
    if "+" in topic or "#" in topic:
        raise DriverError(f"a message cannot be published on {topic!r}, which holds a wildcard")
    with _Connection(address) as connection:
        if wanted is not None:
            connection.subscribe(wanted.topic)
        connection.publish(topic, payload, qos, retain=retain)
        if wanted is None:
            return {"status": 0, "topic": "", "text": ""}
        return connection.await_message(wanted)


class _Connection:
    """One short connection to a broker."""

    def __init__(self, address: Address) -> None:
        try:
            url = check_target_url(address.url, mqtt=True)
        except UsageError as error:
            raise DriverError(str(error)) from None
        parts = urlsplit(url)
        if not is_mqtt(url) or parts.hostname is None:
            raise DriverError(f"{without_user(url)} is no broker; it must begin with mqtt:// or mqtts://")
        self._where = f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
        self._address = address
        self._host, self._port, self._is_secure = parts.hostname, parts.port or PORTS[parts.scheme], is_secure(url)
        self._client = Client(address.level)
        self._events: list[Event] = []
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self) -> None:
        address = self._address
        try:
            self._socket = socket.create_connection((self._host, self._port), address.timeout)
            if self._is_secure:
                context = ssl.create_default_context(cafile=address.ca_file)
                self._socket = context.wrap_socket(self._socket, server_hostname=self._host)
        except OSError as error:
            raise DriverError(f"the broker at {self._where} cannot be reached: {error.strerror or error}") from None
        password = None if address.password is None else address.password.encode()
        name = f"plugstorm-driver-{secrets.token_hex(4)}"
        self._client.connect(Connect(client_id=name, keep_alive=_KEEP_ALIVE, user=address.user, password=password))
        answer = self._await(ConnAck, address.timeout)
        if answer.code:
            why = explain(answer.code, address.level, answer.properties)
            raise DriverError(f"the broker at {self._where} refuses the driver: {why}")

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._client.disconnect()
                self._socket.sendall(self._client.data_to_send())
            self._socket.close()

    def subscribe(self, topic: str) -> None:
        self._client.subscribe((topic, 1))
        answer = self._await(SubAck, self._address.timeout)
        if answer.codes[0] >= REFUSED:
            why = explain(answer.codes[0], self._address.level, answer.properties)
            raise DriverError(f"the broker at {self._where} refuses the topic {topic}: {why}")

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        number = self._client.publish(write_text(topic), payload, qos, retain=retain)
        if not number:
            self._write()
            return
        delivered = self._await(Delivered, self._address.timeout)
        if delivered.code >= REFUSED:
            why = explain(delivered.code, self._address.level, {})
            raise DriverError(f"the broker at {self._where} refuses a message on {topic}: {why}")

    def await_message(self, wanted: Wanted) -> dict[str, Any] | None:
        deadline = time.monotonic() + wanted.timeout
        while (left := deadline - time.monotonic()) > 0:
            message = self._next(Publish, left)
            if message is None:
                return None
            response = _response(message)
            # What the broker had kept from before says nothing about this operation.
            if not message.retain and wanted.fits(response):
                return response
        return None

    def _await(self, kind: type[Any], timeout: float) -> Any:
        found = self._next(kind, timeout)
        if found is None:
            raise DriverError(f"the broker at {self._where} does not answer within {timeout:g} s")
        return found

    def _next(self, kind: type[Any], timeout: float) -> Any:
        """Take the next event of this kind; None when the time is over."""
        deadline = time.monotonic() + timeout
        assert self._socket is not None
        self._write()
        while True:
            for event in self._events:
                if isinstance(event, kind):
                    self._events.remove(event)
                    return event
                if isinstance(event, Disconnect):
                    why = explain(event.code, self._address.level, event.properties)
                    raise DriverError(f"the broker at {self._where} ended the connection: {why}")
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(_RECEIVE)
            except TimeoutError:
                return None
            except OSError as error:
                raise DriverError(f"the broker at {self._where} ended the connection: {error.strerror}") from None
            if not data:
                raise DriverError(f"the broker at {self._where} ended the connection")
            try:
                self._events += self._client.receive(data)
            except MqttError as error:
                raise DriverError(f"{self._where} does not speak MQTT: {error}") from None
            self._write()

    def _write(self) -> None:
        assert self._socket is not None
        data = self._client.data_to_send()
        if data:
            self._socket.settimeout(self._address.timeout)
            try:
                self._socket.sendall(data)
            except OSError as error:
                raise DriverError(f"the broker at {self._where} takes nothing: {error.strerror or error}") from None


def _response(message: Publish) -> dict[str, Any]:
    response: dict[str, Any] = {
        "status": 0,
        "topic": message.topic,
        "text": message.payload.decode("utf-8", "replace"),
    }
    with contextlib.suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        response["json"] = msgspec.json.decode(message.payload)
    return response
