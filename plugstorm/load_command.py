"""`plugstorm load`: Locust as processes of its own, the practice CSMS where no other was named, and the report.

Locust is never imported here, because it monkey-patches the process that imports it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from config.errors import ConfigError
from config.quantities import seconds
from evidence import exit_codes
from evidence.run_folder import RunFolder, read_run
from evidence.verdicts import EXIT_CODES
from loadtest.judging.slo import read_slo
from loadtest.locust_edge.options import read_versions
from loadtest.plugins.commands.setup import check_commands
from loadtest.plugins.quantities import QUANTITIES
from loadtest.workload.commands import read_commands
from loadtest.workload.profile import load_profile
from loadtest.workload.storms import read_storm_words
from ocppj.errors import InconclusiveError, UsageError, as_usage_error
from ocppj.identity import check_owned, check_target_url
from ocppj.versions import Version
from plugstorm.children import run_child
from plugstorm.finish import finish
from plugstorm.forecast_command import check_machine

__all__ = [
    "Wanted",
    "check",
    "environment_of",
    "free_port",
    "locust_command",
    "parse_duration",
    "run",
    "spawn_rate",
    "target_of",
]

_ROOT = Path(__file__).resolve().parent.parent
_LOG = "locust.log"
_DEFAULT_RAMP = 10.0
"""Seconds in which all stations come when no rate was given."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; times in seconds."""

    url: str | None
    ocpp: tuple[str, ...]
    stations: int
    spawn_rate: float | None
    duration: int
    profile: str
    workers: int
    seed: int | None
    ui_port: int | None
    """Port of Locust's web UI; None runs without one."""
    out: Path | None
    password: str | None
    ca: Path | None
    station_list: Path | None
    identity_pattern: str | None
    slo: Path | None = None
    """File of objectives."""
    owned: tuple[str, ...] = ()
    """Hosts beside this machine that may be tested."""
    source_addresses: tuple[str, ...] = ()
    driver: str | None = None
    """A preset or file that reaches the CSMS' own API."""
    control_url: str | None = None
    driver_options: tuple[str, ...] = ()
    commands: Path | None = None
    """File of commands that the CSMS is to send."""
    trace_share: float = 0.0
    """Share of the stations whose frames are written down."""
    time_compression: float | None = None
    """Seconds of the profile's day in a second; None leaves it to the profile."""
    start_at: str | None = None
    """Time of the profile's day at the begin."""
    storms: tuple[str, ...] = ()
    """As `--storm` takes them."""
    locust: tuple[str, ...]
    """Further words for Locust's own command line."""


