"""`--check-driver`: a driver tried alone, one operation after the other, with what was sent and what came back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
from cryptography import x509
from rich.table import Table

from drivers.base import Driver, DriverCannotError, DriverError, Exchange, StationSettings, TokenSettings
from evidence import exit_codes
from evidence.redact import redact
from evidence.visible import one_line
from fixtures.certificates import CertificateError, make_csr
from fixtures.models import station as make_station
from interop_suite.drive.answers import Answer
from interop_suite.drive.dialogue import DIALOGUES, Dialogue
from interop_suite.drive.offer import Offer, Trait
from interop_suite.drive.probe import BOOT_ATTEMPTS, BOOT_WAIT_MAX, BOOT_WAIT_OWN, COMMAND_GRACE, make_password, now
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.station import ScriptedStation
from interop_suite.run.driver_orders import Wanted, read_wanted
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.target import target_of
from interop_suite.run.target_check import NobodyAnswersError, SubprotocolError, check_target
from ocppj.actions import ACTIONS
from ocppj.errors import HarnessError, UsageError
from ocppj.identity import decode_authorization_key, station_url
from ocppj.trace import TraceRecord, spell_out
from ocppj.versions import RULES, Version

__all__ = ["CheckedOperation", "OperationState", "check_driver", "check_table", "exit_code_of"]


_TRAITS = frozenset(map(str, Trait))


class OperationState(StrEnum):
    """How an operation of a driver fared."""

    WORKS = "works"
    UNSUPPORTED = "unsupported"
    """The driver does not offer it, with the reason."""
    BROKEN = "broken"
    """The driver offers it, and it does not do what it should."""
    DEVIATES = "deviates"
    """The driver did what it should, and the CSMS then breaks a rule, so that the operation cannot be seen to work."""
    UNTRIED = "untried"
    """Something before it is broken, or trying it would disturb more than a test station."""


_COLOURS = {
    OperationState.WORKS: "green",
    OperationState.UNSUPPORTED: "yellow",
    OperationState.BROKEN: "red",
    OperationState.DEVIATES: "magenta",
    OperationState.UNTRIED: "dim",
}


class CheckedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, with every request and answer, secrets blanked."""

    operation: str
    state: OperationState
    reason: str
    ms: float = 0.0
    exchanges: list[Exchange] = []


class _Deviates(Exception):  # noqa: N818  # as below
    """What the CSMS should have done, whatever the driver did."""


class _Broken(Exception):  # noqa: N818  # not an error of ours: the outcome of a step
    """What an operation should have done."""


def check_driver(
    request: InteropRequest,
    operations: Sequence[str] = (),
    *,
    write: Callable[[CheckedOperation], None] = lambda _: None,
) -> list[CheckedOperation]:
    """Try some operations of the driver, or every one, with one test station; `write` sees each as it ends.

    Raises `UsageError` for a request that cannot work.
    """
    target = target_of(request)
    driver = make_driver(request)
    try:
        version = Version(request.ocpp[0]) if request.ocpp else _first_spoken(target, driver)
        check = _Check(target, driver, version, write, read_wanted(operations, version))
        check.run()
    finally:
        driver.close()
    return check.done


def _first_spoken(target: CsmsUnderTest, driver: Driver) -> Version:
    """Find the first version that the CSMS speaks, as a run does; what else is wrong the operations will show."""
    for version in Version:
        try:
            check_target(target, driver, version)
        except (SubprotocolError, NobodyAnswersError):
            continue
        except HarnessError:
            break
        return version
    return Version.V16


def exit_code_of(checked: Sequence[CheckedOperation]) -> int:
    """Give the exit code: 1 when something is broken, else 3 where the CSMS kept an operation from being judged."""
    states = {operation.state for operation in checked}
    if OperationState.BROKEN in states:
        return exit_codes.FAILED
    return exit_codes.INVALID if OperationState.DEVIATES in states else exit_codes.PASSED


def check_table(checked: Sequence[CheckedOperation]) -> Table:
    """Show the outcome, one operation a row, with the last request of whatever went wrong."""
    table = Table("operation", "state", "ms", "what was seen")
    for operation in checked:
        lines = [one_line(operation.reason, 300)]
        if operation.state in (OperationState.BROKEN, OperationState.DEVIATES):
            for exchange in operation.exchanges[-2:]:
                lines.append(f"→ {one_line(msgspec.json.encode(spell_out(exchange.request)).decode(), 400)}")
                answer = exchange.error or msgspec.json.encode(spell_out(exchange.response)).decode()
                lines.append(f"← {one_line(answer, 400)}")
        state = f"[{_COLOURS[operation.state]}]{operation.state}[/]"
        text = "\n".join(lines).replace("[", "\\[")
        table.add_row(operation.operation, state, f"{operation.ms:.0f}" if operation.ms else "", text)
    return table


