"""The commands and their flags; each imports its rooms only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from evidence import exit_codes
from ocppj.errors import UsageError
from ocppj.versions import Version
from plugstorm.errors import guarded

__all__ = ["app", "main"]

app = typer.Typer(
    name="plugstorm",
    help="Storm an OCPP-J CSMS with virtual charge points, and check that it speaks the protocol.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Url = Annotated[
    str | None,
    typer.Option(
        metavar="WS_URL",
        help="Address of the CSMS; the identity follows after a slash, or where {id} stands. "
        "Without it the practice CSMS is started and tested.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the run.", show_default="runs/<UTC time>-<kind>")
]
Password = Annotated[
    str | None,
    typer.Option(envvar="PLUGSTORM_PASSWORD", help="Password of the stations (HTTP Basic).", show_default=False),
]
Ca = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Root that signed the CSMS' certificate.", show_default="those of the system"),
]
SourceAddress = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IP[-IP]",
        help="Local address, or a range, to connect from; may be repeated.",
        show_default="the system's",
    ),
]
Owned = Annotated[
    list[str] | None,
    typer.Option(
        "--i-own-this-target",
        metavar="HOST",
        envvar="PLUGSTORM_I_OWN_THIS_TARGET",
        help="Host of the CSMS, where it is not this machine: you may test it.",
        show_default=False,
    ),
]
Slo = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="YAML file of objectives; a missed one gives exit code 1.", show_default="none"),
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON to the standard output.")]


class Mode(StrEnum):
    """The modes of the practice CSMS."""

    STRICT = "strict"
    LENIENT = "lenient"


Work = Callable[[], int]
"""What a command is to do, and the exit code that it ends with."""


def main() -> None:
    """Run the command line and leave with the exit code of `evidence.exit_codes`."""
    sys.exit(guarded(_run))


def _run() -> int:
    # A command only says what is to be done: typer would take a closed pipe or Ctrl-C for an error of its own.
    chosen: Work | int | None = app(prog_name="plugstorm", standalone_mode=False)
    return chosen() if callable(chosen) else chosen or exit_codes.PASSED


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        typer.echo(f"plugstorm {metadata.version('plugstorm')}")
        raise typer.Exit


@app.callback()
def _plugstorm(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(exit_codes.USAGE)


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
def load(
    *,
    url: Url = None,
    ocpp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION[=WEIGHT]", help="OCPP version of the stations; repeat it for a mix.", show_default="1.6"
        ),
    ] = None,
    stations: Annotated[int, typer.Option(min=1, help="How many virtual charge points.")] = 100,
    spawn_rate: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="RATE", help="Stations that start in a second.", show_default="all in 10 s"),
    ] = None,
    duration: Annotated[
        str, typer.Option(metavar="TIME", help="Length of the run with its ramp: 60s, 5m, 1h30m.")
    ] = "60s",
    profile: Annotated[str, typer.Option(metavar="NAME|FILE", help="What the stations do all day.")] = "quick",
    time_compression: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="K", help="Seconds of the profile's day in a second.", show_default="profile"),
    ] = None,
    start_at: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="Time of the profile's day at the begin.", show_default="its busiest"),
    ] = None,
    storm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[@TIME][,KEY=VALUE]|FILE",
            help="What strikes the stations while they live, as in csms-restart@60s,down=5s; may be repeated. "
            "plugstorm storm --list names them.",
            show_default="none",
        ),
    ] = None,
    slo: Slo = None,
    driver: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="How the CSMS is made to send commands: a preset or a YAML file.",
            show_default="http with --control-url, else none",
        ),
    ] = None,
    control_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of the CSMS' own API.", show_default=False)
    ] = None,
    driver_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable of the driver file; may be repeated.", show_default=False),
    ] = None,
    commands: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Commands for the CSMS to send, a YAML list.", show_default="those of the profile"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the stations.")] = 1,
    source_address: SourceAddress = None,
    owned: Owned = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what the run would do and need; nothing is sent.")
    ] = False,
    heartbeat: Annotated[
        float | None,
        typer.Option(min=1, metavar="S", help="With --dry-run: what the CSMS asks for.", show_default="300"),
    ] = None,
    trace_share: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of the stations whose frames go to traces/."),
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="With --dry-run, as JSON.")] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same schedule.", show_default="drawn")
    ] = None,
    ui: Annotated[bool, typer.Option("--ui", help="Open Locust's web UI while the run goes on.")] = False,
    ui_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the web UI.")] = 8089,
    out: Out = None,
    ca: Ca = None,
    password: Password = None,
    station_list: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Registered stations: identity, token, password.", show_default="made up"),
    ] = None,
    identity_pattern: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="How stations are called.", show_default="CP{n:06d}")
    ] = None,
    locust: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- LOCUST OPTION...]", help="Further options of the load test, after two dashes."),
    ] = None,
) -> Work:
    """Storm a CSMS with virtual charge points; one run folder with latencies, outcomes and the generator's verdict."""
    from plugstorm import load_command  # noqa: PLC0415

    wanted = load_command.Wanted(
        url=url,
        ocpp=tuple(ocpp or ()),
        stations=stations,
        spawn_rate=spawn_rate,
        duration=load_command.parse_duration(duration),
        profile=profile,
        time_compression=time_compression,
        start_at=start_at,
        workers=workers,
        seed=seed,
        ui_port=ui_port if ui else None,
        out=out,
        password=password,
        ca=ca,
        station_list=station_list,
        identity_pattern=identity_pattern,
        slo=slo,
        driver=driver,
        control_url=control_url,
        driver_options=tuple(driver_option or ()),
        commands=commands,
        owned=tuple(owned or ()),
        source_addresses=tuple(source_address or ()),
        trace_share=trace_share,
        storms=tuple(storm or ()),
        locust=tuple(locust or ()),
    )
    if dry_run:
        from plugstorm import forecast_command  # noqa: PLC0415

        return lambda: forecast_command.run(wanted, interval=heartbeat, as_json=json)
    if json or heartbeat:
        flag = "--json" if json else "--heartbeat"
        raise UsageError(f"{flag} belongs to --dry-run; the result of a run is run.json in its folder")
    return lambda: load_command.run(wanted)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def storm(
    context: typer.Context,
    *,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="RUN_DIR", help="Folder of a load test that is running.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME [--KEY VALUE...]", help="Storm and its parameters.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the storms and their parameters, and exit.")] = False,
    json: Json = False,
) -> Work:
    """Let a storm loose on the stations of a load test that is running, as in storm runs/x lb-drain --batches 5."""
    from plugstorm import storm_command  # noqa: PLC0415

    if list_:
        return lambda: storm_command.show(as_json=json)
    return lambda: storm_command.run(folder, name, context.args, as_json=json)


