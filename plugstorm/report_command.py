"""`plugstorm report`: what finished runs say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console

from evidence import exit_codes
from evidence.manifest import check_manifest, has_manifest, seal, seal_pages
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import InteropRun, Run
from evidence.verdicts import EXIT_CODES, RunVerdict
from plugstorm.finish import tell
from reports.attestation import write_attestation
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import write_summary

__all__ = ["Reported", "report"]

FIRST_JUDGEMENT = "run.first.json"
"""Where `run.json` is kept as the run itself wrote it, once it was judged again."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A run as `--json` tells of it."""

    folder: str
    kind: Literal["interop", "load"]
    verdict: RunVerdict
    report: str
    attestation: str | msgspec.UnsetType = msgspec.UNSET


def report(folders: Sequence[Path], *, out: Path | None, judge_again: bool, attest: bool, as_json: bool) -> int:
    """Write the page and say where it is; judged again, the worst verdict is the exit code."""
    runs = [_read(folder, judge_again=judge_again) for folder in folders]
    page = write_report(runs, out)
    attestations = [write_attestation(folder, run) for folder, run in runs] if attest else []
    for folder, _ in runs:
        if has_manifest(folder):
            seal_pages(folder)
    if as_json:
        rows = [
            Reported(
                folder=str(folder),
                kind=msgspec.to_builtins(run)["kind"],
                verdict=run.verdict,
                report=str(page),
                attestation=str(attestations[number]) if attest else msgspec.UNSET,
            )
            for number, (folder, (_, run)) in enumerate(zip(folders, runs, strict=True))
        ]
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())  # noqa: T201 - this is a command
    else:
        tell([run for _, run in runs], page, Console())
        for attestation in attestations:
            Console().print(f"attest  {attestation}", soft_wrap=True, markup=False, highlight=False)
    if not judge_again:
        return exit_codes.PASSED
    return max((EXIT_CODES[run.verdict] for _, run in runs), default=exit_codes.PASSED)


def _read(place: Path, *, judge_again: bool) -> tuple[Path, Run]:
    """Read a run, by its folder or its `run.json`; returns the folder and the run."""
    folder, run = (place if place.is_dir() else place.parent), read_run(place)
    if judge_again:
        return folder, _judge_again(folder, run)
    if isinstance(run, InteropRun) and not run.complete:
        from interop_suite.run.results import recounted  # noqa: PLC0415 - a page from finished runs needs no cases

        run = recounted(run)
    return folder, run


def _judge_again(folder: Path, run: Run) -> Run:
    """Judge what was recorded, if nobody has changed it; the first judgement stays beside the new one."""
    sealed = has_manifest(folder)
    if sealed:
        check_manifest(folder)
    first = (folder / "run.json").read_text("utf-8")
    if isinstance(run, InteropRun):
        from interop_suite.run.results import rejudge  # noqa: PLC0415 - a page from finished runs needs no cases

        run = rejudge(folder)
    else:
        from loadtest.plugins.ledger.rejudge import rejudge as reconcile_again  # noqa: PLC0415 - as above

        run = reconcile_again(folder, run)
    judged_otherwise = (folder / "run.json").read_text("utf-8") != first
    if judged_otherwise and not (folder / FIRST_JUDGEMENT).exists():
        RunFolder(folder).write_text(FIRST_JUDGEMENT, first)
    write_junit(folder, run)
    write_summary(folder, run)
    if sealed:
        seal(folder)
    return run
