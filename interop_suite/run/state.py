"""What one process of an interop run holds: plan, run folder, runner, and the practice CSMS if it is ours."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from evidence.run_folder import RunFolder, utc_now
from evidence.run_model import CaseResult, InteropRun
from evidence.verdicts import Verdict
from fixtures.csms import ThreadCsms, practice_csms
from interop_suite.catalogue import Case
from interop_suite.claims.history import History
from interop_suite.run.features import held_against_claim, unclaimed
from interop_suite.run.inference import Silences
from interop_suite.run.plan import Plan, make_plan
from interop_suite.run.request import FIELDS, InteropRequest, to_words
from interop_suite.run.results import (
    CaseOutcome,
    apply_expectation,
    merge_attempts,
    name_the_culprit,
    outcome_of,
    write_interop_run,
)
from interop_suite.run.runner import Attempt, Runner, not_applicable
from interop_suite.run.vital_signs import Loss, Suspicion, absence, fresh_connection, last_words, suspicion_of
from ocppj.errors import UsageError

__all__ = ["State", "csms_request", "embedded_csms", "reproduce_command"]

EMBEDDED_CALL_TIMEOUT = 3.0
"""Seconds until the embedded practice CSMS gives up a CALL: on one machine, however busy, nothing takes longer."""
SAVING_SHARE = 0.02
"""The share of a run's time that writing `run.json` may take while it goes."""


_WENT_WELL = frozenset({Verdict.OK, Verdict.INFORMATIONAL, Verdict.NOT_APPLICABLE})


class State:
    """One process: the controller owns the folder and the embedded CSMS, a worker borrows both."""

    def __init__(self, plan: Plan, folder: RunFolder, stack: contextlib.ExitStack) -> None:
        """Build the runner; `stack` ends with the run, and its driver with it."""
        self.plan = plan
        self.request = plan.request
        self.folder = folder
        self.stack = stack
        self.started = utc_now()
        self.outcomes: dict[str, CaseOutcome] = {}
        self.cases = plan.cases
        """Those that are left to run."""
        self.planned = len(plan.cases)
        self.driver = plan.driver
        self.driver.begin(folder.path)
        self.secrets = self.driver.secrets | plan.request.secrets
        self.gone = ""
        """How the CSMS was seen to be gone by this process; empty while it is there."""
        self.stopped_early = ""
        """The sentence that says so of the whole run."""
        self._silences = Silences(plan.request.timeout)
        self._last: tuple[CaseOutcome, bool] | None = None
        self._save_after = 0.0
        self.run: InteropRun | None = None
        """What was written, once it is finished."""
        self.runner = Runner(
            plan.target,
            plan.driver,
            folder.traces,
            secrets=self.secrets,
            strict_order=plan.request.strict_order,
            reproduce=lambda case: reproduce_command(case, plan.request, embedded=plan.embedded),
        )

    @classmethod
    def start(cls, request: InteropRequest) -> State:
        """Begin a run in the controller: make the folder, and start the practice CSMS where no URL was given.

        Raises `UsageError` for a request that cannot work, before a folder is made.
        """
        with contextlib.ExitStack() as stack:
            embedded = request.url is None
            plan = make_plan(embedded_csms(request, stack) if embedded else request, embedded=embedded)
            stack.callback(plan.driver.close)
            return cls(plan, RunFolder.create(request.out, "interop"), stack.pop_all())

    @classmethod
    def borrow(cls, data: dict[str, Any]) -> State:
        """Join a run as a worker."""
        with contextlib.ExitStack() as stack:
            plan = make_plan(msgspec.convert(data["request"], InteropRequest), embedded=data["embedded"])
            stack.callback(plan.driver.close)
            return cls(plan, RunFolder(Path(data["folder"])), stack.pop_all())

    def share(self, worker: int, workers: int) -> dict[str, Any]:
        """Write down what one of several workers needs, as plain data; each has identities of its own."""
        identities = self.request.identities[worker::workers]
        return {
            "request": msgspec.to_builtins(msgspec.structs.replace(self.request, identities=identities)),
            "folder": str(self.folder.path),
            "embedded": self.plan.embedded,
        }

    def check(self, case: Case, attempt: int = 1) -> Attempt:
        """Run one attempt at a case and apply its expectation; what is known to time out is not run."""
        left_out = unclaimed(self.plan.features, case)
        if left_out is not None:
            return Attempt(result=not_applicable(case, left_out), history=History([], case.ocpp))
        known = self._silences.inferred(case)
        if known is not None:
            result = msgspec.structs.replace(not_applicable(case, known), verdict=Verdict.INCONCLUSIVE)
            return Attempt(result=result, history=History([], case.ocpp))
        done = self.runner.attempt(case, number=attempt)
        self._silences.learn(case, done.history)
        result = held_against_claim(done.result, self.plan.features, case, self._lacking(case, done.result))
        return msgspec.structs.replace(done, result=apply_expectation(result, self.plan.expectations))

    def _lacking(self, case: Case, result: CaseResult) -> str | None:
        unmet = self.runner.unmet(case) if result.verdict is Verdict.NOT_APPLICABLE else None
        return None if unmet is None else unmet[0]

    def examine(self, case: Case, attempt: Attempt) -> CaseOutcome:
        """Look whether the CSMS has survived a case that went wrong; return the outcome of the case to be suspected.

        That is an earlier one where this one never had a connection. What comes later is not run: `gone` says why.
        """
        outcome = outcome_of(attempt)
        suspicion = suspicion_of(attempt.history, dangerous=case.may_end_csms)
        is_suspect = attempt.result.verdict not in _WENT_WELL or case.may_end_csms
        seen = absence(partial(fresh_connection, self.plan.target, self.driver, case.ocpp)) if is_suspect else None
        if seen is None:
            if suspicion is not Suspicion.NONE:
                self._last = outcome, case.may_end_csms
            return outcome
        words = last_words(attempt.history)
        self.gone = seen = f"{seen}; {words}" if words else seen
        if attempt.history.broker_lost:
            # No case is to blame for a broker.
            return msgspec.structs.replace(outcome, loss=Loss(seen=seen, suspicion=Suspicion.NONE))
        if self.runner.ended_inquiry and suspicion is not Suspicion.DANGEROUS:
            # The suite asked by itself, in no case: none is to blame.
            inquiry = f"it left while the suite found out whether it meets {self.runner.ended_inquiry}"
            self.gone = seen = f"{seen}; {inquiry}"
            suspicion = Suspicion.NONE
        elif suspicion is Suspicion.NONE and self._last is not None:
            outcome, dangerous = self._last
            suspicion = Suspicion.DANGEROUS if dangerous else Suspicion.BEFORE
        return msgspec.structs.replace(outcome, loss=Loss(seen=seen, suspicion=suspicion))

    def collect(self, outcome: CaseOutcome) -> CaseResult:
        """Hold an outcome for `run.json`, merged with those of earlier attempts; returns the result of all of them."""
        key = f"{outcome.result.ocpp}-{outcome.result.id}"
        earlier = self.outcomes.get(key)
        if earlier is None:
            self.outcomes[key] = outcome
        elif outcome.loss is not None and outcome.result.trace in earlier.result.attempts:
            self.outcomes[key] = msgspec.structs.replace(earlier, loss=outcome.loss)
        else:
            self.outcomes[key] = merge_attempts(earlier, outcome)
        return self.outcomes[key].result

    def save(self) -> None:
        """Write `run.json` as far as the run has come."""
        began = time.monotonic()
        # A disk that takes no more is told once, by whoever writes the trace or the whole run.
        with contextlib.suppress(UsageError):
            self._write(complete=False)
        ended = time.monotonic()
        self._save_after = ended + (ended - began) / SAVING_SHARE

    def keep(self, outcome: CaseOutcome) -> None:
        """Collect an outcome and write it down, so that a run which is killed keeps what was judged.

        The more `run.json` holds, the longer it takes: in between, cases are kept one by one. A CSMS that is gone
        changes what is said of other cases.
        """
        result = self.collect(outcome)
        if outcome.loss is not None or time.monotonic() >= self._save_after:
            self.save()
            return
        with contextlib.suppress(UsageError):
            self.folder.keep_case(result, self.secrets)

    def finish(self, *, interrupted: bool) -> InteropRun:
        """Write `run.json` and end the embedded CSMS."""
        try:
            self.run = self._write(interrupted=interrupted)
        finally:
            self.stack.close()
        return self.run

    def _write(self, *, interrupted: bool = False, complete: bool = True) -> InteropRun:
        outcomes, self.stopped_early = name_the_culprit(self.outcomes)
        return write_interop_run(
            self.folder,
            self.request,
            list(outcomes.values()),
            started=self.started,
            driver=self.driver.name,
            interrupted=interrupted,
            secrets=self.secrets,
            planned=self.planned,
            complete=complete,
            stopped_early=self.stopped_early,
            features=self.plan.features,
            embedded=self.plan.embedded,
        )


