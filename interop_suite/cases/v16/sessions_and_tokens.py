"""Tokens and readings beside a session, groups, resets in a session, and certificate requests that are none."""

from __future__ import annotations

import secrets
from typing import Any

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.certificates import make_csr
from fixtures.payloads import v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe, now
from interop_suite.steps import v16 as steps
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.kept_sessions import kept_as_told
from interop_suite.steps.transaction_records import sessions_began
from interop_suite.steps.v16 import ago, every_status_is_answered

BLOCK = "Transactions"
BEFORE_READING = 0.05
"""Seconds between the reset and the next reading of a station that goes on until its sessions have ended."""
TOKEN = token_need("Accepted")


@case(
    id="ST_30",
    ocpp="1.6",
    title="A tag whose session runs is Accepted by Authorize",
    block=BLOCK,
    profile="Core",
    needs=(TOKEN,),
    sends="A start, then Authorize with the same tag, then the end.",
    expects="The CSMS SHALL NOT answer ConcurrentTx, which is about a start only: the driver wants to end.",
    clause=Clause("1.6", "7.2"),
    defect="running-tag-concurrent-in-authorize",
    checks=(
        sessions_began(1),
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Accepted")},
            claim="A tag that began a session is still one that may charge",
        ),
    ),
)
def running_tag(probe: Probe) -> None:
    session = Charging(probe.station, probe.token())
    session.begin()
    steps.authorize(probe.station, session.token)
    session.end()


_GROUP = "An answer that names a group names that of the tag"


def _names_group(answer: Answer, group: str) -> tuple[bool, object]:
    told = (answer.get("idTagInfo") or {}).get("parentIdTag")
    return told is None or (isinstance(told, str) and told.casefold() == group.casefold()), told


@case(
    id="ST_31",
    ocpp="1.6",
    title="A session of one member of a group is ended by another",
    block=BLOCK,
    profile="Core",
    needs=(TOKEN, token_need("parent"), token_need("expiry")),
    sends="A start by a tag with a group and an expiry date, and the end by another tag of that group.",
    expects="The CSMS SHALL answer both, and name the group of the tag and its expiry date where it names any.",
    clause=Clause("1.6", "7.27"),
    defect="tag-told-as-its-group",
    also=("stop-by-another-tag-refused",),
    checks=(
        sessions_began(1),
        steps.stop_is_answered,
        noted("group", _GROUP),
        kept_as_told(),
    ),
)
def group(probe: Probe) -> None:
    station, parent, end = probe.station, probe.made_up_token(), ago(hours=-48)
    first, second = (probe.token(parent=parent, expiry=end) for _ in range(2))
    started = steps.start_transaction(station, first)
    ended = steps.stop_transaction(station, steps.transaction_id(started), id_tag=second, reason="Local")
    for answer in (started, ended):
        station.note(group=list(_names_group(answer, parent)))


@case(
    id="ST_32",
    ocpp="1.6",
    title="A reset ends no session: its StopTransaction does",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=(TOKEN, trigger_need("Reset")),
    sends="A session, Accepted to a soft Reset, the end with reason SoftReset some readings later, and the new boot.",
    expects="The CSMS SHALL keep the session open until its end is told, and then as it was told.",
    clause=Clause("1.6", "5.14"),
    defect="reset-ends-sessions",
    also=("sessions-end-with-connection", "soft-reset-sent-as-hard", "unknown-connector-refused"),
    checks=(
        sessions_began(1),
        asked("Reset", {"type": one_of("Soft")}),
        answered("MeterValues"),
        steps.stop_is_answered,
        every_status_is_answered,
        kept_as_told(),
    ),
)
def reset_in_a_session(probe: Probe) -> None:
    station = probe.station
    session = Charging(station, probe.token(), connector=2)
    session.begin(1000)
    station.reply("Reset", {"status": "Accepted"})
    probe.command("Reset", {"type": "Soft"})
    station.listen(BEFORE_READING)
    if not station.connected:
        # A CSMS may end the connection itself: the station has its messages still.
        probe.reconnect(station)
    session.sample(1800)
    steps.stop_transaction(station, int(session.id), reason="SoftReset")
    station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    probe.report_available(station)


