"""A station's MQTT connection over a stream of its own: the station and its gateway in one, in the target's dialect.

No text of OCPP knows MQTT, so there is no upgrade, no subprotocol and no Close frame: *open* means that the broker has
granted the topic on which the CSMS speaks to the station. Whether a CSMS is there shows in the first answered CALL.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from loadtest.transport.bearer import ConnectionPhase
from loadtest.transport.contract import Attempt, Engine, Listener
from loadtest.transport.mqtt_stream import KEEP_ALIVE, MqttStream, read_message
from loadtest.transport.target import Target
from loadtest.transport.tls import Secured
from mqtt.form import Form
from mqtt.lines import Line, line_of
from mqtt.packets import Publish, SubAck
from mqtt.reasons import REFUSED, explain
from ocppj.errors import UsageError
from ocppj.versions import rules_for_subprotocol

__all__ = ["MqttSocket", "TlsMqttSocket", "identity_in"]

_UPGRADING, _OPEN, _CLOSED = ConnectionPhase.UPGRADING, ConnectionPhase.OPEN, ConnectionPhase.CLOSED


class MqttSocket(MqttStream):
    """An `mqtt` connection of one station."""

    __slots__ = ("_early", "_form", "_line", "_subprotocol", "_subscription")

    _form: Form
    _line: Line

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; the target names the dialect."""
        super().__init__(engine, target, listener, source)
        self._subprotocol = ""
        self._subscription = 0
        """The identifier of our SUBSCRIBE; 0 until CONNACK is there."""
        self._early: list[Publish] | None = None
        """Messages that came before the broker has granted the topic."""

    # -- opening -----------------------------------------------------------------------------------------------------

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call.

        The identity is the last segment of the URL, and its credentials are those of the Authorization header.
        """
        try:
            identity = identity_in(url)
            self._line = line_of(self._dialect, identity, subprotocol)
            client_id = self._dialect.topic(self._dialect.client_id, identity, subprotocol)
        except UsageError as error:
            self._engine.open_sockets += 1
            self._engine.loop.run_callback(self._refuse, str(error))
            return
        rules = rules_for_subprotocol(subprotocol)
        assert rules is not None
        self._subprotocol = subprotocol
        self._form = Form(self._dialect, rules)
        self._log_in(client_id, headers)

    def _refuse(self, reason: str) -> None:
        if self._phase is not _CLOSED:
            self._fail(Attempt.BAD_TOPIC, reason)

    def _late_outcome(self) -> Attempt:
        return Attempt.SUBACK_TIMEOUT if self._subscription else Attempt.CONNACK_TIMEOUT

    def _let_in(self, now: float) -> None:
        del now
        self._subscription = self._client.subscribe(*self._line.down_filters)
        self._write_out()

    # -- hearing -----------------------------------------------------------------------------------------------------

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
        if self._pinger is None:
            self.ping_every(KEEP_ALIVE)
        early, self._early = self._early, None
        for message in early or ():
            if self._phase is not _CLOSED:
                self._take_message(message, now)

    def _take_message(self, message: Publish, now: float) -> None:
        if self._phase is _UPGRADING:
            self._early = [*(self._early or ()), message]
            return
        text = read_message(message, self._line, self._form, self._listener)
        if text is not None:
            self._listener.on_text(text, now)

    # -- saying ------------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> bool:
        """Publish a message now, or keep it until the broker reads again; False when the connection is not open."""
        if self._phase is not _OPEN:
            return False
        self._line.publish(self._client, self._form.write(text))
        self._write_out()
        return True

    def _release(self) -> None:
        super()._release()
        self._early = None


class TlsMqttSocket(Secured, MqttSocket):
    """An `mqtts` connection of one station."""

    __slots__ = ()


def identity_in(url: str) -> str:
    """Read the identity of a station from the last segment of its URL."""
    return unquote(urlsplit(url).path.rpartition("/")[2])
