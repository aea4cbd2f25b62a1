"""The four cipher suites of TLS 1.2 that every CSMS with TLS supports, one handshake for each."""

from __future__ import annotations

import ssl

from evidence.verdicts import Verdict
from interop_suite.claims.checks import connection
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import opens_securely

__all__ = ["SUITES_AGREED", "offer_suites"]

# Names of OpenSSL.
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
_ANY_SUITE = "A station that has only suites of the specification is let in"


def _judge_suites(history: History) -> list[Finding]:
    attempts = history.attempts()
    if not attempts or all(attempt.unreachable or attempt.untrusted for attempt in attempts):
        return []
    agreed = [suite for suite, attempt in zip(SUITES, attempts, strict=False) if attempt.opened]
    actual = f"agreed on {', '.join(agreed)}" if agreed else f"on none of {', '.join(SUITES)}"
    verdict = Verdict.OK if agreed else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_ANY_SUITE, actual=actual, frame=attempts[0].line)]


SUITES_AGREED = (
    Check(claim=_ANY_SUITE, judge=_judge_suites),
    *(
        connection(f"{suite} is agreed on", opens_securely, nth=number, level=Level.RECOMMENDED)
        for number, suite in enumerate(SUITES)
    ),
)


def offer_suites(probe: Probe) -> None:
    """Connect once with each suite as the only one of TLS 1.2."""
    station = probe.station
    probe.secure(station, profile=2)
    for suite in SUITES:
        context = probe.trusting_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        station.connect(tls=context)
        station.disconnect()
