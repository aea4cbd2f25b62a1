"""Core: boot, sessions that start at the station, tags, and what follows a power loss or time offline."""

from __future__ import annotations

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.payloads import v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, unknown_token_refused
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v16 import ACCEPTED, STARTED, every_status_is_answered, stop_is_answered, transaction_id

BLOCK = "Core"


@case(
    id="TC_001_CSMS",
    ocpp="1.6",
    title="Cold boot is accepted, and boot, every status and the first heartbeat are answered",
    block=BLOCK,
    start=Start.CONNECTED,
    sends="A BootNotification, a StatusNotification for the charge point and each connector, and a Heartbeat.",
    expects="The CSMS SHALL accept the boot with its time and an interval, and answer every other CALL.",
    clause=Clause("1.6", "4.2"),
    defect="boot-without-interval",
    also=("heartbeat-unanswered", "answer-with-other-id"),
    checks=(
        answered(
            "BootNotification",
            {"status": one_of("Accepted", "Pending", "Rejected"), "currentTime": present(), "interval": present()},
        ),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the boot"),
        every_status_is_answered,
        answered("Heartbeat", {"currentTime": present()}),
    ),
)
def cold_boot(probe: Probe) -> None:
    probe.boot(probe.station)
    probe.report_available(probe.station)
    heartbeat(probe.station)


