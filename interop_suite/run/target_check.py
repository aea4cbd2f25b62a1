"""One connection before everything else, so that a wrong address or password is one line and not eighty failures."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from drivers.base import Driver, StationSettings
from evidence.redact import redact_url
from fixtures.models import station as make_station
from interop_suite.claims.exchange import is_untrusted
from interop_suite.drive.answers import Answer
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.offer import Handshake, Offer, Trait
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import Closed, Link
from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.identity import decode_authorization_key, station_url, without_user
from ocppj.versions import RULES, Version

__all__ = [
    "BootRefusedError",
    "ClosedAtOnceError",
    "MisnamedVersionError",
    "NobodyAnswersError",
    "SubprotocolError",
    "check_target",
    "greet",
    "names_one_of",
    "stranger",
]

UNAUTHORIZED = (401, 403)
NOT_FOUND = 404
REFUSAL_PATIENCE = 0.3
"""Seconds for a CSMS to close a connection that it upgraded and does not want."""


class SubprotocolError(UsageError):
    """The CSMS is there and does not speak this version."""


class NobodyAnswersError(TargetUnreachableError):
    """The broker is there, and no CSMS that speaks this version."""


class ClosedAtOnceError(SubprotocolError):
    """The CSMS upgraded the connection and ended it at once: it has no use for the version, or for the station."""


class MisnamedVersionError(SubprotocolError):
    """The CSMS upgraded the connection and did not name the version that was offered: a finding, where it speaks it."""

    def __init__(self, message: str, *, served: bool) -> None:
        """Tell whether it answered a boot of this version all the same."""
        super().__init__(message)
        self.served = served


class BootRefusedError(ClosedAtOnceError):
    """The CSMS answered a boot with a CALLERROR, and no topic or subprotocol says which version it speaks."""


def check_target(target: CsmsUnderTest, driver: Driver, version: Version) -> None:
    """Connect once as each station that the CSMS knows, or as a stranger.

    Raises `TargetUnreachableError` when nothing answers, `SubprotocolError` when the CSMS does not speak the version,
    and `UsageError` when the address or the password is wrong.
    """
    for identity in target.identities or (f"PSCANARY{secrets.token_hex(3).upper()}",):
        _try(target, driver, version, identity)


def _try(target: CsmsUnderTest, driver: Driver, version: Version, identity: str) -> None:
    register(target, driver, version, identity)
    station = stranger(target, version, identity)
    with contextlib.closing(station):
        handshake = station.connect()
        if Trait.UPGRADE in target.transport.lacks:
            _look_behind_the_broker(target, driver, version, station, handshake)
            return
        ended = _ended_at_once(station.wire)
        unnamed = handshake.opened and handshake.error is None and handshake.subprotocol is None
        served = unnamed and ended is None and _boot(station).ok
    if handshake.status in UNAUTHORIZED:
        raise UsageError(_which_credentials(target, handshake, identity))
    _explain(handshake, redact_url(target.url), identity, version, served=served)
    if ended is not None:
        raise ClosedAtOnceError(
            f"{redact_url(target.url)} upgraded {identity} to {RULES[version].subprotocol} and closed it at once "
            f"({ended.code or 'no close frame'} {ended.reason}".rstrip()
            + "); see --ocpp"
        )


def register(target: CsmsUnderTest, driver: Driver, version: Version, identity: str) -> None:
    """Make the CSMS know a station, with the password that every station has."""
    settings = StationSettings(password=target.password, security_profile=1 if target.password else 0)
    driver.register(identity, settings, version)


def stranger(target: CsmsUnderTest, version: Version, identity: str) -> ScriptedStation:
    """Make a station that belongs to no case, and that nobody records."""
    offer = Offer(
        url=station_url(target.url, identity),
        subprotocols=(RULES[version].subprotocol,),
        identity=identity,
        password=None if target.password is None else decode_authorization_key(target.password, version),
    )
    if target.ca_file is not None:
        offer = msgspec.structs.replace(offer, tls=ssl.create_default_context(cafile=target.ca_file))
    model = make_station(target.model, identity, seed=0)
    return ScriptedStation(model, version, offer, lambda _: None, timeout=target.timeout, transport=target.transport)


def _look_behind_the_broker(
    target: CsmsUnderTest, driver: Driver, version: Version, station: ScriptedStation, handshake: Handshake
) -> None:
    """Raise what `check_target` does: a broker that lets a station in says nothing about a CSMS behind it."""
    where = urlsplit(without_user(target.url)).netloc
    if handshake.error is not None:
        if is_untrusted(handshake.error):
            raise UsageError(
                f"{where} shows a certificate that this machine does not trust ({handshake.error}); "
                "give the PEM file of its root with --ca"
            )
        raise TargetUnreachableError(f"{where} cannot be used: {handshake.error}; {handshake.mend}")
    answer = greet(station, driver, target)
    if not station.heard:
        topic = getattr(station.wire, "heard_on", "")
        raise NobodyAnswersError(
            f"{where} let {station.identity} in, but nobody answered its boot on {topic} within {target.timeout:g} s; "
            f"check that the CSMS is at this broker and speaks OCPP {version} there, and --dialect"
        )
    if answer.kind == "error" and not target.transport.tells_version:
        raise BootRefusedError(
            f"the CSMS at {where} answered the boot of OCPP {version} with {answer.code}, so that it may speak another "
            "version; see --ocpp"
        )


def greet(station: ScriptedStation, driver: Driver, target: CsmsUnderTest) -> Answer:
    """Send the boot of a station that the CSMS knows; `station.heard` tells whether anything at all came back."""
    register(target, driver, station.version, station.identity)
    return _boot(station)


def _boot(station: ScriptedStation) -> Answer:
    return station.call("BootNotification", DIALOGUES[station.version].boot(station.model))


def names_one_of(target: CsmsUnderTest, driver: Driver, versions: Iterable[Version]) -> bool:
    """Return whether the CSMS names one of some versions to a station that offers it alone."""
    identity = target.identities[0] if target.identities else f"PSCANARY{secrets.token_hex(3).upper()}"
    for version in versions:
        register(target, driver, version, identity)
        with contextlib.closing(stranger(target, version, identity)) as station:
            handshake = station.connect()
        if handshake.opened and handshake.subprotocol == RULES[version].subprotocol:
            return True
    return False


def _ended_at_once(wire: Link) -> Closed | None:
    """Wait a moment for the end of a connection that a CSMS upgraded and does not want."""
    deadline = time.monotonic() + REFUSAL_PATIENCE
    while wire.connected and wire.wait(max(0.0, deadline - time.monotonic())):
        for event in wire.receive():
            if isinstance(event, Closed):
                return event
    return None


def _which_credentials(target: CsmsUnderTest, handshake: Handshake, identity: str) -> str:
    refusal = f"{redact_url(target.url)} refused {identity} with HTTP {handshake.status}"
    known = "" if target.identities else ", and with --identity stations that the CSMS knows"
    if target.password is None:
        return f"{refusal}: it wants credentials; give the password of its stations with --password{known}"
    return f"{refusal}: the password does not fit; check --password, which every station uses{known}"


def _explain(handshake: Handshake, url: str, identity: str, version: Version, *, served: bool) -> None:
    if handshake.status is None:
        where = urlsplit(url).netloc
        if is_untrusted(handshake.error):
            raise UsageError(
                f"{where} shows a certificate that this machine does not trust ({handshake.error}); give the "
                "PEM file of its root with --ca"
            )
        raise TargetUnreachableError(
            f"{where} cannot be reached ({handshake.error}); check the address in --url and that the CSMS is up"
        )
    if handshake.opened and handshake.error is None and handshake.subprotocol is not None:
        return
    if handshake.status == NOT_FOUND:
        raise UsageError(
            f"{url} answered HTTP 404 for {identity}; check the path in --url, or name a station that the CSMS knows "
            "with --identity"
        )
    offered = RULES[version].subprotocol
    if handshake.opened and (served or handshake.subprotocol not in (None, offered)):
        said = f"answers to {offered} with {handshake.subprotocol or 'no subprotocol, and serves it'}"
        raise MisnamedVersionError(f"{url} {said}; see --ocpp", served=served)
    reason = handshake.error or ("it chose none" if handshake.opened else f"HTTP {handshake.status}")
    raise SubprotocolError(f"{url} refused the subprotocol {offered} or the upgrade ({reason}); see --ocpp")
