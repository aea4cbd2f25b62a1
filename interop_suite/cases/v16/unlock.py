"""Core: the operator unlocks a connector."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
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
UNKNOWN_CONNECTOR = 99


@case(
    id="TC_017_1_CSMS",
    ocpp="1.6",
    title="Unlock an idle connector with a detachable cable",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("UnlockConnector"),),
    sends="The answer Unlocked to UnlockConnector.",
    expects="The CSMS SHALL send UnlockConnector with the connector, which is greater than 0.",
    clause=Clause("1.6", "5.18"),
    defect="unlock-without-connector",
    checks=(asked("UnlockConnector", {"connectorId": one_of(CONNECTOR)}),),
)
def unlock_idle_connector(probe: Probe) -> None:
    probe.station.reply("UnlockConnector", {"status": "Unlocked"})
    probe.command("UnlockConnector", {"connectorId": CONNECTOR})


@case(
    id="TC_017_2_CSMS",
    ocpp="1.6",
    title="Unlock of an idle connector with a tethered cable is refused as NotSupported",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("UnlockConnector"),),
    sends="The answer NotSupported to UnlockConnector, then a Heartbeat.",
    expects="The CSMS SHALL send UnlockConnector with the connector, take the answer and go on serving.",
    clause=Clause("1.6", "5.18"),
    defect="closes-after-unlock-not-supported",
    checks=(asked("UnlockConnector", {"connectorId": one_of(CONNECTOR)}), still_serves()),
)
def unlock_tethered(probe: Probe) -> None:
    probe.station.reply("UnlockConnector", {"status": "NotSupported"})
    probe.command("UnlockConnector", {"connectorId": CONNECTOR})
    heartbeat(probe.station)


@case(
    id="TC_018_1_CSMS",
    ocpp="1.6",
    title="Unlock while charging ends the session with UnlockCommand",
    block=BLOCK,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("UnlockConnector")),
    sends="A session, Unlocked to UnlockConnector, StatusNotification Finishing, StopTransaction, Available.",
    expects="The CSMS SHALL send UnlockConnector with the connector and answer StopTransaction and every status.",
    clause=Clause("1.6", "5.18"),
    defect="stop-with-unlock-command-refused",
    checks=(
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        asked("UnlockConnector", {"connectorId": one_of(CONNECTOR)}),
        stop_is_answered,
        every_status_is_answered,
    ),
)
def unlock_while_charging(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("UnlockConnector", {"status": "Unlocked"})
    steps.status(station, "Preparing")
    steps.authorize(station, token)
    transaction = transaction_id(steps.start_transaction(station, token))
    steps.status(station, "Charging")
    probe.command("UnlockConnector", {"connectorId": CONNECTOR})
    steps.status(station, "Finishing")
    steps.stop_transaction(station, transaction, reason="UnlockCommand")
    steps.status(station, "Available")


@case(
    id="TC_030_CSMS",
    ocpp="1.6",
    title="The station answers UnlockFailed and the CSMS copes",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("UnlockConnector"),),
    sends="The answer UnlockFailed to UnlockConnector, then a Heartbeat.",
    expects="The CSMS SHALL send UnlockConnector with the connector, take the answer and go on serving.",
    clause=Clause("1.6", "5.18"),
    defect="closes-after-unlock-failed",
    checks=(asked("UnlockConnector", {"connectorId": one_of(CONNECTOR)}), still_serves()),
)
def unlock_failed(probe: Probe) -> None:
    probe.station.reply("UnlockConnector", {"status": "UnlockFailed"})
    probe.command("UnlockConnector", {"connectorId": CONNECTOR})
    heartbeat(probe.station)


@case(
    id="TC_031_CSMS",
    ocpp="1.6",
    title="Unlock of a connector that the station does not have is answered NotSupported",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("UnlockConnector"),),
    sends="The answer NotSupported to UnlockConnector for a connector that does not exist, then a Heartbeat.",
    expects="The CSMS SHALL send the connector that its operator named, take the answer and go on serving.",
    clause=Clause("1.6", "5.18"),
    defect="unlock-of-another-connector",
    also=("closes-after-unlock-not-supported",),
    checks=(asked("UnlockConnector", {"connectorId": one_of(UNKNOWN_CONNECTOR)}), still_serves()),
)
def unlock_unknown_connector(probe: Probe) -> None:
    probe.station.reply("UnlockConnector", {"status": "NotSupported"})
    probe.command("UnlockConnector", {"connectorId": UNKNOWN_CONNECTOR})
    heartbeat(probe.station)
