"""Getting in and being served: what cases about connections and credentials share."""

from __future__ import annotations

from interop_suite.claims.checks import answered
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Connection
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.claims.rate_limit import is_limited
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.shared_case import V2X
from ocppj.errors import InconclusiveError
from ocppj.versions import Version

__all__ = [
    "AUTHENTICATION",
    "PACE",
    "SERVER_ERROR",
    "UNKNOWN_SUBPROTOCOL",
    "boot_is_accepted",
    "boots_where_let_in",
    "heartbeat",
    "lets_in",
    "not_served",
    "opens",
    "opens_securely",
    "requirement",
]

AUTHENTICATION = "Authentication"
"""The block of cases about credentials."""
PACE = 1.1
"""Seconds after which a CSMS takes messages again that counts them by the second."""
SERVER_ERROR = 500
"""The first HTTP status that says that the server itself failed."""
UNKNOWN_SUBPROTOCOL = "ocpp0.1"
_SECURE_TLS = ("TLSv1.2", "TLSv1.3")


def opens(attempt: Connection, history: History) -> tuple[bool, str]:
    """Expect an upgrade with the subprotocol of the version."""
    return attempt.opened and attempt.subprotocol == history.rules.subprotocol, attempt.describe()


def lets_in(attempt: Connection, history: History) -> tuple[bool, str]:
    """Expect the same of a connection that the CSMS does not end before it has answered anything there."""
    answered_there = any(
        call.answer is not None
        for call in history.exchanges
        if call.by_station and (call.call.station, call.call.connection) == (attempt.station, attempt.number)
    )
    sent_away = attempt.ended_by_csms and not answered_there
    opened, seen = opens(attempt, history)
    return opened and not sent_away, f"{seen}, and closed before anything was answered" if sent_away else seen


def opens_securely(attempt: Connection, history: History) -> tuple[bool, str]:
    """Expect the same over TLS 1.2 or later."""
    tls = attempt.info.get("tls") or {}
    return opens(attempt, history)[0] and tls.get("version") in _SECURE_TLS, f"{attempt.describe()}, {tls or 'no TLS'}"


def boots_where_let_in(probe: Probe, station: ScriptedStation) -> bool:
    """Connect and boot; a CSMS that ends the connection instead is a matter of the case, and not of its set-up."""
    if not station.connect().opened:
        return False
    try:
        probe.boot(station)
    except InconclusiveError:
        if station.connected:
            raise
        return False
    return True


def not_served(attempt: Connection, history: History) -> tuple[bool, str]:
    """Expect that no boot is answered, the connection is closed, and the unknown subprotocol is not echoed."""
    served = any(
        call.call.connection == attempt.number and call.answer is not None for call in history.calls("BootNotification")
    )
    if served:
        return False, f"{attempt.describe()}, and the boot was answered"
    closed = not attempt.opened or attempt.ended_by_csms
    echoed = attempt.subprotocol == UNKNOWN_SUBPROTOCOL
    return closed and not echoed, attempt.describe() + ("" if closed else ", and the connection stays open")


boot_is_accepted = answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The boot is accepted")


def requirement(number: str) -> dict[Version, Clause]:
    """Cite the security whitepaper for 1.6, and the test cases for 2.x, whose Part 2 has the same requirement."""
    return {Version.V16: Clause("SWP", number), **{version: Clause("201-6", number) for version in V2X}}


def heartbeat(station: ScriptedStation) -> Answer:
    """Send Heartbeat; again after a pause, where the CSMS only says that the station sends too much."""
    answer = station.call("Heartbeat", {})
    if is_limited(answer.description):
        station.listen(PACE)
        answer = station.call("Heartbeat", {})
    return answer