@app.command()
def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter and with smaller fleets, for a first look.")] = False,
    scale: Annotated[
        bool, typer.Option("--scale", help="Also 15,000 stations in one worker, and 50,000 in three.")
    ] = False,
    engine: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this engine and the ceiling; may be repeated.", show_default="all"),
    ] = None,
    out: Out = None,
    json: Json = False,
) -> Work:
    """Compare the load engine with others against the same sink: CALL/s, processor time, memory, connects."""
    from plugstorm import bench_command  # noqa: PLC0415

    wanted = bench_command.Wanted(quick=quick, scale=scale, as_json=json, out=out, engines=tuple(engine or ()))
    return lambda: bench_command.run(wanted)


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


@app.command()
def capacity(
    *,
    url: Url = None,
    slo: Annotated[Path, typer.Option(metavar="FILE", help="YAML file of objectives.", show_default=False)],
    ocpp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION[=WEIGHT]", help="OCPP version of the stations; repeat it for a mix.", show_default="1.6"
        ),
    ] = None,
    max_stations: Annotated[int, typer.Option(min=1, help="The largest fleet to try.")] = 10_000,
    start: Annotated[int, typer.Option(min=1, help="The first fleet to try.")] = 50,
    hold: Annotated[str, typer.Option(metavar="TIME", help="How long each fleet is measured.")] = "30s",
    settle: Annotated[float, typer.Option(min=0, metavar="S", help="From the last start to the measurement.")] = 10,
    pause: Annotated[float, typer.Option(min=0, metavar="S", help="Between two runs.")] = 5,
    precision: Annotated[
        float, typer.Option(min=0.001, max=0.5, metavar="SHARE", help="How close the result is to be.")
    ] = 0.05,
    spawn_rate: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="RATE", help="Stations that start in a second.", show_default="all in 10 s"),
    ] = None,
    profile: Annotated[str, typer.Option(metavar="NAME|FILE", help="What the stations do all day.")] = "quick",
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the stations.")] = 1,
    source_address: SourceAddress = None,
    owned: Owned = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same schedule.", show_default="drawn")
    ] = None,
    out: Out = None,
    ca: Ca = None,
    password: Password = None,
    station_list: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Registered stations: identity, token, password.", show_default="made up"),
    ] = None,
    identity_pattern: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="How stations are called.", show_default="CP{n:06d}")
    ] = None,
    json: Json = False,
) -> Work:
    """Find how many stations a CSMS holds within its objectives: doubling, bisection, repeats at the knee."""
    from plugstorm import capacity_command, load_command  # noqa: PLC0415

    wanted = load_command.Wanted(
        url=url,
        ocpp=tuple(ocpp or ()),
        stations=start,
        spawn_rate=spawn_rate,
        duration=load_command.parse_duration(hold, "--hold"),
        profile=profile,
        workers=workers,
        seed=seed,
        ui_port=None,
        out=out,
        password=password,
        ca=ca,
        station_list=station_list,
        identity_pattern=identity_pattern,
        slo=slo,
        owned=tuple(owned or ()),
        source_addresses=tuple(source_address or ()),
        locust=(),
    )
    plan = capacity_command.Plan(
        most=max_stations,
        start=start,
        hold=float(wanted.duration),
        settle=settle,
        pause=pause,
        precision=precision,
    )
    return lambda: capacity_command.run(wanted, plan, as_json=json)


