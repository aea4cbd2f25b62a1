"""The scripted station behind a broker: what opens, what is carried, and what only a broker does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from fixtures.csms import ThreadCsms, practice_csms
from fixtures.models import station as make_station
from interop_suite.claims.exchange import AnswerKind, is_untrusted
from interop_suite.claims.history import History
from interop_suite.drive import mqtt_wire
from interop_suite.drive.broker_side import form_of, listening, post
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.mqtt_wire import MqttTransport, broker_of
from interop_suite.drive.offer import TRAITS, Offer, Trait, asks
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from interop_suite.drive.wire import WebSocketTransport
from mqtt.dialect import dialect_names, load_dialect
from mqtt.packets import ConnAck, Level, SubAck, encode
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import Version
from tests.mqtt.brokers import BROKERS, MOSQUITTO, Broker, free_port, mosquitto, running

PATIENCE = 20.0


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as one:
        yield one


def station_of(
    url: str, name: str, identity: str = "PS1", *, timeout: float = PATIENCE
) -> tuple[ScriptedStation, list[TraceRecord]]:
    transport = MqttTransport(broker_of(url, None, None), load_dialect(name), name)
    records: list[TraceRecord] = []
    offer = Offer(url=f"{url}/{identity}", subprotocols=("ocpp1.6",), identity=identity)
    model = make_station("ac-trio", identity, seed=0)
    station = ScriptedStation(model, Version.V16, offer, records.append, timeout=timeout, transport=transport)
    station.note(role="primary", phase="script")
    return station, records


@contextlib.contextmanager
def behind(broker: Broker, name: str, **more: Any) -> Iterator[tuple[ThreadCsms, str]]:
    url = f"mqtt://127.0.0.1:{broker.ports[load_dialect(name).level]}"
    with practice_csms(mqtt=url, mqtt_dialects=(name,), **more) as csms:
        yield csms, url


def boot(station: ScriptedStation) -> None:
    assert station.connect().opened
    assert station.call("BootNotification", DIALOGUES[Version.V16].boot(station.model)).get("status") == "Accepted"


@pytest.mark.parametrize("name", dialect_names())
def test_a_station_is_served_and_its_trace_reads_as_ocpp(broker: Broker, name: str) -> None:
    with behind(broker, name) as (_, url):
        station, records = station_of(url, name)
        boot(station)
        assert station.call("NoSuchAction", {}).code == "NotImplemented"
        station.put_away()
    history = History(records, Version.V16)
    (connection,) = history.connections
    assert (connection.opened, connection.info["over"], connection.info["dialect"]) == (True, "mqtt", name)
    assert [exchange.kind for exchange in history.exchanges] == [AnswerKind.RESULT, AnswerKind.ERROR]
    assert (history.strays, history.broker_lost, connection.ended_by_csms) == ([], "", False)
    heard = [record for record in records if record.kind is Kind.RECEIVED]
    assert {record.info["qos"] for record in heard} == {load_dialect(name).down.qos}


def test_a_message_of_another_dialect_is_a_stray_and_no_answer(broker: Broker) -> None:
    with behind(broker, "raw") as (_, url):
        station, records = station_of(url, "raw")
        boot(station)
        with listening(station, "nobody/needs/this") as ear:
            ear.say("PS1/out", b'{"type":3,"id":"7","response":{}}')
        station.pump(lambda: station.heard > 1, PATIENCE)
        station.put_away()
    history = History(records, Version.V16)
    (stray,) = history.strays
    assert "not of this dialect" in stray.reason


def test_whoever_listens_hears_what_concerns_a_station_and_not_its_own_words(broker: Broker) -> None:
    with behind(broker, "emqx") as (_, url):
        station, _ = station_of(url, "emqx")
        boot(station)
        with listening(station) as ear:
            station.call("Heartbeat", {})
            heard = ear.take(station)
        station.put_away()
    assert [message.topic for message in heard] == ["ocpp/cs/PS1"]


def test_a_payload_of_ones_own_is_in_the_trace_as_the_message_that_it_stands_for(broker: Broker) -> None:
    with behind(broker, "maeve") as (_, url):
        station, records = station_of(url, "maeve")
        boot(station)
        text = '[2,"own","Heartbeat",{}]'
        post(station, form_of(station, text).replace(b"{", b'{"more":1,', 1), text=text)
        station.pump(lambda: station.heard > 1, PATIENCE)
        station.put_away()
    call = History(records, Version.V16).exchanges[-1]
    assert (call.action, call.kind) == ("Heartbeat", AnswerKind.RESULT)


@pytest.mark.parametrize("identity", ["a/b", "a+b", "a#b"])
def test_an_identity_that_no_topic_holds_does_not_apply(identity: str) -> None:
    station, _ = station_of("mqtt://127.0.0.1:1", "raw", identity)
    with pytest.raises(NoWayError, match="over MQTT no identity holds"):
        station.connect()
    station.put_away()


@pytest.mark.parametrize("field", TRAITS)
def test_what_no_csms_sees_behind_a_broker_does_not_apply(field: str) -> None:
    station, _ = station_of("mqtt://127.0.0.1:1", "raw")
    with pytest.raises(NoWayError, match="over MQTT "):
        station.connect(**{field: None})
    station.put_away()


def test_what_is_odd_about_an_offer_is_told_by_its_fields() -> None:
    plain = Offer(url="ws://x", subprotocols=("ocpp1.6",))
    assert asks(plain) == []
    odd = msgspec.structs.replace(plain, headers=(("A", "b"),), username="x")
    assert set(asks(odd)) == {Trait.UPGRADE, Trait.CREDENTIALS}
    assert set(WebSocketTransport.lacks) == {Trait.BROKER}


@pytest.mark.parametrize(
    ("name", "text", "carried"),
    [
        ("raw", "[2", True),
        ("raw", "hello", False),
        ("raw", b"[\xff]", False),
        ("maeve", '[2,"1","Heartbeat",{}]', True),
        ("maeve", '[2,"1","Heartbeat"]', False),
        ("maeve", '[9,"1","Heartbeat",{}]', False),
        ("maeve", "hello", False),
        ("emqx", '[4,"1","InternalError","",{"a":1}]', True),
    ],
)
def test_a_dialect_carries_what_the_other_side_can_read_as_the_same(
    name: str, text: str | bytes, *, carried: bool
) -> None:
    station, _ = station_of("mqtt://127.0.0.1:1", name)
    assert station.carries(text) is carried
    station.put_away()


def test_pings_fragments_and_bytes_do_not_apply() -> None:
    station, _ = station_of("mqtt://127.0.0.1:1", "raw")
    for act in (station.ping, lambda: station.break_framing(b"x"), lambda: station.send_raw("[]", fragments=2)):
        with pytest.raises(NoWayError):
            act()
    station.put_away()


def test_a_broker_that_is_not_there_is_unreachable() -> None:
    station, records = station_of(f"mqtt://127.0.0.1:{free_port()}", "raw", timeout=1)
    handshake = station.connect()
    assert (handshake.opened, handshake.unreachable) == (False, True)
    assert History(records, Version.V16).broker_lost
    station.put_away()


def test_a_broker_that_dies_ends_the_connection_and_says_nothing_of_the_csms() -> None:
    with running("rumqttd") as broker, behind(broker, "raw") as (_, url):
        station, records = station_of(url, "raw")
        boot(station)
        broker.kill()
        assert station.pump(lambda: not station.connected, PATIENCE)
        assert station.call("Heartbeat", {}).kind == "not sent"
        station.put_away()
    assert History(records, Version.V16).broker_lost


@contextlib.contextmanager
def scripted(*answers: bytes) -> Iterator[str]:
    """Be a broker that says so much, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                peer, _ = server.accept()
                with peer:
                    for answer in answers:
                        peer.recv(65_536)
                        peer.sendall(answer)
                    while peer.recv(65_536):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}"


