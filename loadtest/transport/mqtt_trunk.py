"""Many stations behind one connection to a broker, as behind a gateway that serves a whole site.

A `Trunk` is the connection, and a `TrunkEnd` what a station has of it: topics of its own. The first station that wants
one opens it, and the last one that leaves closes it. When it is lost, all its stations are, and the first one that
comes back opens another.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final
from zlib import crc32

from loadtest.timing.timers import Timer
from loadtest.transport.bearer import Bearer, ConnectionPhase
from loadtest.transport.contract import Attempt, Engine, Handshake, How, Listener
from loadtest.transport.mqtt_socket import identity_in
from loadtest.transport.mqtt_stream import KEEP_ALIVE, MqttStream, read_message
from loadtest.transport.target import Target
from loadtest.transport.tls import Secured
from mqtt.form import Form, Outgoing
from mqtt.lines import Line, line_of
from mqtt.packets import Publish, SubAck
from mqtt.reasons import REFUSED, explain
from ocppj.errors import UsageError
from ocppj.versions import rules_for_subprotocol

__all__ = ["Trunk", "TrunkEnd"]

_AT_ONCE: Final = 200
"""Stations that are told of a lost trunk in one turn of the loop: thousands at once would stall the generator."""

_CONNECTING, _OPEN, _CLOSED = ConnectionPhase.CONNECTING, ConnectionPhase.OPEN, ConnectionPhase.CLOSED


class Trunk(MqttStream):
    """One connection to a broker, which is its own listener."""

    __slots__ = ("_ends", "_key", "_subscriptions", "_waiting")

    def __init__(self, engine: Engine, target: Target, key: int, source: str | None = None) -> None:
        """Prepare; `key` is its place among the trunks of the target."""
        super().__init__(engine, target, self, source)
        self._key = key
        self._ends: dict[str, TrunkEnd] = {}
        """The stations by their topics."""
        self._subscriptions: dict[int, TrunkEnd] = {}
        """Who waits for which SUBACK."""
        self._waiting: list[TrunkEnd] = []
        """Who waits for the broker to let us in."""

    # -- what stations ask of it -------------------------------------------------------------------------------------

    def join(self, end: TrunkEnd, headers: Mapping[str, str]) -> None:
        """Take a station in; the first one begins the connection, with its credentials where the URL has none."""
        for topic, _ in end.line.down_filters:
            self._ends[topic] = end
        if self._phase is _OPEN:
            self._subscribe(end)
            return
        self._waiting.append(end)
        if self._phase is ConnectionPhase.NEW:
            self._log_in(f"plugstorm-{secrets.token_hex(4)}-{self._key}", headers)

    def leave(self, end: TrunkEnd) -> None:
        """Let a station go; the last one ends the connection."""
        filters = [topic for topic, _ in end.line.down_filters]
        if all(self._ends.get(topic) is end for topic in filters):
            for topic in filters:
                del self._ends[topic]
            if self._phase is _OPEN:
                self._client.unsubscribe(*filters)
                self._write_out()
        if end in self._waiting:
            self._waiting.remove(end)
        if not self._ends and self._phase is not _CLOSED:
            self._forget()
            self.close()

    def publish(self, line: Line, out: Outgoing) -> None:
        """Publish a message of a station."""
        line.publish(self._client, out)
        self._write_out()

    @property
    def is_open(self) -> bool:
        """Whether the broker has let us in."""
        return self._phase is _OPEN

    @property
    def is_over(self) -> bool:
        """Whether nobody can join any more."""
        return self._phase in (ConnectionPhase.CLOSING, _CLOSED)

    # -- what the broker says ----------------------------------------------------------------------------------------

    def _let_in(self, now: float) -> None:
        self._opened("", now)

    def _take_suback(self, answer: SubAck, now: float) -> None:
        end = self._subscriptions.pop(answer.packet_id, None)
        if end is None:
            return
        refused = [code for code in answer.codes if code >= REFUSED]
        why = explain(refused[0], self._dialect.level, answer.properties) if refused else ""
        end.granted(why, now)

    def _take_message(self, message: Publish, now: float) -> None:
        end = self._ends.get(message.topic)
        if end is not None:
            end.take(message, now)

    # -- the listener of its own stream ------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:
        """Ask for the topics of everybody who waits."""
        del handshake
        self.ping_every(KEEP_ALIVE)
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            self._subscribe(end)

    def on_failed(self, outcome: str, reason: str) -> None:
        """Fail for everybody."""
        self._forget()
        self._tell(lambda end: end.failed(outcome, reason))

    def on_closed(self, code: int, reason: str, how: How) -> None:
        """End for everybody."""
        self._forget()
        self._tell(lambda end: end.ended(code, reason, how))

    def on_text(self, data: str | bytes, now: float) -> None:
        """Hear nothing: messages go to their stations."""

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Tell one of the stations, so that it is counted once."""
        for end in self._ends.values():
            end.trouble(kind, detail)
            return

    def on_crash(self, error: Exception) -> None:
        """Leave a mistake of ours to all stations."""
        self._forget()
        self._tell(lambda end: end.crashed(error))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _subscribe(self, end: TrunkEnd) -> None:
        number = self._client.subscribe(*end.line.down_filters)
        self._subscriptions[number] = end
        self._write_out()

    def _forget(self) -> None:
        """Let the next station that connects begin another trunk."""
        if self._target.trunks.get(self._key) is self:
            del self._target.trunks[self._key]

    def _tell(self, news: Callable[[TrunkEnd], None]) -> None:
        ends = deque(dict.fromkeys(self._ends.values()))
        self._ends.clear()
        self._subscriptions.clear()
        self._waiting = []

        def tell_some() -> None:
            for _ in range(min(_AT_ONCE, len(ends))):
                news(ends.popleft())
            if ends:
                self._engine.loop.run_callback(tell_some)

        tell_some()


