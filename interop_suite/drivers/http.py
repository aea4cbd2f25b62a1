"""The `http` preset: Plugstorm's own driver contract over HTTP, which the practice CSMS speaks."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import requests

from interop_suite.drivers.base import CommandResult, DriverError, StationSettings, TokenSettings
from ocppj.versions import Version

__all__ = ["HttpDriver"]

_TOKEN_NAMES = {
    Version.V16: {"expiry": "expiryDate", "parent": "parentIdTag"},
    Version.V201: {"expiry": "cacheExpiryDateTime", "parent": "groupIdToken", "type": "type"},
}
SUCCESS = range(200, 300)


class HttpDriver:
    """Speaks to `--control-url`."""

    name = "http"

    def __init__(self, control_url: str, *, command_timeout: float = 40.0) -> None:
        """Remember the address; `command_timeout` in seconds bounds the wait for a command's answer."""
        self._base = control_url.rstrip("/")
        self._command_timeout = command_timeout
        self._http = requests.Session()
        # A proxy between the harness and its target would be measured instead of the target.
        self._http.trust_env = False

    def missing(self, need: str, version: Version) -> str | None:
        """Meet every need but a TLS address, which is the target's, not the driver's."""
        del need, version
        return None

    def health(self) -> object:
        """Ask whether the CSMS is up; raises `DriverError` when it is not."""
        return self._ask("GET", "/health", timeout=5)

    def register(self, identity: str, settings: StationSettings) -> None:
        """Create or change a station."""
        self._ask("POST", f"/stations/{_path(identity)}", msgspec.to_builtins(settings))

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Send a CALL through the CSMS."""
        del version
        path = f"/stations/{_path(identity)}/calls/{_path(action)}"
        answer = self._ask("POST", path, payload, timeout=self._command_timeout)
        try:
            return msgspec.convert(answer, CommandResult)
        except msgspec.ValidationError as error:
            raise DriverError(f"POST {path} gave an answer outside the driver contract: {error}") from None

    def set_token(self, token: str, settings: TokenSettings) -> None:
        """Create or change a token."""
        body: dict[str, Any] = {"status": settings.status}
        if settings.type:
            body["type"] = settings.type
        names = _TOKEN_NAMES[Version.V201 if settings.type else Version.V16]
        for name in ("expiry", "parent"):
            value = getattr(settings, name)
            if value is not None:
                body[names[name]] = value
        self._ask("PUT", f"/tokens/{_path(token)}", body)

    def transactions(self, identity: str) -> list[dict[str, Any]]:
        """List the transactions of a station."""
        answer = self._ask("GET", f"/transactions?station={_path(identity)}")
        if not isinstance(answer, list):
            raise DriverError("GET /transactions did not give a list")
        return answer

    def sign_client_certificate(self, identity: str, csr: str) -> str:
        """Have the CSMS' own CA sign a request."""
        answer = self._ask("POST", f"/stations/{_path(identity)}/certificate", {"csr": csr})
        return str(answer["certificateChain"])

    def _ask(self, method: str, path: str, body: object = None, *, timeout: float = 15) -> Any:
        try:
            response = self._http.request(method, self._base + path, json=body, timeout=timeout)
        except requests.RequestException as error:
            raise DriverError(f"{method} {path} on the driver failed: {type(error).__name__}") from None
        if response.status_code not in SUCCESS:
            text = response.text[:300]
            raise DriverError(f"{method} {path} on the driver gave HTTP {response.status_code}: {text}")
        try:
            return response.json()
        except ValueError:
            raise DriverError(f"{method} {path} on the driver gave no JSON: {response.text[:100]!r}") from None


def _path(part: str) -> str:
    return quote(part, safe="")
