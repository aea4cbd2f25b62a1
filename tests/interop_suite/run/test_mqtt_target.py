"""What a run over MQTT is asked for, what it finds before it begins, and a broker that goes away for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import NoDriver
from evidence import exit_codes
from evidence.run_model import Claims
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.mqtt_wire import LACKS, MqttTransport
from interop_suite.drive.offer import Trait
from interop_suite.drive.wire import WebSocketTransport
from interop_suite.main import run_interop
from interop_suite.run.features import held_against_claim
from interop_suite.run.judge import judge
from interop_suite.run.plan import make_plan
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import not_applicable
from interop_suite.run.state import reproduce_command
from interop_suite.run.target import target_of
from interop_suite.run.target_check import BootRefusedError, NobodyAnswersError, check_target
from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import Version
from tests.mqtt.brokers import free_port, running


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (InteropRequest(url="ws://127.0.0.1", dialect="raw"), "--dialect raw needs a broker"),
        (InteropRequest(url="mqtt://127.0.0.1", dialect="maev"), "did you mean 'maeve'"),
        (InteropRequest(url="mqtt://127.0.0.1", certificate="x.pem"), "needs TLS"),
        (InteropRequest(url="mqtts://127.0.0.1", certificate="no.pem"), "holds no certificate with its key"),
        (InteropRequest(url="mqtt://127.0.0.1", tls_url="wss://127.0.0.1"), "--tls-url is for a CSMS that takes"),
    ],
)
def test_what_does_not_go_together_is_refused(request_: InteropRequest, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        target_of(request_)


def test_the_url_says_how_the_csms_is_reached() -> None:
    assert isinstance(target_of(InteropRequest(url="ws://127.0.0.1")).transport, WebSocketTransport)
    request = InteropRequest(url="mqtt://joe:tiger%21@127.0.0.1/site")
    transport = target_of(request).transport
    assert isinstance(transport, MqttTransport)
    assert (transport.dialect.prefix, transport.name) == ("/site", "raw")
    assert (transport.broker.user, transport.broker.password) == ("joe", b"tiger!")
    assert request.secrets == {"tiger!"}
    again = reproduce_command(all_cases()[0], request, embedded=False)
    assert "tiger" not in again
    assert "mqtt://joe@127.0.0.1/site" in again
    assert again.endswith("--password …")


def test_a_broker_without_a_csms_and_no_broker_are_unreachable() -> None:
    nowhere = InteropRequest(url=f"mqtt://127.0.0.1:{free_port()}", timeout=1)
    with pytest.raises(TargetUnreachableError, match="cannot be used: TCP: Connection refused"):
        check_target(target_of(nowhere), NoDriver(), Version.V16)
    with running("rumqttd") as broker, pytest.raises(NobodyAnswersError, match=r"nobody answered its boot on \S+/out"):
        check_target(target_of(InteropRequest(url=broker.url, timeout=0.5)), NoDriver(), Version.V16)


def test_where_no_topic_tells_it_a_refused_boot_tells_the_version(tmp_path: Path) -> None:
    with running("rumqttd") as broker, practice_csms(mqtt=broker.url, mqtt_dialects=("raw",)):
        request = InteropRequest(url=broker.url, select="RPC_12,MQ_01", out=str(tmp_path / "run"), timeout=10)
        with pytest.raises(BootRefusedError, match="may speak another version"):
            check_target(target_of(request), NoDriver(), Version.V201)
        finished = run_interop(request, jobs=1, write=lambda _: None)
    assert finished.exit_code == exit_codes.PASSED
    assert finished.run.target.dialect == "raw"
    seen = {(case.ocpp, case.verdict) for case in finished.run.cases}
    expected = {"1.6": Verdict.OK, "2.0.1": Verdict.NOT_APPLICABLE, "2.1": Verdict.NOT_APPLICABLE}
    assert seen == set(expected.items())


def test_a_broker_that_is_gone_for_good_ends_the_run_and_keeps_what_was_judged(tmp_path: Path) -> None:
    lines: list[str] = []
    with running("rumqttd") as broker, practice_csms(mqtt=broker.url, mqtt_dialects=("raw",)):

        def write(line: str) -> None:
            lines.append(line)
            if len(lines) == 1:
                broker.kill()

        request = InteropRequest(
            url=broker.url, ocpp=("1.6",), select="RPC_12,RPC_03,TC_001,TC_003", out=str(tmp_path / "run"), timeout=5
        )
        finished = run_interop(request, jobs=1, write=write)
    assert finished.exit_code == exit_codes.UNREACHABLE
    assert "lets no station in any more" in finished.run.stopped_early
    verdicts = [case.verdict for case in finished.run.cases]
    assert verdicts.count(Verdict.OK) == 1
    # Nothing that a broker does is held against a CSMS.
    assert Verdict.FAILED not in verdicts


def told(*what: tuple[Kind, int, str], over: str = "mqtt") -> History:
    """Write a trace of one station, by kind, connection and text."""
    info = {"status": 101, "subprotocol": "ocpp1.6", "over": over}
    records = [TraceRecord(t=0, station="PS1", kind=Kind.NOTE, info={"role": "primary", "phase": "script"})]
    for t, (kind, connection, text) in enumerate(what, 1):
        more = {"info": info} if kind is Kind.HANDSHAKE else {"text": text}
        records.append(TraceRecord(t=t, station="PS1", connection=connection, kind=kind, **more))
    return History(records, Version.V16)


def test_an_answer_of_a_topic_that_comes_after_a_return_is_no_false_alarm() -> None:
    talk = (
        (Kind.HANDSHAKE, 1, ""),
        (Kind.SENT, 1, '[2,"1","Heartbeat",{}]'),
        (Kind.HANDSHAKE, 2, ""),
        (Kind.RECEIVED, 2, '[3,"1",{"currentTime":"2026-01-01T00:00:00Z"}]'),
    )
    (call,) = told(*talk).exchanges
    assert (call.kind, told(*talk).strays) == (AnswerKind.NONE, [])
    # Twice is once too often, and over WebSocket no answer crosses connections.
    assert len(told(*talk, talk[-1]).strays) == 1
    assert len(told(*talk, over="").strays) == 1


def test_a_large_message_that_is_refused_is_no_false_alarm() -> None:
    (case,) = (case for case in all_cases() if case.key == "1.6-MQ_46")
    talk = (
        (Kind.HANDSHAKE, 1, ""),
        (Kind.SENT, 1, '[2,"1","DataTransfer",{"vendorId":"x","data":"x"}]'),
        (Kind.RECEIVED, 1, '[4,"1","NotImplemented","",{}]'),
        (Kind.SENT, 1, '[2,"2","Heartbeat",{}]'),
        (Kind.RECEIVED, 1, '[3,"2",{"currentTime":"2026-01-01T00:00:00Z"}]'),
    )
    assert judge(case, told(*talk)).verdict is Verdict.OK
    assert judge(case, told(*talk[:2], *talk[3:])).verdict is Verdict.FAILED


def test_what_no_csms_behind_a_broker_can_show_its_claim_does_not_promise() -> None:
    (case,) = (case for case in all_cases() if case.key == "1.6-TC_085_CSMS")
    claims = {Version.V16: Claims(profiles=[case.certification], features=[])}
    for reason, verdict in ((LACKS[Trait.CREDENTIALS], Verdict.NOT_APPLICABLE), ("no way", Verdict.INCONCLUSIVE)):
        result = not_applicable(case, reason)
        assert held_against_claim(result, claims, case, "password").verdict is verdict


def test_every_case_about_a_broker_needs_one_and_no_other_case_does() -> None:
    behind = {case.id for case in all_cases() if Trait.BROKER in case.needs}
    assert behind == {case.id for case in all_cases() if case.block == "MQTT"}
    assert len(behind) >= 15
    assert len({case.defect for case in all_cases() if case.block == "MQTT"}) >= 15


@pytest.mark.parametrize(
    ("url", "select", "tried"),
    [("ws://127.0.0.1", None, False), ("ws://127.0.0.1", "MQ_01", True), ("mqtt://127.0.0.1", None, True)],
)
def test_a_run_without_a_broker_leaves_out_what_only_a_broker_brings(
    url: str, select: str | None, *, tried: bool
) -> None:
    plan = make_plan(InteropRequest(url=url, select=select), embedded=False)
    assert tried == any(case.id == "MQ_01" for case in plan.cases)