@app.command()
def calibrate(
    *,
    plan: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help='A run in mind, as in "20000 stations, steady, 500/s".', show_default="none"),
    ] = None,
    stations: Annotated[
        int | None, typer.Option(min=1, help="Stations of the run in mind.", show_default="none")
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Its profile.", show_default="quick")] = None,
    try_: Annotated[int, typer.Option("--try", min=1, metavar="N", help="Stations that are really connected.")] = 2000,
    busy: Annotated[
        int, typer.Option(min=1, metavar="N", help="Stations of the busy run, ten CALLs a second each.")
    ] = 300,
    seconds: Annotated[int, typer.Option(min=6, metavar="S", help="Length of each of the two runs.")] = 12,
    out: Out = None,
    json: Json = False,
) -> Work:
    """Measure what this machine can generate, and say how many workers a run needs."""
    from loadtest.calibrate import Plan, read_plan  # noqa: PLC0415
    from plugstorm import calibrate_command  # noqa: PLC0415

    if plan is not None and (stations is not None or profile is not None):
        raise UsageError("--plan says how many stations and which profile; leave --stations and --profile out")
    if profile is not None and stations is None:
        raise UsageError("--profile needs --stations: how many of them would the run have?")
    wanted = read_plan(plan) if plan is not None else None
    if stations is not None:
        wanted = Plan(stations=stations, profile=profile or "quick")
    effort = calibrate_command.Effort(stations=try_, busy_stations=busy, seconds=seconds)
    return lambda: calibrate_command.run(effort, wanted, out=out, as_json=json)


@app.command()
def report(
    *,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of finished runs.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the page goes.", show_default="report.html in or beside the folders"),
    ] = None,
    judge_again: Annotated[
        bool, typer.Option("--judge-again", help="Judge again from traces and ledgers, without the CSMS.")
    ] = False,
    json: Json = False,
) -> Work:
    """Write report.html from finished runs; several make one page."""
    from plugstorm import report_command  # noqa: PLC0415

    return lambda: report_command.report(folders, out=out, judge_again=judge_again, as_json=json)


@app.command("check-trace")
def check_trace(
    *,
    places: Annotated[list[Path], typer.Argument(metavar="RUN|FILE...", help="Load runs, or trace files.")],
    call_timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="S", help="When a CALL counts as unanswered.", show_default="the run's"),
    ] = None,
    json: Json = False,
) -> Work:
    """Check every frame that the traced stations of a load run sent against OCPP; exit code 1 when one is wrong."""
    from plugstorm import trace_command  # noqa: PLC0415

    return lambda: trace_command.run(places, call_timeout=call_timeout, as_json=json)


@app.command()
def compare(
    *,
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Folder of the run before.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the run after.")],
    tolerance: Annotated[float, typer.Option(min=0, metavar="SHARE", help="How far a latency may move.")] = 0.10,
    floor: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Smaller movements of a latency say nothing.")
    ] = 0.5,
    json: Json = False,
) -> Work:
    """Tell what got worse between two runs of one kind; exit code 1 when something did."""
    from plugstorm import report_command  # noqa: PLC0415

    return lambda: report_command.compare_folders(base, new, tolerance=tolerance, floor_ms=floor, as_json=json)
