from __future__ import annotations

import contextlib
import json
import queue
import ssl
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
import websocket
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.canned import Sink
from benchmarks.children import SinkProcess
from evidence.histogram import Histogram
from mqtt.dialect import Dialect, load_dialect
from mqtt.form import Form
from ocppj.errors import InconclusiveError
from ocppj.versions import RULES, Version

PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}


@contextlib.contextmanager
def station(sink: SinkProcess, identity: str, ocpp: str = "2.0.1") -> Iterator[websocket.WebSocket]:
    options = None
    if sink.address.ca_pem:
        context = ssl.create_default_context(cadata=sink.address.ca_pem)
        options = {"context": context}
    connection = websocket.create_connection(
        f"{sink.url}/{identity}", subprotocols=[PROTOCOLS[ocpp]], timeout=20, sslopt=options
    )
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: websocket.WebSocket, action: str, message_id: str = "a-1") -> dict[str, object]:
    connection.send(json.dumps([2, message_id, action, {}]))
    kind, answered, payload = json.loads(connection.recv())
    assert (kind, answered) == (3, message_id)
    assert isinstance(payload, dict)
    return payload


def test_sink_answers_by_id_and_counts_to_the_unit() -> None:
    with SinkProcess() as sink:
        with station(sink, "A") as a, station(sink, "B", "1.6") as b:
            for number in range(7):
                ask(a, "Heartbeat", f"a-{number}")
            assert ask(a, "BootNotification")["status"] == "Accepted"
            assert ask(a, "Authorize") == {"idTokenInfo": {"status": "Accepted"}}
            assert ask(b, "Authorize") == {"idTagInfo": {"status": "Accepted"}}
            assert "transactionId" in ask(b, "StartTransaction")
            assert ask(b, "Anything") == {}
            b.send('[3,"x",{}]')
            ask(b, "Heartbeat")
            stats = sink.stats()
        assert stats.calls == {
            "Heartbeat": 8,
            "BootNotification": 1,
            "Authorize": 2,
            "StartTransaction": 1,
            "Anything": 1,
        }
        assert stats.total == 13
        assert (stats.others, stats.connected, stats.connected_most, stats.opened) == (1, 2, 2, 2)
        assert sum(stats.arrivals.values()) == 2
        assert stats.cpu_s > 0


def test_reset_forgets_the_counts_and_keeps_the_connections() -> None:
    with SinkProcess() as sink, station(sink, "A") as a:
        ask(a, "Heartbeat")
        assert sink.reset().total == 1
        ask(a, "MeterValues")
        stats = sink.stats()
        assert stats.calls == {"MeterValues": 1}
        assert (stats.connected, stats.opened) == (1, 0)


def test_identity_that_is_connected_twice_at_once_is_named() -> None:
    with SinkProcess() as sink:
        with station(sink, "A"):
            pass
        with station(sink, "A") as again, station(sink, "B"), station(sink, "B") as twin:
            ask(again, "Heartbeat")
            ask(twin, "Heartbeat")
            assert sink.stats().twice == ["B"]


def test_held_answers_are_measured_at_the_sink() -> None:
    with SinkProcess("--latency", "constant:30") as sink, station(sink, "A") as a:
        for _ in range(5):
            ask(a, "Heartbeat")
        held = Histogram(sink.stats().held_us)
    assert held.count == 5
    # The clock of an event loop is as old as its turn, so a timer of 30 ms may seem to run a little early.
    assert held.min >= 29_000


def test_sink_speaks_tls_on_request() -> None:
    with SinkProcess("--tls") as sink, station(sink, "A") as a:
        assert sink.url.startswith("wss://")
        assert "currentTime" in ask(a, "Heartbeat")


def test_several_sinks_share_a_port_and_add_up() -> None:
    with SinkProcess(processes=2) as sink, contextlib.ExitStack() as stack:
        for number in range(20):
            ask(stack.enter_context(station(sink, f"S{number}")), "Heartbeat")
        stats = sink.stats()
    assert (stats.total, stats.connected, stats.opened, sum(stats.arrivals.values())) == (20, 20, 20, 20)


class Answers:
    """A station that listens for the next message."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()

    def connect(self, sink: SinkProcess, dialect: Dialect, *identities: str) -> paho.Client:
        protocol = paho.MQTTv5 if dialect.mqtt == "5" else paho.MQTTv311
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="gate", protocol=protocol)
        client.on_message = lambda _, __, message: self.heard.put(message)
        client.on_subscribe = lambda *_: self.heard.put("granted")
        client.connect("127.0.0.1", int(sink.url.rpartition(":")[2]))
        client.loop_start()
        for identity in identities:
            client.subscribe(dialect.topic(dialect.down.topic, identity, "ocpp2.0.1"), qos=2)
            assert self.heard.get(timeout=20) == "granted"
        return client


@pytest.mark.parametrize(("name", "qos"), [("raw", 0), ("raw", 1), ("emqx", 1), ("emqx", 2), ("maeve", 0)])
def test_sink_as_a_broker_answers_each_station_in_the_dialect(name: str, qos: int) -> None:
    dialect = load_dialect(name)
    form, ear = Form(dialect, RULES[Version.V201]), Answers()
    with SinkProcess("--dialect", name, "--qos", str(qos)) as sink:
        client = ear.connect(sink, dialect, "A", "B")
        for identity in ("A", "B", "B"):
            topic = dialect.topic(dialect.up.topic, identity, "ocpp2.0.1")
            properties = Properties(PacketTypes.PUBLISH) if dialect.mqtt == "5" else None  # type: ignore[no-untyped-call] # paho ships it untyped
            call = form.write('[2,"7","Heartbeat",{}]').payload
            client.publish(topic, call, qos=dialect.up.qos, properties=properties)
            message = ear.heard.get(timeout=20)
            assert (message.topic, message.qos) == (dialect.topic(dialect.down.topic, identity, "ocpp2.0.1"), qos)
            kind, message_id, payload = json.loads(form.read(message.payload))
            assert (kind, message_id, list(payload)) == (3, "7", ["currentTime"])
        client.unsubscribe(dialect.topic(dialect.down.topic, "A", "ocpp2.0.1"))
        client.publish(dialect.topic(dialect.up.topic, "nobody", "ocpp2.0.1"), b"[]", qos=1).wait_for_publish(20)
        stats = sink.stats()
        client.disconnect()
        client.loop_stop()
    assert (stats.calls, stats.others) == ({"Heartbeat": 3}, 1)
    assert (stats.opened, stats.connected_most, stats.connected) == (2, 2, 1)


def test_wrong_latency_ends_the_sink_with_its_reason() -> None:
    with pytest.raises(InconclusiveError, match="constant:MS"):
        SinkProcess("--latency", "slow")


def test_what_a_sink_reads_after_other_work_or_a_pause_may_have_lain_there_meanwhile() -> None:
    sink = Sink()
    sink.end(10.0)
    assert sink.begin(10.001) == 10.001
    sink.end(10.0011)
    # One piece of work after the other: the second CALL may have come with the first.
    assert sink.begin(10.00112) == 10.001
    sink.end(10.0012)
    # A sink that looks every millisecond had no processor for five.
    assert sink.begin(10.0062) == 10.0012
    sink.end(10.0063)
    assert sink.begin(10.00632) == 10.0012
    sink.end(10.0064)
    assert sink.begin(10.0074) == 10.0074
