"""`plugstorm interop`: run the cases, then write everything that a person or a CI reads."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console

from evidence import exit_codes
from interop_suite.main import list_cases, list_coverage, run_interop
from interop_suite.run.again import resolve_again
from interop_suite.run.driver_check import check_driver, check_table, exit_code_of
from interop_suite.run.features import features_template
from interop_suite.run.request import FIELDS, InteropRequest
from ocppj.errors import UsageError
from ocppj.identity import check_owned, check_target_url
from plugstorm.finish import finish
from reports.coverage_text import print_coverage

__all__ = [
    "ListedCase",
    "check",
    "print_features_template",
    "refuse_details_without_url",
    "resolve_again",
    "run",
    "show_list",
]


class ListedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case as `--list --json` shows it."""

    id: str
    ocpp: str
    title: str
    level: str
    clause: str
    profile: str
    initiator: str
    defect: str
    block: str
    sends: str
    expects: str
    needs: str
    certification: str
    withdrawn: str


def refuse_details_without_url(request: InteropRequest) -> None:
    """Raise `UsageError` for flags that say something about a CSMS which is not named."""
    unset = InteropRequest()
    if request.url is None:
        for field in FIELDS:
            if field.describes_csms and getattr(request, field.name) != getattr(unset, field.name):
                raise UsageError(
                    f"{field.flag} describes a CSMS; name it with --url, or leave both out for the practice CSMS"
                )


def check(request: InteropRequest, operations: Sequence[str], *, as_json: bool) -> int:
    """Try some operations of the driver alone, or every one, and return the exit code."""
    checked = check_driver(request, operations)
    if as_json:
        _print_json(checked)
    else:
        Console().print(check_table(checked))
    return exit_code_of(checked)


def print_features_template() -> int:
    """Print a file of features that claims everything; return the exit code."""
    sys.stdout.write(features_template())
    return exit_codes.PASSED


def show_list(request: InteropRequest, *, coverage: bool, as_json: bool) -> int:
    """List the selected cases, or count how much of the certification list exists; return the exit code."""
    if coverage:
        counted = list_coverage(request)
        if as_json:
            _print_json(counted)
        else:
            print_coverage(counted, Console())
        return exit_codes.PASSED
    _show_cases(list_cases(request), as_json=as_json)
    return exit_codes.PASSED


def run(request: InteropRequest, *, owned: Sequence[str] = (), jobs: int, as_json: bool) -> int:
    """Run the selected cases and return the exit code; `owned` are hosts that may be tested."""
    for url in (request.url, request.tls_url):
        if url is not None:
            check_owned(check_target_url(url, mqtt=True), owned)
    finished = run_interop(request, jobs=jobs, write=_say if as_json else print)
    finish(finished.folder, finished.run, as_json=as_json)
    return finished.exit_code


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())  # noqa: T201 - this is a command


def _show_cases(cases: Sequence[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        _print_json(msgspec.convert(cases, list[ListedCase]))
        return
    columns = ("ocpp", "id", "level", "profile")
    widths = {column: max(len(case[column]) for case in cases) for column in columns}
    for case in cases:
        print("  ".join(case[column].ljust(widths[column]) for column in columns), "", case["title"])  # noqa: T201
