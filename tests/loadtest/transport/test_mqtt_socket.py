"""A station's MQTT connection against real brokers, and against one that is wrong on purpose."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import trustme

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import Attempt, Engine, Handshake, How
from loadtest.transport.mqtt_socket import MqttSocket, TlsMqttSocket
from loadtest.transport.opening import open_socket
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target, client_context
from mqtt.dialect import Dialect, load_dialect
from mqtt.packets import Ack, ConnAck, Connect, Disconnect, Kind, Level, Packet, Publish, SubAck, encode
from mqtt.properties import Property
from tests.loadtest.listeners import Listener
from tests.loadtest.scripted_server import Peer, ScriptedServer
from tests.mqtt.brokers import BROKERS, MOSQUITTO, Broker, mosquitto, running

pytestmark = pytest.mark.waits(0.3)

NEEDS_MOSQUITTO = pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto; rumqttd has no such rules")
BASIC = {"Authorization": "Basic UFMxOnNlY3JldA=="}  # PS1:secret


@pytest.fixture
def engine() -> Iterator[Engine]:
    loop = gevent.get_hub().loop
    engine = Engine(loop, HubTimers(loop), connect_timeout=10.0, close_timeout=2.0)
    yield engine
    engine.timers.close()
    assert engine.open_sockets == 0


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as one:
        yield one


def target_of(broker: Broker, dialect: Dialect, **more: Any) -> Target:
    target = Target(f"mqtt://127.0.0.1:{broker.ports[dialect.level]}", dialect=dialect, **more)
    target.resolve()
    return target


def opened(engine: Engine, target: Target, identity: str = "PS1", **headers: str) -> tuple[Any, Listener]:
    ear = Listener()
    sock: Any = open_socket(engine, target, ear)
    sock.connect(f"{target.url}/{identity}", "ocpp1.6", headers)
    ear.wait()
    return sock, ear


def close(sock: Any, ear: Listener) -> None:
    heard = len(ear.heard)
    sock.close()
    ear.wait(heard + 1)
    assert ear.heard[-1] == ("closed", 1000, "", How.LOCAL)


def mirror(dialect: Dialect) -> Dialect:
    """Let down be up, so that two stations speak to each other."""
    return Dialect(
        title="mirror",
        mqtt=dialect.mqtt,
        up=dialect.down,
        down=dialect.up,
        prefix=dialect.prefix,
        # Two clients of one name would end each other.
        client_id="other-{id}",
        object=dialect.object,
        errors=dialect.errors,
    )


def drain(engine: Engine) -> None:
    """Wait until the last connection is gone."""
    with gevent.Timeout(10):
        while engine.open_sockets:
            gevent.sleep(0.01)


# -- with a real broker ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["raw", "emqx", "maeve"])
def test_what_a_station_says_comes_back_from_whoever_listens(engine: Engine, broker: Broker, name: str) -> None:
    dialect = load_dialect(name).at(f"echo-{name}")
    sock, ear = opened(engine, target_of(broker, dialect))
    other, other_ear = opened(engine, target_of(broker, mirror(dialect)))
    assert isinstance(ear.heard[0][1], Handshake)
    assert ear.heard[0][1].subprotocol == "ocpp1.6"
    call, answer = [2, "1", "Heartbeat", {}], [3, "1", {"currentTime": "2026-01-01T00:00:00Z"}]
    assert sock.send_text(json.dumps(call))
    other_ear.wait(2)
    assert json.loads(other_ear.messages[0]) == call
    assert other.send_text(json.dumps(answer))
    ear.wait(2)
    assert json.loads(ear.messages[0]) == answer
    assert [what for what in (*ear.heard, *other_ear.heard) if what[0] == "trouble"] == []
    close(sock, ear)
    close(other, other_ear)
    assert not sock.send_text("[]")


def test_a_second_connection_of_one_name_ends_the_first(engine: Engine, broker: Broker) -> None:
    target = target_of(broker, load_dialect("raw"))
    _, ear = opened(engine, target, "twin")
    sock, other = opened(engine, target, "twin")
    ear.wait(2)
    assert ear.heard[1][0] == "closed"
    assert ear.heard[1][3] in (How.LOST, How.PEER)
    close(sock, other)


def test_a_broker_that_dies_ends_the_connection_as_lost(engine: Engine) -> None:
    with running("rumqttd") as broker:
        _, ear = opened(engine, target_of(broker, load_dialect("raw")))
        broker.kill()
        ear.wait(2)
        assert ear.heard[1][0] == "closed"
        assert ear.heard[1][3] is How.LOST
        _, ear = opened(engine, target_of(broker, load_dialect("raw")))
        assert ear.heard[0][:2] == ("failed", Attempt.REFUSED)


@NEEDS_MOSQUITTO
@pytest.mark.parametrize(("name", "reason"), [("raw", "not authorized"), ("maeve", "not authorized")])
def test_a_wrong_password_is_the_outcome(engine: Engine, name: str, reason: str) -> None:
    with mosquitto("allow_anonymous false") as broker:
        _, ear = opened(engine, target_of(broker, load_dialect(name)), **BASIC)
        assert ear.heard == [("failed", "connack-not-authorized", reason)]


@NEEDS_MOSQUITTO
def test_a_station_proves_itself_with_a_certificate(engine: Engine, tmp_path: Path) -> None:
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
        for name, is_let_in in (("client.pem", True), ("foreign.pem", False)):
            context = client_context(files["ca.pem"], files[name])
            target = Target(f"mqtts://127.0.0.1:{broker.port}", tls=context)
            target.resolve()
            sock, ear = opened(engine, target)
            assert isinstance(sock, TlsMqttSocket)
            if is_let_in:
                assert ear.heard[0][0] == "open", ear.heard
                close(sock, ear)
            else:
                assert ear.heard[0][0] == "failed"


# -- with a broker that is wrong on purpose ----------------------------------------------------------------------------


class Wrong:
    """A broker by script, for one connection."""

    def __init__(self, *answers: bytes, level: Level = Level.V311) -> None:
        self.heard: list[bytes] = []
        self.level = level
        self.more: list[bytes] = []
        self.go_on = threading.Event()
        self._answers = answers

    def __call__(self, peer: Peer) -> None:
        for answer in self._answers:
            self.heard.append(peer.sock.recv(65_536))
            peer.raw(answer)
        if self.more:
            self.go_on.wait(20)
        for data in self.more:
            peer.raw(data)
        peer.until_end()


def said(level: Level, *packets: Packet) -> bytes:
    return b"".join(encode(packet, level) for packet in packets)


def granted(level: Level = Level.V311) -> tuple[bytes, bytes]:
    return said(level, ConnAck(code=0)), said(level, SubAck(packet_id=1, codes=(1,)))


def meet(
    engine: Engine, script: Callable[[Peer], None], name: str, look: Callable[[Any, Listener], None], **headers: str
) -> None:
    with ScriptedServer(script) as server:
        target = Target(f"mqtt://127.0.0.1:{server.port}", dialect=load_dialect(name))
        target.resolve()
        ear = Listener()
        sock: Any = open_socket(engine, target, ear)
        assert isinstance(sock, MqttSocket)
        sock.connect(f"{target.url}/PS1", "ocpp1.6", headers)
        ear.wait()
        look(sock, ear)
        sock.abort()


def failure(engine: Engine, script: Callable[[Peer], None], name: str = "raw") -> tuple[str, str]:
    found: list[Any] = []
    meet(engine, script, name, lambda _, ear: found.extend(ear.heard))
    assert found[0][0] == "failed"
    return found[0][1], found[0][2]


def test_credentials_go_into_connect(engine: Engine) -> None:
    script = Wrong(*granted())
    meet(engine, script, "raw", lambda _, __: None, **BASIC)
    assert script.heard[0] == encode(
        Connect(client_id="PS1", keep_alive=60, user="PS1", password=b"secret"), Level.V311
    )


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        ((said(Level.V311, ConnAck(code=4)),), "connack-bad-user-name-or-password", "bad user name or password"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), Attempt.NOT_MQTT, "expected a CONNACK, but the first byte is 0x48"),
        (
            (said(Level.V311, ConnAck(code=0)), said(Level.V311, SubAck(packet_id=1, codes=(0x80,)))),
            Attempt.NOT_SUBSCRIBED,
            "the broker refuses the topic PS1/out: unspecified error",
        ),
    ],
)
def test_each_refusal_is_an_outcome(engine: Engine, answers: tuple[bytes, ...], outcome: str, reason: str) -> None:
    found, why = failure(engine, Wrong(*answers))
    assert found == outcome
    assert re.search(reason, why)


def test_the_words_of_a_broker_of_mqtt_5_are_kept(engine: Engine) -> None:
    answer = said(Level.V5, ConnAck(code=0x87, properties={Property.REASON: "no fleet"}))
    assert failure(engine, Wrong(answer), "maeve") == ("connack-not-authorized", "not authorized (no fleet)")


def test_a_broker_that_does_not_know_mqtt_5_says_so(engine: Engine) -> None:
    answer = said(Level.V311, ConnAck(code=1))
    assert failure(engine, Wrong(answer), "maeve")[0] == "connack-unsupported-protocol-version"


@pytest.mark.parametrize(("answers", "outcome"), [(0, Attempt.CONNACK_TIMEOUT), (1, Attempt.SUBACK_TIMEOUT)])
def test_a_silent_broker_is_an_outcome(engine: Engine, answers: int, outcome: str) -> None:
    engine.connect_timeout = 0.3
    assert failure(engine, Wrong(*granted()[:answers]))[0] == outcome


def test_an_identity_that_cannot_be_in_a_topic_is_an_outcome(engine: Engine) -> None:
    target = Target("mqtt://127.0.0.1:9")
    target.resolve()
    _, ear = opened(engine, target, "A%2FB")
    assert ear.heard[0][:2] == ("failed", Attempt.BAD_TOPIC)


def hear(engine: Engine, *packets: Packet, name: str = "raw", wait: int = 2) -> list[Any]:
    level = load_dialect(name).level
    script = Wrong(*granted(level), level=level)
    script.more = [said(level, *packets)]
    found: list[Any] = []

    def look(_: Any, ear: Listener) -> None:
        script.go_on.set()
        ear.wait(wait)
        found.extend(ear.heard[1:])

    meet(engine, script, name, look)
    return found


def test_deliveries_that_may_be_old_are_counted_and_handed_on(engine: Engine) -> None:
    again = Publish(topic="PS1/out", payload=b"[3]", qos=1, packet_id=5, duplicate=True)
    kept = Publish(topic="PS1/out", payload=b"[4]", retain=True)
    assert hear(engine, again, kept, wait=5) == [
        ("trouble", "mqtt-duplicate-delivery", ""),
        "[3]",
        ("trouble", "mqtt-retained-delivery", ""),
        "[4]",
    ]


def test_a_payload_of_another_dialect_is_counted_and_named(engine: Engine) -> None:
    ((kind, word, detail),) = hear(engine, Publish(topic="PS1/out", payload=b'{"MessageTypeId":3}'))
    assert (kind, word) == ("trouble", "mqtt-other-dialect")
    assert "on PS1/out is not of this dialect: expected an OCPP-J array" in detail


def test_a_message_without_the_properties_of_its_dialect_is_counted(engine: Engine) -> None:
    message = Publish(topic="cs/out/ocpp1.6/PS1", payload=b'{"type":3,"id":"1","response":{}}')
    found = hear(engine, message, name="maeve", wait=3)
    assert found[0][:2] == ("trouble", "mqtt-properties-missing")
    assert json.loads(found[1]) == [3, "1", {}]


def test_a_message_that_the_broker_refuses_is_counted(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text('{title: mine, mqtt: "5", up: {topic: "{id}/in", qos: 1}, down: {topic: "{id}/out"}}')
    script = Wrong(*granted(Level.V5), said(Level.V5, Ack(kind=Kind.PUBACK, packet_id=2, code=0x87)), level=Level.V5)

    def look(sock: Any, ear: Listener) -> None:
        assert sock.send_text("[]")
        ear.wait(2)
        assert ear.heard[1] == ("trouble", "mqtt-publish-refused", "the broker refuses a message: not authorized")

    meet(engine, script, str(path), look)


def test_the_reason_of_a_broker_that_ends_the_connection_is_kept(engine: Engine) -> None:
    last = Disconnect(code=0x8B, properties={Property.REASON: "maintenance"})
    found = hear(engine, last, name="maeve")
    assert found == [("closed", 0x8B, "server shutting down (maintenance)", How.PEER)]


def test_what_comes_before_the_topic_is_granted_is_heard_after_it(engine: Engine) -> None:
    early = said(Level.V311, Publish(topic="PS1/out", payload=b"[1]"), SubAck(packet_id=1, codes=(0,)))
    found: list[Any] = []

    def look(_: Any, ear: Listener) -> None:
        ear.wait(2)
        found.extend(ear.heard)

    meet(engine, Wrong(said(Level.V311, ConnAck(code=0)), early), "raw", look)
    assert found[0][0] == "open"
    assert found[1] == "[1]"


def test_bytes_that_are_no_mqtt_end_the_connection(engine: Engine) -> None:
    script = Wrong(*granted())
    script.more = [b"\x00\x00"]
    found: list[Any] = []

    def look(_: Any, ear: Listener) -> None:
        script.go_on.set()
        ear.wait(2)
        found.extend(ear.heard[1:])

    meet(engine, script, "raw", look)
    assert found == [("closed", 1002, "packet type 0 does not exist", How.VIOLATION)]


def test_a_broker_that_answers_no_ping_is_lost(engine: Engine) -> None:
    def look(sock: Any, ear: Listener) -> None:
        sock.ping_every(0.05)
        ear.wait(2)
        assert ear.heard[1][0] == "closed"
        assert ear.heard[1][3] is How.LOST
        assert "no pong" in ear.heard[1][2]

    meet(engine, Wrong(*granted()), "raw", look)


# -- many stations on one connection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["raw", "maeve"])
def test_stations_share_a_connection_and_each_hears_its_own(engine: Engine, broker: Broker, name: str) -> None:
    dialect = load_dialect(name).at(f"shared-{name}")
    target = target_of(broker, dialect, mqtt_connections=2)
    shared = [opened(engine, target, f"PS{number}") for number in range(20)]
    assert [ear.heard[0][0] for _, ear in shared] == ["open"] * 20
    assert engine.open_sockets == len(target.trunks) == 2
    others = [opened(engine, target_of(broker, mirror(dialect)), f"PS{number}") for number in range(20)]
    for number, ((sock, ear), (other, other_ear)) in enumerate(zip(shared, others, strict=True)):
        assert sock.send_text(json.dumps([2, str(number), "Heartbeat", {}]))
        other_ear.wait(2)
        assert json.loads(other_ear.messages[0])[1] == str(number)
        other.send_text(json.dumps([3, str(number), {}]))
        ear.wait(2)
        assert json.loads(ear.messages[0])[1] == str(number)
        close(other, other_ear)
    for sock, ear in shared:
        close(sock, ear)
    drain(engine)
    assert target.trunks == {}


def test_a_lost_connection_is_lost_for_all_its_stations_and_comes_back_with_the_first(engine: Engine) -> None:
    with running("rumqttd") as broker:
        target = target_of(broker, load_dialect("raw"), mqtt_connections=1)
        stations = [opened(engine, target, f"PS{number}") for number in range(10)]
        broker.kill()
        for _, ear in stations:
            ear.wait(2)
            assert ear.heard[1][0] == "closed"
            assert ear.heard[1][3] is How.LOST
        _, ear = opened(engine, target)
        assert ear.heard[0][:2] == ("failed", Attempt.REFUSED)
        broker.start()
        sock, ear = opened(engine, target)
        assert ear.heard[0][0] == "open"
        close(sock, ear)
        drain(engine)


def test_a_station_that_is_paused_hears_later_what_came_meanwhile(engine: Engine, broker: Broker) -> None:
    dialect = load_dialect("raw").at("paused")
    target = target_of(broker, dialect, mqtt_connections=1)
    sock, ear = opened(engine, target)
    awake, awake_ear = opened(engine, target, "PS2")
    other, _ = opened(engine, target_of(broker, mirror(dialect)))
    second, _ = opened(engine, target_of(broker, mirror(dialect)), "PS2")
    sock.pause()
    other.send_text("[1]")
    second.send_text("[2]")
    awake_ear.wait(2)
    assert awake_ear.messages == ["[2]"]
    assert ear.messages == []
    sock.resume()
    ear.wait(2)
    assert ear.messages == ["[1]"]
    for one in (sock, awake, other, second):
        one.abort()
    drain(engine)


def test_what_stations_of_one_connection_say_in_a_batch_goes_out_in_one_write_and_before_they_leave(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = Level.V311
    ready = said(level, SubAck(packet_id=1, codes=(1,))), said(level, SubAck(packet_id=2, codes=(1,)))
    with ScriptedServer(Wrong(said(level, ConnAck(code=0)), *ready)) as server:
        target = Target(f"mqtt://127.0.0.1:{server.port}", dialect=load_dialect("raw"), mqtt_connections=1)
        target.resolve()
        stations = [opened(engine, target, f"PS{number}") for number in (1, 2)]
        written: list[bytes] = []
        write = Stream._write

        def spy(sock: Stream, data: bytes) -> None:
            written.append(data)
            write(sock, data)

        monkeypatch.setattr(Stream, "_write", spy)
        engine.turn.begin()
        for sock, _ in stations:
            assert sock.send_text("[2]")
        assert written == []
        engine.turn.finish()
        first, second = (encode(Publish(topic=f"PS{number}/in", payload=b"[2]"), level) for number in (1, 2))
        assert written == [first + second]
        engine.turn.begin()
        for sock, ear in stations:
            assert sock.send_text("[2]")
            close(sock, ear)
        engine.turn.finish()
        last = b"".join(written[1:])
        assert last.startswith(first)
        assert second in last
        assert last.endswith(encode(Disconnect(code=0), level))
        drain(engine)


def test_a_refused_login_fails_every_station_that_waits(engine: Engine) -> None:
    with ScriptedServer(Wrong(said(Level.V311, ConnAck(code=5)))) as server:
        target = Target(f"mqtt://127.0.0.1:{server.port}", mqtt_connections=1)
        target.resolve()
        ears = []
        for number in range(3):
            ear = Listener()
            open_socket(engine, target, ear).connect(f"{target.url}/PS{number}", "ocpp1.6", {})
            ears.append(ear)
        for ear in ears:
            ear.wait()
            assert ear.heard == [("failed", "connack-not-authorized", "not authorized")]


@pytest.mark.parametrize(("answers", "outcome"), [(0, Attempt.CONNACK_TIMEOUT), (1, Attempt.SUBACK_TIMEOUT)])
def test_a_silent_broker_fails_every_station_that_waits(engine: Engine, answers: int, outcome: str) -> None:
    engine.connect_timeout = 0.3
    with ScriptedServer(Wrong(*granted()[:answers])) as server:
        target = Target(f"mqtt://127.0.0.1:{server.port}", mqtt_connections=1)
        target.resolve()
        for number in range(2):
            _, ear = opened(engine, target, f"PS{number}")
            assert ear.heard[0][:2] == ("failed", outcome)
        drain(engine)
