"""Two load runs at once that play the same stations at one CSMS: each takes the connections of the other away.

The module does not import Locust, which would monkey-patch the process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from loadtest.workload.identities import Identities
from ocppj.errors import UsageError

__all__ = ["claim_stations"]

_claimed: Final[dict[str, int]] = {}
"""Files that this process has locked, and their descriptors; the system lets go of them when the process ends."""


def claim_stations(url: str, identities: Identities, *, folder: Path | None = None) -> None:
    """Note that a run of this process plays these stations; raises `UsageError` where another one on this machine does.

    Runs with the same first station count as the same. `folder` is where such runs meet.
    """
    first = identities.lease(1).identity
    digest = hashlib.sha256(f"{url}\0{first}".encode()).hexdigest()[:24]
    path = str((folder or Path(tempfile.gettempdir())) / f"plugstorm-stations-{os.getuid()}-{digest}")
    if path in _claimed:
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # without such a folder, two runs cannot be told apart
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            f"Another load run on this machine plays the stations from {first} on at this CSMS; wait until it is over, "
            "or take other names with --identity-pattern or --station-list"
        ) from None
    _claimed[path] = descriptor
