"""Security: passwords, TLS, certificates, and the subprotocol."""

from __future__ import annotations

import secrets

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, connection, refused_upgrade
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import UNKNOWN_SUBPROTOCOL, boot_is_accepted, not_served, opens, opens_securely
from interop_suite.steps.shared_case import shared
from interop_suite.steps.v2x import VERSIONS, part6
from interop_suite.steps.variables import set_all
from ocppj.versions import RULES, Version

BLOCK = "Security"
PASSWORD = {"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"}


@case(
    id="TC_A_01_CSMS",
    ocpp=VERSIONS,
    title="Basic authentication: the right username and password are let in",
    block=BLOCK,
    profile="Core",
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with the identity and the password, and a boot.",
    expects="The CSMS SHALL accept the connection and serve it.",
    clause=part6("A00.FR.204"),
    defect="right-credentials-refused",
    checks=(connection("The right credentials are accepted", opens), boot_is_accepted),
)
def right_credentials(probe: Probe) -> None:
    probe.reconnect(probe.station, judged=True)
    probe.boot(probe.station)


@case(
    id="TC_A_02_CSMS",
    ocpp=VERSIONS,
    title="Basic authentication: a username that is not the identity is refused",
    block=BLOCK,
    profile="Core",
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with another username and the right password, then the right credentials.",
    expects="The CSMS SHALL refuse the first before the upgrade, and accept the second.",
    clause=part6("A00.FR.204"),
    defect="wrong-username-accepted",
    checks=(
        refused_upgrade("Another username is refused", nth=0),
        connection("The right credentials are accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def wrong_username(probe: Probe) -> None:
    station = probe.station
    probe.try_to_boot(station, username=f"{station.identity}Invalid")
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_A_03_CSMS",
    ocpp=VERSIONS,
    title="Basic authentication: a wrong password is refused, and so is none",
    block=BLOCK,
    profile="Core",
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with a wrong password, one without credentials, then the right credentials.",
    expects="The CSMS SHALL refuse the first two before the upgrade, and accept the third.",
    clause=part6("A00.FR.204"),
    defect="wrong-password-accepted",
    also=("missing-credentials-accepted",),
    checks=(
        refused_upgrade("A wrong password is refused", nth=0),
        refused_upgrade("No credentials are refused", nth=1),
        connection("The right credentials are accepted", opens, nth=2),
        boot_is_accepted,
    ),
)
def wrong_password(probe: Probe) -> None:
    station = probe.station
    probe.try_to_boot(station, password=b"wrong-" + b"0" * 20)
    probe.try_to_boot(station, password=None)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_A_04_CSMS",
    ocpp=VERSIONS,
    title="TLS: a certificate that holds, and at least version 1.2",
    block=BLOCK,
    profile="Core",
    needs=("tls", "password", "security-profile"),
    start=Start.OFFLINE,
    password=True,
    sends="A TLS handshake that checks the certificate against the trusted root and the host name, then a boot.",
    expects="The CSMS SHALL show a valid certificate for its host and agree on TLS 1.2 or later.",
    clause=part6("A00.FR.306"),
    defect="server-certificate-of-another-host",
    checks=(connection("The TLS connection is trusted and recent", opens_securely), boot_is_accepted),
)
def server_certificate(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=2)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_A_07_CSMS",
    ocpp=VERSIONS,
    title="Mutual TLS: a station needs its certificate, and gets in with it",
    block=BLOCK,
    profile="Advanced Security",
    needs=("tls", "client-certificate", "security-profile"),
    start=Start.OFFLINE,
    sends="A TLS connection without a client certificate, then one with the station's certificate, and a boot.",
    expects="The CSMS SHALL end the first and accept the second.",
    clause=part6("A00.FR.407"),
    defect="missing-certificate-accepted",
    also=("server-certificate-of-another-host",),
    checks=(
        refused_upgrade("A station without a client certificate is refused", nth=0),
        connection("A station with its certificate is accepted", opens_securely, nth=1),
        boot_is_accepted,
    ),
)
def mutual_tls(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=3, certificate=False)
    probe.try_to_boot(station)
    probe.secure(station, profile=3)
    probe.reconnect(station, judged=True)
    probe.boot(station)


