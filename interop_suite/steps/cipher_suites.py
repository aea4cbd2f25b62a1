"""The four cipher suites of TLS 1.2 that every CSMS with TLS supports, and those that it refuses."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import MappingProxyType

from evidence.verdicts import Verdict
from interop_suite.claims.checks import connection
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import opens_securely
from ocppj.versions import Version

__all__ = ["SUITES_AGREED", "offer_suites"]

# Names of OpenSSL.
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
UNENCRYPTED = "ECDHE-ECDSA-NULL-SHA:ECDHE-RSA-NULL-SHA:NULL-SHA256:NULL-SHA:@SECLEVEL=0"
_UNENCRYPTED = "Suites that encrypt nothing are not agreed on"
_WEAK: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("SWP", "A00.FR.319"),
        **dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "A00.FR.319")),
    }
)
_ANY_SUITE = "A station that has only suites of the specification is let in"


def _judge_suites(history: History) -> list[Finding]:
    attempts = history.attempts()
    if not attempts or all(attempt.unreachable or attempt.untrusted for attempt in attempts):
        return []
    agreed = [suite for suite, attempt in zip(SUITES, attempts, strict=False) if attempt.opened]
    actual = f"agreed on {', '.join(agreed)}" if agreed else f"on none of {', '.join(SUITES)}"
    verdict = Verdict.OK if agreed else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_ANY_SUITE, actual=actual, frame=attempts[0].line)]


def _judge_unencrypted(history: History) -> list[Finding]:
    tried = [attempt for attempt in history.attempts()[len(SUITES) :] if not attempt.unreachable]
    return [
        Finding(
            verdict=Verdict.FAILED if attempt.opened else Verdict.OK,
            claim=_UNENCRYPTED,
            actual="one of them was agreed on" if attempt.opened else "there was no handshake",
            clause=_WEAK[history.rules.version],
            frame=attempt.line,
        )
        for attempt in tried
    ]


SUITES_AGREED = (
    Check(claim=_ANY_SUITE, judge=_judge_suites),
    Check(claim=_UNENCRYPTED, judge=_judge_unencrypted),
    *(
        connection(f"{suite} is agreed on", opens_securely, nth=number, level=Level.RECOMMENDED)
        for number, suite in enumerate(SUITES)
    ),
)


def offer_suites(probe: Probe) -> None:
    """Connect once with each suite as the only one of TLS 1.2, and then with those that no CSMS may agree on."""
    station = probe.station
    probe.secure(station, profile=2)
    for suites in (*SUITES, UNENCRYPTED):
        context = probe.trusting_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(suites)
        except ssl.SSLError:
            # Some builds of OpenSSL cannot offer what encrypts nothing.
            continue
        station.connect(tls=context)
        station.disconnect()
