"""Whether a machine has what a run needs: file descriptors, local ports, memory; pure but for `machine`.

The figures for one station are those that Plugstorm measured of itself; `plugstorm calibrate` measures them here.
"""

from __future__ import annotations

import resource
from math import ceil
from typing import Final

import msgspec
import psutil

from loadtest.measuring.kernel import local_ports
from ocppj.errors import UsageError

__all__ = ["Machine", "Needs", "Shortage", "check_machine", "lacking", "machine", "needs"]

SPARE_DESCRIPTORS: Final = 64
"""What a process opens beside its stations: log, event loop, master, run folder."""
WORKER_MB: Final = 100.0
"""A worker, or the master, before its first station."""
_LOCUST_RAISES_TO: Final = 10_000
"""Locust raises the soft limit of open files to this where it is lower."""
STATION_KB: Final = 24.0
"""KB of a station with its Locust user and connection."""
TLS_KB: Final = 30.0
"""KB that TLS adds to a connection."""
PORTS_USED: Final = 0.95
"""Share of the local ports that a run can count on: others use some, too."""
_MOST_IN_EXAMPLE: Final = 250
_EACH_CSMS_STATION_KB: Final = 60.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine offers."""

    descriptors: int
    """Files that a process of Locust may open, which raises its limit if it can."""
    soft_descriptors: int
    """Files that any other process may open."""
    hard_descriptors: int
    """The most that the user may raise that to."""
    ports: int
    """Local ports of one source address."""
    memory_mb: float
    """That is free."""
    cores: int


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes."""

    stations: int
    workers: int
    sources: int
    descriptors: int
    """In the busiest worker."""
    ports: int
    """Of the busiest source address."""
    memory_mb: float
    own_csms: bool
    """Whether the practice CSMS runs on this machine, too, in one process."""


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not suffice."""

    what: str
    need: float
    have: float
    certain: bool
    """Whether the run cannot work; else it might."""
    sentence: str
    """For people: what is missing and what to do."""


def check_machine(
    stations: int, *, workers: int, sources: int, tls: bool, own_csms: bool, connections: int | None = None
) -> list[str]:
    """Return warnings about a run that this machine may not carry; raises `UsageError` for one that it cannot."""
    wanted = needs(stations, workers=workers, sources=sources, tls=tls, own_csms=own_csms, connections=connections)
    shortages = lacking(wanted, machine())
    if certain := [shortage.sentence for shortage in shortages if shortage.certain]:
        raise UsageError("; ".join(certain))
    return [shortage.sentence for shortage in shortages]


def machine() -> Machine:
    """Ask the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1 << 30
    soft, hard = (most if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard))
    return Machine(
        descriptors=max(soft, min(_LOCUST_RAISES_TO, hard)),
        soft_descriptors=soft,
        hard_descriptors=hard,
        ports=local_ports(),
        memory_mb=psutil.virtual_memory().available / 2**20,
        cores=psutil.cpu_count() or 1,
    )


def needs(
    stations: int,
    *,
    workers: int = 1,
    sources: int = 1,
    tls: bool = False,
    own_csms: bool = False,
    connections: int | None = None,
) -> Needs:
    """Add up what a run needs; `sources` are local addresses that share the connections.

    `connections` is how many all stations share; None where each has its own.
    """
    processes = workers + (workers > 1)
    sockets = stations if connections is None else min(connections, stations)
    kb = stations * (STATION_KB + (_EACH_CSMS_STATION_KB if own_csms else 0.0)) + sockets * (TLS_KB if tls else 0.0)
    return Needs(
        stations=stations,
        workers=workers,
        sources=max(sources, 1),
        descriptors=ceil(sockets / workers) + SPARE_DESCRIPTORS,
        ports=ceil(sockets / max(sources, 1)),
        memory_mb=round((processes + own_csms) * WORKER_MB + kb / 1024, 1),
        own_csms=own_csms,
    )


def lacking(run: Needs, have: Machine) -> list[Shortage]:
    """List what does not suffice and what to do about each."""
    checks = (_files(run, have), _csms_files(run, have), _ports(run, have), _memory(run, have))
    return [shortage for shortage in checks if shortage is not None]


def _files(run: Needs, have: Machine) -> Shortage | None:
    need, limit = run.descriptors, have.descriptors
    if need <= limit:
        return None
    each = limit - SPARE_DESCRIPTORS
    fixes = [f"raise the limit (ulimit -n {need})"] if have.hard_descriptors >= need else []
    fixes += [f"share the stations among more processes (--workers {ceil(run.stations / each)})"] if each > 0 else []
    return Shortage(
        what="files",
        need=need,
        have=limit,
        certain=True,
        sentence=f"a worker needs {need:,} open files and may have {limit:,}: "
        + (", or ".join(fixes) or "have an administrator raise the limit (ulimit -Hn)"),
    )


def _csms_files(run: Needs, have: Machine) -> Shortage | None:
    need = run.stations + SPARE_DESCRIPTORS
    if not run.own_csms or need <= have.soft_descriptors:
        return None
    return Shortage(
        what="csms-files",
        need=need,
        have=have.soft_descriptors,
        certain=True,
        sentence=f"the practice CSMS is one process, needs {need:,} open files and may have {have.soft_descriptors:,}: "
        "take fewer stations, or name another CSMS with --url",
    )


def _ports(run: Needs, have: Machine) -> Shortage | None:
    usable = int(have.ports * PORTS_USED)
    if run.ports <= usable:
        return None
    sources = ceil(run.stations / usable)
    pool = f"127.0.0.2-127.0.0.{1 + sources}" if sources < _MOST_IN_EXAMPLE else "127.0.0.2-127.0.15.255"
    return Shortage(
        what="ports",
        need=run.ports,
        have=usable,
        certain=True,
        sentence=f"{run.ports:,} stations share a local address that has about {usable:,} ports: connect from "
        f"{sources} addresses (--source-address FIRST-LAST; {pool} where the CSMS is on this machine), or widen "
        "net.ipv4.ip_local_port_range",
    )


def _memory(run: Needs, have: Machine) -> Shortage | None:
    if run.memory_mb <= have.memory_mb:
        return None
    return Shortage(
        what="memory",
        need=run.memory_mb,
        have=round(have.memory_mb, 1),
        certain=False,
        sentence=f"the run takes about {run.memory_mb:,.0f} MB and {have.memory_mb:,.0f} MB are free: take fewer "
        "stations, or more machines",
    )
