"""Run one case: prepare, drive, record, judge."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from drivers.base import Driver, token_need
from evidence.run_folder import TraceWriter
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, Script, all_inquiries
from interop_suite.claims.history import History
from interop_suite.claims.kept_records import record_findings, stations_with_sessions
from interop_suite.drive.exchanges import watch
from interop_suite.drive.offer import Trait
from interop_suite.drive.probe import CsmsIntrospection, NoWayError, Probe
from interop_suite.drive.setup import CsmsUnderTest, Setup
from interop_suite.run.judge import judge
from interop_suite.run.lacking import Lacking, has_choice, noticing
from ocppj.errors import HarnessError
from ocppj.trace import Kind, TraceRecord, wall_clock
from ocppj.versions import Version

__all__ = ["Attempt", "IdentityPool", "Runner", "not_applicable"]

_TRAITS = frozenset(Trait) - {Trait.CREDENTIALS, Trait.TLS}
"""Needs that the transport alone meets; a password and TLS are a matter of driver and target besides."""
ACCEPTED_TOKEN = token_need("Accepted")
FIRST_LOOK = 0.25
"""Seconds between the first two looks at records, which a CSMS may write down late; each pause is longer."""


class IdentityPool:
    """Hands out identities, each to one case at a time; made up where the CSMS takes any."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        """Use the given identities, or make them up when there are none."""
        self._known = known
        self._run = os.urandom(3).hex().upper()
        self._counter = itertools.count(1)
        self._lock = threading.Lock()
        self._free = list(known)

    def lease(self) -> str:
        """Take an identity; raises `HarnessError` when all that the CSMS knows are in use."""
        if not self._known:
            return f"PS{self._run}{os.getpid() % 10000:04d}{next(self._counter):04d}"
        with self._lock:
            if not self._free:
                raise HarnessError("Every identity that was given is in use; give more or run fewer jobs.")
            return self._free.pop(0)

    def release(self, identity: str) -> None:
        """Give an identity back."""
        if identity in self._known:
            with self._lock:
                self._free.append(identity)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a case: what was judged, and the history that it was judged by."""

    result: CaseResult
    history: History