IN = encode(ConnAck(code=0), Level.V311)
HEARD: list[tuple[tuple[bytes, ...], str, str]] = [
    ((encode(ConnAck(code=4), Level.V311),), "bad user name or password", "--password"),
    ((), "does not answer CONNECT", "--url"),
    ((IN,), "does not answer SUBSCRIBE", "--url"),
    ((IN, encode(SubAck(packet_id=1, codes=(0x80,)), Level.V311)), "refuses the topic PS1/out", "access rules"),
    ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "no MQTT", "--url"),
]


@pytest.mark.parametrize(("answers", "reason", "mend"), HEARD)
def test_each_refusal_of_a_broker_has_its_reason_and_its_mend(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[bytes, ...], reason: str, mend: str
) -> None:
    monkeypatch.setattr(mqtt_wire, "BROKER_PATIENCE", 0.2)
    with scripted(*answers) as url:
        station, _ = station_of(url, "raw", timeout=0.2)
        handshake = station.connect()
        station.put_away()
    assert not handshake.opened
    assert reason in str(handshake.error)
    assert mend in handshake.mend


@pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto")
def test_a_station_trusts_a_root_and_proves_itself_with_a_certificate(tmp_path: Path) -> None:
    ca, foreign = trustme.CA(), trustme.CA()
    server = ca.issue_cert("127.0.0.1")
    files = {name: str(tmp_path / name) for name in ("ca.pem", "server.pem", "server.key", "client.pem", "foreign.pem")}
    ca.cert_pem.write_to_path(files["ca.pem"])
    server.cert_chain_pems[0].write_to_path(files["server.pem"])
    server.private_key_pem.write_to_path(files["server.key"])
    ca.issue_cert("PS1").private_key_and_cert_chain_pem.write_to_path(files["client.pem"])
    foreign.issue_cert("PS1").private_key_and_cert_chain_pem.write_to_path(files["foreign.pem"])
    lines = [f"cafile {files['ca.pem']}", f"certfile {files['server.pem']}", f"keyfile {files['server.key']}"]
    with mosquitto(*lines, "require_certificate true") as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        seen = {}
        for root, certificate in (("ca.pem", "client.pem"), ("ca.pem", "foreign.pem"), ("ca.pem", None), (None, None)):
            own = None if certificate is None else files[certificate]
            transport = MqttTransport(broker_of(url, root and files[root], own), load_dialect("raw"), "raw")
            wire = transport.link(Version.V16)
            handshake = wire.open(Offer(url=f"{url}/PS1", subprotocols=("ocpp1.6",), identity="PS1"), PATIENCE)
            seen[root, certificate] = handshake.opened
            wire.close()
            if root is None:
                assert is_untrusted(handshake.error)
            elif handshake.opened:
                assert (handshake.tls or {}).get("version") == "TLSv1.3"
    assert [key for key, opened in seen.items() if opened] == [("ca.pem", "client.pem")]


def test_silence_counts_once_everything_has_arrived(broker: Broker) -> None:
    def settled(csms: ThreadCsms) -> Callable[[], None]:
        return csms.settle

    with behind(broker, "emqx") as (csms, url):
        station, _ = station_of(url, "emqx")
        boot(station)
        station.wire.arrive()
        settled(csms)()
        station.wire.arrive()
        assert csms.do(lambda one: one.world.calls[Version.V16, "BootNotification"]) == 1
        station.put_away()
