"""What the script of a case works with: stations, the driver, and notes for the judge."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from string import ascii_letters, digits
from typing import Any, Protocol

import msgspec

from drivers.base import (
    CommandResult,
    Driver,
    DriverCannotError,
    DriverError,
    Exchange,
    StationSettings,
    TokenSettings,
    token_need,
)
from fixtures.certificates import Credential, SigningRequest, make_csr
from fixtures.models import station as make_station
from fixtures.tokens import TokenKind
from interop_suite.claims.history import BYSTANDER, PRIMARY
from interop_suite.drive.answers import Answer, Order
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.exchanges import collected, in_the_trace
from interop_suite.drive.offer import Offer
from interop_suite.drive.setup import CsmsUnderTest, Setup, Start
from interop_suite.drive.station import QUIET, ScriptedStation
from ocppj.errors import InconclusiveError
from ocppj.identity import decode_authorization_key, station_url
from ocppj.trace import Kind, TraceRecord, wall_clock
from ocppj.versions import RULES

__all__ = ["COMMAND_GRACE", "CsmsIntrospection", "NoWayError", "Probe", "make_password", "now"]

BOOT_ATTEMPTS = 5
BOOT_WAIT_OWN = 0.1
BOOT_WAIT_MAX = 5.0
"""Seconds that a preparation waits at most between two boots, whatever interval a Pending asks for."""
COMMAND_GRACE = 10.0
"""Seconds for the CSMS's API to do what it was asked for, besides the patience with its answers."""
ORDER_PATIENCE = 10.0
"""Seconds for a thread of ours to hand over a command."""
ORDER_LOOK = 0.005
ONLINE_LOOK = 0.1
LAST_LOOK = 0.001
"""Seconds for a station to read what has come in already."""
REFUSAL_PATIENCE = 1.0
"""Seconds for a CSMS to close a connection that it opened and does not want."""
CLIENT_CERTIFICATE_PROFILE = 3


def now() -> str:
    """Write the present time as OCPP does."""
    return wall_clock(time.time())


def make_password() -> str:
    """Make up a password of 20 characters that nobody can take for the hexadecimal digits of another one."""
    return "P" + "".join(secrets.choice(ascii_letters + digits) for _ in range(19))


class NoWayError(InconclusiveError):
    """The driver has no way to do what the case needs, so that the case does not apply."""


class CsmsIntrospection(Protocol):
    """What only a CSMS of our own tells: then its silence counts, and never that the machine is busy."""

    def settle(self) -> None:
        """Wait until it has dealt with all that was sent to it."""

    def ordered(self, identity: str) -> int:
        """Count the commands for a station that its operator has asked it for."""


