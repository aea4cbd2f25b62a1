"""MQTT over a stream: logging in, signs of life, and the end; what is said and heard is up to the subclass."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from evidence.vocabulary import DUPLICATE_DELIVERY, NO_PROPERTIES, OTHER_DIALECT, PUBLISH_REFUSED, RETAINED_DELIVERY
from loadtest.transport.bearer import ConnectionPhase
from loadtest.transport.contract import Attempt, Engine, How, Listener
from loadtest.transport.ping import Pinger
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target
from loadtest.transport.turn import MOST
from mqtt.client import Client, Delivered, Event
from mqtt.dialect import Dialect
from mqtt.errors import MqttError
from mqtt.form import Form, FormError
from mqtt.lines import Line
from mqtt.packets import ConnAck, Connect, Disconnect, Ping, Publish, SubAck
from mqtt.reasons import REFUSED, explain, reason_name

__all__ = ["KEEP_ALIVE", "MqttStream", "read_message"]

KEEP_ALIVE: Final = 60
"""Seconds after which a silent connection sends a sign of life; the broker ends it after one and a half times that."""
_ROOM: Final = 65_536
"""Bytes of a packet beside its payload."""

_UPGRADING, _OPEN = ConnectionPhase.UPGRADING, ConnectionPhase.OPEN
_CLOSING, _CLOSED = ConnectionPhase.CLOSING, ConnectionPhase.CLOSED


class MqttStream(Stream):
    """One connection to a broker."""

    __slots__ = ("_client", "_is_due", "_pinger", "_pong", "_target")

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; the target names the dialect."""
        super().__init__(engine, target, listener, source)
        assert target.dialect is not None
        self._target = target
        self._client = Client(target.dialect.level, most_packet=engine.max_message + _ROOM)
        self._pinger: Pinger | None = None
        self._pong = b""
        self._is_due = False
        """Whether the turn will write what the client has to say."""

    # -- what a subclass fills in ------------------------------------------------------------------------------------

    def _let_in(self, now: float) -> None:
        """Take note that the broker has let us in."""
        raise NotImplementedError

    def _take_suback(self, answer: SubAck, now: float) -> None:
        """Take note of what the broker has granted."""
        raise NotImplementedError

    def _take_message(self, message: Publish, now: float) -> None:
        """Take a message."""
        raise NotImplementedError

    # -- opening -----------------------------------------------------------------------------------------------------

    @property
    def _dialect(self) -> Dialect:
        assert self._target.dialect is not None
        return self._target.dialect

    def _log_in(self, client_id: str, headers: Mapping[str, str]) -> None:
        """Connect as this client, with the user of the URL before that of the header, and its password likewise."""
        user, password = self._target.user, self._target.password
        encoded = headers.get("Authorization", "").removeprefix("Basic ")
        if encoded:
            name, _, secret = base64.b64decode(encoded).partition(b":")
            user, password = user or name.decode(), secret if password is None else password
        self._client.connect(Connect(client_id=client_id, keep_alive=KEEP_ALIVE, user=user, password=password))
        self._connect()

    def _begin(self) -> None:
        self._write_out()

    def _late_outcome(self) -> Attempt:
        return Attempt.CONNACK_TIMEOUT

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
        for event in events:
            if self._phase is _CLOSED:
                return
            if type(event) is Publish:
                self._take_message(event, now)
            else:
                self._take_event(event, now)
        # What a station says to a message has taken the acknowledgements along.
        if self._phase is not _CLOSED:
            self._write_out()

    def _violated(self, reason: str) -> None:
        if self._phase is _UPGRADING:
            self._fail(Attempt.NOT_MQTT, reason)
        else:
            self._finish(1002, reason, How.VIOLATION)

    def _take_event(self, event: Event, now: float) -> None:
        match event:
            case ConnAck():
                self._take_connack(event, now)
            case SubAck():
                self._take_suback(event, now)
            case Delivered():
                if event.code >= REFUSED:
                    why = explain(event.code, self._dialect.level, {})
                    self._listener.on_trouble(PUBLISH_REFUSED, f"the broker refuses a message: {why}")
            case Disconnect():
                self._take_disconnect(event)
            case Ping():
                self._take_pong(event, now)
            case _:
                """UNSUBACK needs no word, and nobody has asked for AUTH."""

    def _take_connack(self, answer: ConnAck, now: float) -> None:
        level = self._dialect.level
        if answer.code:
            self._fail(f"connack-{reason_name(answer.code, level)}", explain(answer.code, level, answer.properties))
        else:
            self._let_in(now)

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

    def _write_out(self) -> None:
        """Write what the client has to say, with that of the other connections where stations act on a batch."""
        turn, unsent = self._engine.turn, self._client.unsent
        if not turn.collects or unsent >= MOST:
            self._write_now()
        elif unsent and not self._is_due:
            self._is_due = True
            turn.say(self._write_now, b"")

    def _write_now(self, _: bytes = b"") -> None:
        """Write all that the client has to say; how much that is shows when the turn is over."""
        self._is_due = False
        data = self._client.data_to_send()
        if data:
            self._write(data)

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
            self._write_out()

    # -- ending ------------------------------------------------------------------------------------------------------

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye to the broker; `on_closed` follows, at the latest after the close time-out."""
        if self._phase is _OPEN:
            self._client.disconnect()
            self._write_out()
            self._await_end(code, reason, How.LOCAL)
        elif self._phase is not _CLOSING:
            self.abort()

    def _release(self) -> None:
        self._engine.turn.write()
        if self._pinger is not None:
            self._pinger.cancel()
            self._pinger = None


def read_message(message: Publish, line: Line, form: Form, listener: Listener) -> str | bytes | None:
    """Read a message of the CSMS as OCPP-J, and tell the listener what is odd about it; None where it is not read."""
    if message.duplicate:
        listener.on_trouble(DUPLICATE_DELIVERY)
    if message.retain:
        listener.on_trouble(RETAINED_DELIVERY)
    if line.wanted and (missing := line.missing(message.properties)):
        listener.on_trouble(NO_PROPERTIES, f"a message of the CSMS has no {missing}")
    try:
        return form.read(message.payload)
    except FormError as error:
        listener.on_trouble(OTHER_DIALECT, f"a message on {message.topic} is not of this dialect: {error}")
        return None
