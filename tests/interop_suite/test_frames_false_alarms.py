"""Odd frames, and what a CSMS may make of them without breaking a rule."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.server import ServerConnection

from drivers.base import NoDriver
from evidence.verdicts import Verdict
from fixtures.corpus import MutationKind
from interop_suite.cases.wire.credentials import _judge_any_bytes
from interop_suite.cases.wire.payloads import WRONG_VALUES, _wrong
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import names_id
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.target import target_of
from interop_suite.steps.malformed_frames import REACTION_LEAST
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.odd_csms import odd_csms, plain_answer
from tests.interop_suite.recording import STATION, Recording, begun

HEARTBEAT_ANSWER = '{"currentTime":"2026-01-01T00:00:00Z"}'
STRAY = "Every frame of the CSMS is a message of this version that belongs to an open CALL"


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


def found(name: str, recording: Recording) -> dict[str, str]:
    result = judge(case(name, recording.version), recording.history())
    return {finding["claim"]: finding["verdict"] for finding in result.findings}


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ("[2,'odd-1','Heartbeat',{}]", '[4,"odd-1","FormationViolation","",{}]'),
        ('\ufeff[2,"odd-1","Heartbeat",{}]', f'[3,"odd-1",{HEARTBEAT_ANSWER}]'),
        ('[2,17,"Heartbeat",{}]', f'[3,"17",{HEARTBEAT_ANSWER}]'),
        ('[2,["odd-1"],"Heartbeat",{}]', f'[3,"odd-1",{HEARTBEAT_ANSWER}]'),
        ('[2,true,"Heartbeat",{}]', f'[3,"True",{HEARTBEAT_ANSWER}]'),
        ('[2,"odd-1","Heartbeat",{"a":"\\ud800"}]', f'[3,"odd-1",{HEARTBEAT_ANSWER}]'),
    ],
)
def test_answer_to_what_a_lax_reader_finds_is_no_stray_no_false_alarm(
    version: Version, frame: str, answer: str
) -> None:
    recording = begun(version).note(odd="odd").sent(frame).got(answer)
    assert STRAY not in found("RPC_01", recording)


def test_answer_with_an_id_that_no_frame_names_is_still_a_stray() -> None:
    recording = begun().note(odd="odd").sent("[2,'odd-1','Heartbeat',{}]").got('[4,"odd-2","GenericError","",{}]')
    assert found("RPC_01", recording)[STRAY] == "FAILED"


@pytest.mark.parametrize(
    ("name", "verdict"), [("byte-order-mark", "OK"), ("lone-surrogate", "OK"), ("nan", "NON_STRICT")]
)
def test_text_that_may_be_read_may_be_answered_no_false_alarm(name: str, verdict: str) -> None:
    recording = begun().note(odd=name).sent('\ufeff[2,"odd-1","Heartbeat",{}]').got(f'[3,"odd-1",{HEARTBEAT_ANSWER}]')
    assert found("RPC_01", recording)["What is not JSON is refused or dropped"] == verdict


def test_text_that_is_not_utf8_may_be_refused_by_the_id_that_stands_in_it_no_false_alarm() -> None:
    recording = begun().add(Kind.SENT, data_base64="WzIsIm9kZC0xIiwiSGVhcnRiZWF0Iix7ImEiOiKAIn1d")
    recording.got('[4,"odd-1","FormationViolation","",{}]')
    assert STRAY not in found("WS_01", recording)


def boots_of_two(answered: str) -> Recording:
    """Two stations boot while their case is prepared; the first one's answer comes to one of them."""
    recording = Recording().opened()
    recording.add(Kind.NOTE, station="other", info={"role": "bystander"})
    recording.add(Kind.HANDSHAKE, station="other", info={"status": 101, "subprotocol": "ocpp1.6"})
    recording.sent('[2,"1-1","BootNotification",{}]')
    recording.add(Kind.SENT, '[2,"2-1","BootNotification",{}]', station="other")
    boot = '{"currentTime":"2026-01-01T00:00:00Z","interval":60,"status":"Accepted"}'
    recording.add(Kind.RECEIVED, f'[3,"1-1",{boot}]', station=answered)
    return recording.note(inconclusive="its boot was not accepted")


