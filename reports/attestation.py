"""`attestation.html`: one printable page about an interop run, for whoever signs or audits it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evidence.manifest import MANIFEST, check_manifest, folder_hash, has_manifest
from evidence.run_folder import RunFolder
from evidence.run_model import CaseResult, InteropRun, Run
from evidence.verdicts import Verdict
from ocppj.errors import UsageError
from reports.causes import Cause, causes
from reports.coverage import CoverageRow, coverage_rows, untried
from reports.headline import Headline, headline
from reports.page import render_page
from reports.words import parties, verdict_counts

__all__ = ["write_attestation"]

_FAILURES = frozenset({Verdict.FAILED, Verdict.XFAIL, Verdict.XPASS})


class AttestationView(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the page shows it."""

    run: InteropRun
    headline: Headline
    parties: dict[str, str]
    counts: dict[Verdict, int]
    coverage: tuple[CoverageRow, ...]
    untried: tuple[str, ...]
    """What is claimed, and the run was not about."""
    failures: tuple[Cause, ...]
    """Each reason with all cases that failed for it."""
    unjudged: tuple[CaseResult, ...]
    manifest: str
    hash: str


def write_attestation(folder: Path, run: Run) -> Path:
    """Write the page into the folder of a run and return its path.

    Raises `UsageError` for a run that is not interop, was not brought to its end, or is not as its manifest says.
    """
    if not isinstance(run, InteropRun):
        raise UsageError(f"--attest {folder} is a load run; only interop runs are attested")
    if not has_manifest(folder):
        raise UsageError(f"--attest {folder} has no {MANIFEST}, so its run never came to its end; run it again")
    check_manifest(folder)
    view = AttestationView(
        run=run,
        headline=headline(run),
        parties=dict(parties(run)),
        counts=verdict_counts(run.cases),
        coverage=tuple(row for row in coverage_rows(run.coverage) if not row.is_block and row.counts),
        untried=tuple(untried(run.coverage, run.features)),
        failures=tuple(causes(run.cases, _FAILURES)),
        unjudged=tuple(case for case in run.cases if case.verdict is Verdict.INCONCLUSIVE),
        manifest=MANIFEST,
        hash=folder_hash(folder),
    )
    RunFolder(folder).write_text("attestation.html", render_page("attestation.html.j2", view=view))
    return folder / "attestation.html"
