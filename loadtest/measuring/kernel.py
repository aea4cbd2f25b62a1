"""What Linux says of the processor and the network of this machine; elsewhere nothing is known, which is no error."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ["local_ports", "read_stolen", "stolen_by_host", "waited_for_cpu"]

_STEAL: Final = 8
"""Its place in the first line of `/proc/stat` (proc_stat(5))."""


def waited_for_cpu() -> float:
    """Return the seconds that the main thread was ready to run and had to wait; 0 where Linux does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/schedstat").read_bytes().split()[1]) / 1e9
    return 0.0


def stolen_by_host() -> float:
    """Return the seconds that the host took from each processor on the average; 0 where Linux does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return read_stolen(Path("/proc/stat").read_text("ascii"), os.sysconf("SC_CLK_TCK"))
    return 0.0


def read_stolen(stat: str, ticks: int) -> float:
    """Read the steal time of `/proc/stat`, in seconds of a processor on the average; `ticks` make a second."""
    lines = stat.splitlines()
    processors = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    return int(lines[0].split()[_STEAL]) / ticks / max(processors, 1)


def local_ports() -> int:
    """Return how many local ports one source address offers; where the system does not tell, what Linux has."""
    with contextlib.suppress(OSError, ValueError):
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split())
        return high - low + 1
    return 28_000