class Runner:
    """Runs cases against one target; safe to use from several threads."""

    def __init__(
        self,
        target: CsmsUnderTest,
        driver: Driver,
        traces: Path | None,
        *,
        identities: IdentityPool | None = None,
        secrets: frozenset[str] = frozenset(),
        reproduce: Callable[[Case], str] = lambda case: f"plugstorm interop --select {case.key}",
        strict_order: bool = False,
        introspection: CsmsIntrospection | None = None,
    ) -> None:
        """Traces go to files in `traces`; without a folder they stay in memory, for self-tests.

        With `introspection` into the CSMS no verdict depends on how busy the machine is.
        """
        self.target = target
        self.driver = driver
        self._traces = traces
        self._identities = identities or IdentityPool(target.identities)
        self._secrets = secrets
        self._reproduce = reproduce
        self._strict_order = strict_order
        self._introspection = introspection
        if traces is not None:
            watch(driver)
        self._lacking = Lacking()
        self._inquiries = all_inquiries()
        self._answers: dict[tuple[str, Version], bool] = {}
        self.ended_inquiry = ""
        """The need whose inquiry the CSMS ended by leaving; empty while it ended none."""
        self._asking = threading.Lock()

    def run(self, case: Case) -> CaseResult:
        """Run one attempt and return its result alone."""
        return self.attempt(case).result

    def attempt(self, case: Case, *, number: int = 1) -> Attempt:
        """Run one attempt at a case; never raises for what a CSMS does."""
        missing = self.missing(case)
        if missing is not None:
            return Attempt(result=not_applicable(case, missing), history=History([], case.ocpp))
        while True:
            known = len(self._lacking)
            attempt = self._one_attempt(case, number)
            absent = attempt.result.verdict is Verdict.NOT_APPLICABLE
            if not (absent and len(self._lacking) > known and has_choice(case)):
                return attempt
            self._set_aside(f"{case.key}-{number}.jsonl")

    def _one_attempt(self, case: Case, number: int) -> Attempt:
        name = f"{case.key}-{number}.jsonl"
        operator = self.driver.operator
        if operator is not None:
            operator.begin_case(f"{case.ocpp} {case.id}: {case.title}", case.expects)
        records = self._record(case, name)
        while operator is not None and operator.take_repeat():
            self._set_aside(name)
            records = self._record(case, name)
        history = History(records, case.ocpp)
        result = judge(case, history, strict_order=self._strict_order)
        trace = f"traces/{name}" if self._traces is not None else ""
        result = msgspec.structs.replace(result, trace=trace, attempts=[trace], reproduce=self._reproduce(case))
        return Attempt(result=result, history=history)

    def _record(self, case: Case, name: str) -> list[TraceRecord]:
        """Drive a case and give its records, as they were written."""
        writer = None if self._traces is None else TraceWriter(self._traces / name, secrets=self._secrets)
        records: list[TraceRecord] = []

        def record(item: TraceRecord) -> None:
            records.append(item if writer is None else writer.write(item))

        try:
            self._drive(case.setup, case.script, record)
        finally:
            if writer is not None:
                writer.close()
        return records

    def _set_aside(self, name: str) -> None:
        """Keep the trace of an attempt that is made again, where nobody judges it."""
        if self._traces is not None:
            aside = (self._traces / f"{name}.repeated-{number}" for number in itertools.count(1))
            (self._traces / name).rename(next(file for file in aside if not file.exists()))

    def missing(self, case: Case) -> str | None:
        """Say why a case does not apply to this target and driver, None when it does."""
        unmet = self.unmet(case)
        return None if unmet is None else unmet[1]

    def unmet(self, case: Case) -> tuple[str, str] | None:
        """Find the first need that this target and driver do not meet, and why; None when they meet all."""
        # What needs an inquiry is asked for last: it may cost a connection.
        lacks = self.target.transport.lacks
        for need in sorted(case.needs, key=self._inquiries.__contains__):
            if need in lacks:
                return need, lacks[Trait(need)]
            if need in _TRAITS:
                continue
            kind, _, what = need.partition(":")
            if kind == "tls" and self.target.tls_url is None:
                return need, "needs a wss:// address of the CSMS (--tls-url)"
            if kind == "tls" or (kind == "token" and what in self.target.tokens):
                continue
            if kind == "password" and self.target.password is not None:
                continue
            reason = self._missing_of_all(need, case.ocpp)
            if reason is not None and not self.meets_unaided(need, case.ocpp):
                return need, reason + (f"; --token {what}=TAG names one that it knows" if kind == "token" else "")
        return None

    def _missing_of_all(self, need: str, version: Version) -> str | None:
        """Say why none of the commands can be given that a need names, separated by bars; None when one can."""
        kind, _, what = need.partition(":")
        reasons = [self.driver.missing(f"{kind}:{each}" if each else kind, version) for each in what.split("|")]
        return None if None in reasons else reasons[0]

    def meets_unaided(self, need: str, version: Version) -> bool:
        """Return whether the CSMS meets a need without a driver; each inquiry is made once for a version."""
        if need not in self._inquiries:
            return False
        with self._asking:
            if (need, version) not in self._answers:
                self._answers[need, version] = self._inquire(need, version)
            return self._answers[need, version]

    def _inquire(self, need: str, version: Version) -> bool:
        inquiry, records = self._inquiries[need], list[TraceRecord]()
        self._drive(inquiry.setup(version), inquiry.script, records.append)
        history = History(records, version)
        if any(connection.ended_by_csms for connection in history.connections):
            self.ended_inquiry = need
        return inquiry.is_met(history)

    def _drive(self, setup: Setup, script: Script, record: Callable[[TraceRecord], None]) -> None:
        leased: list[str] = []

        def lease() -> str:
            leased.append(self._identities.lease())
            return leased[-1]

        records: list[TraceRecord] = []

        def keep(item: TraceRecord) -> None:
            records.append(item)
            record(item)

        def note(**info: object) -> None:
            keep(TraceRecord(t=time.monotonic(), station=setup.name, kind=Kind.NOTE, info=dict(info)))

        note(phase="prepare", case=setup.name, ocpp=str(setup.version), started=wall_clock(time.time()))
        probe = Probe(
            setup,
            self.target,
            noticing(self.driver, self._lacking),
            keep,
            lease,
            introspection=self._introspection,
            open_authorization=lambda: self.meets_unaided(ACCEPTED_TOKEN, setup.version),
        )
        try:
            probe.prepare()
            note(phase="script")
            script(probe)
            self._keep(probe, records, setup.version)
        except NoWayError as error:
            note(inconclusive=str(error), cannot=True)
        except HarnessError as error:
            note(inconclusive=str(error))
        except Exception as error:  # noqa: BLE001  # our own mistake must not pass for a verdict about the CSMS
            note(inconclusive=f"The script broke: {type(error).__name__}: {error}")
        finally:
            probe.finish()
            for identity in leased:
                self._identities.release(identity)

    def _keep(self, probe: Probe, records: list[TraceRecord], version: Version) -> None:
        """Read what the CSMS kept of every session, until it is right or the patience is over."""
        if self.driver.serial or self.driver.missing("transactions", version) is not None:
            return
        for station in stations_with_sessions(History(records, version)):
            deadline = time.monotonic() + (0.0 if self._introspection else self.target.timeout)
            pause = FIRST_LOOK
            while True:
                probe.read_kept(station)
                left = deadline - time.monotonic()
                if left <= 0 or not any(record_findings(History(records, version))):
                    break
                probe.station.pump(lambda: False, min(pause, left))
                pause *= 2


def not_applicable(case: Case, reason: str) -> CaseResult:
    """Describe a case that was not run."""
    return CaseResult(
        id=case.id,
        ocpp=str(case.ocpp),
        title=case.title,
        verdict=Verdict.NOT_APPLICABLE,
        reason=reason,
        clause=str(case.clause),
        level=str(case.level),
        profile=case.profile,
        duration_ms=0.0,
        expected=[check.claim for check in case.checks],
        block=case.shown_block,
        certification=case.certification,
        sends=case.sends,
        expects=case.expects,
    )
