"""What one process of an interop run holds: settings, run folder, runner, and the practice CSMS if it is ours."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from evidence.run_folder import RunFolder, utc_now
from evidence.run_model import CaseResult, InteropRun
from fixtures.csms import ThreadCsms, practice_csms
from interop_suite.catalogue import Case, all_cases
from interop_suite.run.options import Settings, load_expectations, make_driver, select
from interop_suite.run.results import apply_expectation, merge_attempts, write_interop_run
from interop_suite.run.runner import Runner

__all__ = ["State", "csms_settings", "embedded_csms", "reproduce_command"]

EMBEDDED_CALL_TIMEOUT = 3.0
"""Seconds until the embedded practice CSMS gives up a CALL: on one machine, however busy, nothing takes longer."""


class State:
    """One process: the controller owns the folder and the embedded CSMS, a worker borrows both."""

    def __init__(self, settings: Settings, folder: RunFolder, stack: contextlib.ExitStack | None = None) -> None:
        """Build the runner; raises `UsageError` for settings that cannot work."""
        self.settings = settings
        self.folder = folder
        self.stack = stack or contextlib.ExitStack()
        self.started = utc_now()
        self.results: dict[str, CaseResult] = {}
        self.driver = make_driver(settings)
        self.driver.begin(folder.path)
        self.stack.callback(self.driver.close)
        self.secrets = self.driver.secrets | ({settings.password} if settings.password else set())
        self.runner = Runner(
            settings.target(),
            self.driver,
            folder.traces,
            secrets=self.secrets,
            strict_order=settings.strict_order,
            reproduce=lambda case: reproduce_command(case, settings, self.embedded),
        )
        cases = all_cases()
        self.cases = select(cases, settings.select, settings.ocpp)
        self.expectations = load_expectations(settings.expect, cases)

    embedded = False

    @classmethod
    def start(cls, settings: Settings) -> State:
        """Begin a run in the controller: make the folder, and start the practice CSMS where no URL was given."""
        with contextlib.ExitStack() as stack:
            embedded = settings.url is None
            if embedded:
                settings = embedded_csms(settings, stack)
            # Everything that can be wrong with the settings shows before a folder is made.
            settings.target()
            make_driver(settings).close()
            load_expectations(settings.expect, all_cases())
            select(all_cases(), settings.select, settings.ocpp)
            state = cls(settings, RunFolder.create(settings.out, "interop"), stack.pop_all())
            state.embedded = embedded
        return state

    @classmethod
    def borrow(cls, data: dict[str, Any]) -> State:
        """Join a run as a worker."""
        state = cls(msgspec.convert(data["settings"], Settings), RunFolder(Path(data["folder"])))
        state.embedded = data["embedded"]
        return state

    def share(self, worker: int, workers: int) -> dict[str, Any]:
        """Write down what one of several workers needs, as plain data; each has identities of its own."""
        identities = self.settings.identities[worker::workers]
        return {
            "settings": msgspec.to_builtins(msgspec.structs.replace(self.settings, identities=identities)),
            "folder": str(self.folder.path),
            "embedded": self.embedded,
        }

    def check(self, case: Case, attempt: int = 1) -> CaseResult:
        """Run one attempt of a case and apply its expectation."""
        return apply_expectation(self.runner.run(case, attempt=attempt), self.expectations)

    def collect(self, result: CaseResult) -> None:
        """Keep a result for `run.json`, merged with those of earlier attempts."""
        key = f"{result.ocpp}-{result.id}"
        earlier = self.results.get(key)
        self.results[key] = result if earlier is None else merge_attempts(earlier, result)

    def finish(self, *, interrupted: bool) -> InteropRun:
        """Write `run.json` and end the embedded CSMS."""
        try:
            return write_interop_run(
                self.folder,
                self.settings,
                list(self.results.values()),
                started=self.started,
                driver=self.driver.name,
                interrupted=interrupted,
                secrets=self.secrets,
            )
        finally:
            self.stack.close()


@contextlib.contextmanager
def csms_settings(csms: ThreadCsms, settings: Settings) -> Iterator[Settings]:
    """Point settings at a running practice CSMS for as long as the context lasts."""
    descriptor, ca_file = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(csms.do(lambda practice: practice.world.pki.authority.root_pem))
        yield msgspec.structs.replace(
            settings,
            url=csms.url,
            tls_url=csms.tls_url,
            ca_file=ca_file,
            control_url=csms.control_url,
            driver="http",
        )
    finally:
        Path(ca_file).unlink(missing_ok=True)


def embedded_csms(settings: Settings, stack: contextlib.ExitStack) -> Settings:
    """Start the practice CSMS in this process and point the settings at it."""
    csms = stack.enter_context(practice_csms(tls_port=0, call_timeout=EMBEDDED_CALL_TIMEOUT))
    return stack.enter_context(csms_settings(csms, settings))


def reproduce_command(case: Case, settings: Settings, embedded: bool) -> str:  # noqa: FBT001  # one flag of one caller
    """Write the one command that runs a case again as it was run; secrets are left to the person."""
    words = ["plugstorm", "interop", "--select", case.key]
    if not embedded:
        words += ["--url", settings.url or ""]
        words += ["--tls-url", settings.tls_url] if settings.tls_url else []
        words += ["--ca", settings.ca_file] if settings.ca_file else []
        words += ["--driver", settings.driver] if settings.driver else []
        words += ["--control-url", settings.control_url] if settings.control_url else []
        for name, value in settings.driver_options.items():
            words += ["--driver-option", f"{name}={value}"]
        for identity in settings.identities:
            words += ["--identity", identity]
        words += ["--password", "…"] if settings.password else []
    return shlex.join(words).replace("'…'", "…")
