"""`plugstorm interop`: run the cases, then write everything that a person or a CI reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from config.assignments import assignments
from config.errors import ConfigError
from evidence.run_folder import read_run
from interop_suite.main import list_cases, run_interop
from interop_suite.run.driver_check import check_driver, check_table, exit_code_of
from interop_suite.run.options import Settings
from ocppj.errors import UsageError, as_usage_error
from ocppj.identity import check_owned, check_target_url
from plugstorm.finish import finish

__all__ = ["check", "run", "settings"]


def settings(
    *,
    url: str | None,
    ocpp: Iterable[str],
    driver: str | None,
    driver_options: Sequence[str],
    control_url: str | None,
    resume: Path | None,
    select: str | None,
    expect: Path | None,
    out: Path | None,
    tls_url: str | None,
    ca: Path | None,
    identities: Sequence[str],
    password: str | None,
    tokens: Sequence[str],
    model: str,
    timeout: float,
    repeat: int,
    strict_order: bool,
) -> Settings:
    """Put the flags into the suite's own settings; raises `UsageError` for flags that say nothing together."""
    about_a_csms = {
        "--driver": driver,
        "--driver-option": driver_options,
        "--resume": resume,
        "--control-url": control_url,
        "--tls-url": tls_url,
        "--ca": ca,
        "--identity": identities,
        "--token": tokens,
    }
    if url is None:
        for flag, value in about_a_csms.items():
            if value:
                raise UsageError(
                    f"{flag} describes a CSMS; name it with --url, or leave both out for the practice CSMS"
                )
    return Settings(
        url=url,
        tls_url=tls_url,
        ca_file=None if ca is None else str(ca),
        ocpp=[str(version) for version in ocpp],
        driver=driver,
        driver_options=_assignments("--driver-option", driver_options, "base=http://127.0.0.1:8080"),
        control_url=control_url,
        resume=None if resume is None else str(resume),
        select=select,
        expect=None if expect is None else str(expect),
        out=None if out is None else str(out),
        password=password,
        identities=list(identities),
        tokens=_assignments("--token", tokens, "Accepted=04A1B2C3D4E5F6"),
        timeout=timeout,
        model=model,
        repeat=repeat,
        strict_order=strict_order,
    )


def _assignments(flag: str, texts: Sequence[str], example: str) -> dict[str, str]:
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return assignments(texts, example)


def check(wanted: Settings, *, as_json: bool) -> int:
    """Try every operation of the driver alone and return the exit code."""
    checked = check_driver(wanted)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode())  # noqa: T201 - this is a command
    else:
        Console().print(check_table(checked))
    return exit_code_of(checked)


def run(wanted: Settings, *, owned: Sequence[str] = (), jobs: int, only_list: bool, as_json: bool) -> int:
    """Run or list the selected cases and return the exit code; `owned` are hosts that may be tested."""
    if only_list:
        _show_cases(list_cases(wanted), as_json=as_json)
        return 0
    if as_json:
        raise UsageError("--json belongs to --list and --check-driver; the result of a run is run.json in its folder")
    for url in (wanted.url, wanted.tls_url):
        if url is not None:
            check_owned(check_target_url(url), owned)
    folder, code = run_interop(wanted, jobs=jobs)
    finish(folder, read_run(folder))
    return code


def _show_cases(cases: Sequence[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(cases), indent=2).decode())  # noqa: T201 - this is a command
        return
    columns = ("ocpp", "id", "level", "profile")
    widths = {column: max(len(case[column]) for case in cases) for column in columns}
    for case in cases:
        print("  ".join(case[column].ljust(widths[column]) for column in columns), "", case["title"])  # noqa: T201
