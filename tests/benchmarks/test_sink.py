from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator

import pytest
import websocket

from benchmarks.children import SinkProcess
from evidence.histogram import Histogram
from ocppj.errors import InconclusiveError

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


def test_wrong_latency_ends_the_sink_with_its_reason() -> None:
    with pytest.raises(InconclusiveError, match="constant:MS"):
        SinkProcess("--latency", "slow")
