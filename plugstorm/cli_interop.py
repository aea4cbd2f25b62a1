"""The commands about correctness: the practice CSMS, the interop suite, and the proof of the checker."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from interop_suite.run.request import InteropRequest
from ocppj.errors import UsageError
from ocppj.versions import Version
from plugstorm.flags import Json, Owned, Work, app
from plugstorm.interop_flags import takes_request

__all__: list[str] = []


class Mode(StrEnum):
    """The modes of the practice CSMS."""

    STRICT = "strict"
    LENIENT = "lenient"


@app.command()
def csms(
    *,
    host: Annotated[
        str, typer.Option(metavar="IP", help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port for stations; 0 takes a free one.")] = 9000,
    control_port: Annotated[int, typer.Option(min=0, max=65_535, help="HTTP port; 0 takes a free one.")] = 9001,
    tls_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Second port for stations, with TLS.", show_default="none"),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Broker by which stations may come, too: mqtt:// or mqtts://.", show_default="none"
        ),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE", help="How OCPP is written over MQTT; may be repeated.", show_default="all"),
    ] = None,
    mqtt_ocpp: Annotated[
        Version, typer.Option(help="What stations speak in a dialect whose topics do not say so.")
    ] = Version.V16,
    mqtt_ca: Annotated[
        str | None, typer.Option(metavar="PEM", help="Root that signed the broker's certificate.", show_default="none")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="To the letter, or with every freedom that the texts leave.")
    ] = Mode.STRICT,
    defect: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Be wrong in this way; may be repeated.", show_default="none"),
    ] = None,
    latency: Annotated[float, typer.Option(min=0, metavar="MS", help="Hold every answer back, in ms.")] = 0,
    trouble_after: Annotated[
        float, typer.Option(min=0, metavar="S", help="When a defect of --defect load-… begins, where it begins late.")
    ] = 5,
    list_defects: Annotated[bool, typer.Option("--list-defects", help="List the defects and exit.")] = False,
    json: Json = False,
) -> Work:
    """Run the practice CSMS until Ctrl-C."""
    from fixtures.csms.__main__ import main as run_csms  # noqa: PLC0415 - each command loads only its own rooms

    words = [f"--host={host}", f"--port={port}", f"--control-port={control_port}"]
    words += [f"--mode={mode}", f"--latency={latency}", f"--trouble-after={trouble_after}"]
    words += [f"--tls-port={tls_port}"] if tls_port is not None else []
    words += [f"--mqtt={mqtt}"] if mqtt is not None else []
    words += [f"--dialect={name}" for name in dialect or ()]
    words += [f"--mqtt-ocpp={mqtt_ocpp}"]
    words += [f"--mqtt-ca={mqtt_ca}"] if mqtt_ca is not None else []
    words += [f"--defect={name}" for name in defect or ()]
    words += ["--list-defects"] if list_defects else []
    words += ["--json"] if json else []
    return lambda: run_csms(words)


@app.command()
@takes_request
def interop(
    request: InteropRequest,
    *,
    operations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OPERATION]...",
            help="With --check-driver: try only these, such as trigger:Reset or token:Blocked.",
            show_default="all",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes share the cases.")] = 1,
    owned: Owned = None,
    list_: Annotated[bool, typer.Option("--list", help="List the selected cases and exit.")] = False,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", help="With --list: how much of the OCA's certification list exists, by profile and block."
        ),
    ] = False,
    features_template: Annotated[
        bool, typer.Option("--features-template", help="Instead, print a file for --features, to be cut down.")
    ] = False,
    check_driver: Annotated[
        bool, typer.Option("--check-driver", help="Instead, try the operations of the driver alone.")
    ] = False,
    json: Json = False,
) -> Work:
    """Check that a CSMS speaks OCPP-J as the specification says; one run folder with verdicts and traces."""
    from plugstorm import interop_command  # noqa: PLC0415 - each command loads only its own rooms

    if features_template:
        return interop_command.print_features_template
    request = interop_command.resolve_again(request)
    interop_command.refuse_details_without_url(request)
    if check_driver:
        return lambda: interop_command.check(request, operations or (), as_json=json)
    if operations:
        raise UsageError(f"unexpected word {operations[0]}; operations are for --check-driver")
    if coverage and not list_:
        raise UsageError("--coverage belongs to --list; a run shows its coverage in the report")
    if list_:
        return lambda: interop_command.show_list(request, coverage=coverage, as_json=json)
    return lambda: interop_command.run(request, owned=owned or (), jobs=jobs, as_json=json)


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
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Instead, try systematic mutants, which no case was written for.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Try so many defects, or mutants evenly over their kinds, that are drawn.",
            show_default="all",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of that draw.", show_default="drawn")] = None,
    with_mutants: Annotated[
        int, typer.Option(min=0, metavar="N", help="Besides the defects, try N mutants, evenly over their kinds.")
    ] = 0,
    only: Annotated[
        str, typer.Option(metavar="PATTERN", help="Mutants to try, such as '1.6/answer/Authorize/*'.")
    ] = "*",
    floor: Annotated[
        int, typer.Option(min=0, max=100, metavar="PERCENT", help="The score of the mutants that is still good enough.")
    ] = 0,
    json: Json = False,
) -> Work:
    """Check the checker: every case against the practice CSMS, strict, lenient, and wrong in one way at a time."""
    from plugstorm import selftest_command  # noqa: PLC0415

    if mutants:
        return lambda: selftest_command.mutants(size=sample, seed=seed, only=only, jobs=jobs, floor=floor, as_json=json)
    if flake is not None:
        return lambda: selftest_command.flake(repeat=flake, jobs=jobs, as_json=json)
    return lambda: selftest_command.run(
        defects=defect,
        size=sample,
        seed=seed,
        with_mutants=with_mutants,
        floor=floor,
        full=full,
        jobs=jobs,
        as_json=json,
    )
