"""Openings that are in order and not what most stations send: an identity that nobody knows, an offer to compress."""

from __future__ import annotations

import secrets

from evidence.verdicts import Verdict
from interop_suite.claims.checks import connection, noted, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.exchange import Connection
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import SERVER_ERROR, boot_is_accepted, heartbeat, opens
from interop_suite.steps.shared_case import ALL, V2X, shared, wire_clause

BLOCK = "Handshake"
STRANGER = "stranger"
NOT_FOUND = 404
_CREDENTIALS = (401, 403)
_NO_FAILURE = "An identity that the CSMS does not know is refused without a failure of the server"
_KNOWN_AS_SUCH = "An identity that the CSMS does not know is answered 404"


def _no_failure(attempt: Connection, history: History) -> tuple[bool, str]:
    del history
    return (attempt.status or 0) < SERVER_ERROR, attempt.describe()


def _judge_status(history: History) -> list[Finding]:
    findings = []
    for attempt in history.attempts(role=STRANGER)[:1]:
        verdict = Verdict.OK if attempt.status in (NOT_FOUND, *_CREDENTIALS) else Verdict.NON_STRICT
        if attempt.opened and not history.turned_away(attempt):
            # Whoever lets in stations that nobody made known recognises every identity.
            verdict = Verdict.INFORMATIONAL
        findings.append(Finding(verdict=verdict, claim=_KNOWN_AS_SUCH, actual=attempt.describe(), frame=attempt.line))
    return findings


@shared(
    id="HS_07",
    title="An identity that the CSMS does not know is refused with a 4xx",
    block=BLOCK,
    needs=("register",),
    sends="An upgrade with an identity that nobody made known, and then the Heartbeat of a station that is known.",
    expects="The CSMS should answer 404, and no 5xx; it SHALL go on serving.",
    clause=wire_clause("3.2", "3.2", "3.3"),
    # The texts say SHOULD of the status (1.6J and 2.x Part 4 §3.2); that a known station is served is the rule.
    level=Level.RECOMMENDED,
    defect="unknown-identity-crashes",
    checks=(
        connection(_NO_FAILURE, _no_failure, role=STRANGER, level=Level.RECOMMENDED),
        Check(claim=_KNOWN_AS_SUCH, judge=_judge_status),
        still_serves(),
    ),
)
def unknown_identity(probe: Probe) -> None:
    stranger = probe.known_station(STRANGER, f"PS{secrets.token_hex(6).upper()}")
    probe.gets_in(stranger)
    stranger.disconnect()
    heartbeat(probe.station)


_COMPRESSES = "An offer of permessage-deflate is taken up"


@shared(
    id="HS_14",
    title="A station that offers to compress its messages is let in and served",
    block=BLOCK,
    start=Start.OFFLINE,
    sends="An upgrade that offers permessage-deflate, a boot and a Heartbeat.",
    expects="The CSMS SHALL let it in; it may compress (2.x: it SHALL be able to).",
    clause=wire_clause("5.1", "3.3", "3.4"),
    defect="compression-offer-refused",
    checks={
        version: (
            connection("An upgrade that offers compression is accepted", opens, nth=0),
            boot_is_accepted,
            still_serves(),
            # No station depends on it, and no certification asks for it: what a text demands is told, and fails nobody.
            *((noted("compresses", _COMPRESSES, level=Level.RECOMMENDED),) if version in V2X else ()),
        )
        for version in ALL
    },
)
def compression(probe: Probe) -> None:
    station = probe.station
    handshake = station.connect(compression=True)
    names = [value for name, value in handshake.headers if name.lower() == "sec-websocket-extensions"]
    agreed = any("permessage-deflate" in value for value in names)
    station.note(compresses=[agreed, ", ".join(names) or "no extension"], observed={"compression": agreed})
    if station.connected:
        probe.boot(station)
        heartbeat(station)
