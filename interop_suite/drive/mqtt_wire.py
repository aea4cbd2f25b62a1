"""A blocking MQTT connection that stands for a station and its gateway in one, in the dialect of the CSMS.

It is open when the broker has granted the topic on which the CSMS speaks to the station. Whether a CSMS is there shows
in the first answered CALL.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from interop_suite.drive.offer import HTTP_SWITCHING, Handshake, Offer
from interop_suite.drive.transport import Closed, Incoming, NoWayError, Trait, WireEvent
from interop_suite.drive.wire import RECEIVE_SIZE, SEND_PATIENCE, TLS_PATIENCE, readable, reason_of, writable
from mqtt.client import Client, Delivered, Event
from mqtt.dialect import Dialect
from mqtt.errors import MqttError
from mqtt.form import Form, FormError
from mqtt.lines import Line, line_of
from mqtt.packets import ConnAck, Connect, Disconnect, Ping, Publish, SubAck
from mqtt.reasons import REFUSED, explain
from ocppj.errors import UsageError
from ocppj.identity import PORTS, is_secure
from ocppj.versions import RULES, Version

__all__ = ["LACKS", "Broker", "MqttTransport", "MqttWire", "Refusal", "broker_of"]

MAX_PACKET: Final = 16 * 2**20
"""Bytes of the largest packet that is read."""
BROKER_PATIENCE: Final = 5.0
"""Seconds at least for each answer of the broker."""
_KEEP_ALIVE: Final = 1200
"""Seconds; the longest that every broker takes, since a case may wait for a person."""
_SIGN_OF_LIFE: Final = 240.0
"""Seconds after which a silent connection asks the broker for one."""
_ARRIVAL: Final = 10.0
"""Seconds for a broker to acknowledge what it was given."""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is, and who logs in."""

    url: str
    user: str | None = None
    """Without one, a station with a password logs in by its identity."""
    password: bytes | None = None
    tls: ssl.SSLContext | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    @property
    def where(self) -> str:
        """The same for people."""
        return "{}:{}".format(*self.address)


def broker_of(url: str, ca_file: str | None, certificate: str | None) -> Broker:
    """Read a broker from its URL; raises `UsageError` for a file that cannot be used."""
    parts = urlsplit(url)
    context = None
    if is_secure(url):
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"--ca {ca_file} holds no readable CA certificates (PEM): {error}") from None
        if certificate is not None:
            try:
                # A key with a passphrase would ask at the terminal.
                context.load_cert_chain(certificate, password=lambda: "")
            except (OSError, ssl.SSLError) as error:
                raise UsageError(
                    f"--certificate {certificate} holds no certificate with its key (PEM, no passphrase): {error}"
                ) from None
    return Broker(
        url=url,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password).encode(),
        tls=context,
    )


_ADDRESS = "check the address in --url, and that the broker is up"
_LOG_IN = "name the user in --url and give --password, or give --certificate"
_TLS = "mqtts:// is for a port with TLS; --ca names the root of its certificate, --certificate that of the stations"
_TOPICS = "check the access rules of the broker, and --dialect"


class Refusal(Exception):  # noqa: N818  # the outcome of a step, never seen outside
    """Why the broker does not let a station in, or does not answer at all."""

    def __init__(self, reason: str, mend: str, *, unreachable: bool = False) -> None:
        """Say why, and what to do about it; `unreachable`: there is no broker."""
        super().__init__(reason)
        self.mend = mend
        self.unreachable = unreachable


_OVER = "over MQTT "
LACKS: Mapping[Trait, str] = MappingProxyType(
    {
        Trait.UPGRADE: _OVER + "no CSMS sees or answers an opening request",
        Trait.CREDENTIALS: _OVER + "it is the broker that checks passwords, not the CSMS",
        Trait.TLS: _OVER + "TLS ends at the broker, not at the CSMS",
        Trait.FRAMES: _OVER + "there are no fragments, pings, binary frames and close codes",
        Trait.END: _OVER + "no CSMS sees the connection of a station end, or ends it",
        Trait.SECOND: _OVER + "the broker itself ends the older of two connections with one identity",
    }
)
"""What a CSMS behind a broker cannot show, with the reason for people."""


