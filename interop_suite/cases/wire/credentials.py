"""Authentication below the certification list: whose credentials, how written, and how much of them is looked at."""

from __future__ import annotations

import base64
import secrets

import msgspec

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.certificates import Authority
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, connection, refused_upgrade
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Connection
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import NoWayError, Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import (
    AUTHENTICATION,
    SERVER_ERROR,
    boot_is_accepted,
    opens,
    opens_securely,
    requirement,
)
from interop_suite.steps.shared_case import ALL, V2X, shared
from ocppj.identity import station_url
from ocppj.versions import Version

SETTABLE = ("password", "register")
OTHER = "other"
TEXT_KEY = "Kettle-Plug-Storm-42"
"""A password that is not hexadecimal digits: 20 bytes, as many as 1.6 allows."""
COLON_KEY = "Kettle-Plug-Storm-42-Kettle:Plug-Storm-4"
"""40 characters, as many as 2.0.1 allows everywhere."""


lets_in = connection("The right credentials are accepted afterwards", opens, nth=-1)


@case(
    id="AU_03",
    ocpp=Version.V16,
    title="A username that is not the identity is refused, however right the password",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="Upgrades with the right password and a username longer or shorter than the identity; then with both right.",
    expects="The CSMS SHALL refuse the first two before the upgrade, and accept the third.",
    clause=Clause("SWP", "A00.FR.204"),
    defect="wrong-username-accepted",
    also=("username-compared-by-its-beginning",),
    checks=(
        refused_upgrade("Another username is refused", nth=0),
        refused_upgrade("A username that is the beginning of the identity is refused", nth=1),
        lets_in,
        boot_is_accepted,
    ),
)
def wrong_username(probe: Probe) -> None:
    station = probe.station
    for username in (f"{station.identity}Invalid", station.identity[:-1]):
        probe.try_to_boot(station, username=username)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@shared(
    id="AU_04",
    title="The credentials of another station open no door but its own",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with the URL of one station and the valid credentials of another, then the right ones.",
    expects="The CSMS SHALL refuse it before the upgrade: the username is the identity in the URL.",
    clause=requirement("A00.FR.204"),
    defect="foreign-credentials-accepted",
    checks=(refused_upgrade("Another station's credentials are refused", nth=0), lets_in, boot_is_accepted),
)
def foreign_credentials(probe: Probe) -> None:
    station, other = probe.station, probe.new_station(OTHER, password=True)
    probe.try_to_boot(station, username=other.identity, password=other.offer.password)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@shared(
    id="AU_21",
    title="The password of another station opens no door under one's own name",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with a station's own username and the password of another station, then with its own.",
    expects="The CSMS SHALL refuse it before the upgrade: the password is that of the station which is the username.",
    clause=requirement("A00.FR.203"),
    defect="password-of-any-station-accepted",
    also=("wrong-password-accepted",),
    checks=(refused_upgrade("Another station's password is refused", nth=0), lets_in, boot_is_accepted),
)
def foreign_password(probe: Probe) -> None:
    station, other = probe.station, probe.new_station(OTHER, password=True)
    if other.offer.password == station.offer.password:
        raise NoWayError("every station has the same password (--password)")
    probe.try_to_boot(station, password=other.offer.password)
    probe.reconnect(station, judged=True)
    probe.boot(station)


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def _malformed(identity: str) -> dict[str, tuple[str, ...]]:
    """Write Authorization headers that prove nothing; two headers where there are two values."""
    return {
        "scheme alone": ("Basic",),
        "no base64": ("Basic ****",),
        "no colon": (_basic(identity),),
        "empty password": (_basic(f"{identity}:"),),
        "another scheme": ("Bearer 0123456789",),
        "two headers": (_basic(f"{identity}:one"), _basic(f"{identity}:two")),
        "64 kB": ("Basic " + "A" * 65_536,),
    }


_REFUSED_WITH_4XX = "A header that proves nothing is refused with a 4xx"


def _judge_malformed(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=_weigh_malformed(history, attempt),
            claim=_REFUSED_WITH_4XX,
            actual=f"{name}: {attempt.describe()}",
            frame=attempt.line,
        )
        for name, attempt in zip(history.notes("malformed"), history.attempts(), strict=False)
    ]


def _weigh_malformed(history: History, attempt: Connection) -> Verdict:
    if history.turned_away(attempt):
        return Verdict.NON_STRICT
    if attempt.opened:
        return Verdict.FAILED
    # A 5xx lets nobody in either, and no text makes 401 more than a SHOULD (RFC 9110 §11.6.1).
    return Verdict.OK if (attempt.status or 0) < SERVER_ERROR else Verdict.NON_STRICT


