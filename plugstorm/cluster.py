"""`plugstorm load --master` and `--worker`: one load run on several machines, on Locust's distributed mode.

Locust is never imported here, as in `plugstorm.load_command`.
"""

from __future__ import annotations

import socket
from typing import Final, Literal

import msgspec

from loadtest.locust_edge.options import OPTIONS
from loadtest.locust_edge.request import LoadRequest
from ocppj.errors import UsageError
from plugstorm.children import LOCUST

__all__ = ["DEFAULT_PORT", "Place", "check_free", "master_words", "place_of", "worker_command"]

DEFAULT_PORT: Final = 5557
_OF_THE_MACHINE: Final = frozenset({"workers", "source_addresses", "tls_ca"})
"""What a worker is told by whoever starts it; everything else comes from the master."""
_FROM_ENVIRONMENT: Final = frozenset({"password", "owned"})
"""They may be set for every command of a shell."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a run on several machines this process is."""

    role: Literal["master", "worker"]
    host: str
    """Where the master is to listen, `*` for every address; for a worker the master's address."""
    port: int = DEFAULT_PORT


def place_of(
    request: LoadRequest, *, master: bool, worker: bool, master_host: str | None, bind: str | None, port: int | None
) -> Place | None:
    """Read the flags that say where this process belongs; None for a run on this machine alone. Raises `UsageError`."""
    if master and worker:
        raise UsageError("--master and --worker exclude each other; start one master, and workers on each machine")
    if worker:
        if master_host is None:
            raise UsageError("--worker needs the address of the master; give it with --master-host")
        if bind is not None:
            raise UsageError("--master-bind belongs to --master")
        _refuse_what_the_master_says(request)
        return Place(role="worker", host=master_host, port=port or DEFAULT_PORT)
    if master_host is not None:
        raise UsageError("--master-host belongs to --worker; the master takes --master-bind")
    if not master:
        if bind is not None or port is not None:
            raise UsageError("--master-bind and --master-port belong to --master; --master-port also to --worker")
        return None
    if request.url is None:
        raise UsageError(
            "--master needs --url: workers on other machines cannot reach a practice CSMS of this one; start it with "
            "plugstorm csms --host 0.0.0.0"
        )
    return Place(role="master", host=bind or "*", port=port or DEFAULT_PORT)


def _refuse_what_the_master_says(request: LoadRequest) -> None:
    nothing = LoadRequest.read({option.field: option.preset for option in OPTIONS if option.flag}, by_locust=False)
    nothing = msgspec.structs.replace(nothing, ui_port=None)
    for option in OPTIONS:
        if option.flag is None or option.field in _OF_THE_MACHINE | _FROM_ENVIRONMENT:
            continue
        if getattr(request, option.field) != getattr(nothing, option.field):
            raise UsageError(f"{option.flag} belongs to the master, which tells its workers; leave it out here")


def check_free(place: Place) -> None:
    """Refuse a port that a master cannot listen on; raises `UsageError`."""
    try:
        socket.create_server(("" if place.host == "*" else place.host, place.port)).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"Port {place.port} for the workers cannot be used: {why}; name another with --master-port"
        ) from None


def master_words(request: LoadRequest, place: Place) -> list[str]:
    """Write what Locust's master is told beside the request; it begins when all workers are there."""
    words = ["--master", "--expect-workers", str(request.workers)]
    return [*words, "--master-bind-host", place.host, "--master-bind-port", str(place.port)]


def worker_command(request: LoadRequest, place: Place, locustfile: str) -> list[str]:
    """Write the command line of Locust's workers on this machine."""
    own = LoadRequest(
        workers=request.workers, source_addresses=request.source_addresses, tls_ca=request.tls_ca, locust=request.locust
    )
    words = [*LOCUST, "--locustfile", locustfile, "--worker"]
    return [*words, "--master-host", place.host, "--master-port", str(place.port), *own.to_words()]
