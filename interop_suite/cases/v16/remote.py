"""Core: sessions that the operator starts and stops from the CSMS."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import present
from interop_suite.drive.probe import Probe
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v16 import (
    ACCEPTED,
    CONNECTOR,
    STARTED,
    every_status_is_answered,
    stop_is_answered,
    transaction_id,
)

BLOCK = "Core"
REMOTE_START = (token_need("Accepted"), trigger_need("RemoteStartTransaction"))


@case(
    id="TC_010_CSMS",
    ocpp="1.6",
    title="Remote start while the cable is already plugged in",
    block=BLOCK,
    initiator="csms",
    needs=REMOTE_START,
    sends="StatusNotification Preparing, Accepted to RemoteStartTransaction, Authorize, StartTransaction, Charging.",
    expects="The CSMS SHALL send RemoteStartTransaction with the tag and accept that tag afterwards.",
    clause=Clause("1.6", "5.11"),
    defect="remote-start-without-tag",
    checks=(
        asked("RemoteStartTransaction", {"idTag": present()}),
        noted("tag_as_asked", "RemoteStartTransaction carries the tag that the operator named"),
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        every_status_is_answered,
    ),
)
def remote_start_cable_first(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStartTransaction", {"status": "Accepted"})
    steps.status(station, "Preparing")
    probe.command("RemoteStartTransaction", {"idTag": token, "connectorId": CONNECTOR})
    request = station.expect("RemoteStartTransaction")
    if request is not None:
        station.note(tag_as_asked=[str(request.get("idTag")).upper() == token.upper(), request.get("idTag")])
    steps.authorize(station, token)
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


@case(
    id="TC_012_CSMS",
    ocpp="1.6",
    title="Remote stop of a running session",
    block=BLOCK,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RemoteStopTransaction")),
    sends="A session, Accepted to RemoteStopTransaction, StopTransaction with reason Remote, Finishing.",
    expects="The CSMS SHALL send RemoteStopTransaction with the transactionId that it gave, and answer the stop.",
    clause=Clause("1.6", "5.12"),
    defect="remote-stop-wrong-transaction",
    checks=(
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        asked("RemoteStopTransaction", {"transactionId": present()}),
        noted("transaction_as_given", "RemoteStopTransaction carries the transactionId of this session"),
        stop_is_answered,
        every_status_is_answered,
    ),
)
def remote_stop(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStopTransaction", {"status": "Accepted"})
    steps.status(station, "Preparing")
    steps.authorize(station, token)
    transaction = transaction_id(steps.start_transaction(station, token))
    steps.status(station, "Charging")
    probe.command("RemoteStopTransaction", {"transactionId": transaction})
    request = station.expect("RemoteStopTransaction")
    if request is not None:
        given = request.get("transactionId")
        station.note(transaction_as_given=[given == transaction, given])
    steps.stop_transaction(station, transaction, reason="Remote", id_tag=token)
    steps.status(station, "Finishing")


@case(
    id="TC_011_1_CSMS",
    ocpp="1.6",
    title="Remote start before the cable is plugged in",
    block=BLOCK,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RemoteStartTransaction, Authorize, StatusNotification Preparing, StartTransaction, Charging.",
    expects="The CSMS SHALL send RemoteStartTransaction with the tag and accept that tag afterwards.",
    clause=Clause("1.6", "5.11"),
    defect="remote-started-session-refused",
    checks=(
        asked("RemoteStartTransaction", {"idTag": present()}),
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        every_status_is_answered,
    ),
)
def remote_start_tag_first(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStartTransaction", {"status": "Accepted"})
    probe.command("RemoteStartTransaction", {"idTag": token, "connectorId": CONNECTOR})
    station.expect("RemoteStartTransaction")
    steps.authorize(station, token)
    steps.status(station, "Preparing")
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


@case(
    id="TC_011_2_CSMS",
    ocpp="1.6",
    title="Remote start is accepted and the driver never plugs in",
    block=BLOCK,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RemoteStartTransaction, Authorize, StatusNotification Preparing, then Available.",
    expects="The CSMS SHALL send RemoteStartTransaction, and answer the status that ends the attempt.",
    clause=Clause("1.6", "5.11"),
    defect="available-after-remote-start-refused",
    also=("available-after-preparing-refused",),
    checks=(
        asked("RemoteStartTransaction", {"idTag": present()}),
        answered("Authorize", ACCEPTED),
        every_status_is_answered,
    ),
)
def remote_start_without_cable(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStartTransaction", {"status": "Accepted"})
    probe.command("RemoteStartTransaction", {"idTag": token, "connectorId": CONNECTOR})
    station.expect("RemoteStartTransaction")
    steps.authorize(station, token)
    steps.status(station, "Preparing")
    steps.status(station, "Available")


@case(
    id="TC_026_CSMS",
    ocpp="1.6",
    title="The station refuses a remote start and the CSMS copes",
    block=BLOCK,
    initiator="csms",
    needs=REMOTE_START,
    sends="The answer Rejected to RemoteStartTransaction, then a Heartbeat.",
    expects="The CSMS SHALL send RemoteStartTransaction with the tag, take the answer and go on serving.",
    clause=Clause("1.6", "5.11"),
    defect="closes-after-remote-start-rejected",
    checks=(asked("RemoteStartTransaction", {"idTag": present()}), still_serves()),
)
def remote_start_rejected(probe: Probe) -> None:
    probe.station.reply("RemoteStartTransaction", {"status": "Rejected"})
    probe.command("RemoteStartTransaction", {"idTag": probe.token(), "connectorId": CONNECTOR})
    heartbeat(probe.station)


@case(
    id="TC_028_CSMS",
    ocpp="1.6",
    title="The station refuses a remote stop and the CSMS copes",
    block=BLOCK,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RemoteStopTransaction")),
    sends="A session, the answer Rejected to RemoteStopTransaction, then a Heartbeat.",
    expects="The CSMS SHALL send RemoteStopTransaction with a transactionId, take the answer and go on serving.",
    clause=Clause("1.6", "5.12"),
    defect="closes-after-remote-stop-rejected",
    also=("start-without-authorize-refused",),
    checks=(
        answered("StartTransaction", STARTED),
        asked("RemoteStopTransaction", {"transactionId": present()}),
        still_serves(),
    ),
)
def remote_stop_rejected(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStopTransaction", {"status": "Rejected"})
    transaction = transaction_id(steps.start_transaction(station, token))
    probe.command("RemoteStopTransaction", {"transactionId": transaction})
    heartbeat(station)
