"""The commands about load: runs, storms, and what a CSMS, this machine and the engine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from loadtest.locust_edge.option_words import read_duration, read_rate
from loadtest.locust_edge.request import LoadRequest
from ocppj.errors import UsageError
from plugstorm.cluster import place_of
from plugstorm.flags import Json, Out, Work, app, takes_request

__all__: list[str] = []

_UI_ENDS = ("--autoquit", "0")
"""Words of Locust: its web UI goes with the run."""


@app.command()
@takes_request()
def load(
    request: LoadRequest,
    *,
    ui: Annotated[bool, typer.Option("--ui", help="Open Locust's web UI while the run goes on.")] = False,
    ui_stay: Annotated[
        bool, typer.Option("--ui-stay", help="As --ui, and the page stays when the run is over, until Ctrl-C.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the run would send and need, and exit.")
    ] = False,
    heartbeat: Annotated[
        float | None,
        typer.Option(min=1, metavar="S", help="With --dry-run: what the CSMS asks for.", show_default="300"),
    ] = None,
    master: Annotated[
        bool, typer.Option("--master", help="Lead workers on other machines; --workers says how many will come.")
    ] = False,
    worker: Annotated[
        bool,
        typer.Option("--worker", help="Be workers of a master elsewhere; --workers says how many."),
    ] = False,
    master_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="With --worker: address of the master.", show_default=False)
    ] = None,
    master_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, metavar="PORT", help="Where master and workers meet.", show_default="5557"),
    ] = None,
    master_bind: Annotated[
        str | None, typer.Option(metavar="IP", help="With --master: address to listen on.", show_default="every one")
    ] = None,
    json: Json = False,
    locust: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- LOCUST OPTION...]", help="Further options of the load test, after two dashes."),
    ] = None,
) -> Work:
    """Storm a CSMS with virtual charge points; one run folder with latencies, outcomes and the generator's verdict."""
    is_shown = ui or ui_stay
    at_end = _UI_ENDS if ui and not ui_stay else ()
    request = msgspec.structs.replace(request, ui_port=request.ui_port if is_shown else None)
    request = request.and_words([*at_end, *(locust or ())])
    place = place_of(request, master=master, worker=worker, master_host=master_host, bind=master_bind, port=master_port)
    if place is not None and place.role == "worker":
        from plugstorm import load_command  # noqa: PLC0415 - each command loads only its own rooms

        if dry_run or json:
            raise UsageError("--dry-run and --json belong to the master, which has the result")
        return lambda: load_command.work(request, place)
    if dry_run:
        from plugstorm import forecast_command  # noqa: PLC0415 - each command loads only its own rooms

        return lambda: forecast_command.run(request, interval=heartbeat, as_json=json)
    if heartbeat:
        raise UsageError("--heartbeat belongs to --dry-run; in a run the CSMS says how often")
    from plugstorm import load_command  # noqa: PLC0415

    return lambda: load_command.run(request, as_json=json, place=place)


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
    """Start a storm in a load test that is running, as in storm runs/x lb-drain --batches 5."""
    from plugstorm import storm_command  # noqa: PLC0415

    if list_:
        return lambda: storm_command.show(as_json=json)
    return lambda: storm_command.run(folder, name, context.args, as_json=json)


