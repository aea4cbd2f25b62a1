"""One connection before thousands: a wrong address, path, password or version is one line instead of a failed run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent.core

from evidence.redact import redact_url
from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import Attempt, Engine, Handshake, How
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target
from loadtest.workload.identities import Lease
from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.identity import basic_authorization, decode_authorization_key, station_url
from ocppj.versions import RULES, Version

__all__ = ["check_as_any", "check_target"]

_UNREACHABLE = {
    Attempt.REFUSED: "the connection was refused; is the CSMS running there?",
    Attempt.UNREACHABLE: "there is no route to that address",
    Attempt.CONNECT_TIMEOUT: "nothing answered in time",
    Attempt.UPGRADE_TIMEOUT: "it accepted the connection, but then sent nothing",
    Attempt.RESET: "it ended the connection without an answer",
}
_PATIENCE = 10.0
"""Seconds; a station may wait longer than the user at the command line."""
_GOODBYE = 0.5
"""Seconds for the CSMS to end the connection."""
_SERVER_ERROR = 500


class BrokerRefusalError(TargetUnreachableError):
    """A broker that is there does not let this station in, or not hear its CSMS."""


class _FirstAttempt:
    """The listener of one attempt."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.result: tuple[str, str] | None = None

    def on_open(self, _: Handshake) -> None:
        self._end("", "")

    def on_failed(self, outcome: str, reason: str) -> None:
        self._end(str(outcome), reason)

    def _end(self, outcome: str, reason: str) -> None:
        self.result = (outcome, reason)
        self._loop.break_()

    def on_text(self, data: str | bytes, now: float) -> None:
        """Wait for nothing."""

    def on_closed(self, code: int, reason: str, how: How) -> None:
        """Be done."""

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Have nothing to say."""

    def on_crash(self, error: Exception) -> None:
        raise error


def check_as_any(
    target: Target, leases: Sequence[Lease], version: Version, password: str | None, *, timeout: float = _PATIENCE
) -> None:
    """Check the target as the first of these stations that the CSMS lets in; raises as `check_target` for the last."""
    for lease in leases[:-1]:
        try:
            check_target(target, lease, version, password, timeout=timeout)
        except (UsageError, BrokerRefusalError):
            continue
        return
    check_target(target, leases[-1], version, password, timeout=timeout)


def check_target(
    target: Target, lease: Lease, version: Version, password: str | None, *, timeout: float = _PATIENCE
) -> None:
    """Connect once as this station, and close again; nothing else in this process runs meanwhile, for seconds at most.

    Raises `TargetUnreachableError` where nothing answers, and `UsageError` where the CSMS refuses and the user can fix
    it.
    """
    secret = lease.password if lease.password is not None else password
    headers = {}
    if secret is not None:
        headers["Authorization"] = basic_authorization(lease.identity, decode_authorization_key(secret, version))
    # A loop of its own: on the common one, workers would already talk to a master that is not ready.
    loop: Any = gevent.core.loop(default=False)
    engine = Engine(loop, HubTimers(loop), connect_timeout=min(timeout, _PATIENCE), close_timeout=_GOODBYE)
    attempt = _FirstAttempt(loop)
    sock = open_socket(engine, target, attempt, target.source(lease.number))
    try:
        sock.connect(station_url(target.url, lease.identity), RULES[version].subprotocol, headers)
        while attempt.result is None:
            loop.run(once=True)
        sock.close()
        while engine.open_sockets:
            loop.run(once=True)
    finally:
        engine.timers.close()
        loop.destroy()
    outcome, reason = attempt.result
    if outcome:
        _explain(outcome, reason, target, lease, version)


def _explain(outcome: str, reason: str, target: Target, lease: Lease, version: Version) -> None:
    if target.dialect is not None:
        _explain_broker(outcome, reason, target, lease)
    url, name = redact_url(target.url), lease.identity
    where = urlsplit(url).netloc
    if outcome in _UNREACHABLE:
        raise TargetUnreachableError(f"{where} cannot be reached: {_UNREACHABLE[Attempt(outcome)]} (--url)")
    if outcome.startswith("http-"):
        status = int(outcome.removeprefix("http-"))
        if status >= _SERVER_ERROR:
            raise TargetUnreachableError(f"{url} answers HTTP {status} to {name}; it is not ready for stations")
        raise UsageError(f"{url} refused {name} with HTTP {status}; {_FIXES.get(status, 'check --url')}")
    if outcome == Attempt.NO_SUBPROTOCOL:
        raise UsageError(
            f"{url} does not take the subprotocol {RULES[version].subprotocol} of OCPP {version}; choose with --ocpp"
        )
    if outcome == Attempt.TLS_FAILED:
        raise UsageError(f"TLS with {where} failed: {reason}; name the CA of the CSMS with --ca")
    if outcome == Attempt.BAD_UPGRADE:
        raise UsageError(f"{url} does not speak WebSocket: {reason}; check --url")
    raise UsageError(
        f"This machine cannot connect to {where}: {outcome} ({reason}); see ulimit -n and --source-address"
    )


def _explain_broker(outcome: str, reason: str, target: Target, lease: Lease) -> None:
    """Explain what only a broker does."""
    where, name = f"{target.host}:{target.port}", lease.identity
    silent = _BROKER_IS_SILENT.get(outcome)
    if silent is not None:
        raise TargetUnreachableError(f"The broker at {where} cannot be used: {silent} (--url)")
    if outcome.startswith(("connack-", "disconnect-")):
        raise BrokerRefusalError(f"The broker at {where} refuses {name}: {reason}; {_LOG_IN}")
    if outcome == Attempt.NOT_SUBSCRIBED:
        raise BrokerRefusalError(
            f"The broker at {where} lets {name} in, but {reason.removeprefix('the broker ')}; check its access rules "
            "and --dialect"
        )
    if outcome == Attempt.NOT_MQTT:
        raise UsageError(f"{where} does not speak MQTT: {reason}; check --url")
    if outcome == Attempt.BAD_TOPIC:
        raise UsageError(f"{reason}; see --identity-pattern and --station-list")


_LOG_IN = "name the user in --url (mqtt://USER@HOST) and give --password, or --certificate"
_BROKER_IS_SILENT: dict[str, str] = {
    Attempt.REFUSED: "the connection was refused; is it running there?",
    Attempt.RESET: "it ended the connection without an answer; is it MQTT of this version, and of mqtt:// or mqtts://?",
    Attempt.CONNACK_TIMEOUT: "it accepted the connection, but does not answer CONNECT",
    Attempt.SUBACK_TIMEOUT: "it lets stations in, but does not answer SUBSCRIBE",
}
_FIXES = {
    401: "give the password with --password, or a --station-list with a column password",
    403: "give the password with --password, or a --station-list with a column password",
    404: "check the path in --url, and that the CSMS knows this station",
}