@shared(
    id="AU_05",
    title="Malformed Authorization headers are refused with a 4xx",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="Upgrades with Basic alone, no base64, no colon, no password, Bearer, two headers, 64 kB; then the right.",
    expects="The CSMS SHALL refuse each before the upgrade, and should do so with a 4xx; then it SHALL let it in.",
    clause=requirement("A00.FR.203"),
    defect="malformed-credentials-crash",
    also=("malformed-credentials-accepted", "wrong-password-accepted"),
    checks=(Check(claim=_REFUSED_WITH_4XX, judge=_judge_malformed), lets_in, boot_is_accepted),
)
def malformed_credentials(probe: Probe) -> None:
    station = probe.station
    for name, values in _malformed(station.identity).items():
        station.note(malformed=name)
        headers = tuple(("Authorization", value) for value in values)
        if probe.gets_in(station, password=None, headers=headers):
            break
    probe.reconnect(station, judged=True)
    probe.boot(station)


_ANY_BYTES = "A key of any bytes is accepted"


def _judge_any_bytes(history: History) -> list[Finding]:
    """Judge the bytes where the CSMS knows them as such: no text tells an operator's API what the digits stand for."""
    attempts = history.attempts()
    if len(attempts) > 1 and attempts[1].opened and not history.turned_away(attempts[1]):
        actual = "its operator's side takes the 40 digits for a text of 40 characters, as it may"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_ANY_BYTES, actual=actual, frame=attempts[1].line)]
    return connection(_ANY_BYTES, opens).judge(history)


@case(
    id="AU_06",
    ocpp=Version.V16,
    title="A key of raw bytes, with 00, colon and FF among them, is accepted",
    block=AUTHENTICATION,
    needs=SETTABLE,
    start=Start.OFFLINE,
    sends="An upgrade with the 20 bytes of a key that was set as 40 hexadecimal digits.",
    expects="The CSMS SHALL take the password as bytes: it begins after the first colon and may hold any of them.",
    clause=Clause("1.6J", "6.2.2"),
    defect="binary-key-refused",
    checks=(Check(claim=_ANY_BYTES, judge=_judge_any_bytes), boot_is_accepted),
)
def binary_key(probe: Probe) -> None:
    station, digits = probe.station, "003aff3a80" + secrets.token_hex(15)
    probe.give_password(station, digits)
    if not probe.gets_in(station):
        probe.gets_in(station, password=digits.encode())
    probe.boot(station)


@shared(
    id="AU_07",
    title="A password of 40 characters with a colon is accepted",
    block=AUTHENTICATION,
    needs=SETTABLE,
    start=Start.OFFLINE,
    sends="An upgrade with a password of 40 characters, one of them a colon.",
    expects="The CSMS SHALL split the credentials at the first colon only, as an identity has none.",
    clause={version: Clause("201-6", "A00.FR.204") for version in V2X},
    defect="password-with-colon-refused",
    checks=(connection("A password with a colon is accepted", opens), boot_is_accepted),
)
def password_with_colon(probe: Probe) -> None:
    station = probe.station
    probe.give_password(station, COLON_KEY)
    probe.reconnect(station, judged=True)
    probe.boot(station)


@shared(
    id="AU_13",
    title="Credentials count however the name of their header is written",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="An upgrade with the right credentials in a header called AUTHORIZATION, and a boot.",
    expects="The CSMS SHALL read it as any other: the name of a header has no case.",
    clause={version: Clause("RFC9110", "5.1") for version in ALL},
    defect="header-names-case-sensitive",
    checks=(connection("Credentials under AUTHORIZATION are accepted", opens, nth=0), boot_is_accepted),
)
def header_name_in_capitals(probe: Probe) -> None:
    station = probe.station
    station.offer = msgspec.structs.replace(station.offer, spellings=("AUTHORIZATION",))
    probe.reconnect(station, judged=True)
    probe.boot(station)


def _nearly(password: str) -> dict[str, str]:
    return {
        "the first 16 characters": password[:16],
        "without the last": password[:-1],
        "one more": password + "2",
        "upper case": password.upper(),
        "a NUL after it": password + "\0",
        "a line break after it": password + "\n",
    }


def _weigh_entry(history: History, attempt: Connection) -> Verdict:
    if history.turned_away(attempt):
        return Verdict.NON_STRICT
    return Verdict.FAILED if attempt.opened else Verdict.OK


_WHOLE = "A password that is nearly right is refused"


def _judge_nearly(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=_weigh_entry(history, attempt),
            claim=_WHOLE,
            actual=f"{name}: {attempt.describe()}",
            frame=attempt.line,
        )
        for name, attempt in zip(history.notes("nearly"), history.attempts(), strict=False)
    ]


