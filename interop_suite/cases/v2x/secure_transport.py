"""The transport itself: versions of TLS that are too old, and the step to a higher security profile."""

from __future__ import annotations

from typing import Any

from drivers.base import StationSettings, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, connection, noted, refused_upgrade
from interop_suite.claims.expected import one_of
from interop_suite.drive.outdated_tls import offer_tls_1_1
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.cipher_suites import SUITES_AGREED, offer_suites
from interop_suite.steps.connections import boot_is_accepted, opens_securely
from interop_suite.steps.reboot import BOOTED_AGAIN, tell_connectors
from interop_suite.steps.v2x import VERSIONS, part6
from interop_suite.steps.variables import set_all

BLOCK = "Security"
PROFILE = "Core"
HIGHER = 2
"""TLS with Basic authentication; the station begins with profile 1."""
SLOT = 2


@case(
    id="TC_A_06_CSMS",
    ocpp=VERSIONS,
    title="TLS 1.1 is refused, and a later version agreed on",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "password", "security-profile"),
    start=Start.OFFLINE,
    password=True,
    sends="A TLS ClientHello that offers no more than version 1.1, then a connection by TLS 1.2 or later and a boot.",
    expects="The CSMS SHALL end the first, and serve the station on the second.",
    clause=part6("A00.FR.314"),
    defect="outdated-tls-accepted",
    also=("server-certificate-of-another-host",),
    checks=(
        noted("tls_1_1", "TLS 1.1 is refused"),
        connection("A later version of TLS is agreed on", opens_securely),
        *BOOTED_AGAIN,
    ),
)
def outdated_tls(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=HIGHER)
    station.note(tls_1_1=list(offer_tls_1_1(station.offer.url, station.timeout)))
    probe.reconnect(station, judged=True)
    probe.boot(station)
    tell_connectors(station)


@case(
    id="TLS_07",
    ocpp=VERSIONS,
    title="Each cipher suite of TLS 1.2 that the specification names is agreed on",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "password", "security-profile"),
    start=Start.OFFLINE,
    password=True,
    sends="Four TLS handshakes of version 1.2, each with one suite: AES-GCM of 128 and 256 bits, for ECDSA and RSA; "
    "and one with suites that encrypt nothing.",
    expects="The CSMS SHALL support all four (one with a certificate of one kind supports two), and refuse the last.",
    clause=part6("A00.FR.318"),
    defect="named-cipher-suites-refused",
    also=("server-certificate-of-another-host", "suites-without-encryption-agreed"),
    checks=SUITES_AGREED,
)
def cipher_suites(probe: Probe) -> None:
    offer_suites(probe)


def _network_profile(probe: Probe) -> dict[str, Any]:
    return {
        "configurationSlot": SLOT,
        "connectionData": {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": str(probe.target.tls_url),
            "messageTimeout": 43,
            "securityProfile": HIGHER,
            "ocppInterface": "Wired0",
        },
    }


def _names_slot(value: object) -> str | None:
    slots = [part.strip() for part in str(value).split(",")]
    return None if str(SLOT) in slots else f"is {value!r}, which lacks slot {SLOT}"


@case(
    id="TC_A_19_CSMS",
    ocpp=VERSIONS,
    title="The operator raises the security profile of a station, which cannot go back then",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("tls", "password", "security-profile", *map(trigger_need, ("SetNetworkProfile", "SetVariables", "Reset"))),
    password=True,
    sends="Accepted to SetNetworkProfile, SetVariables and Reset, a boot by TLS, and a connection without it.",
    expects="The CSMS SHALL send each order as it was given, accept the higher profile, and refuse the lower one then.",
    clause=part6("A05.FR.04"),
    defect="network-priority-stale",
    also=(
        "tls-profile-on-plain-port",
        "network-profile-in-first-slot",
        "network-profile-timeout-in-ms",
        "server-certificate-of-another-host",
    ),
    checks=(
        asked("SetNetworkProfile", {"connectionData.securityProfile": one_of(HIGHER)}),
        asked(
            "SetVariables",
            {
                "setVariableData.0.component.name": one_of("OCPPCommCtrlr"),
                "setVariableData.0.variable.name": one_of("NetworkConfigurationPriority"),
                "setVariableData.0.attributeValue": _names_slot,
            },
        ),
        asked("Reset"),
        connection("The station is let in by its higher profile", opens_securely, nth=-2),
        boot_is_accepted,
        refused_upgrade("The station is refused by its lower profile", nth=-1),
    ),
)
def raised_profile(probe: Probe) -> None:
    station, lower = probe.station, probe.station.offer
    priority = {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "NetworkConfigurationPriority"},
        "attributeValue": f"{SLOT},1",
    }
    station.reply("SetNetworkProfile", {"status": "Accepted"})
    station.reply("SetVariables", set_all)
    station.reply("Reset", {"status": "Accepted"})
    probe.command("SetNetworkProfile", _network_profile(probe))
    probe.command("SetVariables", {"setVariableData": [priority]})
    probe.command("Reset", {"type": "Immediate"})
    if any(station.expect(action) is None for action in ("SetNetworkProfile", "SetVariables", "Reset")):
        return
    probe.speak_tls(station)
    station.connect()
    if not station.connected:
        # Not every CSMS follows what it told the station: then its operator says so.
        password = None if lower.password is None else lower.password.decode()
        probe.set_up(station, StationSettings(password=password, security_profile=HIGHER))
        probe.reconnect(station, judged=True)
    probe.boot(station)
    station.disconnect()
    station.offer = lower
    probe.try_to_boot(station)
