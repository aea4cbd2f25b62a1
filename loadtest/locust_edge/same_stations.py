"""Two load runs at once that play the same stations at one CSMS: each takes the connections of the other away.

The module does not import Locust, which would monkey-patch the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from loadtest.workload.identities import Identities
from ocppj.errors import UsageError
from ocppj.identity import PORTS

__all__ = ["claim_stations"]

_MOST: Final = 200_000
"""Names that are compared; more are taken for alike where these are."""
_UNKNOWN_NUMBER: Final = 1000
"""How many are compared where nobody has said how many stations there will be."""
_claimed: Final[dict[str, int]] = {}
"""Files that this process has locked, and their descriptors; the system lets go of them when the process ends."""


def claim_stations(url: str, identities: Identities, stations: int = 0, *, folder: Path | None = None) -> None:
    """Note that a run of this process plays so many stations; raises `UsageError` where another one plays one of them.

    `folder` is where the runs of this machine meet. Without such a folder, nothing is noted and nothing refused.
    """
    number = min(stations or _UNKNOWN_NUMBER, identities.capacity or _MOST, _MOST)
    names = {identities.lease(place).identity for place in range(1, number + 1)}
    meeting = (folder or Path(tempfile.gettempdir())) / f"plugstorm-stations-{os.getuid()}"
    csms = _digest(url)
    with contextlib.suppress(OSError):
        meeting.mkdir(mode=0o700, exist_ok=True)
        with _alone(meeting / "lock"):
            for path in meeting.glob("*.names"):
                shared = _names_of_another(path) & names
                if shared and path.name.startswith(f"{csms}."):
                    raise UsageError(
                        f"Another load run on this machine plays {len(shared)} of these stations at this CSMS, such as "
                        f"{min(shared)}; wait until it is over, or take other names with --identity-pattern or "
                        "--station-list"
                    )
            _note(meeting / f"{csms}.{os.getpid()}.names", names)


def _digest(url: str) -> str:
    """Name a CSMS by its address, port and path, however they are spelled."""
    parts = urlsplit(url)
    try:
        port = parts.port or PORTS.get(parts.scheme, 0)
        addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(parts.hostname, port, socket.AF_INET)})
    except (OSError, ValueError):
        addresses = []
    place = "\0".join([*(addresses[:1] or [parts.netloc]), str(parts.port or ""), parts.path.rstrip("/")])
    return hashlib.sha256(place.encode()).hexdigest()[:24]


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _names_of_another(path: Path) -> set[str]:
    """Return what another process has noted; nothing where that has ended, whose file is removed."""
    if str(path) in _claimed:
        return set()
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return set(file.read().split("\n"))
        path.unlink(missing_ok=True)
    return set()


def _note(path: Path, names: set[str]) -> None:
    descriptor = _claimed.pop(str(path), None)
    if descriptor is None:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _claimed[str(path)] = descriptor
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, "\n".join(sorted(names)).encode(), 0)