def _new_password(probe: Probe, status: str) -> tuple[bytes | None, str]:
    """Have the CSMS set a new password, and answer with a status; gives the old one and the new one."""
    station, password = probe.station, secrets.token_hex(16)
    component, variable = PASSWORD
    entry = {"component": component, "variable": variable}
    station.reply("SetVariables", lambda request: set_all(request, status))
    probe.command("SetVariables", {"setVariableData": [{**entry, "attributeValue": password}]})
    return station.offer.password, password


SETS_PASSWORD = asked("SetVariables", {"setVariableData.0.variable.name": one_of("BasicAuthPassword")})


@case(
    id="TC_A_09_CSMS",
    ocpp=VERSIONS,
    title="The CSMS rolls the password and accepts only the new one",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=("password", trigger_need("SetVariables")),
    password=True,
    sends="Accepted to SetVariables of BasicAuthPassword, an upgrade with the old password, one with the new one.",
    expects="The CSMS SHALL refuse the old password from then on, and accept the new one.",
    clause=part6("A01.FR.03"),
    defect="old-password-kept",
    also=("wrong-password-accepted",),
    checks=(
        SETS_PASSWORD,
        refused_upgrade("The old password is refused", nth=0),
        connection("The new password is accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def new_password(probe: Probe) -> None:
    station = probe.station
    old, new = _new_password(probe, "Accepted")
    if station.expect("SetVariables") is None:
        return
    station.disconnect()
    probe.try_to_boot(station, password=old)
    probe.use_password(station, new)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_A_10_CSMS",
    ocpp=VERSIONS,
    title="A new password that the station rejects does not become valid",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=("password", trigger_need("SetVariables")),
    password=True,
    sends="Rejected to SetVariables of BasicAuthPassword, an upgrade with the new password, one with the old one.",
    expects="The CSMS SHALL go on accepting the old password, as the station still has it.",
    clause=part6("A01.FR.04"),
    defect="refused-password-taken",
    also=("wrong-password-accepted",),
    checks=(
        SETS_PASSWORD,
        refused_upgrade("The password that the station rejected is refused", nth=0),
        connection("The old password is still accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def rejected_password(probe: Probe) -> None:
    station = probe.station
    old, new = _new_password(probe, "Rejected")
    if station.expect("SetVariables") is None:
        return
    station.disconnect()
    probe.try_to_boot(station, password=new.encode())
    station.connect(password=old)
    probe.boot(station)


@shared(
    id="TC_B_58_CSMS",
    title="Subprotocol: an unknown one is not served, a mixed offer gets this version",
    block=BLOCK,
    profile="Core",
    start=Start.OFFLINE,
    sends="An upgrade that offers only ocpp0.1, then one that offers ocpp0.1 and this version.",
    expects="The CSMS SHALL refuse the first or close it at once without serving it, and choose this version then.",
    clause={Version.V201: Clause("201-4", "3.2"), Version.V21: Clause("21-4", "3.3")},
    defect="unsupported-subprotocol-accepted",
    also=("mixed-offer-refused", "subprotocol-of-its-own-named"),
    checks=(
        connection("An offer of only unknown subprotocols is not served", not_served, nth=0),
        connection("A mixed offer is answered with the known subprotocol", opens, nth=1),
    ),
)
def subprotocol(probe: Probe) -> None:
    station = probe.station
    probe.try_to_boot(station, subprotocols=(UNKNOWN_SUBPROTOCOL,))
    station.connect(subprotocols=(UNKNOWN_SUBPROTOCOL, RULES[probe.version].subprotocol))
