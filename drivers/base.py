"""What every driver can be asked, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from ocppj.errors import HarnessError
from ocppj.versions import Version

__all__ = [
    "MOST_AT_ONCE",
    "CommandResult",
    "Driver",
    "DriverCannotError",
    "DriverError",
    "Exchange",
    "NoDriver",
    "Operator",
    "StationSettings",
    "TokenSettings",
    "describe_need",
    "ignore",
    "operation_for",
    "token_need",
    "trigger_need",
]


class DriverError(HarnessError):
    """The CSMS's own API did not do what the driver asked; the case cannot go on."""


class DriverCannotError(DriverError):
    """The driver says itself that there is no way to do this, so that nothing was asked of the CSMS."""


class StationSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a CSMS should know about a station before it connects."""

    password: str | None = None
    security_profile: int = 0
    boot_status: str | None = None
    interval: int | None = None
    """Seconds between heartbeats, or until the next boot while not accepted."""


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a CSMS should answer for an identity token."""

    status: str
    expiry: str | None = None
    """RFC 3339."""
    parent: str | None = None
    type: str | None = None
    """2.x IdTokenType."""
    limit: dict[str, float] | None = None
    """What a session of the token may cost or take at most: a TransactionLimitType of 2.1."""
    tariff: dict[str, Any] | None = None
    """What its sessions cost, as the TariffType of 2.1."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the CSMS's API said about a command; `status` is answered, error, timeout or sent."""

    status: str
    payload: dict[str, Any] | None = None
    code: str | None = None
    description: str | None = None
    origin: str | None = None
    """`station` for a CALLERROR of the station, `csms` for a command that was never sent."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request of a driver and what came back, secrets blanked."""

    operation: str
    over: str
    """http, sql, shell, mqtt, manual, or callback for a request that the CSMS made."""
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    error: str | None = None
    ms: float = 0.0


def ignore(exchange: Exchange) -> None:
    """Observe nothing."""
    del exchange


MOST_AT_ONCE: Final = 64
"""Requests of one driver that may be under way at the same time; their connections are kept."""


class Operator(Protocol):
    """The person whom a driver asks, as far as a run has to do with one."""

    def begin_case(self, name: str, purpose: str) -> None:
        """Say with every question from now on which case it is for, and what that is about."""

    def command_arrived(self) -> None:
        """Take the question about a command for answered: its CALL has reached the station."""

    def take_repeat(self) -> bool:
        """Return whether the person wants this case from its beginning again, and forget it."""


class Driver(Protocol):
    """A way to a CSMS's own controls; every method raises `DriverError` when the CSMS does not do it."""

    name: str
    patience: float
    """Seconds that a command may take at most, such as a person's; 0 leaves it to the time-out of the run."""
    serial: bool
    """Whether cases must run one after the other, because one person does what the driver asks."""
    operator: Operator | None
    """Whom the driver asks; None where no person is needed."""
    reconnect_pause: float
    """Seconds that a station stays away before it connects again, for a CSMS that must first notice that it left."""
    observe: Callable[[Exchange], None]
    """Called with each request and its answer, secrets blanked; may be replaced."""

    @property
    def secrets(self) -> frozenset[str]:
        """What the driver knows and no file may show."""

    def begin(self, folder: Path) -> None:
        """Take notice of the folder of the run, to keep there what a later run may go on from."""

    def close(self) -> None:
        """Give back what the driver holds open."""

    def missing(self, need: str, version: Version) -> str | None:
        """Say why a need of a case cannot be met, None when it can."""

    def health(self, version: Version) -> None:
        """Ask whether the CSMS is up; only where the need `health` is met."""

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        """Make the CSMS know a station."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Make the CSMS send a CALL and report what its API says; blocks until then."""

    def handed_over(self, action: str, version: Version) -> list[str] | None:
        """List the fields of a command's payload that the driver tells the CSMS, dotted; None for all of them."""

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        """Make the CSMS know an identity token."""

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        """Read the transactions that the CSMS recorded for a station."""

    def online(self, identity: str, version: Version) -> bool:
        """Read whether the CSMS says that a station is connected."""

    def sign_client_certificate(self, identity: str, csr: str, version: Version) -> str:
        """Have a certificate signed that the CSMS will accept from this station (PEM in, PEM chain out)."""

    def web_payment(self, identity: str, evse: int, totp: str | None, version: Version) -> None:
        """Open the CSMS's payment page as the code of a station says, and pay; an error says that the page refuses."""


