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
from urllib.parse import urlsplit

import msgspec

import loadtest
from evidence import exit_codes
from evidence.run_folder import RunFolder, read_run
from evidence.verdicts import EXIT_CODES
from loadtest.locust_edge.orphans import PARENT
from loadtest.locust_edge.request import LoadRequest
from loadtest.planning.machine_check import check_machine
from ocppj.errors import InconclusiveError, UsageError
from plugstorm.children import LOCUST, run_child
from plugstorm.cluster import Place, check_free, master_words, worker_command

__all__ = ["check", "environment_of", "free_port", "locust_command", "run", "target_of", "work"]

_LOCUSTFILE = Path(loadtest.__file__).with_name("locustfile.py")
_LOG = "locust.log"


def locust_command(
    request: LoadRequest,
    *,
    url: str,
    out: Path,
    master_port: int | None,
    control_url: str | None = None,
    place: Place | None = None,
) -> list[str]:
    """Write Locust's command line; `master_port` is where the workers of a run with several processes meet.

    `control_url` is that of a practice CSMS of our own, which needs no driver to be named. `place` makes it the master
    of workers that are started elsewhere. A URL with a password is left to `environment_of`.
    """
    whole = msgspec.structs.replace(
        request,
        url=None if _tells_password(url) else url,
        out=out,
        spawn_rate=request.rate,
        control_url=request.control_url or control_url,
        no_locust_table=True,
        workers=request.workers if place is None else 1,
        locust=(),
    )
    words = [*LOCUST, "--locustfile", str(_LOCUSTFILE)]
    words += [*whole.to_words(), "--logfile", str(out / _LOG), "--only-summary"]
    words += ["--headless"] if request.ui_port is None else ["--autostart", "--web-host", "127.0.0.1"]
    if place is not None:
        words += master_words(request, place)
    elif master_port is not None:
        words += ["--master-host", "127.0.0.1", "--master-bind-host", "127.0.0.1"]
        words += ["--master-port", str(master_port), "--master-bind-port", str(master_port)]
    return [*words, *request.locust]


def work(request: LoadRequest, place: Place) -> int:
    """Be workers of a master elsewhere until it has no more to do; returns the exit code."""
    command = worker_command(request, place, str(_LOCUSTFILE))
    return run_child(command, environment=environment_of(request), to_group=True)


def run(request: LoadRequest, *, as_json: bool = False, place: Place | None = None) -> int:
    """Run it and write the report; returns the exit code.

    With `as_json` the standard output is `run.json`, and everything else goes to the standard error output. `place`
    makes it lead workers that are started elsewhere.
    """
    if {".", "/"} & set(request.profile):
        # A file. No profile that comes with Plugstorm has stages, and reading one takes the rooms that do the work.
        from loadtest.locust_edge.run_settings import with_own_stages  # noqa: PLC0415 - see above

        request = with_own_stages(request)
    if place is None:
        check(request)
    else:
        # The stations are on other machines.
        _check_ui_port(request.ui_port)
        check_free(place)
        request.check_target()
    folder = RunFolder.create(request.out, "load")
    try:
        with target_of(request.url) as (url, control_url):
            port = free_port() if request.workers > 1 and place is None else None
            command = locust_command(
                request, url=url, out=folder.path, master_port=port, control_url=control_url, place=place
            )
            if request.ui_port is not None:
                ends = "it ends with the run" if "--autoquit" in request.locust else "Ctrl-C ends it"
                sys.stderr.write(f"web UI  http://127.0.0.1:{request.ui_port}  ({ends})\n")
            # Locust makes its log when it has read everything.
            begun = (folder.path / _LOG).exists
            code = run_child(command, environment=environment_of(request, url=url), on_stderr=as_json, has_begun=begun)
        if folder.run_json.exists():
            code = _finish(folder, code, as_json=as_json)
        elif code in (exit_codes.USAGE, exit_codes.UNREACHABLE):
            (folder.path / _LOG).unlink(missing_ok=True)
        elif code == exit_codes.PASSED:
            raise InconclusiveError(f"The load test left no result; see {folder.path / _LOG}")
    finally:
        _remove_if_empty(folder)
    return code


def _finish(folder: RunFolder, code: int, *, as_json: bool) -> int:
    """Write the report of a run, and return the exit code of both."""
    from plugstorm.finish import finish  # noqa: PLC0415 - the reports are needed only when the run is over

    result = read_run(folder.path)
    finish(folder.path, result, show=False, as_json=as_json)
    if code == exit_codes.INTERRUPTED and not result.interrupted:
        # Locust's web UI stays open after the run until somebody ends it.
        return EXIT_CODES[result.verdict]
    return code


def check(request: LoadRequest) -> None:
    """Refuse what this machine cannot do, and a CSMS that nobody may test; raises `UsageError`.

    Everything else is judged once, by the process that leads the run, before it connects anything.
    """
    _check_ui_port(request.ui_port)
    if request.url is not None:
        request.check_target()
    else:
        _refuse_what_describes_a_csms(request)
    warnings = check_machine(
        request.stations,
        workers=request.workers,
        sources=len(request.addresses),
        tls=request.uses_tls,
        own_csms=request.url is None,
        connections=request.connections,
    )
    for warning in warnings:
        sys.stderr.write(f"plugstorm: warning: {warning}\n")


def environment_of(request: LoadRequest, *, url: str | None = None) -> dict[str, str]:
    """Return the environment of Locust: a password on a command line would show in the list of processes.

    `url` is that of `locust_command`. Locust ends when this process does not live any more, whatever has ended it.
    """
    secret = {} if request.password is None else {"PLUGSTORM_PASSWORD": request.password}
    if url is not None and _tells_password(url):
        secret["LOCUST_HOST"] = url
    return dict(os.environ) | secret | {PARENT: str(os.getpid())}


def _tells_password(url: str) -> bool:
    return urlsplit(url).password is not None


@contextlib.contextmanager
def target_of(url: str | None) -> Iterator[tuple[str, str | None]]:
    """Give the URL of the CSMS, which is a practice CSMS of our own where none was named, and that one's controls."""
    if url is not None:
        yield url, None
        return
    from fixtures.csms_process import ProcessCsms  # noqa: PLC0415 - not needed for somebody else's CSMS

    csms = ProcessCsms()
    try:
        yield csms.url, csms.control_url
    finally:
        csms.stop()


def _refuse_what_describes_a_csms(request: LoadRequest) -> None:
    about_a_csms = {
        "--driver": request.driver,
        "--control-url": request.control_url,
        "--driver-option": request.driver_options,
        "--dialect": request.dialect,
        "--mqtt-connections": request.mqtt_connections,
    }
    for flag, value in about_a_csms.items():
        if value:
            raise UsageError(f"{flag} describes a CSMS; name it with --url, or leave both out for the practice CSMS")


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
