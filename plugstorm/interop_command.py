"""`plugstorm interop`: run the cases, then write everything that a person or a CI reads."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console

from interop_suite.main import list_cases, run_interop
from interop_suite.run.driver_check import check_driver, check_table, exit_code_of
from interop_suite.run.request import FIELDS, InteropRequest
from ocppj.errors import UsageError
from ocppj.identity import check_owned, check_target_url
from plugstorm.finish import finish

__all__ = ["check", "refuse_details_without_url", "run"]


def refuse_details_without_url(request: InteropRequest) -> None:
    """Raise `UsageError` for flags that say something about a CSMS which is not named."""
    unset = InteropRequest()
    if request.url is None:
        for field in FIELDS:
            if field.describes_csms and getattr(request, field.name) != getattr(unset, field.name):
                raise UsageError(
                    f"{field.flag} describes a CSMS; name it with --url, or leave both out for the practice CSMS"
                )


def check(request: InteropRequest, *, as_json: bool) -> int:
    """Try every operation of the driver alone and return the exit code."""
    checked = check_driver(request)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode())  # noqa: T201 - this is a command
    else:
        Console().print(check_table(checked))
    return exit_code_of(checked)


def run(request: InteropRequest, *, owned: Sequence[str] = (), jobs: int, only_list: bool, as_json: bool) -> int:
    """Run or list the selected cases and return the exit code; `owned` are hosts that may be tested."""
    if only_list:
        _show_cases(list_cases(request), as_json=as_json)
        return 0
    if as_json:
        raise UsageError("--json belongs to --list and --check-driver; the result of a run is run.json in its folder")
    for url in (request.url, request.tls_url):
        if url is not None:
            check_owned(check_target_url(url), owned)
    finished = run_interop(request, jobs=jobs)
    finish(finished.folder, finished.run)
    return finished.exit_code


def _show_cases(cases: Sequence[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(cases), indent=2).decode())  # noqa: T201 - this is a command
        return
    columns = ("ocpp", "id", "level", "profile")
    widths = {column: max(len(case[column]) for case in cases) for column in columns}
    for case in cases:
        print("  ".join(case[column].ljust(widths[column]) for column in columns), "", case["title"])  # noqa: T201
