"""The records of sessions, read after a case, as a claim of its own: every field that the CSMS keeps of them."""

from __future__ import annotations

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.history import PRIMARY, History
from interop_suite.claims.kept_records import record_findings, sessions_of

__all__ = ["kept_as_told"]


def kept_as_told(*, role: str = PRIMARY) -> Check:
    """Claim that each session is kept as it was told: once, with its state, registers, times and tokens."""
    claim = "Each session is kept as the station told it"

    def judge(history: History) -> list[Finding]:
        station = history.station(role)
        looks = [call for call in history.driver_calls if call.operation == "kept" and call.station == station]
        reads = [call for call in looks if call.error is None]
        if looks and not reads:
            last = looks[-1]
            verdict = Verdict.NOT_APPLICABLE if last.cannot else Verdict.INCONCLUSIVE
            actual = f"nobody can read them: {last.error}"
            return [Finding(verdict=verdict, claim=claim, actual=actual, frame=last.line)]
        sessions = {} if station is None else sessions_of(history, station)
        if not looks and sessions:
            actual = "the driver has no way to read what the CSMS keeps of sessions"
            return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual)]
        if not reads or not any(not session.doubtful for session in sessions.values()):
            return []
        wrong = [finding for finding in record_findings(history) if finding.frame == reads[-1].line]
        if not wrong:
            actual = f"{len(sessions)} sessions"
            return [Finding(verdict=Verdict.OK, claim=claim, actual=actual, frame=reads[-1].line)]
        return [msgspec.structs.replace(finding, verdict=Verdict.FAILED, claim=claim) for finding in wrong]

    return Check(claim=claim, judge=judge)
