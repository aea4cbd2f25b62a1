"""What the script of a case works with: stations, the driver, and notes for the judge."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from string import ascii_letters, digits
from typing import Any

import msgspec

from drivers.base import Driver, StationSettings
from fixtures.certificates import Credential, SigningRequest, make_csr
from fixtures.models import Station
from fixtures.models import station as make_station
from interop_suite.claims.history import BYSTANDER, PRIMARY
from interop_suite.drive.answers import Answer
from interop_suite.drive.offer import Offer, Trait
from interop_suite.drive.orders import COMMAND_GRACE, CsmsIntrospection, Orders
from interop_suite.drive.setup import CsmsUnderTest, Setup, Start
from interop_suite.drive.station import QUIET, ScriptedStation
from interop_suite.drive.transport import NoWayError
from ocppj.errors import InconclusiveError
from ocppj.identity import decode_authorization_key, station_url
from ocppj.trace import TraceRecord, wall_clock
from ocppj.versions import RULES

__all__ = ["COMMAND_GRACE", "CsmsIntrospection", "NoWayError", "Probe", "make_password", "now"]

BOOT_ATTEMPTS = 5
BOOT_WAIT_OWN = 0.1
BOOT_WAIT_MAX = 5.0
"""Seconds that a preparation waits at most between two boots, whatever interval a Pending asks for."""
LAST_LOOK = 0.001
"""Seconds for a station to read what has come in already."""
REFUSAL_PATIENCE = 1.0
"""Seconds for a CSMS to close a connection that it opened and does not want."""
CLIENT_CERTIFICATE_PROFILE = 3
SETTLING = 1.0
"""Seconds between the end of a session and the next one of the same token."""
SERIAL_NUMBER_MAX = 25
"""Characters of a serial number in a BootNotification."""


def now() -> str:
    """Write the present time as OCPP does."""
    return wall_clock(time.time())


def make_password() -> str:
    """Make up a password of 20 characters that nobody can take for the hexadecimal digits of another one."""
    return "P" + "".join(secrets.choice(ascii_letters + digits) for _ in range(19))


class Probe(Orders):
    """One attempt at one case."""

    def __init__(
        self,
        setup: Setup,
        target: CsmsUnderTest,
        driver: Driver,
        record: Callable[[TraceRecord], None],
        lease_identity: Callable[[], str],
        *,
        introspection: CsmsIntrospection | None = None,
        open_authorization: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare nothing yet; `open_authorization` finds out whether the CSMS accepts any token."""
        super().__init__(setup, target, driver, record, open_authorization, introspection=introspection)
        self._lease_identity = lease_identity
        self._stations: list[ScriptedStation] = []
        self._primary: ScriptedStation | None = None
        self._bystander: ScriptedStation | None = None

    # -- stations ----------------------------------------------------------------------------------------------------

    @property
    def station(self) -> ScriptedStation:
        """The station that the case is about."""
        if self._primary is None:
            self._primary = self.new_station(PRIMARY, password=self.setup.password)
        return self._primary

    @property
    def operator(self) -> str:
        """The organization that the CSMS expects in the client certificates of its stations."""
        return self.target.organization

    @property
    def bystander(self) -> ScriptedStation:
        """The other station, which a case must not harm."""
        if self._bystander is None:
            self._bystander = self.new_station(BYSTANDER)
        return self._bystander

    def new_station(self, role: str, *, password: bool = False, identity: str | None = None) -> ScriptedStation:
        """Make the CSMS know one more station and hand it over, disconnected.

        An `identity` of one's own is for what no pool of identities holds, such as one with a space.
        """
        secret = self._password() if password else self.target.password
        station = self._make_station(role, identity or self._lease_identity(), secret, lent=not password)
        if station.identity not in self.target.identities:
            station.note(new=True)
        self.set_up(station, StationSettings(password=secret, security_profile=1 if secret else 0))
        return station

    def known_station(self, role: str, identity: str) -> ScriptedStation:
        """Hand over a station, disconnected, that the CSMS is not told about."""
        return self._make_station(role, identity, self.target.password, lent=True)

    def _make_station(self, role: str, identity: str, secret: str | None, *, lent: bool) -> ScriptedStation:
        station = ScriptedStation(
            self._individual(identity),
            self.version,
            self._offer(identity, secret, lent=lent),
            self._record,
            timeout=self.target.timeout,
            settle=self._settle if self._introspection else None,
            transport=self.target.transport,
            beside=lambda: self._stations,
        )
        station.reconnect_pause = self.driver.reconnect_pause
        station.note(role=role, ocpp=str(self.version), case=self.setup.name)
        self._stations.append(station)
        return station

    def _individual(self, identity: str) -> Station:
        """Make a station that tells what its certificates name: its operator and serial number (A00.FR.404, .405)."""
        made = msgspec.structs.replace(make_station(self.target.model, identity, seed=0), operator=self.operator)
        # A certificate has one name: some CSMSs look for the identity in it, and others for the serial number.
        plain = identity.isascii() and identity.isalnum() and len(identity) <= SERIAL_NUMBER_MAX
        return msgspec.structs.replace(made, serial_number=identity) if plain else made

    def double(self, station: ScriptedStation, role: str) -> ScriptedStation:
        """Make a second socket that claims the identity of a station; in the trace it has a name of its own.

        Raises `NoWayError` where the transport allows no two.
        """
        station.need(Trait.SECOND)
        twin = ScriptedStation(
            station.model,
            self.version,
            station.offer,
            self._record,
            timeout=self.target.timeout,
            label=f"{station.identity}#{role}",
            settle=self._settle if self._introspection else None,
            transport=self.target.transport,
            beside=lambda: self._stations,
        )
        twin.note(role=role, ocpp=str(self.version), case=self.setup.name)
        self._stations.append(twin)
        return twin

    def set_up(self, station: ScriptedStation, settings: StationSettings) -> None:
        """Tell the CSMS something about a station; what the settings leave out stays.

        A CSMS may close the connection so that its operator's new decision about boots counts: the station comes back.
        """
        can_set_interval = self.driver.missing("interval", self.version) is None
        told = {"interval": settings.interval if can_set_interval else None, "boot_status": settings.boot_status}
        self._driven(
            "register",
            lambda: self.driver.register(station.identity, settings, self.version),
            identity=station.identity,
            **{name: value for name, value in told.items() if value is not None},
        )
        if settings.boot_status is not None and station.connection:
            station.take_in()
            if not station.connected:
                self.reconnect(station)

    def _password(self) -> str:
        return self.target.password or make_password()

    def _offer(self, identity: str, secret: str | None, *, lent: bool) -> Offer:
        return Offer(
            url=station_url(self.target.url, identity),
            subprotocols=(RULES[self.version].subprotocol,),
            identity=identity,
            password=None if secret is None else decode_authorization_key(secret, self.version),
            lent=lent and secret is not None,
            tls=None if self.target.ca_file is None else self.trusting_context(),
        )

    def prepare(self) -> None:
        """Bring the station to where the case starts; raises `InconclusiveError` when the CSMS does not let it."""
        station = self.station
        if self.setup.start is Start.OFFLINE:
            return
        self.reconnect(station)
        booting = [station] if self.setup.start is Start.BOOTED else []
        if self.setup.bystander:
            self.reconnect(self.bystander)
            booting.append(self.bystander)
        self._boot_together(booting)
        for each in booting:
            self.report_available(each)
            self._control(each)

    def _boot_together(self, stations: Sequence[ScriptedStation]) -> None:
        """Boot stations so that those which are told to wait do so at the same time."""
        answers = [(each, self.send_boot(each)) for each in stations]
        waiting = [each for each, answer in answers if answer.get("status") != "Accepted"]
        longest = max((answer.seconds("interval") for _, answer in answers), default=0.0)
        for each in waiting:
            each.listen(min(BOOT_WAIT_MAX, longest or BOOT_WAIT_OWN) / len(waiting))
        for each in waiting:
            self.boot(each)

    def _control(self, station: ScriptedStation) -> None:
        """Show that a Heartbeat is answered before the script begins: only then does its absence later say anything."""
        answer = station.call("Heartbeat", {})
        if not answer.ok:
            raise InconclusiveError(
                f"{station.identity} was not served to begin with: Heartbeat got {answer.kind}{self._within(answer)}."
            )

    def _within(self, answer: Answer) -> str:
        return f" within {self.target.timeout:g} s" if answer.kind == "timeout" else ""

    def reconnect(self, station: ScriptedStation, *, judged: bool = False) -> None:
        """Open a connection as the CSMS knows the station; raises `InconclusiveError` when it does not let it in.

        Where the case itself is about getting in, `judged` leaves the refusal to its checks.
        """
        handshake = station.connect()
        if not judged and (not handshake.opened or handshake.error):
            reason = handshake.error or f"HTTP {handshake.status}"
            raise InconclusiveError(f"{station.identity} could not connect ({reason}); see the handshake cases.")

    def gets_in(self, station: ScriptedStation, **changes: Any) -> bool:
        """Try a connection that should be refused; a CSMS may only find out after the upgrade, and close it then."""
        handshake = station.connect(**changes)
        if not handshake.opened or handshake.error:
            return False
        station.pump(lambda: not station.connected, REFUSAL_PATIENCE)
        return station.connected

    def try_to_boot(self, station: ScriptedStation, **changes: Any) -> None:
        """Try a connection that should be refused, and see whether it is served all the same; then end it."""
        if self.gets_in(station, **changes):
            self.send_boot(station)
        station.disconnect()

    def secure(self, station: ScriptedStation, *, profile: int, certificate: bool = True) -> None:
        """Move a station to TLS: security profile 2, or 3 with or without its client certificate."""
        assert self.target.tls_url is not None
        by_certificate = profile == CLIENT_CERTIFICATE_PROFILE
        secret = None if by_certificate else self._password()
        self.set_up(station, StationSettings(password=secret, security_profile=profile))
        station.offer = msgspec.structs.replace(
            station.offer,
            url=station_url(self.target.tls_url, station.identity),
            tls=self.client_context(station) if by_certificate and certificate else self.trusting_context(),
            lent=False,
            password=None if secret is None else decode_authorization_key(secret, self.version),
        )

    def speak_tls(self, station: ScriptedStation) -> None:
        """Let a station come by TLS from now on, with the credentials that it has."""
        assert self.target.tls_url is not None
        url = station_url(self.target.tls_url, station.identity)
        station.offer = msgspec.structs.replace(station.offer, url=url, tls=self.trusting_context(), lent=False)

    def trusting_context(self, credential: Credential | None = None) -> ssl.SSLContext:
        """Make a TLS client that trusts the root of the CSMS, and shows a certificate of its own where one is given."""
        context = ssl.create_default_context(cafile=self.target.ca_file)
        if credential is not None:
            credential.load_into(context)
        return context

    def client_context(
        self, station: ScriptedStation, *, name: str | None = None, operator: str | None = None
    ) -> ssl.SSLContext:
        """Make a TLS client with a certificate that the CSMS's own authority has signed, for any name and operator."""
        request = make_csr(name or station.identity, operator or self.operator)
        chain = self.signed_chain(station, request)
        return self.trusting_context(Credential(chain.encode(), request.private_key_pem))

    def signed_chain(self, station: ScriptedStation, request: SigningRequest) -> str:
        """Have a signing request signed by the CSMS's own authority, and get the chain in PEM."""
        chain: str = self._driven(
            "sign_client_certificate",
            lambda: self.driver.sign_client_certificate(station.identity, request.csr_pem.decode(), self.version),
            identity=station.identity,
        )
        return chain

    def give_password(self, station: ScriptedStation, password: str, *, profile: int = 1) -> None:
        """Make the CSMS know a password, and let the station prove itself with it from now on."""
        self.set_up(station, StationSettings(password=password, security_profile=profile))
        self.use_password(station, password)

    def use_password(self, station: ScriptedStation, password: str) -> None:
        """Let a station prove itself with another password from now on."""
        station.offer = msgspec.structs.replace(
            station.offer, password=decode_authorization_key(password, self.version), lent=False
        )

    def boot(self, station: ScriptedStation) -> Answer:
        """Send BootNotification until it is accepted; raises `InconclusiveError` when it never is."""
        answer = self.send_boot(station)
        for _ in range(BOOT_ATTEMPTS - 1):
            if not answer.ok or answer.get("status") == "Accepted":
                break
            # 0 leaves the wait to the station (OCPP 1.6 §6.4).
            wait = answer.seconds("interval", default=1)
            station.listen(min(BOOT_WAIT_MAX, wait) if wait else BOOT_WAIT_OWN)
            answer = self.send_boot(station)
        if answer.get("status") != "Accepted":
            how = answer.code or answer.get("status") or answer.kind
            raise InconclusiveError(f"The boot of {station.identity} was not accepted ({how}{self._within(answer)}).")
        return answer

    def send_boot(self, station: ScriptedStation) -> Answer:
        """Send one BootNotification."""
        payload = self._dialogue.boot(station.model)
        return station.call("BootNotification", payload)

    def report_available(self, station: ScriptedStation) -> None:
        """Send the status of every connector, the charge point itself first (1.6 connector 0)."""
        for payload in self._dialogue.available(station.model, now()):
            station.call("StatusNotification", payload)

    def let_settle(self) -> None:
        """Let the CSMS write down what it has confirmed: nobody shows a card twice in the same instant.

        The practice CSMS has done so before it answers.
        """
        if self._introspection is None:
            self.station.listen(SETTLING)

    # -- end ---------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Listen a moment for what comes uninvited, then put every station away."""
        deadline = time.monotonic() + QUIET
        with contextlib.ExitStack() as stack:
            stack.callback(self._pool.shutdown, wait=False, cancel_futures=True)
            for station in reversed(self._stations):
                stack.callback(station.put_away)
            for station in self._stations:
                station.listen(max(LAST_LOOK, deadline - time.monotonic()))