@case(
    id="ST_37",
    ocpp="1.6",
    title="A remote stop ends no session: its StopTransaction does",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=(TOKEN, "transactions", trigger_need("RemoteStopTransaction")),
    sends="A session, Accepted to RemoteStopTransaction, a reading while the car still winds down, and the end.",
    expects="The CSMS SHALL keep the session open until its end is told, and then as it was told.",
    clause=Clause("1.6", "5.12"),
    defect="remote-stop-ends-sessions",
    also=("remote-stop-wrong-transaction",),
    checks=(
        sessions_began(1),
        asked("RemoteStopTransaction"),
        answered("MeterValues"),
        steps.stop_is_answered,
        kept_as_told(),
    ),
)
def remote_stop_of_a_session(probe: Probe) -> None:
    station = probe.station
    session = Charging(station, probe.token(), connector=2)
    session.begin(1000)
    station.reply("RemoteStopTransaction", {"status": "Accepted"})
    probe.command("RemoteStopTransaction", {"transactionId": int(session.id)})
    session.sample(2200)
    steps.stop_transaction(station, int(session.id), reason="Remote")


@case(
    id="ST_33",
    ocpp="1.6",
    title="Readings of the main meter, those that were triggered, old ones, and several at once, are taken",
    block=BLOCK,
    profile="Core",
    sends="MeterValues for connector 0 with context Sample.Clock, of now, two days ago and three moments at once, "
    "and with context Trigger.",
    expects="The CSMS SHALL answer each: connector 0 is the main energy meter, which has no transaction.",
    clause=Clause("1.6", "4.7"),
    defect="connector-0-readings-refused",
    also=("old-reading-refused", "readings-of-several-moments-refused"),
    checks=(answered("MeterValues"), still_serves()),
)
def main_meter(probe: Probe) -> None:
    station = probe.station

    def reading(context: str, at: str) -> dict[str, Any]:
        sample = {"value": "481516", "context": context, "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        return {"timestamp": at, "sampledValue": [sample]}

    readings = (
        (0, "Sample.Clock", now()),
        (0, "Sample.Clock", ago(hours=50)),
        (0, "Trigger", now()),
        (1, "Trigger", now()),
    )
    for connector, context, at in readings:
        station.call("MeterValues", v16.meter_values(connector, [reading(context, at)]))
    quarters = [reading("Sample.Clock", ago(minutes=minutes)) for minutes in (45, 30, 15)]
    station.call("MeterValues", v16.meter_values(0, quarters))
    heartbeat(station)


SIGNED = "0A124F434D467C7B2246"


@case(
    id="ST_36",
    ocpp="1.6",
    title="Signed readings are taken, whose value is no number, and readings below 0",
    block=BLOCK,
    profile="Core",
    needs=(TOKEN,),
    sends="MeterValues and a StopTransaction with samples of format SignedData, and some with decimals and below 0.",
    expects="The CSMS SHALL answer each: what is signed is hexadecimal digits, and every value is a text.",
    clause=Clause("1.6", "7.43"),
    defect="signed-reading-taken-for-number",
    also=("reading-below-zero-refused",),
    checks=(sessions_began(1), answered("MeterValues"), steps.stop_is_answered, still_serves()),
)
def signed_readings(probe: Probe) -> None:
    station = probe.station
    session = Charging(station, probe.token())
    session.begin(1000)
    sample = {"context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    values = [
        {**sample, "value": SIGNED, "format": "SignedData"},
        {**sample, "value": "1250.75", "format": "Raw"},
        {"context": "Sample.Periodic", "measurand": "Power.Factor", "value": "-0.97"},
    ]
    for value in values:
        reading = [{"timestamp": now(), "sampledValue": [value]}]
        station.call("MeterValues", v16.meter_values(1, reading, transaction_id=int(session.id)))
    end = {**values[0], "context": "Transaction.End"}
    data = [{"timestamp": now(), "sampledValue": [end]}]
    steps.stop_transaction(station, int(session.id), reason="Local", transaction_data=data)
    heartbeat(station)


@case(
    id="ST_34",
    ocpp="1.6",
    title="A reading that comes after the end of its session changes nothing",
    block=BLOCK,
    profile="Core",
    needs=(TOKEN,),
    sends="A session from start to end, then a reading of it that had been left behind, and a status.",
    expects="The CSMS SHALL answer the reading, and keep the session as ended as it was told.",
    clause=Clause("1.6", "4.10"),
    defect="late-reading-reopens",
    also=("offline-stop-refused",),
    checks=(sessions_began(1), steps.stop_is_answered, answered("MeterValues"), kept_as_told()),
)
def late_reading(probe: Probe) -> None:
    session = Charging(probe.station, probe.token())
    session.begin(1000, timestamp=ago(minutes=20))
    session.end(2500, timestamp=ago(minutes=5))
    sample = {"value": "1900", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    late = [{"timestamp": ago(minutes=10), "sampledValue": [sample]}]
    probe.station.call("MeterValues", v16.meter_values(1, late, transaction_id=int(session.id)))
    steps.status(probe.station, "Available")


_SIGNS = "The CSMS signs certificates at all"


def _judge_first(history: History) -> list[Finding]:
    rejected = {call.result.get("status") for call in history.calls("SignCertificate")} == {"Rejected"}
    signed = history.commands("CertificateSigned") if rejected else []
    if signed:
        actual = "it rejects every request, and sent CertificateSigned all the same"
        return [Finding(verdict=Verdict.FAILED, claim=_SIGNS, actual=actual, frame=signed[0].call.line)]
    return [
        Finding(verdict=Verdict.NOT_APPLICABLE, claim=_SIGNS, actual="it rejects a good request", frame=call.call.line)
        for call in history.calls("SignCertificate")[:1]
        if call.result.get("status") == "Rejected"
    ] or [Finding(verdict=Verdict.OK, claim=_SIGNS, actual="it does not reject a good request")]


@case(
    id="SGN_01",
    ocpp="1.6",
    title="A certificate request that is none is answered, and signs nothing",
    block="Security",
    profile="Advanced Security",
    needs=("certificate-signing",),
    sends="SignCertificate with a good request, then with half of it, with random letters, and with plain words.",
    expects="The CSMS SHALL answer each; it should reject what it can never process.",
    clause=Clause("SWP", "A02.FR.12"),
    defect="unreadable-csr-breaks",
    also=("certificate-withheld",),
    checks=(
        answered("SignCertificate", claim="The CSMS answers SignCertificate"),
        Check(claim=_SIGNS, judge=_judge_first),
        noted("signed", "What was accepted is signed", clause=Clause("SWP", "A02.FR.11")),
        answered(
            "SignCertificate",
            {"status": one_of("Rejected")},
            nth=-1,
            level=Level.RECOMMENDED,
            claim="What is no request is rejected",
        ),
        still_serves(),
    ),
)
def no_requests(probe: Probe) -> None:
    station = probe.station
    good = make_csr(station.identity, probe.operator).csr_pem.decode()
    half = good[: len(good) // 2]
    accepted = station.call("SignCertificate", {"csr": good}).get("status") == "Accepted"
    if accepted:
        signed = station.expect("CertificateSigned") is not None
        station.note(signed=[signed, "a CertificateSigned" if signed else "no CertificateSigned"])
    for csr in (half, secrets.token_urlsafe(400), "no request at all"):
        station.call("SignCertificate", {"csr": csr})
    heartbeat(station)
