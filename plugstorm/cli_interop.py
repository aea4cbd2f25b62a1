"""The commands about correctness: the practice CSMS, the interop suite, and the proof of the checker."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ocppj.versions import Version
from plugstorm.flags import Ca, Json, Out, Owned, Password, Url, Work, app

__all__: list[str] = []


class Mode(StrEnum):
    """The modes of the practice CSMS."""

    STRICT = "strict"
    LENIENT = "lenient"


@app.command()
def csms(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port for stations; 0 takes a free one.")] = 9000,
    control_port: Annotated[int, typer.Option(min=0, max=65_535, help="HTTP port; 0 takes a free one.")] = 9001,
    tls_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Second port for stations, with TLS.", show_default="none"),
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="To the letter, or with every freedom that the texts leave.")
    ] = Mode.STRICT,
    defect: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Be wrong in this way; may be repeated.", show_default="none"),
    ] = None,
    latency: Annotated[float, typer.Option(min=0, metavar="MS", help="Hold every answer back, in ms.")] = 0,
    list_defects: Annotated[bool, typer.Option("--list-defects", help="List the defects and exit.")] = False,
    json: Json = False,
) -> Work:
    """Run the practice CSMS until Ctrl-C."""
    from fixtures.csms.__main__ import main as run_csms  # noqa: PLC0415 - each command loads only its own rooms

    words = [f"--port={port}", f"--control-port={control_port}", f"--mode={mode}", f"--latency={latency}"]
    words += [f"--tls-port={tls_port}"] if tls_port is not None else []
    words += [f"--defect={name}" for name in defect or ()]
    words += ["--list-defects"] if list_defects else []
    words += ["--json"] if json else []
    return lambda: run_csms(words)


@app.command()
def interop(
    *,
    url: Url = None,
    ocpp: Annotated[
        list[Version] | None, typer.Option(help="Version to test; may be repeated.", show_default="all that have cases")
    ] = None,
    driver: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="How to reach the CSMS' controls.",
            show_default="http with --control-url, else none",
        ),
    ] = None,
    driver_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What the driver asks for; may be repeated.", show_default="none"),
    ] = None,
    control_url: Annotated[
        str | None, typer.Option(metavar="HTTP_URL", help="Address of the control API.", show_default=False)
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR",
            help="Cases: ids or their beginnings, block:…, profile:…, level:…, separated by commas; ! takes away.",
            show_default="all",
        ),
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of declared failures.", show_default="none")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes share the cases.")] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Earlier run, for a driver that asks a person: take its answers.", show_default="none"
        ),
    ] = None,
    out: Out = None,
    list_: Annotated[bool, typer.Option("--list", help="List the selected cases and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --list or --check-driver, as JSON.")] = False,
    tls_url: Annotated[
        str | None, typer.Option(metavar="WSS_URL", help="TLS address of the same CSMS.", show_default=False)
    ] = None,
    ca: Ca = None,
    owned: Owned = None,
    identity: Annotated[
        list[str] | None,
        typer.Option(help="Station that the CSMS knows; may be repeated.", show_default="made up for each case"),
    ] = None,
    password: Password = None,
    token: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS=ID", help="Token that the CSMS knows; may be repeated.", show_default="none"),
    ] = None,
    model: Annotated[str, typer.Option(help="Station model that the cases play.")] = "ac-dual",
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Patience with every answer.")] = 10,
    repeat: Annotated[
        int, typer.Option(min=1, metavar="N", help="Run each case N times; with --jobs, a small load.")
    ] = 1,
    strict_order: Annotated[
        bool, typer.Option("--strict-order", help="Fail on CALLs that no case asked for, as the OCA's tool does.")
    ] = False,
    check_driver: Annotated[
        bool, typer.Option("--check-driver", help="Instead, try every operation of the driver alone.")
    ] = False,
) -> Work:
    """Check that a CSMS speaks OCPP-J as the specification says; one run folder with verdicts and traces."""
    from plugstorm import interop_command  # noqa: PLC0415

    wanted = interop_command.settings(
        url=url,
        ocpp=ocpp or (),
        driver=driver,
        driver_options=driver_option or (),
        control_url=control_url,
        resume=resume,
        select=select,
        expect=expect,
        out=out,
        tls_url=tls_url,
        ca=ca,
        identities=identity or (),
        password=password,
        tokens=token or (),
        model=model,
        timeout=timeout,
        repeat=repeat,
        strict_order=strict_order,
    )
    if check_driver:
        return lambda: interop_command.check(wanted, as_json=json)
    return lambda: interop_command.run(wanted, owned=owned or (), jobs=jobs, only_list=list_, as_json=json)


@app.command()
def selftest(
    *,
    defect: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Try only this defect; may be repeated.", show_default="all")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Try each defect on every case, also where it cannot be seen.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="How many cases run at the same time in each of two processes.")
    ] = 24,
    flake: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Instead, run every case N times beside busy processes: no verdict may change.",
            show_default="off",
        ),
    ] = None,
    json: Json = False,
) -> Work:
    """Check the checker: every case against the practice CSMS, strict, lenient, and wrong in one way at a time."""
    from plugstorm import selftest_command  # noqa: PLC0415

    if flake is not None:
        return lambda: selftest_command.flake(repeat=flake, jobs=jobs, as_json=json)
    return lambda: selftest_command.run(defects=defect, full=full, jobs=jobs, as_json=json)
