"""What a reader must know of the machine to compare figures, and nothing that tells whose it is."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

__all__ = ["describe", "load_warning"]

_PACKAGES: Final = (
    "gevent",
    "locust",
    "websockets",
    "msgspec",
    "picows",
    "uvloop",
    "websocket-client",
    "paho-mqtt",
    "ocpp",
)
_QUIET: Final = 0.25
"""Cores."""


def describe() -> dict[str, str]:
    """Describe processor, memory, limits and versions."""
    ports = _read("/proc/sys/net/ipv4/ip_local_port_range").split()
    facts = {
        "processor": _processor(),
        "cores": f"{len(os.sched_getaffinity(0))}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES),
        "node": _node(),
        "open files": f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,} a process",
        "local ports": f"{int(ports[1]) - int(ports[0]) + 1:,} a source address" if len(ports) == 2 else "",  # noqa: PLR2004 - from and to
    }
    if len(os.sched_getaffinity(0)) == 1:
        facts["warning"] = "one core only: engine and sink share it, so CALL/s are too low; compare CPU per CALL"
    return {name: fact for name, fact in facts.items() if fact}


def load_warning() -> str:
    """Say so when other programs keep the machine busy; empty on a quiet one."""
    busy = psutil.cpu_percent(interval=1.0) / 100 * len(os.sched_getaffinity(0))
    if busy < _QUIET:
        return ""
    return f"other programs use {busy:.1f} cores: CALL/s and connects/s are too low, CPU per CALL a little too high"


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii", errors="replace")
    except OSError:
        return ""


def _node() -> str:
    node = shutil.which("node")
    if node is None or sys.platform == "win32":
        return ""
    done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)  # noqa: S603 - a fixed word
    return done.stdout.strip()