def parse_duration(text: str, flag: str = "--duration") -> int:
    """Read `90`, `60s`, `5m` or `1h30m` as seconds; raises `UsageError` for anything else and for nothing."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        found = seconds(text)
    if not found or found != int(found):
        raise UsageError(f"{flag} {text} must be whole seconds above zero; write 60s, 5m or 1h30m")
    return int(found)


def spawn_rate(wanted: Wanted) -> float:
    """Return how many stations start in a second."""
    return wanted.spawn_rate or max(1.0, wanted.stations / _DEFAULT_RAMP)


def locust_command(
    wanted: Wanted, *, url: str, out: Path, master_port: int | None, control_url: str | None = None
) -> list[str]:
    """Write Locust's command line; `master_port` is where the workers of a run with several processes meet.

    `control_url` is that of a practice CSMS of our own, which needs no driver to be named.
    """
    rate = spawn_rate(wanted)
    words = [sys.executable, "-m", "locust", "--locustfile", str(_ROOT / "loadtest" / "locustfile.py")]
    words += ["--host", url, "--users", str(wanted.stations), "--spawn-rate", f"{rate:g}"]
    words += ["--run-time", f"{wanted.duration}s", "--out", str(out), "--plugstorm-profile", wanted.profile]
    words += ["--logfile", str(out / _LOG), "--only-summary", "--no-locust-table"]
    for flag, values in (
        ("--ocpp", wanted.ocpp),
        ("--source-address", wanted.source_addresses),
        ("--i-own-this-target", wanted.owned),
        ("--driver-option", wanted.driver_options),
        ("--storm", wanted.storms),
    ):
        words += [word for value in values for word in (flag, value)]
    if wanted.ui_port is None:
        words += ["--headless"]
    else:
        words += ["--autostart", "--web-host", "127.0.0.1", "--web-port", str(wanted.ui_port)]
    if master_port is not None:
        words += ["--processes", str(wanted.workers), "--master-host", "127.0.0.1", "--master-bind-host", "127.0.0.1"]
        words += ["--master-port", str(master_port), "--master-bind-port", str(master_port)]
    optional = {
        "--seed": wanted.seed,
        "--slo": wanted.slo,
        "--trace-share": f"{wanted.trace_share:g}" if wanted.trace_share else None,
        "--tls-ca": wanted.ca,
        "--station-list": wanted.station_list,
        "--identity-pattern": wanted.identity_pattern,
        "--driver": wanted.driver,
        "--control-url": wanted.control_url or control_url,
        "--commands": wanted.commands,
        "--time-compression": wanted.time_compression,
        "--start-at": wanted.start_at,
    }
    for flag, value in optional.items():
        words += [flag, str(value)] if value is not None else []
    return [*words, *wanted.locust]


def run(wanted: Wanted) -> int:
    """Run it and write the report; returns the exit code."""
    check(wanted)
    folder = RunFolder.create(wanted.out, "load")
    try:
        with target_of(wanted.url) as (url, control_url):
            port = free_port() if wanted.workers > 1 else None
            command = locust_command(wanted, url=url, out=folder.path, master_port=port, control_url=control_url)
            if wanted.ui_port is not None:
                sys.stderr.write(f"web UI  http://127.0.0.1:{wanted.ui_port}  (Ctrl-C ends it)\n")
            code = run_child(command, environment=environment_of(wanted))
        if folder.run_json.exists():
            result = read_run(folder.path)
            finish(folder.path, result, show=False)
            if code == exit_codes.INTERRUPTED and not result.interrupted:
                # Locust's web UI stays open after the run until somebody ends it.
                code = EXIT_CODES[result.verdict]
        elif code in (exit_codes.USAGE, exit_codes.UNREACHABLE):
            (folder.path / _LOG).unlink(missing_ok=True)
        elif code == exit_codes.PASSED:
            raise InconclusiveError(f"The load test left no result; see {folder.path / _LOG}")
    finally:
        _remove_if_empty(folder)
    return code


def check(wanted: Wanted) -> None:
    """Refuse what cannot work before anything is started; raises `UsageError`."""
    _check_ui_port(wanted.ui_port)
    if wanted.slo is not None:
        # Before a CSMS is started for nothing.
        read_slo(wanted.slo, QUANTITIES)
    for storm in read_storm_words(wanted.storms):
        if storm.at >= wanted.duration:
            raise UsageError(f"--storm {storm.name} is due after {storm.at:g} s; the run lasts {wanted.duration} s")
    if wanted.url is not None:
        check_owned(check_target_url(wanted.url), wanted.owned)
    _check_driven(wanted)
    check_machine(wanted)


def environment_of(wanted: Wanted) -> dict[str, str]:
    """Return the environment of Locust: a password on a command line would show in the list of processes."""
    secret = {} if wanted.password is None else {"PLUGSTORM_PASSWORD": wanted.password}
    return dict(os.environ) | secret


@contextlib.contextmanager
def target_of(url: str | None) -> Iterator[tuple[str, str | None]]:
    """Give the URL of the CSMS, which is a practice CSMS of our own where none was named, and that one's controls."""
    if url is not None:
        yield url, None
        return
    from fixtures.csms import spawn_practice_csms  # noqa: PLC0415 - not needed for somebody else's CSMS

    with spawn_practice_csms() as csms:
        yield csms.url, csms.control_url


def _check_driven(wanted: Wanted) -> None:
    about_a_csms = {
        "--driver": wanted.driver,
        "--control-url": wanted.control_url,
        "--driver-option": wanted.driver_options,
    }
    if wanted.url is None:
        for flag, value in about_a_csms.items():
            if value:
                raise UsageError(
                    f"{flag} describes a CSMS; name it with --url, or leave both out for the practice CSMS"
                )
    commands = load_profile(wanted.profile).commands if wanted.commands is None else read_commands(wanted.commands)
    control_url = _PRACTICE if wanted.url is None else wanted.control_url
    versions = list(read_versions(wanted.ocpp)) or [Version.V16]
    check_commands(commands, versions, wanted.driver, control_url, wanted.driver_options)


_PRACTICE = "http://127.0.0.1"
"""Stands for the controls of the practice CSMS, which is not running yet."""


def _check_ui_port(port: int | None) -> None:
    if port is None:
        return
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UsageError(
            f"Port {port} of the web UI cannot be used: {error.strerror}; name another with --ui-port"
        ) from None


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody uses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _remove_if_empty(folder: RunFolder) -> None:
    """Leave no folder behind a run that never began."""
    for path in (folder.traces, folder.histograms, folder.path):
        with contextlib.suppress(OSError):
            path.rmdir()
