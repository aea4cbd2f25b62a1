"""Core: the operator reads and writes configuration keys, and clears the cache."""

from __future__ import annotations

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat

BLOCK = "Core"
READABLE_KEY = "HeartbeatInterval"


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
