"""Network profiles: written into a slot, refused by the station, and written through the device model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, each, one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.reboot import BOOTED_AGAIN, reboot
from interop_suite.steps.v2x import VERSIONS, part6
from interop_suite.steps.variables import set_all

BLOCK = "Provisioning"
PROFILE = "Core"
SLOT = 3
CONNECTION = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "wss://second.csms.example.invalid/ocpp",
    "messageTimeout": 47,
    "securityProfile": 2,
    "ocppInterface": "Wireless1",
}
OWN_CREDENTIALS = {"identity": "PLG-AT-SECOND-CSMS", "basicAuthPassword": "Qm7-second-profile-9Lx"}
EVERY_PROFILE = ("network-profile-in-first-slot", "network-profile-timeout-in-ms")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that the operator writes."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    connection: dict[str, Any]
    reply: str = "Accepted"
    expected: Mapping[str, Expected]
    clause: Clause
    defect: str
    also: tuple[str, ...] = EVERY_PROFILE


_IN_SLOT: Mapping[str, Expected] = {"configurationSlot": one_of(SLOT)}
WRITTEN = (
    Written(
        id="TC_B_42_CSMS",
        title="A new network profile that the station takes",
        connection=CONNECTION,
        expected=_IN_SLOT,
        clause=part6("B09.FR.01"),
        defect="network-profile-in-first-slot",
        also=("network-profile-timeout-in-ms",),
    ),
    Written(
        id="TC_B_44_CSMS",
        title="A new network profile that the station cannot take",
        connection=CONNECTION,
        reply="Failed",
        expected=_IN_SLOT,
        clause=part6("B09.FR.03"),
        defect="closes-after-network-profile-failed",
    ),
    Written(
        id="TC_B_100_CSMS",
        title="A network profile with an identity and a password of its own",
        ocpp=("2.1",),
        connection={**CONNECTION, **OWN_CREDENTIALS},
        expected={**_IN_SLOT, "connectionData.identity": one_of(OWN_CREDENTIALS["identity"])},
        clause=Clause("21-4", "4.1.7"),
        defect="network-profile-without-credentials",
    ),
)


def _add(written: Written) -> None:
    @case(
        id=written.id,
        ocpp=written.ocpp,
        title=written.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need("SetNetworkProfile"),),
        sends=f"{written.reply} to SetNetworkProfile, then a Heartbeat.",
        expects="The CSMS SHALL send SetNetworkProfile with slot and connection as its operator asked, and go on.",
        clause=written.clause,
        defect=written.defect,
        also=written.also,
        checks=(asked("SetNetworkProfile", written.expected), still_serves()),
    )
    def script(probe: Probe) -> None:
        probe.station.reply("SetNetworkProfile", {"status": written.reply})
        probe.command("SetNetworkProfile", {"configurationSlot": SLOT, "connectionData": written.connection})
        heartbeat(probe.station)


for _written in WRITTEN:
    _add(_written)


PRIORITY = f"{SLOT},1"


def _variable(name: str, value: str) -> dict[str, Any]:
    component = {"name": "NetworkConfiguration", "instance": str(SLOT)}
    return {"component": component, "variable": {"name": name}, "attributeValue": value}


PROFILE_VARIABLES = [
    _variable("OcppCsmsUrl", str(CONNECTION["ocppCsmsUrl"])),
    _variable("MessageTimeout", "47"),
    _variable("SecurityProfile", "2"),
    _variable("OcppInterface", "Wireless1"),
]
IN_ORDER = {
    "component": {"name": "OCPPCommCtrlr"},
    "variable": {"name": "NetworkConfigurationPriority"},
    "attributeValue": PRIORITY,
}


@case(
    id="TC_B_105_CSMS",
    ocpp=("2.1",),
    title="A network profile is written through the device model, and taken up after a reset",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("SetVariables"), trigger_need("Reset")),
    sends="Accepted to SetVariables of NetworkConfiguration and of its priority, Accepted to Reset, and a boot.",
    expects="The CSMS SHALL write each variable of the slot that was named, reset the station and accept its boot.",
    clause=Clause("21-4", "4.1.7"),
    defect="component-instance-dropped",
    also=(
        "network-priority-stale",
        "set-variables-one-by-one",
        "set-variables-number",
        "set-variables-without-instances",
    ),
    checks=(
        asked("SetVariables", {"setVariableData": each("component", "variable", "attributeValue")}),
        asked("SetVariables", {"setVariableData.0.attributeValue": one_of(PRIORITY)}),
        asked("Reset", {"type": one_of("Immediate")}),
        *BOOTED_AGAIN,
    ),
)
def profile_in_variables(probe: Probe) -> None:
    station = probe.station
    station.reply("SetVariables", set_all)
    station.reply("Reset", {"status": "Accepted"})
    for data in (PROFILE_VARIABLES, [IN_ORDER]):
        probe.command("SetVariables", {"setVariableData": data})
    probe.command("Reset", {"type": "Immediate"})
    if station.expect("Reset") is not None:
        reboot(probe, "RemoteReset")