def test_answer_on_the_connection_of_another_station_is_failed_also_before_the_script() -> None:
    result = judge(case("RPC_01"), boots_of_two("other").history())
    assert result.verdict is Verdict.FAILED
    assert "it answers the CALL of another station" in result.reason


def test_answer_on_its_own_connection_is_no_stray_no_false_alarm() -> None:
    assert STRAY not in found("RPC_01", boots_of_two(STATION))


@pytest.mark.parametrize("message_id", ["", "Heartbeat", "2", "odd"])
def test_word_that_is_not_at_the_place_of_the_id_is_no_id(message_id: str) -> None:
    assert not names_id('[2,"odd-1","Heartbeat",{}]', message_id)


def test_description_that_repeats_a_long_call_is_a_callerror_all_the_same_no_false_alarm() -> None:
    claim = "The envelope of every message follows the text"
    refusal = f'[4,"1","NotImplemented","{"x" * 300}",{{}}]'
    assert found("RPC_12", begun(Version.V201).sent(f'[2,"1","{"x" * 300}",{{}}]').got(refusal))[claim] == "NON_STRICT"
    assert found("RPC_12", begun(Version.V201).sent('[2,"1","MakeCoffee",{}]').got(refusal))[claim] == "FAILED"


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
@pytest.mark.parametrize(
    ("action", "kinds"),
    [("BootNotification", (MutationKind.MISSING_REQUIRED,)), ("StatusNotification", WRONG_VALUES)],
)
def test_custom_data_and_unknown_properties_may_be_ignored_no_false_alarm(
    version: Version, action: str, kinds: tuple[MutationKind, ...]
) -> None:
    wrong = _wrong(version, action, *kinds)
    assert wrong
    assert not [m.id for m in wrong if "customData" in m.path or m.kind is MutationKind.EXTRA_PROPERTY]


def test_key_that_the_operators_side_takes_for_text_is_no_broken_key_no_false_alarm() -> None:
    as_bytes = begun().opened_again()
    assert [finding.verdict for finding in _judge_any_bytes(as_bytes.history())] == [Verdict.OK]
    refused = Recording().script().opened(status=401, subprotocol=None, credentials=True)
    as_text = refused.opened_again()
    assert [finding.verdict for finding in _judge_any_bytes(as_text.history())] == [Verdict.NOT_APPLICABLE]


def test_key_that_is_refused_as_bytes_and_as_text_is_failed() -> None:
    recording = Recording().script()
    for _ in range(2):
        recording.connection += 1
        recording.opened(status=401, subprotocol=None, credentials=True)
    assert [finding.verdict for finding in _judge_any_bytes(recording.history())] == [Verdict.FAILED]


async def answers_side_by_side(socket: ServerConnection) -> None:
    """Ask something first, and refuse what nobody knows later than it answers what comes after."""
    tasks: set[asyncio.Task[None]] = set()

    async def refuse(message_id: str) -> None:
        await socket.send('[2,"own","GetLocalListVersion",{}]')
        await asyncio.sleep(2 * REACTION_LEAST)
        await socket.send(json.dumps([4, message_id, "NotImplemented", "", {}]))

    async for text in socket:
        message_type, message_id, *rest = json.loads(text)
        answer = plain_answer(rest[0]) if message_type == 2 else None
        if answer is not None:
            await socket.send(json.dumps([3, message_id, answer]))
        elif message_type == 2:
            task = asyncio.create_task(refuse(message_id))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


def test_refusal_may_come_after_the_answer_to_the_next_call_no_false_alarm() -> None:
    with odd_csms(answers_side_by_side) as url:
        runner = Runner(target_of(InteropRequest(url=url, timeout=5.0)), NoDriver(), None)
        result = runner.run(case("RPC_14"))
    assert result.verdict is Verdict.OK, result.reason