@case(
    id="TC_003_CSMS",
    ocpp="1.6",
    title="Local session, cable first: the tag is authorized and the transaction starts",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="StatusNotification Preparing, Authorize and StartTransaction with a known tag, StatusNotification Charging.",
    expects="The CSMS SHALL accept the tag in Authorize and in StartTransaction and give a transactionId.",
    clause=Clause("1.6", "4.8"),
    defect="authorize-without-info",
    checks=(every_status_is_answered, answered("Authorize", ACCEPTED), answered("StartTransaction", STARTED)),
)
def cable_first(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    steps.status(station, "Preparing")
    steps.authorize(station, token)
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


@case(
    id="TC_004_1_CSMS",
    ocpp="1.6",
    title="Local session, tag first: the transaction starts once the cable is in",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="Authorize with a known tag, StatusNotification Preparing, StartTransaction, StatusNotification Charging.",
    expects="The CSMS SHALL accept the tag twice and give a transactionId.",
    clause=Clause("1.6", "4.8"),
    defect="start-without-transaction-id",
    checks=(answered("Authorize", ACCEPTED), every_status_is_answered, answered("StartTransaction", STARTED)),
)
def tag_first(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    steps.authorize(station, token)
    steps.status(station, "Preparing")
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


@case(
    id="TC_004_2_CSMS",
    ocpp="1.6",
    title="Tag shown, no cable in time: the connector becomes Available again",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="Authorize with a known tag, StatusNotification Preparing, and Available when the connection time-out ends.",
    expects="The CSMS SHALL answer both statuses.",
    clause=Clause("1.6", "4.9"),
    defect="available-after-preparing-refused",
    checks=(answered("Authorize", ACCEPTED), every_status_is_answered),
)
def no_cable_in_time(probe: Probe) -> None:
    station = probe.station
    steps.authorize(station, probe.token())
    steps.status(station, "Preparing")
    steps.status(station, "Available")


@case(
    id="TC_005_1_CSMS",
    ocpp="1.6",
    title="The driver unplugs at the car: the session ends with EVDisconnected",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="A session, StatusNotification SuspendedEV, StopTransaction with EVDisconnected, Finishing, Available.",
    expects="The CSMS SHALL answer StopTransaction and every status; it cannot keep a transaction from stopping.",
    clause=Clause("1.6", "4.10"),
    defect="stop-with-ev-disconnected-refused",
    checks=(
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        every_status_is_answered,
        stop_is_answered,
    ),
)
def ev_side_disconnected(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    steps.status(station, "Preparing")
    steps.authorize(station, token)
    transaction = transaction_id(steps.start_transaction(station, token))
    steps.status(station, "Charging")
    steps.status(station, "SuspendedEV")
    steps.stop_transaction(station, transaction, reason="EVDisconnected", id_tag=token)
    steps.status(station, "Finishing")
    steps.status(station, "Available")


@case(
    id="TC_007_CSMS",
    ocpp="1.6",
    title="Session started from the station's cache, without Authorize",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="StatusNotification Preparing and StartTransaction with a known tag, with no Authorize before it.",
    expects="The CSMS SHALL check the tag in StartTransaction by itself, accept it and give a transactionId.",
    clause=Clause("1.6", "4.8"),
    defect="start-without-authorize-refused",
    checks=(every_status_is_answered, answered("StartTransaction", STARTED)),
)
def start_from_cache(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    steps.status(station, "Preparing")
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


UNKNOWN = "The CSMS answers Invalid for a tag that it does not know"


@case(
    id="TC_023_1_CSMS",
    ocpp="1.6",
    title="Authorize of an unknown tag is answered Invalid",
    block=BLOCK,
    sends="Authorize with a tag that the CSMS cannot know.",
    expects="The CSMS SHALL answer with idTagInfo whose status is Invalid.",
    clause=Clause("1.6", "7.2"),
    defect="unknown-tag-authorized",
    checks=(
        unknown_token_refused("Authorize", "idTagInfo.status", ("Invalid",), ("Blocked", "Expired"), claim=UNKNOWN),
    ),
)
def unknown_tag(probe: Probe) -> None:
    steps.authorize(probe.station, probe.unknown_token())


@case(
    id="TC_023_2_CSMS",
    ocpp="1.6",
    title="Authorize of an expired tag is answered Expired",
    block=BLOCK,
    needs=(token_need("Expired"),),
    sends="Authorize with a tag whose time is over.",
    expects="The CSMS SHALL answer with idTagInfo whose status is Expired.",
    clause=Clause("1.6", "7.2"),
    defect="expired-tag-authorized",
    checks=(
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Expired")},
            tolerate={"idTagInfo.status": ("Invalid", "Blocked")},
            claim="The CSMS answers Expired for a tag whose time is over",
        ),
    ),
)
def expired_tag(probe: Probe) -> None:
    steps.authorize(probe.station, probe.token("Expired", expiry=steps.ago(days=30)))


@case(
    id="TC_023_3_CSMS",
    ocpp="1.6",
    title="Authorize of a blocked tag is answered Blocked",
    block=BLOCK,
    needs=(token_need("Blocked"),),
    sends="Authorize with a tag that the operator has blocked.",
    expects="The CSMS SHALL answer with idTagInfo whose status is Blocked.",
    clause=Clause("1.6", "7.2"),
    defect="blocked-tag-authorized",
    checks=(
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Blocked")},
            tolerate={"idTagInfo.status": ("Invalid", "Expired")},
            claim="The CSMS answers Blocked for a tag that is blocked",
        ),
    ),
)
def blocked_tag(probe: Probe) -> None:
    steps.authorize(probe.station, probe.token("Blocked"))


@case(
    id="TC_024_CSMS",
    ocpp="1.6",
    title="A connector lock failure before a session is acknowledged",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="StatusNotification Preparing, Authorize, then StatusNotification Faulted with ConnectorLockFailure.",
    expects="The CSMS SHALL answer the status that reports the failure.",
    clause=Clause("1.6", "4.9"),
    defect="connector-fault-refused",
    checks=(answered("Authorize", ACCEPTED), every_status_is_answered),
)
def connector_lock_failure(probe: Probe) -> None:
    station = probe.station
    steps.status(station, "Preparing")
    steps.authorize(station, probe.token())
    steps.status(station, "Faulted", error_code="ConnectorLockFailure")


@case(
    id="TC_032_1_CSMS",
    ocpp="1.6",
    title="Power loss during a session: after the reboot the transaction ends with PowerLoss",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="A session, a cut connection, then BootNotification, statuses and StopTransaction with reason PowerLoss.",
    expects="The CSMS SHALL accept the boot and answer StopTransaction for the transaction from before the cut.",
    clause=Clause("1.6", "4.10"),
    defect="stop-after-reboot-refused",
    checks=(
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the second boot"),
        every_status_is_answered,
        stop_is_answered,
    ),
)
def power_loss(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    steps.status(station, "Preparing")
    steps.authorize(station, token)
    transaction = transaction_id(steps.start_transaction(station, token))
    steps.status(station, "Charging")
    station.drop()
    probe.reconnect(station)
    probe.boot(station)
    probe.report_available(station)
    steps.stop_transaction(station, transaction, reason="PowerLoss")


@case(
    id="TC_037_1_CSMS",
    ocpp="1.6",
    title="A start that was queued offline, with a valid tag, is accepted after the reconnect",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="After a reconnect without boot: StartTransaction with a time stamp from two hours ago, then Charging.",
    expects="The CSMS SHALL accept the tag and give a transactionId, as for any other StartTransaction.",
    clause=Clause("1.6", "3.7"),
    defect="offline-start-refused",
    checks=(answered("StartTransaction", STARTED), every_status_is_answered),
)
def offline_start(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.drop()
    probe.reconnect(station)
    steps.start_transaction(station, token, timestamp=steps.ago(hours=2))
    steps.status(station, "Charging")


@case(
    id="TC_037_3_CSMS",
    ocpp="1.6",
    title="A start that was queued offline, with an unknown tag, is refused, and the station stops",
    block=BLOCK,
    sends="After a reconnect: a StartTransaction of two hours ago with an unknown tag, then its StopTransaction.",
    expects="The CSMS SHALL answer with idTagInfo whose status is not Accepted, and answer StopTransaction.",
    clause=Clause("1.6", "4.8"),
    defect="invalid-tag-started",
    also=("offline-start-refused",),
    checks=(
        unknown_token_refused(
            "StartTransaction", "idTagInfo.status", ("Invalid",), ("Blocked", "Expired"), claim=UNKNOWN
        ),
        stop_is_answered,
        every_status_is_answered,
    ),
)
def offline_start_unknown_tag(probe: Probe) -> None:
    station, token = probe.station, probe.unknown_token()
    station.drop()
    probe.reconnect(station)
    transaction = transaction_id(steps.start_transaction(station, token, timestamp=steps.ago(hours=2)))
    steps.stop_transaction(station, transaction, reason="DeAuthorized", id_tag=token)
    steps.status(station, "Finishing")


@case(
    id="TC_039_CSMS",
    ocpp="1.6",
    title="A whole session that happened offline is replayed and acknowledged",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="After a reconnect: StartTransaction and StopTransaction with time stamps of three and two hours ago.",
    expects="The CSMS SHALL answer both as any other transaction message.",
    clause=Clause("1.6", "3.7"),
    defect="offline-stop-refused",
    also=("offline-start-refused",),
    checks=(answered("StartTransaction", STARTED), stop_is_answered),
)
def offline_session(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.drop()
    probe.reconnect(station)
    transaction = transaction_id(steps.start_transaction(station, token, timestamp=steps.ago(hours=3)))
    steps.stop_transaction(station, transaction, timestamp=steps.ago(hours=2), reason="Local", id_tag=token)


_NO_DATA = "Nothing is told to a vendor that is unknown: data is not there"


def _judge_data(history: History) -> list[Finding]:
    findings = []
    for call in history.calls("DataTransfer"):
        told = call.result.get("data")
        broken = call.result.get("status") == "UnknownVendorId" and told is not None
        actual = f"data is {told!r}" if broken else call.describe_answer()
        verdict = Verdict.FAILED if broken else Verdict.OK
        findings.append(Finding(verdict=verdict, claim=_NO_DATA, actual=actual, frame=call.call.line))
    return findings


@case(
    id="TC_064_CSMS",
    ocpp="1.6",
    title="DataTransfer of an unknown vendor is not blindly accepted",
    block=BLOCK,
    sends="DataTransfer with a vendorId that the CSMS cannot know, with and without messageId and data.",
    expects="The CSMS SHALL answer UnknownVendorId, or Rejected.",
    clause=Clause("1.6", "4.3"),
    defect="unknown-vendor-accepted",
    also=("optional-fields-null", "data-for-unknown-vendor", "bare-transfer-refused"),
    checks=(
        answered(
            "DataTransfer",
            {"status": one_of("UnknownVendorId", "Rejected")},
            tolerate={"status": ("UnknownMessageId",)},
        ),
        Check(claim=_NO_DATA, judge=_judge_data),
    ),
)
def unknown_vendor(probe: Probe) -> None:
    vendor = "org.example.plugstorm.unknown"
    for payload in (v16.data_transfer(vendor, message_id="probe", data="none"), v16.data_transfer(vendor)):
        probe.station.call("DataTransfer", payload)