@app.command()
@takes_request(
    without={
        "stations",
        "duration",
        "stages",
        "abort_when",
        "register",
        "arrival_rate",
        "time_compression",
        "start_at",
        "storms",
        "trace_share",
        "ui_port",
        "warm_up",
        "cool_down",
    },
    required={"slo"},
)
def capacity(
    request: LoadRequest,
    *,
    search: Annotated[
        str, typer.Option(metavar="stations|sessions|commands", help="What to search: a fleet, or a rate.")
    ] = "stations",
    max_stations: Annotated[int, typer.Option(min=1, help="The largest fleet to try.")] = 10_000,
    start: Annotated[int, typer.Option(min=1, help="The first fleet to try.")] = 50,
    max_rate: Annotated[
        str, typer.Option(metavar="RATE", help="The highest rate of sessions or commands to try.")
    ] = "1000/s",
    start_rate: Annotated[str, typer.Option(metavar="RATE", help="The first rate to try.")] = "5/s",
    fleet: Annotated[int, typer.Option(min=1, help="Stations of a search for a rate, at least.")] = 100,
    hold: Annotated[str, typer.Option(metavar="TIME", help="How long each load is measured.")] = "30s",
    settle: Annotated[float, typer.Option(min=0, metavar="S", help="From the last start to the measurement.")] = 10,
    pause: Annotated[float, typer.Option(min=0, metavar="S", help="Between two runs.")] = 5,
    precision: Annotated[
        float, typer.Option(min=0.001, max=0.5, metavar="SHARE", help="How close the result is to be.")
    ] = 0.05,
    json: Json = False,
) -> Work:
    """Find how many stations, sessions/s or commands/s a CSMS holds: doubling, bisection, repeats at the knee."""
    from evidence.capacity_model import CapacityPlan  # noqa: PLC0415
    from plugstorm import capacity_command  # noqa: PLC0415

    searched = capacity_command.read_search(search)
    is_fleet = searched == "stations"
    plan = CapacityPlan(
        most=max_stations if is_fleet else read_rate(max_rate, "--max-rate"),
        start=start if is_fleet else read_rate(start_rate, "--start-rate"),
        hold=float(read_duration(hold, "--hold")),
        settle=settle,
        pause=pause,
        precision=precision,
        search=searched,
        fleet=0 if is_fleet else fleet,
    )
    return lambda: capacity_command.run(request, plan, as_json=json)


@app.command()
def calibrate(
    *,
    plan: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help='A planned run, as in "20000 stations, steady, 500/s".', show_default="none"),
    ] = None,
    stations: Annotated[
        int | None, typer.Option(min=1, help="Stations of the planned run.", show_default="none")
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Its profile.", show_default="quick")] = None,
    try_: Annotated[int, typer.Option("--try", min=1, metavar="N", help="How many stations to connect.")] = 2000,
    busy: Annotated[
        int, typer.Option(min=1, metavar="N", help="Stations of the busy run; each sends ten CALLs a second.")
    ] = 300,
    seconds: Annotated[int, typer.Option(min=6, metavar="S", help="Length of each of the two runs.")] = 12,
    dialect: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Over MQTT, in this dialect.", show_default="over WebSocket"),
    ] = None,
    mqtt_connections: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --dialect: stations share N connections.", show_default="none"),
    ] = None,
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
    in_mind = read_plan(plan) if plan is not None else None
    if stations is not None:
        in_mind = Plan(stations=stations, profile=profile or "quick")
    if mqtt_connections is not None and dialect is None:
        raise UsageError("--mqtt-connections needs --dialect; over WebSocket each station has its own connection")
    effort = calibrate_command.Effort(
        stations=try_, busy_stations=busy, seconds=seconds, dialect=dialect, mqtt_connections=mqtt_connections
    )
    return lambda: calibrate_command.run(effort, in_mind, out=out, as_json=json)


@app.command()
def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter and with smaller fleets, for a first look.")] = False,
    scale: Annotated[
        bool, typer.Option("--scale", help="Also 15,000 stations in one worker, 60,000 in four, and a master of 256.")
    ] = False,
    mqtt: Annotated[bool, typer.Option("--mqtt", help="Only what is about MQTT.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Only this part, in full: engines, fleets, workers (60,000), master or truth; may be repeated.",
            show_default="all",
        ),
    ] = None,
    stations: Annotated[
        int | None, typer.Option(min=1, help="How many in the fleet of several workers.", show_default="60,000")
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this engine and the ceiling; may be repeated.", show_default="all"),
    ] = None,
    out: Out = None,
    json: Json = False,
) -> Work:
    """Compare the load engine with others against the same sink: CALL/s, processor time, memory, connects."""
    from plugstorm import bench_command  # noqa: PLC0415

    request = bench_command.BenchRequest(
        quick=quick,
        scale=scale,
        mqtt=mqtt,
        as_json=json,
        out=out,
        engines=tuple(engine or ()),
        only=tuple(only or ()),
        stations=stations,
    )
    return lambda: bench_command.run(request)