class TlsTrunk(Secured, Trunk):
    """A trunk within TLS."""

    __slots__ = ()

    def __init__(self, engine: Engine, target: Target, key: int, source: str | None = None) -> None:
        """Prepare, as `Trunk`."""
        Trunk.__init__(self, engine, target, key, source)
        self._begin_tls(target)


class TrunkEnd(Bearer):
    """The connection of one station: its topics on a trunk."""

    __slots__ = ("_deadline", "_form", "_source", "_subprotocol", "_target", "_times", "_trunk", "_unread", "line")

    _form: Form
    line: Line

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; `source` is where the trunk connects from, if it is the first station of it."""
        super().__init__(engine, listener)
        self._target = target
        self._source = source
        self._subprotocol = ""
        self._trunk: Trunk | None = None
        self._deadline: Timer | None = None
        self._times = 0.0
        self._unread: list[Callable[[], object]] | None = None
        """What came in while nobody read."""

    # -- what a station does with it ---------------------------------------------------------------------------------

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Ask for the topics of this station; `on_open` or `on_failed` follows, never from within this call."""
        engine, target = self._engine, self._target
        assert target.dialect is not None
        self._phase = _CONNECTING
        try:
            self.line = line_of(target.dialect, identity_in(url), subprotocol)
        except UsageError as error:
            engine.loop.run_callback(self.failed, Attempt.BAD_TOPIC, str(error))
            return
        rules = rules_for_subprotocol(subprotocol)
        assert rules is not None
        self._subprotocol = subprotocol
        self._form = target.forms.get(subprotocol) or Form(target.dialect, rules)
        if self._form.is_shareable:
            target.forms[subprotocol] = self._form
        self._times = monotonic()
        self._deadline = engine.timers.at(self._times + engine.connect_timeout, self._too_late)
        key = crc32(self.line.down.encode()) % target.mqtt_connections
        trunk = target.trunks.get(key)
        if not isinstance(trunk, Trunk) or trunk.is_over:
            kind = Trunk if target.tls is None else TlsTrunk
            trunk = target.trunks[key] = kind(engine, target, key, self._source)
        self._trunk = trunk
        trunk.join(self, headers)

    def send_text(self, text: str) -> bool:
        """Publish a message now, or keep it until the broker reads again; False when the connection is not open."""
        if self._phase is not _OPEN or self._trunk is None:
            return False
        self._trunk.publish(self.line, self._form.write(text))
        return True

    def ping_every(self, seconds: float) -> None:
        """Do nothing: the trunk keeps itself alive."""

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Do nothing: a broker sends no pings."""

    def pause(self) -> None:
        """Hear nothing more, not even the end of the connection, until `resume`."""
        if self._unread is None:
            self._unread = []

    def resume(self) -> None:
        """Hear again, first what has come in meanwhile."""
        unread, self._unread = self._unread, None
        for one in unread or ():
            one()

    def catch_up(self) -> None:
        """Hear what lies unread, for all stations of the trunk."""
        if self._trunk is not None:
            self._trunk.catch_up()

    def give_up(self, reason: str, how: How) -> None:
        """End an open connection at once; `on_closed` follows."""
        if self._phase is _OPEN:
            self._leave()
            self._tell_closed(1006, reason, how)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Give the topics back; `on_closed` follows."""
        if self._phase is _OPEN:
            self._leave()
            self._engine.loop.run_callback(self._tell_closed, code, reason, How.LOCAL)
        else:
            self.abort()

    def abort(self) -> None:
        """Give the topics back; no callback follows."""
        if self._phase is not _CLOSED:
            self._leave()

    # -- what its trunk tells ----------------------------------------------------------------------------------------

    def granted(self, refusal: str, now: float) -> None:
        """Take note that the broker has granted the topics, or why it does not."""
        if self._phase is not _CONNECTING:
            return
        if refusal:
            self._leave()
            self._tell_failed(Attempt.NOT_SUBSCRIBED, f"the broker refuses the topic {self.line.down}: {refusal}")
            return
        self._phase = _OPEN
        self._cancel()
        self._guarded(lambda: self._listener.on_open(Handshake(self._subprotocol, 0.0, now - self._times)))

    def take(self, message: Publish, now: float) -> None:
        """Hear a message of the CSMS."""
        if self._unread is not None:
            self._unread.append(lambda: self.take(message, monotonic()))
        elif self._phase is _OPEN:
            # `_guarded`, written out, because it runs once a message.
            try:
                text = read_message(message, self.line, self._form, self._listener)
                if text is not None:
                    self._listener.on_text(text, now)
            except Exception as error:  # noqa: BLE001 - the listener decides
                self._broke(error)
        elif self._phase is _CONNECTING:
            # It came before the topic was granted, and is heard right after.
            self._engine.loop.run_callback(self.take, message, now)

    def trouble(self, kind: str, detail: str) -> None:
        """Hear that something is wrong with the trunk."""
        self._listener.on_trouble(kind, detail)

    def failed(self, outcome: str, reason: str) -> None:
        """Hear that the trunk did not come up."""
        if self._phase is _CONNECTING:
            self._leave()
            self._tell_failed(outcome, reason)

    def ended(self, code: int, reason: str, how: How) -> None:
        """Hear that the trunk is gone."""
        if self._phase is _CONNECTING:
            self.failed(Attempt.RESET, reason)
        elif self._unread is not None:
            self._unread.append(lambda: self.ended(code, reason, how))
        elif self._phase is _OPEN:
            self._leave()
            self._tell_closed(code, reason, how)

    def crashed(self, error: Exception) -> None:
        """Hear of a mistake of ours."""
        if self._phase is not _CLOSED:
            self._leave()
            self._listener.on_crash(error)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _too_late(self, _: float) -> None:
        self._deadline = None
        self.catch_up()
        if self._phase is not _CONNECTING:
            return
        outcome = Attempt.SUBACK_TIMEOUT if self._trunk is not None and self._trunk.is_open else Attempt.CONNACK_TIMEOUT
        self.failed(outcome, f"no answer within {self._engine.connect_timeout:g} s")

    def _leave(self) -> None:
        self._phase = _CLOSED
        self._cancel()
        trunk, self._trunk = self._trunk, None
        if trunk is not None:
            trunk.leave(self)

    def _cancel(self) -> None:
        self._engine.timers.cancel(self._deadline)
        self._deadline = None

    def _tell_failed(self, outcome: str, reason: str) -> None:
        self._guarded(lambda: self._listener.on_failed(outcome, reason))

    def _tell_closed(self, code: int, reason: str, how: How) -> None:
        self._guarded(lambda: self._listener.on_closed(code, reason, how))

    def _guarded(self, tell: Callable[[], object]) -> None:
        """Let no exception of one station reach the trunk, or the hub."""
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - the listener decides
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        if self._phase is not _CLOSED:
            self._leave()
        self._listener.on_crash(error)