@shared(
    id="AU_08",
    title="The whole password is compared: no prefix, no suffix, no other case",
    block=AUTHENTICATION,
    needs=SETTABLE,
    start=Start.OFFLINE,
    sends="Upgrades with the password cut, prolonged, in upper case, with NUL or a line break; then the right one.",
    expects="The CSMS SHALL refuse each of them before the upgrade.",
    clause=requirement("A00.FR.203"),
    defect="password-prefix-accepted",
    also=("wrong-password-accepted",),
    checks=(Check(claim=_WHOLE, judge=_judge_nearly), lets_in, boot_is_accepted),
)
def nearly_right(probe: Probe) -> None:
    station, password = probe.station, TEXT_KEY
    probe.give_password(station, password)
    for name, value in _nearly(password).items():
        station.note(nearly=name)
        if probe.gets_in(station, password=value.encode()):
            break
    probe.reconnect(station, judged=True)
    probe.boot(station)


@case(
    id="AU_09",
    ocpp=Version.V16,
    title="A new key that the station does not take does not become valid",
    block=AUTHENTICATION,
    initiator="csms",
    needs=("password", trigger_need("ChangeConfiguration")),
    password=True,
    sends="Rejected, and then NotSupported, to ChangeConfiguration of AuthorizationKey; upgrades with either key.",
    expects="The CSMS SHALL go on accepting the old key, as the station still has it, and only that.",
    clause=Clause("SWP", "A01.FR.04"),
    defect="refused-password-taken",
    also=("wrong-password-accepted", "unsupported-password-taken"),
    checks=(
        asked("ChangeConfiguration", {"key": one_of("AuthorizationKey")}),
        refused_upgrade("The key that the station rejected is refused", nth=0),
        connection("The old key is still accepted", opens, nth=1),
        refused_upgrade("The key that the station does not support is refused", nth=2),
        connection("The old key is still accepted after that", opens, nth=3),
        boot_is_accepted,
    ),
)
def rejected_key(probe: Probe) -> None:
    station, old = probe.station, probe.station.offer.password
    for status in ("Rejected", "NotSupported"):
        key = secrets.token_hex(20)
        station.reply("ChangeConfiguration", {"status": status})
        probe.command("ChangeConfiguration", {"key": "AuthorizationKey", "value": key})
        if station.expect("ChangeConfiguration") is None:
            return
        station.disconnect()
        probe.try_to_boot(station, password=bytes.fromhex(key))
        station.connect(password=old)
        if not station.connected:
            return
        probe.boot(station)


@case(
    id="AU_12",
    ocpp=Version.V16,
    title="A station of security profile 2 is refused on the port without TLS",
    block=AUTHENTICATION,
    needs=("tls", "security-profile", "password"),
    start=Start.OFFLINE,
    password=True,
    sends="The right credentials of a profile 2 station without TLS, then the same over TLS.",
    expects="The CSMS SHALL refuse the first: a station comes with its own profile and no other.",
    clause=Clause("SWP", "A00.FR.002"),
    defect="tls-profile-on-plain-port",
    also=("server-certificate-of-another-host",),
    checks=(
        refused_upgrade("The same credentials without TLS are refused", nth=0),
        connection("Over TLS they are accepted", opens_securely, nth=-1),
        boot_is_accepted,
    ),
)
def downgrade(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=2)
    probe.try_to_boot(station, url=station_url(probe.target.url, station.identity), tls=None)
    probe.reconnect(station, judged=True)
    probe.boot(station)


_STRANGERS = "A client certificate that is not this station's is refused"


def _judge_certificates(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.FAILED if attempt.opened else Verdict.OK,
            claim=_STRANGERS,
            actual=f"{name}: {attempt.describe()}",
            frame=attempt.line,
        )
        for name, attempt in zip(history.notes("certificate"), history.attempts(), strict=False)
    ]


@shared(
    id={Version.V16: "TLS_06", **dict.fromkeys(V2X, "TC_A_08_CSMS")},
    title="Mutual TLS: another station's, another operator's or an unknown authority's certificate is refused",
    block=AUTHENTICATION,
    profile="Advanced Security",
    needs=("tls", "client-certificate", "security-profile"),
    start=Start.OFFLINE,
    sends="TLS connections with the certificates of others, then one with the station's own, and a boot.",
    expects="The CSMS SHALL verify path, organization and name of the certificate, and end the first connections.",
    clause=requirement("A00.FR.405"),
    defect="foreign-certificate-accepted",
    also=("foreign-operator-accepted", "server-certificate-of-another-host"),
    checks=(
        Check(claim=_STRANGERS, judge=_judge_certificates),
        connection("The station's own certificate is accepted", opens_securely, nth=-1),
        boot_is_accepted,
    ),
)
def foreign_certificates(probe: Probe) -> None:
    station = probe.station
    probe.secure(station, profile=3)
    contexts = {
        "another station's": probe.client_context(station, name=f"PS{secrets.token_hex(6)}"),
        "another operator's": probe.client_context(station, operator=f"Not {probe.operator}"),
        "an unknown authority's": probe.trusting_context(
            Authority("Plugstorm Stranger").station(station.identity, probe.operator)
        ),
    }
    for name, context in contexts.items():
        station.note(certificate=name)
        station.connect(tls=context)
    probe.reconnect(station, judged=True)
    probe.boot(station)
