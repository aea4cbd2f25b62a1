"""What stations only tell: events, readings, uploads, updates, and what is in no schema."""

from __future__ import annotations

import uuid
from typing import Any

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.v2x import EVSE, VERSIONS, part6, status

UPLOAD = "ftp://logs.example.invalid/upload"


@case(
    id="TC_N_25_CSMS",
    ocpp=VERSIONS,
    title="The operator has the station upload its diagnostics log",
    block="Diagnostics",
    profile="Core",
    initiator="csms",
    needs=(trigger_need("GetLog"),),
    sends="Accepted to GetLog, and LogStatusNotification Uploading and Uploaded.",
    expects="The CSMS SHALL send GetLog with the kind of log and a place for it, and answer every status.",
    clause=part6("TC_N_25_CSMS"),
    defect="get-log-of-another-kind",
    checks=(
        asked("GetLog", {"logType": one_of("DiagnosticsLog"), "log.remoteLocation": one_of(UPLOAD)}),
        answered("LogStatusNotification", claim="Every status is answered"),
    ),
)
def diagnostics(probe: Probe) -> None:
    station = probe.station
    station.reply("GetLog", {"status": "Accepted", "filename": "diagnostics.log"})
    order: dict[str, Any] = {"logType": "DiagnosticsLog", "requestId": 51, "log": {"remoteLocation": UPLOAD}}
    probe.command("GetLog", order)
    # A CSMS may number its requests itself.
    number = (station.expect("GetLog") or order).get("requestId")
    for value in ("Uploading", "Uploaded"):
        station.call("LogStatusNotification", v2x.log_status_notification(value, request_id=number))


_NO_NULL = "A field without a value is left out"


def _judge_nulls(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.FAILED if None in call.result.values() else Verdict.OK,
            claim=_NO_NULL,
            actual=call.describe_answer(),
            clause=Clause("201-4", "4.1.5"),
            frame=call.call.line,
        )
        for call in history.calls("DataTransfer")
    ]


@case(
    id="TC_P_02_CSMS",
    ocpp=VERSIONS,
    title="DataTransfer of an unknown vendor is not blindly accepted",
    block="Data Transfer",
    profile="Core",
    sends="DataTransfer with a vendorId that the CSMS cannot know.",
    expects="The CSMS SHALL answer UnknownVendorId, UnknownMessageId or Rejected, as TC_P_02_CSMS lists them.",
    clause=part6("P02.FR.06"),
    defect="unknown-vendor-accepted",
    also=("optional-fields-null",),
    checks=(
        answered(
            "DataTransfer",
            {"status": one_of("UnknownVendorId", "UnknownMessageId", "Rejected")},
        ),
        Check(claim=_NO_NULL, judge=_judge_nulls),
    ),
)
def unknown_vendor(probe: Probe) -> None:
    payload = v2x.data_transfer("org.example.plugstorm.unknown", message_id="probe", data={"none": True})
    probe.station.call("DataTransfer", payload)


@case(
    id="TC_P_03_CSMS",
    ocpp=VERSIONS,
    title="customData that the CSMS does not know is ignored",
    block="Data Transfer",
    profile="Core",
    sends="A StatusNotification with customData of an unknown vendor, one without, and a session with such data.",
    expects="The CSMS SHALL answer each: it ignores what it does not know in customData.",
    clause=Clause("201-4", "9"),
    defect="custom-data-refused",
    also=("custom-data-of-session-refused", event_defect_id("Ended", "EVCommunicationLost")),
    checks=(
        answered("StatusNotification", claim="customData makes no difference"),
        answered("TransactionEvent", claim="customData makes no difference in a session"),
    ),
)
def custom_data(probe: Probe) -> None:
    station = probe.station
    payload = v2x.status_notification(EVSE, 1, "Available", now())
    custom = {"vendorId": "org.example.plugstorm.unknown", "anything": [1, {"two": None}]}
    station.call("StatusNotification", {**payload, "customData": custom})
    status(station, "Available")
    session = str(uuid.uuid4())
    for number, (kind, reason) in enumerate((("Started", "CablePluggedIn"), ("Ended", "EVCommunicationLost"))):
        event = v2x.transaction_event(kind, reason, number, session, now(), evse_id=EVSE, connector_id=1)
        info = {**event["transactionInfo"], "customData": custom}
        station.call("TransactionEvent", {**event, "transactionInfo": info, "customData": custom})