class NoDriver:
    """A CSMS without a driver: only what stations start by themselves can be tested."""

    name = "none"
    patience = 0.0
    serial = False
    operator: Operator | None = None
    reconnect_pause = 0.0
    secrets: frozenset[str] = frozenset()
    observe: Callable[[Exchange], None] = staticmethod(ignore)

    def begin(self, folder: Path) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Hold nothing open."""

    def missing(self, need: str, version: Version) -> str | None:
        """Miss everything."""
        del version
        return f"needs {describe_need(need)}, and no driver was named (--driver, --control-url)"

    def health(self, version: Version) -> None:
        """Never called."""
        raise DriverError(f"Nobody can be asked about the CSMS without a driver ({version}).")

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        """Trust that the CSMS knows the station or accepts unknown ones."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Never called: `missing` keeps such cases away."""
        raise DriverError(f"{action} cannot be triggered on {identity} without a driver ({version}, {payload}).")

    def handed_over(self, action: str, version: Version) -> list[str] | None:
        """Hold nothing back."""
        del action, version
        return None

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        """Say that only the tokens that were named can be had; a case may want one of its own making."""
        raise DriverCannotError(f"Token {token} cannot be set to {settings.status} without a driver ({version}).")

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        """Never called."""
        raise DriverError(f"The transactions of {identity} cannot be read without a driver ({version}).")

    def online(self, identity: str, version: Version) -> bool:
        """Never called."""
        raise DriverError(f"Nobody says without a driver whether {identity} is connected ({version}).")

    def sign_client_certificate(self, identity: str, csr: str, version: Version) -> str:
        """Never called."""
        raise DriverError(f"No certificate for {identity} without a driver ({version}, {len(csr)} characters).")

    def web_payment(self, identity: str, evse: int, totp: str | None, version: Version) -> None:
        """Never called."""
        raise DriverError(f"Nobody pays at EVSE {evse} of {identity} without a driver ({version}, {totp}).")


_NEEDS = {
    "trigger": "a way to make the CSMS send {}",
    "token": "an identity token that the CSMS answers with {}",
    "token:parent": "identity tokens of one parent",
    "token:limit": "identity tokens whose sessions have a limit",
    "token:expiry": "identity tokens with a date of expiry",
    "token:tariff": "identity tokens whose sessions have a tariff",
    "token:token_type": "identity tokens of a type that it names",
    "transactions": "a way to read the transactions that the CSMS recorded",
    "online": "a way to read whether the CSMS says that a station is connected",
    "password": "a station with a Basic-auth password",
    "tls": "a wss:// address (--tls-url)",
    "certificate-signing": "a CSMS that signs certificates for its stations",
    "client-certificate": "client certificates that the CSMS accepts",
    "security-profile": "a way to set the security profile of a station",
    "boot-status": "a way to have boots answered {}",
    "interval": "a way to set the interval that boots are answered with",
    "web-payment": "a way to pay on the page that the code of a station leads to",
    "register": "a way to make the CSMS know a station",
    "health": "a way to ask whether the CSMS is up",
}


def describe_need(need: str) -> str:
    """Say a need in words."""
    kind, _, what = need.partition(":")
    return _NEEDS.get(need, _NEEDS.get(kind, need)).format(what)


_OPERATIONS = {
    "trigger": "trigger (actions: [{}])",
    "token": "token (statuses: [{}])",
    "token:expiry": "token, with expiry",
    "token:token_type": "token, with token_type",
    "certificate-signing": "signs_certificates",
    "client-certificate": "sign_client_certificate",
    "boot-status": "boot_status (statuses: [{}])",
}
_OPTIONS = frozenset({"tls"})
"""Needs that an option of the command line meets, and no driver."""


def operation_for(need: str) -> str | None:
    """Name the operation of a driver file that meets a need; None where no driver can."""
    kind, _, what = need.partition(":")
    if kind in _OPTIONS:
        return None
    named = _OPERATIONS.get(need, _OPERATIONS.get(kind, kind.replace("-", "_")))
    return named.format(what) if what else named.partition(" (")[0]


def trigger_need(action: str) -> str:
    """Name the need to make the CSMS send an action."""
    return f"trigger:{action}"


def token_need(status: str) -> str:
    """Name the need for an identity token that the CSMS answers with this status."""
    return f"token:{status}"
