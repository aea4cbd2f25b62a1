"""Resources and WebSocket: large messages, pings, and bytes that are not frames; in depth, Autobahn does it."""

from __future__ import annotations

import os

from evidence.verdicts import Verdict
from fixtures.frames import FRAMES
from fixtures.payloads import v2x
from interop_suite.claims.checks import noted, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared
from ocppj.errors import Fault
from ocppj.versions import Version

BLOCK = "Resources"
SIZES = (32_768, 262_144, 1_048_576)
"""Bytes of text; the limits of the field lie between 32 kB and 8 MB, and no text names one."""
_SURVIVED = "A large message is answered, refused, or ends the connection with 1009"


def _judge_sizes(history: History) -> list[Finding]:
    findings = []
    for call in history.calls("DataTransfer"):
        size = len(call.call.text)
        if call.kind is AnswerKind.NONE and not call.cut_off:
            verdict, actual = Verdict.NON_STRICT, "no answer, and the connection stays open"
        else:
            verdict = Verdict.INFORMATIONAL if call.cut_off else Verdict.OK
            actual = "the CSMS closed the connection" if call.cut_off else call.describe_answer()
        findings.append(
            Finding(verdict=verdict, claim=_SURVIVED, actual=f"{size} bytes: {actual}", frame=call.call.line)
        )
    return findings


@shared(
    id="RES_01",
    title="Large messages cost nobody else anything",
    block=BLOCK,
    bystander=True,
    may_end_csms=True,
    sends="DataTransfers of 32 kB, 256 kB and 1 MB, then Heartbeats from this station and another.",
    expects="The CSMS may answer, refuse or close with 1009; it SHALL go on serving every station.",
    clause={version: Clause("RFC6455", "10.4") for version in ALL},
    level=Level.BEHAVIOUR,
    defect="large-message-closes-bystanders",
    also={
        Version.V16: ("framing-error-closes-bystanders", "optional-fields-null"),
        **dict.fromkeys(V2X, ("framing-error-closes-bystanders",)),
    },
    checks=(Check(claim=_SURVIVED, judge=_judge_sizes), still_serves(), bystander_serves()),
)
def large_messages(probe: Probe) -> None:
    station = probe.station
    for size in SIZES:
        if not station.connected:
            probe.reconnect(station, judged=True)
        payload = v2x.data_transfer("org.example.plugstorm.unknown", message_id="large", data="x" * size)
        station.call("DataTransfer", payload)
    if not station.connected:
        probe.reconnect(station, judged=True)
    station.call("Heartbeat", {})
    probe.bystander.call("Heartbeat", {})


def _masked(first: int, second: int, data: bytes = b"") -> bytes:
    """Write a client frame with any first two bytes; the mask of zeros changes nothing."""
    return bytes((first, second | 0x80)) + b"\0\0\0\0" + data


BYTES_ID = "ws"
HEARTBEAT = f'[2,"{BYTES_ID}","Heartbeat",{{}}]'.encode()
BROKEN = {
    "a reserved opcode": _masked(0x83, 0),
    "a reserved bit": _masked(0xC1, len(HEARTBEAT), HEARTBEAT),
    "a frame without mask": bytes((0x81, len(HEARTBEAT))) + HEARTBEAT,
    "a ping of 126 bytes": bytes((0x89, 0xFE, 0, 126)) + b"\0\0\0\0" + b"x" * 126,
    "a ping in two fragments": _masked(0x09, 0),
    "a continuation of nothing": _masked(0x80, 1, b"x"),
    "a close with a code that must not be sent": _masked(0x88, 2, (1005).to_bytes(2, "big")),
}
NOT_UTF8 = {frame.name: frame.data for frame in FRAMES if frame.fault is Fault.NOT_UTF8}


_NOT_READ = "A frame that breaks WebSocket is not read as a message"


def _judge_answers_to_bytes(history: History) -> list[Finding]:
    """Find out that a WebSocket library is lax; the answer itself is in order for OCPP-J."""
    answers = history.answers_to_bytes
    return [
        Finding(
            verdict=Verdict.NON_STRICT if answers else Verdict.OK,
            claim=_NOT_READ,
            actual=f"the CSMS answered one: {str(answers[0].text)[:120]}" if answers else "no answer to any",
            clause=Clause("RFC6455", "5.1"),
            frame=answers[0].line if answers else None,
        )
    ]


@shared(
    id="WS_01",
    title="Bytes that break WebSocket cost only the connection that they came on",
    block=BLOCK,
    bystander=True,
    sends="Frames with a reserved opcode or bit, without mask, an overlong ping, text that is not UTF-8, noise.",
    expects="The CSMS SHALL fail that connection, let the station in again, and go on serving the others.",
    clause={version: Clause("RFC6455", "7.1.7") for version in ALL},
    level=Level.BEHAVIOUR,
    defect="framing-error-closes-bystanders",
    also=("connections-never-given-back", "return-closes-bystanders"),
    checks=(
        noted("pong", "A ping is answered with a pong", clause=Clause("RFC6455", "5.5.2")),
        Check(claim=_NOT_READ, judge=_judge_answers_to_bytes),
        still_serves(),
        bystander_serves(),
    ),
)
def broken_framing(probe: Probe) -> None:
    station = probe.station
    station.note(pong=[station.ping(), "pong" if station.pongs else "no pong"])
    for name, data in {**BROKEN, "noise": os.urandom(64)}.items():
        probe.reconnect(station, judged=True)
        station.note(broken=name)
        station.break_framing(data, own_id=BYTES_ID)
        station.pump(lambda: not station.connected, FAIL_FAST)
    for name, text in NOT_UTF8.items():
        probe.reconnect(station, judged=True)
        station.note(broken=name)
        station.send_raw(text)
        station.pump(lambda: not station.connected, FAIL_FAST)
    probe.reconnect(station, judged=True)
    station.call("Heartbeat", {})
    probe.bystander.call("Heartbeat", {})


FAIL_FAST = 0.3
"""Seconds for a CSMS to end a connection that has broken the rules; if it does not, that is its own affair."""