class MqttTransport:
    """OCPP over MQTT, in one dialect."""

    lacks = LACKS

    def __init__(self, broker: Broker, dialect: Dialect, name: str) -> None:
        """Speak a dialect, whose `name` is told to people; its prefix is that of the broker's URL."""
        self.broker = broker
        self.dialect = dialect.at(unquote(urlsplit(broker.url).path))
        self.name = name

    @property
    def tells_version(self) -> bool:
        """Whether the topics of the dialect name the version."""
        return self.dialect.names_version

    @property
    def noted(self) -> dict[str, Any]:
        """What the record of every handshake says of it."""
        return {"over": "mqtt", "dialect": self.name}

    def link(self, version: Version) -> MqttWire:
        """Make a connection for a station of a version, not open yet."""
        return MqttWire(self.broker, self.dialect, version)


class MqttWire:
    """One MQTT connection of one scripted station."""

    line: Line

    def __init__(self, broker: Broker, dialect: Dialect, version: Version) -> None:
        """Start disconnected."""
        self.broker = broker
        self.dialect = dialect
        self._rules = RULES[version]
        self._socket: socket.socket | None = None
        self._form = Form(dialect, self._rules)
        self._client = Client(dialect.level)
        self._heard: deque[Event] = deque()
        """What came in and nobody asked for yet."""
        self._spoke_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker has granted the topic of the station."""
        return self._socket is not None

    @property
    def heard_on(self) -> str:
        """The topic on which the CSMS speaks to the station."""
        return self.line.down

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self, offer: Offer, timeout: float, settle: Callable[[], None] | None = None) -> Handshake:
        """Log in and subscribe; a refusal is a result, not an exception.

        The broker is not what is tested, and has some seconds for each step, whatever `timeout` says. Raises
        `NoWayError` for an identity that cannot be a level of a topic.
        """
        del settle
        self._prepare(offer.identity)
        timeout = max(timeout, BROKER_PATIENCE)
        try:
            client_id = self.dialect.topic(self.dialect.client_id, offer.identity, self._rules.subprotocol)
            self.log_in(client_id, offer.identity, offer.password, timeout)
            self.subscribe(self.line.down_filters, timeout)
        except Refusal as error:
            self._drop()
            absent = f"the broker at {self.broker.where} lets no station in any more ({error})"
            return Handshake(error=str(error), unreachable=error.unreachable, absent=absent, mend=error.mend)
        assert self._socket is not None
        tls = None
        if isinstance(self._socket, ssl.SSLSocket):
            tls = {"version": self._socket.version(), "cipher": (self._socket.cipher() or ("",))[0]}
        return Handshake(status=HTTP_SWITCHING, subprotocol=self._rules.subprotocol, tls=tls)

    def _prepare(self, identity: str) -> None:
        try:
            self.line = line_of(self.dialect, identity, self._rules.subprotocol)
        except UsageError:
            raise NoWayError(f"{_OVER}no identity holds / + or #, as {identity!r} does") from None
        self._form = Form(self.dialect, self._rules)

    def log_in(self, client_id: str, identity: str, password: bytes | None, timeout: float) -> None:
        """Connect and be let in; raises `Refusal`."""
        broker = self.broker
        self._client = Client(self.dialect.level, most_packet=MAX_PACKET)
        self._heard.clear()
        self._connect(timeout)
        secret = password if broker.password is None else broker.password
        user = broker.user or (None if secret is None else identity)
        self._client.connect(Connect(client_id=client_id, keep_alive=_KEEP_ALIVE, user=user, password=secret))
        answer = self._await(ConnAck, timeout, "CONNECT")
        if answer.code:
            why = explain(answer.code, self.dialect.level, answer.properties)
            raise Refusal(f"the broker refuses {identity}: {why}", _LOG_IN)

    def _connect(self, timeout: float) -> None:
        broker = self.broker
        try:
            raw = socket.create_connection(broker.address, timeout)
        except OSError as error:
            raise Refusal(f"TCP: {reason_of(error)}", _ADDRESS, unreachable=True) from None
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = raw
        if broker.tls is not None:
            try:
                raw.settimeout(max(timeout, TLS_PATIENCE))
                self._socket = broker.tls.wrap_socket(raw, server_hostname=broker.address[0])
            except (OSError, ssl.SSLError) as error:
                raise Refusal(f"TLS: {reason_of(error)}", _TLS) from None
        self._socket.setblocking(False)

    def subscribe(self, filters: tuple[tuple[str, int], ...], timeout: float) -> None:
        """Be granted topics; raises `Refusal`."""
        self._client.subscribe(*filters)
        answer = self._await(SubAck, timeout, "SUBSCRIBE")
        for code, (topic, _) in zip(answer.codes, filters, strict=False):
            if code >= REFUSED:
                why = explain(code, self.dialect.level, answer.properties)
                raise Refusal(f"the broker refuses the topic {topic}: {why}", _TOPICS)

    def _await(self, kind: type[Any], timeout: float, request: str) -> Any:
        """Wait for the broker's answer to a request, and keep whatever else comes."""
        deadline, ended = time.monotonic() + timeout, None
        self._flush()
        while True:
            for event in self._heard:
                if isinstance(event, kind):
                    self._heard.remove(event)
                    return event
                if isinstance(event, Disconnect):
                    why = explain(event.code, self.dialect.level, event.properties)
                    raise Refusal(f"the broker ends the connection: {why}", _LOG_IN)
            left = deadline - time.monotonic()
            if left <= 0:
                raise Refusal(f"the broker does not answer {request} within {timeout:g} s", _ADDRESS)
            if ended is not None:
                raise Refusal(f"{ended} instead of an answer to {request}", _ADDRESS)
            if self._readable(left):
                # A broker that refuses ends the connection at once, and its reason has come before that.
                ended = self._read()

    # -- talking -----------------------------------------------------------------------------------------------------

    def carries(self, text: str | bytes) -> bool:
        """Return whether the dialect can say this message."""
        return self._form.carries(text)

    def send_text(self, *texts: str | bytes, fragments: int = 1, pings: bool = False) -> None:
        """Publish messages in one write; there are no fragments."""
        del fragments, pings
        for text in texts:
            out = self._form.write(text if isinstance(text, str) else text.decode())
            self.line.publish(self._client, out)
        self._flush()

    def publish(self, topic: bytes, payload: bytes, qos: int, *, properties: bytes | None = None) -> None:
        """Publish anything anywhere; `topic` is written by `write_text`."""
        more = self.line.properties if properties is None else properties
        self._client.publish(topic, payload, qos, properties=more)
        self._flush()

    def send_bytes(self, data: bytes) -> None:
        """Do nothing: there are no frames to break."""

    def send_binary(self, data: bytes) -> None:
        """Do nothing: every payload is bytes."""

    def ping(self, data: bytes = b"") -> None:
        """Do nothing: pings end at the broker."""

    def receive(self) -> list[WireEvent]:
        """Read what is there, without waiting."""
        if self._socket is None:
            return []
        ended = self._read()
        events: list[WireEvent] = []
        while self._heard:
            event = self._heard.popleft()
            if isinstance(event, Publish):
                events.append(self._message(event))
            elif isinstance(event, Disconnect):
                ended = explain(event.code, self.dialect.level, event.properties)
            elif isinstance(event, Delivered) and event.code >= REFUSED:
                ended = f"the broker refuses a message: {explain(event.code, self.dialect.level, {})}"
        if ended is not None:
            self._drop()
            return [*events, Closed(None, ended, "network", time.monotonic())]
        if time.monotonic() - self._spoke_at > _SIGN_OF_LIFE:
            self._client.ping()
            self._flush()
        return events

    def messages(self) -> list[Publish]:
        """Take the messages that came in, as the broker delivered them."""
        found = [event for event in self._heard if isinstance(event, Publish)]
        self._heard.clear()
        return found

    def _message(self, message: Publish) -> Incoming:
        """Read a message as a gateway of this dialect does."""
        info: dict[str, Any] = {"topic": message.topic, "qos": message.qos}
        info |= {"retain": True} if message.retain else {}
        info |= {"duplicate": True} if message.duplicate else {}
        lacking = self.line.missing(message.properties)
        info |= {"lacks": lacking} if lacking else {}
        now = time.monotonic()
        try:
            return Incoming(self._form.read(message.payload), now, info)
        except FormError as error:
            return Incoming(message.payload.decode("utf-8", "replace"), now, info, str(error))

    def wait(self, timeout: float, *others: int) -> bool:
        """Wait until something can be received or one of the other descriptors is readable; True for the former."""
        if self._heard:
            return True
        if self._socket is None:
            readable(timeout, *others)
            return False
        return self._readable(timeout, *others)

    def arrive(self) -> None:
        """Wait until the broker has what was sent, and all that it holds for the station is here."""
        if self._socket is None:
            return
        with contextlib.suppress(Refusal):
            while self._client.unacknowledged:
                self._await(Delivered, _ARRIVAL, "PUBLISH")
            self._client.ping()
            self._await(Ping, _ARRIVAL, "PINGREQ")

    def close(self, code: int = 1000, reason: str = "", timeout: float = 2.0) -> list[WireEvent]:
        """Say goodbye once the broker has acknowledged what it was given; return what still came in."""
        if self._socket is None:
            return []
        deadline = time.monotonic() + timeout
        with contextlib.suppress(Refusal):
            while self._client.unacknowledged and time.monotonic() < deadline:
                self._await(Delivered, deadline - time.monotonic(), "PUBLISH")
        events = self.receive()
        if self._socket is not None:
            self._client.disconnect()
            self._flush()
            self._drop()
            events.append(Closed(code, reason, "station", time.monotonic()))
        return events

    def abort(self) -> Closed | None:
        """Drop the TCP connection without a word."""
        if self._socket is None:
            return None
        self._drop()
        return Closed(None, "aborted", "station", time.monotonic())

    # -- inside ------------------------------------------------------------------------------------------------------

    def _readable(self, timeout: float, *others: int) -> bool:
        sock = self._socket
        assert sock is not None
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        return sock.fileno() in readable(timeout, sock.fileno(), *others)

    def _read(self) -> str | None:
        """Read what is there into `_heard`; return how the connection ended, None where it has not."""
        sock = self._socket
        assert sock is not None
        ended = None
        while ended is None:
            try:
                data = sock.recv(RECEIVE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError as error:
                ended = reason_of(error)
                break
            try:
                self._heard += self._client.receive(data)
            except MqttError as error:
                ended = f"no MQTT ({error})"
            if not data:
                ended = "the broker ended the connection"
        self._flush()
        return ended

    def _flush(self) -> None:
        data = self._client.data_to_send()
        if not data or self._socket is None:
            return
        self._spoke_at = time.monotonic()
        view, deadline = memoryview(data), self._spoke_at + SEND_PATIENCE
        while view:
            try:
                view = view[self._socket.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                if not writable(self._socket, deadline - time.monotonic()):
                    # The next read finds the connection ended, and says so.
                    with contextlib.suppress(OSError):
                        self._socket.shutdown(socket.SHUT_RDWR)
                    return
            except OSError:
                return

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._client.connection_lost()
        self._heard.clear()
