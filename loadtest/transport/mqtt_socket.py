"""A station's MQTT connection over its stream: the station and its gateway in one, in the dialect of the target.

No text of OCPP knows MQTT, so there is no upgrade, no subprotocol and no Close frame: *open* means that the broker has
granted the topic on which the CSMS speaks to the station. Whether a CSMS is there shows in the first answered CALL.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final
from urllib.parse import unquote, urlsplit

from evidence.vocabulary import DUPLICATE_DELIVERY, NO_PROPERTIES, OTHER_DIALECT, PUBLISH_REFUSED, RETAINED_DELIVERY
from loadtest.transport.contract import Attempt, Engine, How, Listener
from loadtest.transport.ping import Pinger
from loadtest.transport.stream import ConnectionPhase, Stream
from loadtest.transport.target import Target
from loadtest.transport.tls import Secured
from mqtt.client import Client, Delivered, Event
from mqtt.dialect import Dialect
from mqtt.errors import MqttError
from mqtt.form import Form, FormError
from mqtt.lines import Line, line_of
from mqtt.packets import ConnAck, Connect, Disconnect, Ping, Publish, SubAck
from mqtt.reasons import REFUSED, explain, reason_name
from ocppj.errors import UsageError
from ocppj.versions import rules_for_subprotocol

__all__ = ["KEEP_ALIVE", "MqttSocket", "TlsMqttSocket"]

KEEP_ALIVE: Final = 60
"""Seconds after which a silent connection sends a sign of life; the broker ends it after one and a half times that."""
_ROOM: Final = 65_536
"""Bytes of a packet beside its payload."""

_UPGRADING, _OPEN = ConnectionPhase.UPGRADING, ConnectionPhase.OPEN
_CLOSING, _CLOSED = ConnectionPhase.CLOSING, ConnectionPhase.CLOSED


class MqttSocket(Stream):
    """An `mqtt` connection of one station."""

    __slots__ = ("_client", "_early", "_form", "_line", "_pinger", "_pong", "_subprotocol", "_subscription", "_target")

    _client: Client
    _form: Form
    _line: Line

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; the target names the dialect."""
        super().__init__(engine, target, listener, source)
        self._target = target
        self._subprotocol = ""
        self._subscription = 0
        """The identifier of our SUBSCRIBE; 0 until CONNACK is there."""
        self._early: list[Publish] | None = None
        """Messages that came before the broker has granted the topic."""
        self._pinger: Pinger | None = None
        self._pong = b""

    @property
    def _dialect(self) -> Dialect:
        assert self._target.dialect is not None
        return self._target.dialect

    # -- opening -----------------------------------------------------------------------------------------------------

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call.

        The identity is the last segment of the URL, and its credentials are those of the Authorization header.
        """
        dialect, identity = self._dialect, unquote(urlsplit(url).path.rpartition("/")[2])
        try:
            self._line = line_of(dialect, identity, subprotocol)
        except UsageError as error:
            self._engine.open_sockets += 1
            self._engine.loop.run_callback(self._refuse, str(error))
            return
        rules = rules_for_subprotocol(subprotocol)
        assert rules is not None
        self._subprotocol = subprotocol
        self._form = Form(dialect, rules)
        self._client = Client(dialect.level, most_packet=self._engine.max_message + _ROOM)
        user, password = self._credentials(headers)
        self._client.connect(
            Connect(client_id=self._line.client_id, keep_alive=KEEP_ALIVE, user=user, password=password)
        )
        self._connect()

    def _credentials(self, headers: Mapping[str, str]) -> tuple[str | None, bytes | None]:
        """Return who logs in: the user of the URL before the station, and its password before that of the station."""
        user, password = self._target.user, self._target.password
        encoded = headers.get("Authorization", "").removeprefix("Basic ")
        if encoded:
            name, _, secret = base64.b64decode(encoded).partition(b":")
            user, password = user or name.decode(), secret if password is None else password
        return user, password

    def _refuse(self, reason: str) -> None:
        if self._phase is not _CLOSED:
            self._fail(Attempt.BAD_TOPIC, reason)

    def _begin(self) -> None:
        self._write(self._client.data_to_send())

    def _late_outcome(self) -> Attempt:
        return Attempt.SUBACK_TIMEOUT if self._subscription else Attempt.CONNACK_TIMEOUT

    def _handshake_ended(self, reason: str) -> None:
        self._fail(Attempt.RESET, reason)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def _received(self, data: bytes, now: float) -> None:
        client = self._client
        try:
            events = client.receive(data)
        except MqttError as error:
            self._violated(str(error))
            return
        out = client.data_to_send()
        if out:
            self._write(out)
        for event in events:
            if self._phase is _CLOSED:
                return
            if type(event) is Publish:
                self._take_message(event, now)
            else:
                self._take_event(event, now)

    def _violated(self, reason: str) -> None:
        if self._phase is _UPGRADING:
            self._fail(Attempt.NOT_MQTT, reason)
        else:
            self._finish(1002, reason, How.VIOLATION)

    def _take_message(self, message: Publish, now: float) -> None:
        if self._phase is _UPGRADING:
            self._early = [*(self._early or ()), message]
            return
        if message.duplicate:
            self._listener.on_trouble(DUPLICATE_DELIVERY)
        if message.retain:
            self._listener.on_trouble(RETAINED_DELIVERY)
        missing = self._line.missing(message.properties)
        if missing:
            self._listener.on_trouble(NO_PROPERTIES, f"a message of the CSMS has no {missing}")
        try:
            text = self._form.read(message.payload)
        except FormError as error:
            self._listener.on_trouble(OTHER_DIALECT, f"a message on {message.topic} is not of this dialect: {error}")
            return
        self._listener.on_text(text, now)

    def _take_event(self, event: Event, now: float) -> None:
        match event:
            case ConnAck():
                self._take_connack(event)
            case SubAck():
                self._take_suback(event, now)
            case Delivered():
                self._take_delivered(event)
            case Disconnect():
                self._take_disconnect(event)
            case Ping():
                self._take_pong(event, now)
            case _:
                """UNSUBACK and AUTH, for which nobody has asked."""

    def _take_connack(self, answer: ConnAck) -> None:
        level = self._dialect.level
        if answer.code:
            self._fail(f"connack-{reason_name(answer.code, level)}", explain(answer.code, level, answer.properties))
            return
        self._subscription = self._client.subscribe((self._line.down, self._dialect.down.qos), *self._line.down_answers)
        self._write(self._client.data_to_send())

    def _take_suback(self, answer: SubAck, now: float) -> None:
        if self._phase is not _UPGRADING or answer.packet_id != self._subscription:
            return
        refused = [code for code in answer.codes if code >= REFUSED]
        if refused:
            why = explain(refused[0], self._dialect.level, answer.properties)
            self._fail(Attempt.NOT_SUBSCRIBED, f"the broker refuses the topic {self._line.down}: {why}")
            return
        self._opened(self._subprotocol, now)
        if self._phase is not _OPEN:
            return
        self.ping_every(KEEP_ALIVE)
        early, self._early = self._early, None
        for message in early or ():
            if self._phase is not _CLOSED:
                self._take_message(message, now)

    def _take_delivered(self, what: Delivered) -> None:
        if what.code >= REFUSED:
            why = explain(what.code, self._dialect.level, {})
            self._listener.on_trouble(PUBLISH_REFUSED, f"the broker refuses a message: {why}")

    def _take_disconnect(self, last: Disconnect) -> None:
        why = explain(last.code, self._dialect.level, last.properties)
        if self._phase is _UPGRADING:
            self._fail(f"disconnect-{reason_name(last.code, self._dialect.level)}", why)
        else:
            self._finish(*(self._end or (last.code, why, How.PEER)))

    def _take_pong(self, pong: Ping, now: float) -> None:
        del pong, now
        if self._pinger is not None:
            self._pinger.pong(self._pong)

    # -- saying ------------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> bool:
        """Publish a message now, or keep it until the broker reads again; False when the connection is not open."""
        if self._phase is not _OPEN:
            return False
        line, client, out = self._line, self._client, self._form.write(text)
        topic = line.up_answers if out.is_answer else line.up
        client.publish(topic, out.payload, line.qos, retain=line.retain, properties=line.properties)
        self._write(client.data_to_send())
        return True

    def ping_every(self, seconds: float) -> None:
        """Send PINGREQ until the connection ends; one that is not answered by the next ends it as lost."""
        if self._phase is _OPEN:
            if self._pinger is not None:
                self._pinger.cancel()
            self._pinger = Pinger(self, min(seconds, KEEP_ALIVE), monotonic())

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Do nothing: a broker sends no pings."""

    def send_ping(self, payload: bytes) -> None:
        """Write a PINGREQ, which carries no payload."""
        if self._phase is _OPEN:
            self._pong = payload
            self._client.ping()
            self._write(self._client.data_to_send())

    # -- ending ------------------------------------------------------------------------------------------------------

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye to the broker; `on_closed` follows, at the latest after the close time-out."""
        if self._phase is _OPEN:
            self._client.disconnect()
            self._write(self._client.data_to_send())
            self._await_end(code, reason, How.LOCAL)
        elif self._phase is not _CLOSING:
            self.abort()

    def _release(self) -> None:
        if self._pinger is not None:
            self._pinger.cancel()
            self._pinger = None
        self._early = None


class TlsMqttSocket(Secured, MqttSocket):
    """An `mqtts` connection of one station."""

    __slots__ = ()
