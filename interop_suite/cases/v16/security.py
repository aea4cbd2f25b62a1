"""Security: who may connect, over what, and which subprotocol the two sides agree on."""

from __future__ import annotations

import secrets
import ssl

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, connection, noted, refused_upgrade
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
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


# Names of OpenSSL for the four suites of A00.FR.317.
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
_ANY_SUITE = "A station that has only suites of the whitepaper is let in"


def _judge_suites(history: History) -> list[Finding]:
    attempts = history.attempts()
    if not attempts or all(attempt.unreachable or attempt.untrusted for attempt in attempts):
        return []
    agreed = [suite for suite, attempt in zip(SUITES, attempts, strict=False) if attempt.opened]
    actual = f"agreed on {', '.join(agreed)}" if agreed else f"on none of {', '.join(SUITES)}"
    verdict = Verdict.OK if agreed else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_ANY_SUITE, actual=actual, frame=attempts[0].line)]


@case(
    id="TLS_07",
    ocpp="1.6",
    title="Each cipher suite of TLS 1.2 that the whitepaper names is agreed on",
    block=BLOCK,
    profile=PROFILE,
    needs=("tls", "password"),
    start=Start.OFFLINE,
    password=True,
    sends="Four TLS handshakes of version 1.2, each with one suite: AES-GCM of 128 and 256 bits, for ECDSA and RSA.",
    expects="The CSMS SHALL support all four; one with a certificate of one kind supports two.",
    clause=Clause("SWP", "A00.FR.317"),
    defect="named-cipher-suites-refused",
    also=("server-certificate-of-another-host",),
    checks=(
        Check(claim=_ANY_SUITE, judge=_judge_suites),
        *(
            connection(f"{suite} is agreed on", opens_securely, nth=number, level=Level.RECOMMENDED)
            for number, suite in enumerate(SUITES)
        ),
    ),
)
def cipher_suites(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=2)
    for suite in SUITES:
        context = probe.trusting_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        station.connect(tls=context)
        station.disconnect()
