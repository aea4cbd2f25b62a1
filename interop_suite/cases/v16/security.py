"""Security: who may connect, over what, and which subprotocol the two sides agree on."""

from __future__ import annotations

import secrets

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, connection, noted, refused_upgrade
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.cipher_suites import SUITES_AGREED, offer_suites
from interop_suite.steps.connections import UNKNOWN_SUBPROTOCOL, boot_is_accepted, not_served, opens, opens_securely
from interop_suite.steps.v16 import every_status_is_answered
from ocppj.versions import RULES

BLOCK = "Security"
PROFILE = "Advanced Security"


@case(
    id="TC_085_CSMS",
    ocpp="1.6",
    title="Basic authentication: no connection without the right credentials",
    block=BLOCK,
    profile=PROFILE,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade without Authorization, one with a wrong password, and one with the right credentials.",
    expects="The CSMS SHALL refuse the first two before the upgrade, accept the third and serve it.",
    clause=Clause("SWP", "2.3"),
    defect="missing-credentials-accepted",
    also=("wrong-password-accepted",),
    checks=(
        refused_upgrade("A connection without credentials is refused", nth=0),
        refused_upgrade("A connection with a wrong password is refused", nth=1),
        connection("A connection with the right credentials is accepted", opens, nth=2),
        boot_is_accepted,
    ),
)
def basic_authentication(probe: Probe) -> None:
    station = probe.station
    probe.try_to_boot(station, password=None)
    probe.try_to_boot(station, password=b"wrong-" + b"0" * 14)
    probe.reconnect(station)
    probe.boot(station)


@case(
    id="TC_086_CSMS",
    ocpp="1.6",
    title="TLS: a certificate that holds, and at least version 1.2",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "password"),
    start=Start.OFFLINE,
    password=True,
    sends="A TLS handshake that checks the certificate against the trusted root and the host name, then a boot.",
    expects="The CSMS SHALL show a valid certificate for its host and agree on TLS 1.2 or later.",
    clause=Clause("SWP", "A00.FR.306"),
    defect="server-certificate-of-another-host",
    checks=(connection("The TLS connection is trusted and recent", opens_securely), boot_is_accepted),
)
def server_certificate(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=2)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_087_CSMS",
    ocpp="1.6",
    title="Mutual TLS: only a station with its own certificate gets in",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "client-certificate"),
    start=Start.OFFLINE,
    sends="A TLS connection without a client certificate, then one with the station's certificate, and a boot.",
    expects="The CSMS SHALL end the first and accept the second.",
    clause=Clause("SWP", "A00.FR.407"),
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


@case(
    id="TC_088_CSMS",
    ocpp="1.6",
    title="Subprotocol: an unknown one is not served, a mixed offer gets ocpp1.6",
    block=BLOCK,
    profile="Core",
    start=Start.OFFLINE,
    sends="An upgrade that offers only ocpp0.1, then one that offers ocpp0.1 and ocpp1.6.",
    expects="The CSMS SHALL refuse the first or close it at once without serving it, and choose ocpp1.6 in the second.",
    clause=Clause("1.6J", "3.2"),
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


@case(
    id="TC_073_CSMS",
    ocpp="1.6",
    title="The CSMS rolls the Basic-auth key and accepts only the new one",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("password", trigger_need("ChangeConfiguration")),
    password=True,
    sends="Accepted to ChangeConfiguration of AuthorizationKey, an upgrade with the old key, one with the new key.",
    expects="The CSMS SHALL send the key that its operator named, then refuse the old one and accept the new one.",
    clause=Clause("SWP", "A01.FR.03"),
    defect="old-password-kept",
    also=("wrong-password-accepted",),
    checks=(
        asked("ChangeConfiguration", {"key": one_of("AuthorizationKey"), "value": present()}),
        noted("key_as_asked", "ChangeConfiguration carries the key that the operator named"),
        refused_upgrade("The old key is refused", nth=0),
        connection("The new key is accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def roll_key(probe: Probe) -> None:
    station, key = probe.station, secrets.token_hex(20)
    station.reply("ChangeConfiguration", {"status": "Accepted"})
    probe.command("ChangeConfiguration", {"key": "AuthorizationKey", "value": key})
    request = station.expect("ChangeConfiguration")
    if request is None:
        return
    station.note(key_as_asked=[str(request.get("value")).lower() == key, "the key is not written down"])
    station.disconnect()
    probe.try_to_boot(station)
    probe.use_password(station, key)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="TC_083_CSMS",
    ocpp="1.6",
    title="The CSMS raises the security profile: TLS from then on, and the lower one no more",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("tls", "password", trigger_need("ChangeConfiguration"), trigger_need("Reset")),
    password=True,
    sends="Accepted to ChangeConfiguration of SecurityProfile and to Reset, a boot by TLS, then a plain connection.",
    expects="The CSMS SHALL send SecurityProfile 2 and Reset, accept the higher profile, then refuse the lower one.",
    clause=Clause("SWP", "A05.FR.09"),
    defect="security-profile-not-raised",
    also=("tls-profile-on-plain-port", "server-certificate-of-another-host"),
    checks=(
        asked("ChangeConfiguration", {"key": one_of("SecurityProfile"), "value": one_of("2")}),
        asked("Reset", {"type": one_of("Hard", "Soft")}),
        connection("The station is accepted over TLS", opens, nth=0),
        boot_is_accepted,
        every_status_is_answered,
        refused_upgrade("The station is refused on its old security profile", nth=1),
    ),
)
def raise_profile(probe: Probe) -> None:
    station = probe.station
    station.reply("ChangeConfiguration", {"status": "Accepted"})
    station.reply("Reset", {"status": "Accepted"})
    probe.command("ChangeConfiguration", {"key": "SecurityProfile", "value": "2"})
    probe.command("Reset", {"type": "Hard"})
    station.expect("Reset")
    station.disconnect()
    plain = station.offer
    # Until it has come by TLS once, a station may fall back to its old profile (A05.FR.08).
    probe.secure(station, profile=2)
    probe.reconnect(station, judged=True)
    probe.boot(station)
    probe.report_available(station)
    station.disconnect()
    probe.try_to_boot(station, url=plain.url, tls=None)


@case(
    id="TLS_07",
    ocpp="1.6",
    title="Each cipher suite of TLS 1.2 that the whitepaper names is agreed on",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "password"),
    start=Start.OFFLINE,
    password=True,
    sends="Four TLS handshakes of version 1.2, each with one suite: AES-GCM of 128 and 256 bits, for ECDSA and RSA; "
    "and one with suites that encrypt nothing.",
    expects="The CSMS SHALL support all four (one with a certificate of one kind supports two), and refuse the last.",
    clause=Clause("SWP", "A00.FR.317"),
    defect="named-cipher-suites-refused",
    also=("server-certificate-of-another-host", "suites-without-encryption-agreed"),
    checks=SUITES_AGREED,
)
def cipher_suites(probe: Probe) -> None:
    offer_suites(probe)
