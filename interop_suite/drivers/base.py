"""What every driver can be asked, and how it says that it cannot."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ocppj.errors import HarnessError
from ocppj.versions import Version

__all__ = ["CommandResult", "Driver", "DriverError", "NoDriver", "StationSettings", "TokenSettings"]


class DriverError(HarnessError):
    """The CSMS' own API did not do what the driver asked; the case cannot go on."""


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


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the CSMS' API said about a command; `status` is answered, error, timeout or sent."""

    status: str
    payload: dict[str, Any] | None = None
    code: str | None = None
    description: str | None = None
    origin: str | None = None
    """`station` for a CALLERROR of the station, `csms` for a command that was never sent."""


class Driver(Protocol):
    """A way to a CSMS' own controls; every method raises `DriverError` when the CSMS does not play along."""

    name: str

    def missing(self, need: str, version: Version) -> str | None:
        """Say why a need of a case cannot be met, None when it can."""

    def register(self, identity: str, settings: StationSettings) -> None:
        """Make the CSMS know a station."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Make the CSMS send a CALL and report what its API says; blocks until then."""

    def set_token(self, token: str, settings: TokenSettings) -> None:
        """Make the CSMS know an identity token."""

    def transactions(self, identity: str) -> list[dict[str, Any]]:
        """Read the transactions that the CSMS recorded for a station."""

    def sign_client_certificate(self, identity: str, csr: str) -> str:
        """Have a certificate signed that the CSMS will accept from this station (PEM in, PEM chain out)."""


class NoDriver:
    """A CSMS without a driver: only what stations start by themselves can be tested."""

    name = "none"

    def missing(self, need: str, version: Version) -> str | None:
        """Miss everything."""
        del version
        return f"needs {describe_need(need)}, and no driver was named (--driver, --control-url)"

    def register(self, identity: str, settings: StationSettings) -> None:
        """Trust that the CSMS knows the station or accepts strangers."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Never called: `missing` keeps such cases away."""
        raise DriverError(f"{action} cannot be triggered on {identity} without a driver ({version}, {payload}).")

    def set_token(self, token: str, settings: TokenSettings) -> None:
        """Never called."""
        raise DriverError(f"Token {token} cannot be set to {settings.status} without a driver.")

    def transactions(self, identity: str) -> list[dict[str, Any]]:
        """Never called."""
        raise DriverError(f"The transactions of {identity} cannot be read without a driver.")

    def sign_client_certificate(self, identity: str, csr: str) -> str:
        """Never called."""
        raise DriverError(f"No certificate for {identity} without a driver ({len(csr)} characters of request).")


def describe_need(need: str) -> str:
    """Say a need in words."""
    kind, _, what = need.partition(":")
    match kind:
        case "trigger":
            return f"a way to make the CSMS send {what}"
        case "token" if what == "parent":
            return "identity tokens of one parent"
        case "token":
            return f"an identity token that the CSMS answers with {what}"
        case "transactions":
            return "a way to read the transactions that the CSMS recorded"
        case "password":
            return "a station with a Basic-auth password"
        case "tls":
            return "a wss:// address (--tls-url)"
        case "certificate-signing":
            return "a CSMS that signs certificates for its stations"
        case "client-certificate":
            return "client certificates that the CSMS accepts"
        case _:
            return need