class Probe:
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
        self.setup = setup
        self.version = setup.version
        self.target = target
        self.driver = driver
        self._record = record
        self._lease_identity = lease_identity
        self._dialogue = DIALOGUES[setup.version]
        self._introspection = introspection
        self._open_authorization = open_authorization
        self._orders: dict[str, list[Future[Any]]] = {}
        self._seen: dict[Future[Any], list[Exchange]] = {}
        """What the driver exchanged for each command; complete once it is done."""
        self._stations: list[ScriptedStation] = []
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="driver")
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
        model = make_station(self.target.model, identity, seed=0)
        station = ScriptedStation(
            model,
            self.version,
            self._offer(identity, secret, lent=lent),
            self._record,
            timeout=self.target.timeout,
            settle=self._settle if self._introspection else None,
        )
        station.reconnect_pause = self.driver.reconnect_pause
        station.note(role=role, ocpp=str(self.version), case=self.setup.name)
        self._stations.append(station)
        return station

    def double(self, station: ScriptedStation, role: str) -> ScriptedStation:
        """Make a second socket that claims the identity of a station; in the trace it has a name of its own."""
        twin = ScriptedStation(
            station.model,
            self.version,
            station.offer,
            self._record,
            timeout=self.target.timeout,
            label=f"{station.identity}#{role}",
            settle=self._settle if self._introspection else None,
        )
        twin.note(role=role, ocpp=str(self.version), case=self.setup.name)
        self._stations.append(twin)
        return twin

    def set_up(self, station: ScriptedStation, settings: StationSettings) -> None:
        """Tell the CSMS something about a station; what the settings leave out stays."""
        can_set_interval = self.driver.missing("interval", self.version) is None
        told = {"interval": settings.interval if can_set_interval else None, "boot_status": settings.boot_status}
        self._driven(
            "register",
            lambda: self.driver.register(station.identity, settings, self.version),
            identity=station.identity,
            **{name: value for name, value in told.items() if value is not None},
        )

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
        longest = max((float(answer.get("interval", default=0)) for _, answer in answers), default=0.0)
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
            wait = answer.get("interval", default=1)
            station.listen(min(BOOT_WAIT_MAX, float(wait)) if wait else BOOT_WAIT_OWN)
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

    # -- driver ------------------------------------------------------------------------------------------------------

    @staticmethod
    def made_up_token() -> str:
        """Make up a tag that looks like a card's."""
        return f"04{secrets.token_hex(6).upper()}"

    def limited_token(self, **limit: float) -> str:
        """Get an accepted token whose sessions have a limit (2.1), in the words of TransactionLimitType."""
        return self._new_token("Accepted", limit=limit)

    def token(self, status: str = "Accepted", *, parent: str | None = None, expiry: str | None = None) -> str:
        """Get a token that the CSMS answers with a status."""
        known = self.target.tokens.get(status)
        if known is not None and _is_plain(status, parent, expiry):
            return known
        return self._new_token(status, parent=parent, expiry=expiry)

    def _new_token(
        self,
        status: str,
        *,
        parent: str | None = None,
        expiry: str | None = None,
        limit: dict[str, float] | None = None,
    ) -> str:
        token = self.made_up_token()
        if limit is None and _is_plain(status, parent, expiry) and self._takes_any_token(status):
            self.station.note(observed={"token": "made up: this CSMS accepts tokens that nobody gave it"})
            return token
        self.give_token(token, status, parent=parent, expiry=expiry, limit=limit)
        return token

    def priced_token(self, tariff: dict[str, Any]) -> str:
        """Get a token that the CSMS accepts and whose sessions cost what a tariff, as in 2.1, says."""
        token = self.made_up_token()
        self.give_token(token, "Accepted", tariff=tariff)
        return token

    def give_token(self, token: str, status: str, **settings: Any) -> None:
        """Make the CSMS know a token of our own choice; `settings` are more fields of `TokenSettings`."""
        given = TokenSettings(**{"status": status, "type": self._dialogue.token_type, **settings})
        self._driven(
            "set_token",
            lambda: self.driver.set_token(token, given, self.version),
            token=token,
            **msgspec.to_builtins(given),
        )

    def _takes_any_token(self, status: str) -> bool:
        if status != "Accepted" or self.driver.missing(token_need(status), self.version) is None:
            return False
        return self._open_authorization()

    def contract_id(self) -> str:
        """Get the eMAID of a contract that the CSMS accepts."""
        token = f"DEPLGC{secrets.token_hex(4).upper()}"
        settings = TokenSettings(status="Accepted", type=TokenKind.EMAID)
        self._driven(
            "set_token",
            lambda: self.driver.set_token(token, settings, self.version),
            token=token,
            **msgspec.to_builtins(settings),
        )
        return token

    def pay_on_web(self, station: ScriptedStation, evse: int, totp: str | None = None) -> bool:
        """Pay on the page that the code of an EVSE leads to; says whether the page took it."""
        info = {"operation": "web_payment", "evse": evse}
        try:
            self.driver.web_payment(station.identity, evse, totp, self.version)
        except DriverCannotError as error:
            raise NoWayError(f"The driver could not do web_payment: {error}") from error
        except DriverError as error:
            self._driver_record(station.identity, {**info, "refused": str(error)})
            return False
        self._driver_record(station.identity, info)
        return True

    def any_token(self) -> str:
        """Get a token for a case in which it does not matter what the CSMS says of it: accepted where we have one."""
        has_one = "Accepted" in self.target.tokens or self.driver.missing(token_need("Accepted"), self.version) is None
        if has_one or self._takes_any_token("Accepted"):
            return self.token()
        self.station.note(token_made_up=True)
        return self.made_up_token()

    def another_token(self) -> str:
        """Get a second accepted token where there can be one, for what a CSMS may refuse to one token twice."""
        if self.driver.missing(token_need("Accepted"), self.version) is not None and not self._open_authorization():
            return self.token()
        return self._new_token("Accepted")

    def unknown_token(self) -> str:
        """Make up a token that the CSMS cannot know, and note whether it has a list that this one is not on."""
        told = self.target.tokens.get("Invalid")
        keeps_list = told is not None or self.driver.missing(token_need("Accepted"), self.version) is None
        self.station.note(token_list=keeps_list)
        return told or f"FF{secrets.token_hex(6).upper()}"

    def trigger(self, action: str, payload: dict[str, Any], *, station: ScriptedStation | None = None) -> Future[Any]:
        """Have the CSMS send a CALL; the future ends with what its API says. Wait for it with `outcome`."""
        target = station or self.station
        handed_over = self.driver.handed_over(action, self.version)
        self._driver_record(
            target.identity,
            {"operation": "trigger", "action": action, "payload": payload}
            | ({} if handed_over is None else {"handed_over": handed_over}),
        )
        target.orders[action] = Order(payload=payload, handed_over=handed_over, after=len(target.received(action)))
        seen: list[Exchange] = []

        def give() -> CommandResult:
            with collected(seen):
                return self.driver.command(target.identity, action, payload, self.version)

        future = self._pool.submit(give)
        self._seen[future] = seen
        self._orders.setdefault(target.identity, []).append(future)
        future.add_done_callback(lambda _: target.wake())
        return future

    def outcome(
        self, action: str, future: Future[Any], *, station: ScriptedStation | None = None, patience: float = 0.0
    ) -> CommandResult | None:
        """Serve the station until the CSMS's API has answered for a command; None when it never did.

        `patience` is for commands that the station lets time out, in seconds.
        """
        target = station or self.station
        told = max(self.target.command_timeout or 0.0, self.driver.patience)
        longest = max(self.target.timeout + COMMAND_GRACE, told, patience)
        self._await(target, action, future, longest)
        if not future.done():
            silence = f"the driver gave no answer for {action} within {longest:g} s"
            self._driver_record(target.identity, {"operation": "outcome", "action": action, "error": silence})
            return None
        error = future.exception()
        if error is not None:
            info = {"operation": "outcome", "action": action, "error": str(error), **in_the_trace(self._seen[future])}
            cannot = {"cannot": True} if isinstance(error, DriverCannotError) else {}
            self._driver_record(target.identity, info | cannot)
            return None
        result: CommandResult = future.result()
        if result.status != "sent" and action in target.orders:
            target.orders[action].closed = True
            target.orders[action].refused = result.status == "error" and result.origin == "csms"
        self._driver_record(
            target.identity,
            {"operation": "outcome", "action": action, "result": msgspec.to_builtins(result)}
            | in_the_trace(self._seen[future]),
        )
        if result.status == "sent":
            # An API that only takes orders says nothing of when they go out: a queue may be behind it.
            target.await_order(action, self.command_patience)
        return result

    def _await(self, target: ScriptedStation, action: str, future: Future[Any], longest: float) -> None:
        """Serve the station until the driver is done; a person need not say that a CALL has come which is there."""
        operator = self.driver.operator
        if operator is not None:
            after = target.orders[action].after if action in target.orders else 0
            target.pump(lambda: future.done() or len(target.received(action)) > after, longest)
            if len(target.received(action)) > after:
                operator.command_arrived()
        target.await_future(future, longest)

    @property
    def command_patience(self) -> float:
        """Seconds for a command to come, however long the CSMS keeps it in a queue."""
        return max(self.target.patience_with_commands, self.driver.patience)

    def command(self, action: str, payload: dict[str, Any], **keywords: Any) -> CommandResult | None:
        """Have the CSMS send a CALL and wait until its API has answered."""
        return self.outcome(action, self.trigger(action, payload, **keywords), **keywords)

    def recorded_transactions(self, identity: str) -> list[dict[str, Any]]:
        """Read what the CSMS recorded for a station, and write it into the trace for the judge."""
        rows: list[dict[str, Any]] = self._driven(
            "transactions", lambda: self.driver.transactions(identity, self.version), identity=identity
        )
        self._driver_record(identity, {"operation": "recorded", "transactions": rows})
        return rows

    def await_online(self, station: ScriptedStation, *, wanted: bool) -> None:
        """Read until the CSMS says of a station what is wanted, or time is out; the last word goes into the trace."""
        deadline = time.monotonic() + self.target.timeout
        look = ONLINE_LOOK
        while True:
            says = self._driven("read_online", lambda: self.driver.online(station.identity, self.version))
            if says is wanted or time.monotonic() >= deadline:
                info = {"operation": "online", "says": says, "is": station.connected}
                self._driver_record(station.identity, info)
                return
            station.listen(look)
            look *= 2

    def read_kept(self, identity: str) -> None:
        """Read, after the script, what the CSMS kept of a station's sessions; one that cannot tell is not judged."""
        seen: list[Exchange] = []
        try:
            with collected(seen):
                rows = self.driver.transactions(identity, self.version)
        except DriverError as error:
            cannot = {"cannot": True} if isinstance(error, DriverCannotError) else {}
            self._driver_record(identity, {"operation": "kept", "error": str(error), **cannot, **in_the_trace(seen)})
        else:
            self._driver_record(identity, {"operation": "kept", "transactions": rows, **in_the_trace(seen)})

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

    def _settle(self) -> None:
        assert self._introspection is not None
        deadline = time.monotonic() + ORDER_PATIENCE
        while not self._orders_arrived(self._introspection) and time.monotonic() < deadline:
            time.sleep(ORDER_LOOK)
        self._introspection.settle()

    def _orders_arrived(self, introspection: CsmsIntrospection) -> bool:
        return all(
            introspection.ordered(identity) >= len(orders) or all(order.done() for order in orders)
            for identity, orders in self._orders.items()
        )

    def _driven(self, operation: str, act: Callable[[], Any], **info: Any) -> Any:
        seen: list[Exchange] = []
        try:
            with collected(seen):
                result = act()
        except DriverError as error:
            told = {"operation": operation, **info, "error": str(error), **in_the_trace(seen)}
            self._driver_record(self.setup.name, told)
            kind = NoWayError if isinstance(error, DriverCannotError) else InconclusiveError
            raise kind(f"The driver could not do {operation}: {error}") from error
        self._driver_record(info.get("identity", ""), {"operation": operation, **info, **in_the_trace(seen)})
        return result

    def _driver_record(self, identity: str, info: dict[str, Any]) -> None:
        self._record(TraceRecord(t=time.monotonic(), station=identity, kind=Kind.DRIVER, info=info))


def _is_plain(status: str, parent: str | None, expiry: str | None) -> bool:
    """Return whether any token with a status will do: nothing is said of its group, and no date spoils it."""
    return parent is None and (expiry is None or status != "Accepted")