class _Check:
    """One pass over all operations with one station."""

    def __init__(
        self,
        target: CsmsUnderTest,
        driver: Driver,
        version: Version,
        write: Callable[[CheckedOperation], None],
        wanted: Wanted,
    ) -> None:
        self._wanted = wanted
        self._target = target
        self._driver = driver
        self._version = version
        self._write = write
        self._words: Dialogue = DIALOGUES[version]
        self._exchanges: list[Exchange] = []
        self._tokens: dict[str, str] = {}
        self._password = target.password or make_password()
        self._given = target.password is not None
        identity = target.identities[0] if target.identities else f"PSCHECK{secrets.token_hex(4).upper()}"
        offer = Offer(
            url=station_url(target.url, identity), subprotocols=(RULES[version].subprotocol,), identity=identity
        )
        self._offer = offer if not self._given else self._with_password(offer, self._password)
        model = make_station(target.model, identity, seed=0)
        self._station = ScriptedStation(
            model, version, self._offer, self._ignore, timeout=target.timeout, transport=target.transport
        )
        self._station.reconnect_pause = driver.reconnect_pause
        self._identity = identity
        self.done: list[CheckedOperation] = []

    def run(self) -> None:
        self._driver.observe = self._exchanges.append
        try:
            self._operation("health", self._health, need="health")
            self._operation("register", self._register, need="register")
            connected = self._operation("connect", self._connect)
            for trigger in self._wanted.triggers:
                name, act = f"trigger:{trigger.action}", partial(self._trigger, trigger.action, trigger.payload)
                self._operation(name, act, need=name, ready=connected)
            self._with_connection(connected)
            self._operation("password", self._set_password, need=Trait.CREDENTIALS, ready=connected and not self._given)
            self._operation("sign_client_certificate", self._sign, need="client-certificate")
            if self._wanted.everything:
                self._other_triggers()
        finally:
            self._station.put_away()

    def _with_connection(self, connected: bool) -> None:  # noqa: FBT001  # the outcome of the step before
        if self._wanted.everything:
            self._some_command(connected)
        for status in ("Accepted", "Blocked", "Expired", "parent"):
            known = self._target.tokens.get(status)
            need = None if known else f"token:{status}"
            self._operation(f"token:{status}", partial(self._token, status), need=need, ready=connected)
        self._operation("online", self._online, need="online", ready=connected)
        self._operation("transactions", self._transactions, need="transactions", ready=connected)
        self._operation("boot_status", self._boot_status, need="boot-status:Pending", ready=connected)

    def _some_command(self, connected: bool) -> None:  # noqa: FBT001  # as above
        action = self._harmless()
        if action is None:
            reason = "no harmless command can be triggered; see the triggers below"
            self._end("trigger", OperationState.UNSUPPORTED, reason)
            return
        act = partial(self._trigger, action, self._words.harmless[action])
        self._operation(f"trigger:{action}", act, ready=connected)

    # -- one operation -----------------------------------------------------------------------------------------------

    def _operation(self, name: str, act: Callable[[], str], *, need: str | None = None, ready: bool = True) -> bool:
        """Try one operation, if it is wanted, and write down how it went; returns whether it works."""
        if not name.startswith("trigger:") and not self._wanted.includes(name):
            return False
        lacks = self._target.transport.lacks
        missing = lacks.get(Trait(need)) if need in _TRAITS else None
        if need is not None and missing is None:
            missing = self._driver.missing(need, self._version)
        if missing is not None:
            self._end(name, OperationState.UNSUPPORTED, missing)
            return False
        if not ready:
            reason = "--password is given" if name == "password" and self._given else "the station is not connected"
            self._end(name, OperationState.UNTRIED, f"not tried: {reason}")
            return False
        started = time.monotonic()
        try:
            reason = act()
            state = OperationState.WORKS
        except _Deviates as error:
            state, reason = OperationState.DEVIATES, str(error)
        except DriverCannotError as error:
            state, reason = OperationState.UNSUPPORTED, str(error)
        except (_Broken, DriverError, CertificateError, UsageError) as error:
            state, reason = OperationState.BROKEN, str(error)
        self._end(name, state, reason, (time.monotonic() - started) * 1000)
        return state is OperationState.WORKS

    def _end(self, name: str, state: OperationState, reason: str, ms: float = 0.0) -> None:
        hidden = self._driver.secrets | {self._password}
        clean = redact({"reason": reason, "exchanges": msgspec.to_builtins(self._exchanges)}, hidden)
        self._exchanges.clear()
        self.done.append(
            CheckedOperation(
                operation=name,
                state=state,
                reason=clean["reason"],
                ms=round(ms, 1),
                exchanges=msgspec.convert(clean["exchanges"], list[Exchange]),
            )
        )
        self._write(self.done[-1])

    # -- what is tried -----------------------------------------------------------------------------------------------

    def _health(self) -> str:
        self._driver.health(self._version)
        return "the CSMS says that it is up"

    def _register(self) -> str:
        settings = StationSettings(password=self._password, security_profile=1) if self._given else StationSettings()
        self._driver.register(self._identity, settings, self._version)
        return f"{self._identity} is known to the CSMS"

    def _connect(self) -> str:
        handshake = self._station.connect()
        request = {"url": self._offer.url, "offered": list(self._offer.subprotocols)}
        seen = {"status": handshake.status, "subprotocol": handshake.subprotocol, "error": handshake.error}
        self._saw("connect", request, seen)
        if not handshake.opened or handshake.error:
            raise _Broken(f"{self._identity} could not connect: {handshake.error or f'HTTP {handshake.status}'}")
        answer = self._boot()
        for _ in range(BOOT_ATTEMPTS - 1):
            if answer.get("status") != "Pending":
                break
            self._station.listen(min(BOOT_WAIT_MAX, answer.seconds("interval") or BOOT_WAIT_OWN))
            answer = self._boot()
        status = answer.get("status")
        if not answer.ok or status is None:
            raise _Deviates(f"the CSMS answers no boot properly: {answer.code or answer.kind}")
        if status != "Accepted":
            raise _Broken(f"the boot was answered {status}, not Accepted")
        for payload in self._words.available(self._station.model, now()):
            self._station.call("StatusNotification", payload)
        return f"{self._identity} connected as {handshake.subprotocol} and was accepted"

    def _harmless(self) -> str | None:
        able = (
            action
            for action in self._words.harmless
            if self._driver.missing(f"trigger:{action}", self._version) is None
        )
        return next(able, None)

    def _trigger(self, action: str, payload: dict[str, Any]) -> str:
        station, before = self._station, len(self._station.received(action))
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self._driver.command, self._identity, action, payload, self._version)
            station.await_future(future, max(self._target.timeout + COMMAND_GRACE, self._driver.patience))
            if not future.done():
                raise _Broken("the driver is still waiting for the result of the command")
        result = future.result()
        patience = min(2.0, self._target.timeout)
        if result.status == "sent":
            patience = max(self._target.patience_with_commands, self._driver.patience)
        came = station.expect(action, timeout=patience, after=before)
        self._saw("trigger", {"action": action, "payload": payload}, msgspec.to_builtins(result))
        if came is None:
            raise _Broken(f"the driver says {result.status!r}, and no {action} reached the station")
        if result.status not in ("answered", "sent"):
            said = result.description or result.code or ""
            raise _Broken(f"{action} reached the station, and the driver says {result.status!r} {said}".strip())
        return f"{action} reached the station, and the driver says {result.status!r}"

    def _token(self, status: str) -> str:
        wanted = "Accepted" if status == "parent" else status
        token = self._target.tokens.get(status)
        group = f"04{secrets.token_hex(6).upper()}" if status == "parent" else None
        if token is None:
            token = f"04{secrets.token_hex(6).upper()}"
            settings = TokenSettings(
                status=wanted,
                expiry="2020-01-01T00:00:00.000Z" if status == "Expired" else None,
                parent=group,
                type=self._words.token_type,
            )
            self._driver.set_token(token, settings, self._version)
        answer = self._ask("Authorize", self._words.authorize(token))
        info = answer.get(self._words.info, default={})
        if not answer.ok or not info:
            raise _Deviates(f"the CSMS answers Authorize of {token} not properly: {answer.code or answer.kind}")
        if info.get("status") != wanted:
            raise _Broken(f"Authorize of {token} is answered {info.get('status')!r}, not {wanted!r}")
        self._tokens[status] = token
        parent = self._words.parent_of(info)
        if group is not None and not parent:
            told = any(group in str(exchange.request) for exchange in self._exchanges)
            kind, why = (_Deviates, f", although the driver named {group}") if told else (_Broken, "")
            raise kind(f"Authorize of {token} names no parent{why}")
        return f"Authorize of {token} is answered {wanted}{f' with the parent {parent}' if parent else ''}"

    def _transactions(self) -> str:
        token = self._tokens.get("Accepted") or self._tokens.get("parent")
        if token is None:
            raise _Broken("no token is accepted, so there is no transaction to read")
        number = self._words.session(self._ask, token, now)
        rows = self._driver.transactions(self._identity, self._version)
        row = next((row for row in rows if str(row.get("transactionId")) == str(number)), None)
        if row is None:
            raise _Broken(f"the transaction {number} is not among the {len(rows)} that the CSMS recorded")
        if row.get("state") != "closed":
            raise _Broken(f"the transaction {number} has ended, and its state is {row.get('state')!r}, not 'closed'")
        return f"the transaction {number} is recorded: {', '.join(sorted(row))}"

    def _online(self) -> str:
        if not self._driver.online(self._identity, self._version):
            raise _Broken(f"the CSMS says that {self._identity} is not connected, and it is")
        return f"the CSMS says that {self._identity} is connected"

    def _boot_status(self) -> str:
        seen = []
        for status in ("Pending", "Accepted"):
            settings = StationSettings(boot_status=status, interval=60)
            self._driver.register(self._identity, settings, self._version)
            self._station.take_in()
            if not self._station.connected:  # closed, so that the new decision counts
                self._station.connect()
            seen.append(self._boot().get("status"))
        if seen != ["Pending", "Accepted"]:
            raise _Broken(f"set to Pending and Accepted, boots were answered {seen[0]!r} and {seen[1]!r}")
        return "boots are answered Pending, then Accepted"

    def _set_password(self) -> str:
        settings = StationSettings(password=self._password, security_profile=1)
        self._driver.register(self._identity, settings, self._version)
        right = self._with_password(self._offer, self._password).password
        opened = {}
        for name, password in (("wrong", b"wrong-" + b"0" * 14), ("right", right)):
            handshake = self._station.connect(password=password)
            opened[name] = handshake.opened
            self._saw("password", {"password": name}, {"status": handshake.status, "error": handshake.error})
        if not opened["right"]:
            raise _Broken("a connection with the password that was set is refused")
        if opened["wrong"]:
            raise _Deviates("the password was set, and the CSMS accepts a connection with another one, too")
        return "only a connection with the password that was set is accepted"

    def _sign(self) -> str:
        request = make_csr(self._identity, self._target.organization)
        chain = self._driver.sign_client_certificate(self._identity, request.csr_pem.decode(), self._version)
        try:
            certificates = x509.load_pem_x509_certificates(chain.encode())
        except ValueError as error:
            raise _Broken(f"the answer is not a PEM chain: {error}") from None
        if certificates[0].public_key() != x509.load_pem_x509_csr(request.csr_pem).public_key():
            raise _Broken("the first certificate of the chain is for another key")
        return f"a chain of {len(certificates)} certificates for the key of the request"

    def _other_triggers(self) -> None:
        """Say for every other command whether the driver offers it; sending it is left to the cases."""
        tried = {operation.operation for operation in self.done}
        for action, entry in sorted(ACTIONS[self._version].items()):
            name = f"trigger:{action}"
            if entry.by_csms and name not in tried:
                missing = self._driver.missing(name, self._version)
                state = OperationState.UNTRIED if missing is None else OperationState.UNSUPPORTED
                self._end(name, state, missing or "offered; the cases try it")

    # -- around ------------------------------------------------------------------------------------------------------

    def _boot(self) -> Answer:
        return self._ask("BootNotification", self._words.boot(self._station.model))

    def _ask(self, action: str, payload: dict[str, Any]) -> Answer:
        answer = self._station.call(action, payload)
        self._saw("station", {"action": action, "payload": payload}, msgspec.to_builtins(answer))
        return answer

    def _saw(self, operation: str, request: dict[str, Any], response: dict[str, Any]) -> None:
        self._exchanges.append(Exchange(operation=operation, over="ocpp", request=request, response=response))

    def _with_password(self, offer: Offer, password: str) -> Offer:
        return msgspec.structs.replace(offer, password=decode_authorization_key(password, self._version))

    @staticmethod
    def _ignore(record: TraceRecord) -> None:
        del record
