"""Records of transactions from the control port of the driver contract, which the practice CSMS speaks."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import requests

from ocppj.errors import HarnessError, TargetUnreachableError, UsageError

__all__ = ["KEEPS", "ControlPort"]

KEEPS: Final = 1_000
"""How many closed transactions of a station the practice CSMS keeps; its books are not imported into each worker."""
_TIMEOUT: Final = (5.0, 60.0)
"""Seconds to connect, and for each piece of the answer."""
_MOST_BYTES: Final = 2**30


class ControlPort:
    """`GET /transactions` of one CSMS, for a whole run at once."""

    def __init__(self, url: str) -> None:
        """Remember the address; raises `UsageError` for one that is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--control-url {url} is not an address; write http://HOST:PORT")
        self._url = url.rstrip("/")
        self._http = requests.Session()
        # A proxy between the harness and its target would be measured instead of the target.
        self._http.trust_env = False

    def check(self) -> None:
        """Raise `TargetUnreachableError` unless somebody answers there who speaks the contract."""
        try:
            answer = self._http.get(f"{self._url}/health", timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise TargetUnreachableError(
                f"--control-url {self._url} does not answer: {_reason(error)}; is the CSMS running?"
            ) from None
        if not answer.ok:
            raise TargetUnreachableError(
                f"--control-url {self._url} answers GET /health with {answer.status_code}; is it the control port?"
            )

    def __call__(self) -> list[dict[str, Any]]:
        """Return all transactions that the CSMS has recorded; raises `HarnessError`."""
        try:
            with self._http.get(f"{self._url}/transactions", timeout=_TIMEOUT, stream=True) as answer:
                if not answer.ok:
                    raise HarnessError(f"GET {self._url}/transactions was answered with {answer.status_code}")
                body = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise HarnessError(f"GET {self._url}/transactions failed: {_reason(error)}") from None
        if len(body) > _MOST_BYTES:
            raise HarnessError(f"GET {self._url}/transactions gives more than {_MOST_BYTES >> 20} MB")
        try:
            return msgspec.json.decode(body, type=list[dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise HarnessError(f"GET {self._url}/transactions gives no list of transactions: {error}") from None


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    return getattr(cause, "strerror", None) or type(cause).__name__
