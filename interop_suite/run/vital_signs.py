"""Whether the CSMS is still there after a case that went wrong, and which case it is gone since."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from enum import IntEnum

import msgspec

from drivers.base import Driver
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from interop_suite.claims.history import History
from interop_suite.drive.offer import Handshake, Trait
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.target_check import greet, stranger
from ocppj.versions import Version

__all__ = ["Loss", "Suspicion", "absence", "blame", "culprits", "fresh_connection", "last_words", "suspicion_of"]

PATIENCE = 3.0
"""Seconds that a CSMS has to accept connections again, as after a restart by its supervisor."""
PAUSE = 0.25
_NOBODY_BEHIND_THE_PROXY = (502, 503, 504)
CLAIM = "The CSMS goes on serving after this case"


class Suspicion(IntEnum):
    """How likely it is that a case ended the CSMS; of several that ran at one time the likeliest one is named."""

    NONE = 0
    """It never had a connection: the CSMS was gone before."""
    BEFORE = 1
    """It was the last one that had a connection, and the next one got none."""
    DURING = 2
    """Its own connection was open when the CSMS was lost."""
    DANGEROUS = 3
    """It sends what is known to end servers."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a CSMS that is gone, and what a case has to do with it."""

    seen: str
    suspicion: Suspicion


def fresh_connection(target: CsmsUnderTest, driver: Driver, version: Version) -> Handshake:
    """Open one connection that belongs to no case, and close it again.

    Where the connection itself is not the CSMS's, the answer to a boot shows that there is one.
    """
    identity = target.identities[0] if target.identities else f"PSALIVE{secrets.token_hex(3).upper()}"
    station = stranger(target, version, identity)
    with contextlib.closing(station):
        handshake = station.connect()
        if handshake.opened and Trait.UPGRADE in target.transport.lacks:
            greet(station, driver, target)
            if station.heard:
                return handshake
            return msgspec.structs.replace(handshake, absent="the broker is there, but nobody answers a boot any more")
    return handshake


def absence(
    connect: Callable[[], Handshake],
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> str | None:
    """Say how a CSMS is gone; None when it gives any HTTP answer to one of at least two connections."""
    deadline, attempts = clock() + PATIENCE, 0
    while True:
        handshake = connect()
        seen = _describe(handshake)
        attempts += 1
        if seen is None or (attempts > 1 and clock() >= deadline):
            return seen
        wait(PAUSE)


def _describe(handshake: Handshake) -> str | None:
    if handshake.absent:
        return handshake.absent
    if handshake.unreachable:
        return f"its process no longer accepts connections ({handshake.error})"
    if handshake.status in _NOBODY_BEHIND_THE_PROXY:
        return f"what stands before it answers HTTP {handshake.status} to a fresh connection"
    if handshake.status is None and not (handshake.error or "").startswith("TLS"):
        return f"it accepts connections and answers no opening request ({handshake.error})"
    return None


def suspicion_of(history: History, *, dangerous: bool) -> Suspicion:
    """Weigh what a case has to do with the loss of the CSMS that was noticed after it."""
    if not any(connection.opened for connection in history.connections):
        return Suspicion.NONE
    return Suspicion.DANGEROUS if dangerous else Suspicion.DURING


def last_words(history: History) -> str:
    """Say how the CSMS ended the connections of a case; empty where it ended none."""
    ends = [c.closed or {} for c in history.connections if c.ended_by_csms]
    codes = sorted({f"close code {end['code']}" if end.get("code") else "without a close frame" for end in ends})
    return f"its connections ended {' and '.join(codes)}".replace("ended close", "ended with close") if codes else ""


def blame(result: CaseResult, seen: str) -> CaseResult:
    """Let a case be FAILED for a CSMS that is gone since; a declared failure stays declared."""
    reason = f"expected that the CSMS goes on serving, but it is gone since case {result.ocpp} {result.id}: {seen}"
    known = result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NON_STRICT)
    finding = {"verdict": str(Verdict.FAILED), "claim": CLAIM, "actual": seen, "clause": result.clause, "frame": None}
    return msgspec.structs.replace(
        result,
        verdict=Verdict.XFAIL if result.verdict in (Verdict.XFAIL, Verdict.XPASS) else Verdict.FAILED,
        reason=f"{reason} (before that: {result.reason})" if known else reason,
        actual=[f"{CLAIM}: {seen}", *(actual for actual in result.actual if actual != "as expected")],
        findings=[finding, *result.findings],
        observations={**result.observations, "csms_gone": seen},
    )


def culprits(losses: Mapping[str, Loss]) -> Collection[str]:
    """Name the cases under the strongest suspicion, by key; nobody where no case had a connection."""
    strongest = max((loss.suspicion for loss in losses.values()), default=Suspicion.NONE)
    if strongest is Suspicion.NONE:
        return ()
    return [key for key, loss in losses.items() if loss.suspicion is strongest]
