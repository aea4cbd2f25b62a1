"""HTTP requests of a driver file: filled in, sent, retried, polled, or answered on a callback address."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import requests

from drivers.base import CommandResult, DriverError, Exchange
from drivers.callback import CallbackServer
from drivers.http_session import new_session
from drivers.outcomes import read_outcome
from drivers.schema import Http, HttpDefaults, Request
from drivers.template import Place, holds, render, render_tree

__all__ = ["Context", "Requester", "Watch"]

Context = Mapping[str, Any]
Watch = Callable[[Exchange], None]

SUCCESS = range(200, 300)
UNAUTHORIZED = 401
BODY_MAX = 2**23
"""Bytes of an answer that are read."""
_SHOWN = {"headers": "headers", "params": "query", "json": "body", "data": "body"}
_RETRY_IN = re.compile(r"(?i)\b(?:retry|try again)\b[^.\d]{0,20}?(\d+(?:\.\d+)?)\s*(ms|s)?")


class UnauthorizedError(DriverError):
    """The API did not accept the credentials."""


class Requester:
    """Speaks HTTP for one driver."""

    def __init__(
        self, defaults: HttpDefaults, watch: Watch, server: Callable[[], tuple[CallbackServer, str | None]]
    ) -> None:
        """`server` gives the callback server, started when first needed, and its address as the CSMS sees it."""
        self._defaults = defaults
        self._watch = watch
        self._server = server
        self._closed = threading.Event()
        self._http = new_session()

    def close(self) -> None:
        """Stop waiting and give the connections back."""
        self._closed.set()
        self._http.close()

    def run(self, operation: str, http: Http, context: Context) -> tuple[dict[str, Any], CommandResult | None]:
        """Do a request with all that belongs to it.

        Returns the response that results are read from, and the result itself where nothing is left to be read.
        Raises `DriverError` when the CSMS does not do it.
        """
        if http.callback is None:
            return self._finish(operation, http, context)
        server, base = self._server()
        with server.expect(base) as expected:
            context = {**context, "callback_url": expected.url, "correlation": expected.correlation}
            response, result = self._finish(operation, http, context)
            if result is not None:
                return response, result
            started = time.monotonic()
            received = expected.wait(http.callback.timeout)
            error = None if received is not None else f"no callback within {http.callback.timeout:g} s"
            self._saw(operation, "callback", {"url": expected.url}, received, error, started)
            if received is None:
                return response, CommandResult(status=http.callback.on_timeout, origin="csms", description=error)
            return {**received, "first": response}, None

    def _finish(self, operation: str, http: Http, context: Context) -> tuple[dict[str, Any], CommandResult | None]:
        response = self._send_until_taken(operation, http, context)
        known = {**context, "response": response}
        if not holds(http.ok, known):
            raise DriverError(f"{operation}: the CSMS did not do it: {_excerpt(response)}")
        result = read_outcome(http.at_once, known)
        if result is not None or http.poll is None:
            return response, result
        poll, first = http.poll, response
        deadline = time.monotonic() + poll.timeout
        while True:
            response = self._send(operation, poll.request, {**known, "first": first})
            if holds(poll.until, {**known, "response": response, "first": first}):
                return {**response, "first": first}, None
            if time.monotonic() + poll.every > deadline:
                error = f"polled for {poll.timeout:g} s, and {' '.join(poll.until.split())} never held"
                return response, CommandResult(status="timeout", origin="csms", description=error)
            self._pause(poll.every)

    def _send_until_taken(self, operation: str, http: Http, context: Context) -> dict[str, Any]:
        retry = http.retry or self._defaults.retry
        for attempt in range(1, retry.attempts + 1):
            response = self._send(operation, http, context, also=retry.statuses)
            again = response["status"] in retry.statuses and response["status"] not in http.expect
            if not again and not (retry.when and holds(retry.when, {**context, "response": response})):
                return response
            wait = _asked_wait(response)
            wait = retry.wait if wait is None else wait
            if attempt == retry.attempts or wait > retry.longest:
                why = f"after {attempt} attempts" if attempt == retry.attempts else f"and asks to wait {wait:g} s"
                raise DriverError(f"{operation}: the CSMS still refuses {why}: {_excerpt(response)}")
            self._pause(wait)
        raise AssertionError(retry)

    def _pause(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise DriverError("the run has ended")

    def _send(self, operation: str, request: Request, context: Context, *, also: Iterable[int] = ()) -> dict[str, Any]:
        """Send one request; raises `DriverError` when there is no answer or one with an unexpected status."""
        url, options = self._fill_in(request, context)
        shown = {"method": request.method, "url": url}
        shown |= {_SHOWN[name]: _readable(value) for name, value in options.items() if name in _SHOWN and value}
        timeout = request.timeout or self._defaults.timeout
        started = time.monotonic()
        try:
            response = self._exchange(request, url, options, context, started + timeout)
        except (requests.RequestException, OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {_reason(error)}"
            self._saw(operation, "http", shown, None, reason, started)
            raise DriverError(f"{operation}: {request.method} {url} failed: {reason}") from None
        status = response["status"]
        expected = status in request.expect if request.expect else status in SUCCESS
        error_text = None if expected or status in also else f"HTTP {status}"
        self._saw(operation, "http", shown, response, error_text, started)
        if error_text is not None:
            kind = UnauthorizedError if status == UNAUTHORIZED else DriverError
            where = f", to {response['headers']['location']}" if "location" in response["headers"] else ""
            raise kind(f"{operation}: {request.method} {url} gave HTTP {status}{where}: {_excerpt(response)}")
        return response

    def _saw(  # noqa: PLR0917  # the parts of one record in the order of its fields
        self,
        operation: str,
        over: str,
        request: dict[str, Any],
        response: dict[str, Any] | None,
        error: str | None,
        started: float,
    ) -> None:
        ms = (time.monotonic() - started) * 1000
        self._watch(
            Exchange(operation=operation, over=over, request=request, response=response, error=error, ms=round(ms, 1))
        )

    def _fill_in(self, request: Request, context: Context) -> tuple[str, dict[str, Any]]:
        defaults = self._defaults
        url = str(render(request.url, Place.URL, context))
        if not url.startswith(("http://", "https://")):
            base = str(render(defaults.base_url, Place.TEXT, context))
            url = f"{base.rstrip('/')}/{url.lstrip('/')}"
        headers = {**defaults.headers, **request.headers}
        query = render_tree({**defaults.query, **request.query}, context)
        options: dict[str, Any] = {
            "headers": {name: _query_value(value) for name, value in render_tree(headers, context).items()},
            "params": {name: _query_value(value) for name, value in query.items()},
        }
        if request.body is not msgspec.UNSET:
            options["json"] = render_tree(request.body, context)
        if request.text is not None:
            options["data"] = str(render(request.text, Place.TEXT, context)).encode()
        if request.form:
            options["data"] = {n: _query_value(v) for n, v in render_tree(request.form, context).items()}
        if defaults.basic is not None:
            user, password = (render(t, Place.TEXT, context) for t in (defaults.basic.user, defaults.basic.password))
            options["auth"] = (user.encode(), password.encode())
        return url, options

    def _exchange(
        self, request: Request, url: str, options: dict[str, Any], context: Context, deadline: float
    ) -> dict[str, Any]:
        ca_file = self._defaults.ca_file
        with self._http.request(
            request.method,
            url,
            **options,
            timeout=max(0.1, deadline - time.monotonic()),
            # A redirection to a login page would look like success.
            allow_redirects=False,
            stream=True,
            verify=True if ca_file is None else render(ca_file, Place.TEXT, context),
        ) as answer:
            body = bytearray()
            for chunk in answer.iter_content(65536):
                body += chunk
                if len(body) > BODY_MAX or time.monotonic() > deadline:
                    raise ValueError(f"the answer has not ended after {len(body)} bytes")
            response: dict[str, Any] = {
                "status": answer.status_code,
                "text": body.decode(answer.encoding or "utf-8", "replace"),
                "headers": {name.lower(): value for name, value in answer.headers.items()},
            }
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
            response["json"] = msgspec.json.decode(bytes(body))
        return response


def _readable(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _query_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_query_value(item) for item in value]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _asked_wait(response: Mapping[str, Any]) -> float | None:
    """Read for how many seconds an answer asks to wait."""
    header = response["headers"].get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return float(header)
    if header:
        try:
            return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
        except (TypeError, ValueError):
            pass
    match = _RETRY_IN.search(response["text"][:2000])
    if match is None:
        return None
    return float(match[1]) / (1000 if (match[2] or "").lower() == "ms" else 1)


def _excerpt(response: Mapping[str, Any]) -> str:
    text = " ".join(str(response.get("text", "")).split())
    return text[:300] or "(empty answer)"


def _reason(error: Exception) -> str:
    inner = error.args[0] if error.args else error
    reason = getattr(inner, "reason", None) or inner
    return str(reason).rpartition(": ")[2][:200]
