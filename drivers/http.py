"""The `http` preset: Plugstorm's own driver contract over HTTP, which the practice CSMS speaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from drivers.base import (
    CommandResult,
    DriverCannotError,
    DriverError,
    Exchange,
    Operator,
    StationSettings,
    TokenSettings,
    ignore,
)
from drivers.http_session import new_session
from evidence.redact import redact, redact_text
from ocppj.versions import Version

__all__ = ["HttpDriver"]

_PRICED = {"limit": "transactionLimit", "tariff": "tariff"}
_TOKEN_NAMES = {
    Version.V16: {"expiry": "expiryDate", "parent": "parentIdTag"},
    Version.V201: {"expiry": "cacheExpiryDateTime", "parent": "groupIdToken", **_PRICED},
    Version.V21: {"expiry": "cacheExpiryDateTime", "parent": "groupIdToken", **_PRICED},
}
SUCCESS = range(200, 300)
_NO_SUCH_ROUTE = (404, 405, 501)

# Commands are given from several threads, and msgspec 0.22 crashes when two of them make it learn the same type.
msgspec.json.Decoder(CommandResult)


class HttpDriver:
    """Speaks to `--control-url`."""

    name = "http"
    patience = 0.0
    serial = False
    operator: Operator | None = None
    reconnect_pause = 0.0
    secrets: frozenset[str] = frozenset()

    def __init__(self, control_url: str, *, command_timeout: float = 65.0) -> None:
        """Remember the address; `command_timeout` in seconds bounds the wait for a command's answer."""
        self._base = control_url.rstrip("/")
        self._command_timeout = command_timeout
        self._http = new_session()
        self.observe: Callable[[Exchange], None] = ignore

    def begin(self, folder: Path) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def missing(self, need: str, version: Version) -> str | None:
        """Meet every need but a TLS address, which is the target's, not the driver's.

        What a CSMS does not have shows when it is asked for it.
        """
        del need, version
        return None

    def health(self, version: Version) -> None:
        """Ask whether the CSMS is up; raises `DriverError` when it is not."""
        del version
        self._ask("health", "GET", "/health", timeout=5)

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        """Create or change a station; a CSMS without that route may take stations as they come."""
        del version
        told = msgspec.to_builtins(settings)
        try:
            self._ask("register", "POST", f"/stations/{_path(identity)}", told, absent=_NO_SUCH_ROUTE)
        except DriverCannotError:
            if told:
                raise

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Send a CALL through the CSMS."""
        del version
        path = f"/stations/{_path(identity)}/calls/{_path(action)}"
        answer = self._ask("trigger", "POST", path, payload, timeout=self._command_timeout, absent=_NO_SUCH_ROUTE)
        try:
            return msgspec.convert(answer, CommandResult)
        except msgspec.ValidationError as error:
            raise DriverError(f"POST {path} gave an answer outside the driver contract: {error}") from None

    def handed_over(self, action: str, version: Version) -> list[str] | None:
        """Hand everything over."""
        del action, version
        return None

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        """Create or change a token."""
        body: dict[str, Any] = {"status": settings.status}
        if settings.type:
            body["type"] = settings.type
        names = _TOKEN_NAMES[version]
        for field, name in names.items():
            value = getattr(settings, field)
            if value is not None:
                body[name] = value
        answer = self._ask("token", "PUT", f"/tokens/{_path(token)}", body, absent=_NO_SUCH_ROUTE)
        # Both are optional parts of the contract: a CSMS that has them repeats what it was given, others take the rest.
        for field in ("limit", "tariff"):
            if getattr(settings, field) is not None and not (isinstance(answer, dict) and answer.get(names[field])):
                raise DriverCannotError(
                    f"PUT /tokens does not repeat {names[field]}, so that this CSMS has none for tokens"
                )

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        """List the transactions of a station."""
        del version
        path = f"/transactions?station={_path(identity)}"
        answer = self._ask("transactions", "GET", path, absent=_NO_SUCH_ROUTE)
        if not isinstance(answer, list):
            raise DriverError("GET /transactions did not give a list")
        return answer

    def online(self, identity: str, version: Version) -> bool:
        """Read `connected` of a station."""
        del version
        answer = self._ask("online", "GET", f"/stations/{_path(identity)}", absent=_NO_SUCH_ROUTE)
        connected = answer.get("connected") if isinstance(answer, dict) else None
        if not isinstance(connected, bool):
            raise DriverCannotError("GET /stations/{id} does not say whether the station is connected")
        return connected

    def sign_client_certificate(self, identity: str, csr: str, version: Version) -> str:
        """Have the CSMS's own CA sign a request."""
        del version
        path = f"/stations/{_path(identity)}/certificate"
        answer = self._ask("sign_client_certificate", "POST", path, {"csr": csr}, absent=_NO_SUCH_ROUTE)
        return str(answer["certificateChain"])

    def web_payment(self, identity: str, evse: int, totp: str | None, version: Version) -> None:
        """Pay on the page of the CSMS."""
        del version
        body = {"evse": evse} | ({} if totp is None else {"totp": totp})
        self._ask("web_payment", "POST", f"/stations/{_path(identity)}/web-payments", body, absent=_NO_SUCH_ROUTE)

    def _ask(
        self,
        operation: str,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout: float = 15,
        absent: Collection[int] = (),
    ) -> Any:
        """Ask for something; an HTTP status in `absent` says that the CSMS does not have such a thing."""
        started = time.monotonic()
        response: requests.Response | None = None
        error: str | None = None
        try:
            response = self._http.request(method, self._base + path, json=body, timeout=timeout)
            if response.status_code in absent:
                raise DriverCannotError(f"{method} {path} gave HTTP {response.status_code}: there is no such route")
            if response.status_code not in SUCCESS:
                error = f"gave HTTP {response.status_code}: {response.text[:300]}"
            else:
                return response.json()
        except requests.JSONDecodeError:
            error = "gave no JSON" if response is None else f"gave no JSON: {response.text[:100]!r}"
        except requests.RequestException as problem:
            error = f"failed: {type(problem).__name__}"
        finally:
            request = {"method": method, "url": self._base + path} | ({} if body is None else {"body": body})
            self._watch(operation, request, response, error, started)
        raise DriverError(f"{method} {path} on the driver {redact_text(error)}") from None

    def _watch(
        self,
        operation: str,
        request: dict[str, Any],
        response: requests.Response | None,
        error: str | None,
        since: float,
    ) -> None:
        if self.observe is ignore:
            return
        shown = None if response is None else {"status": response.status_code, "text": response.text[:4000]}
        clean = redact({"request": request, "response": shown, "error": error})
        self.observe(
            Exchange(operation=operation, over="http", **clean, ms=round((time.monotonic() - since) * 1000, 1))
        )


def _path(part: str) -> str:
    return quote(part, safe="")
