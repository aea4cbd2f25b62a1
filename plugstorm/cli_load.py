"""The commands about load: runs, storms, and what a CSMS, this machine and the engine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocppj.errors import UsageError
from plugstorm.flags import Ca, Json, Out, Owned, Password, Slo, SourceAddress, Url, Work, app

__all__: list[str] = []


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
    from plugstorm import load_command  # noqa: PLC0415 - each command loads only its own rooms

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
    from evidence.capacity_model import CapacityPlan  # noqa: PLC0415
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
    plan = CapacityPlan(
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
    from loadtest.planning.calibrate import Plan, read_plan  # noqa: PLC0415
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
