"""Core: what the operator starts from the CSMS; remote start and stop, reset, unlock, configuration, cache."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
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
READABLE_KEY = "HeartbeatInterval"
UNKNOWN_CONNECTOR = 99
REMOTE_START = (token_need("Accepted"), trigger_need("RemoteStartTransaction"))


@case(
    id="TC_061_CSMS",
    ocpp="1.6",
    title="The operator clears the authorization cache",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("ClearCache"),),
    sends="The answer Accepted to ClearCache.",
    expects="The CSMS SHALL send ClearCache when its operator asks for it.",
    clause=Clause("1.6", "5.4"),
    defect="clear-cache-with-payload",
    checks=(asked("ClearCache"),),
)
def clear_cache(probe: Probe) -> None:
    probe.station.reply("ClearCache", {"status": "Accepted"})
    probe.command("ClearCache", {})


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


def _reset(probe: Probe, kind: str) -> None:
    station = probe.station
    station.reply("Reset", {"status": "Accepted"})
    probe.command("Reset", {"type": kind})
    if station.expect("Reset") is None:
        return
    if kind == "Hard":
        station.drop()
    else:
        station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    probe.report_available(station)


@case(
    id="TC_013_CSMS",
    ocpp="1.6",
    title="Hard reset, and the station registers again",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("Reset"),),
    sends="Accepted to Reset, a cut connection, then BootNotification and statuses on a new one.",
    expects="The CSMS SHALL send Reset with type Hard, then accept the boot and answer every status.",
    clause=Clause("1.6", "5.14"),
    defect="reset-type-lower-case",
    checks=(
        asked("Reset", {"type": one_of("Hard")}),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the boot"),
        every_status_is_answered,
    ),
)
def hard_reset(probe: Probe) -> None:
    _reset(probe, "Hard")


@case(
    id="TC_014_CSMS",
    ocpp="1.6",
    title="Soft reset, and the station registers again",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("Reset"),),
    sends="Accepted to Reset, a proper close, then BootNotification and statuses on a new connection.",
    expects="The CSMS SHALL send Reset with type Soft, then accept the boot and answer every status.",
    clause=Clause("1.6", "5.14"),
    defect="soft-reset-sent-as-hard",
    checks=(
        asked("Reset", {"type": one_of("Soft")}),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the boot"),
        every_status_is_answered,
    ),
)
def soft_reset(probe: Probe) -> None:
    _reset(probe, "Soft")


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
    id="TC_019_1_CSMS",
    ocpp="1.6",
    title="Read every configuration key",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("GetConfiguration"),),
    sends="A list of configuration keys as the answer to GetConfiguration.",
    expects="The CSMS SHALL send GetConfiguration without keys, or with an empty list, to read all of them.",
    clause=Clause("1.6", "5.8"),
    defect="get-configuration-key-null",
    checks=(asked("GetConfiguration", {"key": one_of(None, [])}),),
)
def read_all_keys(probe: Probe) -> None:
    entry = {"key": READABLE_KEY, "readonly": False, "value": "300"}
    probe.station.reply("GetConfiguration", {"configurationKey": [entry], "unknownKey": []})
    probe.command("GetConfiguration", {})


@case(
    id="TC_019_2_CSMS",
    ocpp="1.6",
    title="Read one named configuration key",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("GetConfiguration"),),
    sends="One configuration key as the answer to GetConfiguration.",
    expects="The CSMS SHALL send GetConfiguration with just the key that its operator named.",
    clause=Clause("1.6", "5.8"),
    defect="get-configuration-drops-keys",
    checks=(asked("GetConfiguration", {"key": one_of([READABLE_KEY])}),),
)
def read_one_key(probe: Probe) -> None:
    entry = {"key": READABLE_KEY, "readonly": False, "value": "300"}
    probe.station.reply("GetConfiguration", {"configurationKey": [entry], "unknownKey": []})
    probe.command("GetConfiguration", {"key": [READABLE_KEY]})


@case(
    id="TC_021_CSMS",
    ocpp="1.6",
    title="Write one configuration key",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("ChangeConfiguration"),),
    sends="The answer Accepted to ChangeConfiguration.",
    expects="The CSMS SHALL send ChangeConfiguration with the key and the value as a string.",
    clause=Clause("1.6", "5.3"),
    defect="change-configuration-number",
    checks=(asked("ChangeConfiguration", {"key": one_of("MeterValueSampleInterval"), "value": one_of("60")}),),
)
def write_one_key(probe: Probe) -> None:
    probe.station.reply("ChangeConfiguration", {"status": "Accepted"})
    probe.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"})


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


@case(
    id="TC_040_1_CSMS",
    ocpp="1.6",
    title="The station answers NotSupported to an unknown configuration key",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("ChangeConfiguration"),),
    sends="The answer NotSupported to ChangeConfiguration, then a Heartbeat.",
    expects="The CSMS SHALL send the key and the value that its operator named, take the answer and go on serving.",
    clause=Clause("1.6", "5.3"),
    defect="closes-after-change-configuration-not-supported",
    checks=(
        asked("ChangeConfiguration", {"key": one_of("PlugstormUnknownKey"), "value": one_of("on")}),
        still_serves(),
    ),
)
def write_unknown_key(probe: Probe) -> None:
    probe.station.reply("ChangeConfiguration", {"status": "NotSupported"})
    probe.command("ChangeConfiguration", {"key": "PlugstormUnknownKey", "value": "on"})
    heartbeat(probe.station)


@case(
    id="TC_040_2_CSMS",
    ocpp="1.6",
    title="The station rejects an invalid configuration value",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("ChangeConfiguration"),),
    sends="The answer Rejected to ChangeConfiguration, then a Heartbeat.",
    expects="The CSMS SHALL send the key and the value that its operator named, take the answer and go on serving.",
    clause=Clause("1.6", "5.3"),
    defect="closes-after-change-configuration-rejected",
    checks=(
        asked("ChangeConfiguration", {"key": one_of("MeterValueSampleInterval"), "value": one_of("-1")}),
        still_serves(),
    ),
)
def write_invalid_value(probe: Probe) -> None:
    probe.station.reply("ChangeConfiguration", {"status": "Rejected"})
    probe.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "-1"})
    heartbeat(probe.station)