@contextlib.contextmanager
def csms_request(csms: ThreadCsms, request: InteropRequest) -> Iterator[InteropRequest]:
    """Point a request at a running practice CSMS for as long as the context lasts."""
    descriptor, ca_file = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(csms.do(lambda practice: practice.world.pki.authority.root_pem))
        yield msgspec.structs.replace(
            request,
            url=csms.url,
            tls_url=csms.tls_url,
            ca_file=ca_file,
            control_url=csms.control_url,
            driver="http",
        )
    finally:
        Path(ca_file).unlink(missing_ok=True)


def embedded_csms(request: InteropRequest, stack: contextlib.ExitStack) -> InteropRequest:
    """Start the practice CSMS in this process and point the request at it."""
    csms = stack.enter_context(practice_csms(tls_port=0, call_timeout=EMBEDDED_CALL_TIMEOUT))
    return stack.enter_context(csms_request(csms, request))


_FOR_THE_REPORT = ("csms_name", "csms_version", "tester", "laboratory", "label")
_OF_THE_RUN = ("select", "again", "ocpp", "out", "repeat", "resume", "password", *_FOR_THE_REPORT)
_OF_THE_CSMS = ("url", *(field.name for field in FIELDS if field.describes_csms))


def _password_in(url: str | None) -> tuple[str, str] | None:
    """Take the password out of a URL; None where it has none."""
    parts = urlsplit(url or "")
    if url is None or parts.password is None:
        return None
    return url.replace(f":{parts.password}@", "@", 1), parts.password


def reproduce_command(case: Case, request: InteropRequest, *, embedded: bool) -> str:
    """Write the one command that runs a case again as it was run; secrets are left to the person."""
    words = ["plugstorm", "interop", "--select", case.key]
    inside = _password_in(request.url)
    if inside:
        request = msgspec.structs.replace(request, url=inside[0], password=request.password or inside[1])
    words += to_words(request, "flag", leave_out=(*_OF_THE_RUN, *_OF_THE_CSMS) if embedded else _OF_THE_RUN)
    if request.password and not embedded:
        words += ["--password", "…"]
    return shlex.join(words).replace("'…'", "…")
