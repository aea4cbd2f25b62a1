"""The engines that can be compared: what each is, how its process is started, and what may be missing here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from ocppj.errors import UsageError

__all__ = [
    "CEILING",
    "ENGINES",
    "K6",
    "MQTT",
    "PAHO",
    "PLUGSTORM",
    "PLUGSTORM_TASK",
    "SHARED",
    "Engine",
    "Plan",
    "choose",
]

CEILING: Final = "ceiling"
PLUGSTORM: Final = "plugstorm"
PLUGSTORM_TASK: Final = "plugstorm-task"
MQTT: Final = "plugstorm-mqtt"
SHARED: Final = "plugstorm-mqtt-shared"
PAHO: Final = "paho-mqtt"
K6: Final = "k6"
_TRUNKS: Final = 4
"""Connections that the stations of the shared form have."""
_OCPP_RPC: Final = "2.2.1"
_FOLDER: Final = Path(__file__).resolve().parent
_INSTALL_PATIENCE: Final = 180


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of an engine is to do."""

    url: str
    stations: int
    folder: Path
    """Where it may write."""
    spawn_rate: float | None = None
    """Stations that Locust starts in a second; None starts all at once."""
    ca_file: Path | None = None
    schema_share: float = 0.01
    sources: tuple[str, ...] = ()


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    name: str
    title: str
    command: Callable[[Plan], list[str]]
    missing: Callable[[], str] = lambda: ""
    """Prepares what the engine needs, and says why it cannot run here; empty when it can."""
    environment: Callable[[], dict[str, str]] = dict
    over_mqtt: bool = False
    """Whether it needs the sink that is a broker."""
    most_stations: int | None = None
    """What one process of it can open, where that is less than its open files."""


def _module(name: str, *options: str) -> Callable[[Plan], list[str]]:
    def command(plan: Plan) -> list[str]:
        words = [sys.executable, "-m", f"benchmarks.engines.{name}", "--url", plan.url]
        words += ["--stations", str(plan.stations)]
        return words + [word for option in options for word in ("--option", option)]

    return command


def _locust(locustfile: str, plan: Plan) -> list[str]:
    words = [sys.executable, "-m", "locust", "-f", str(_FOLDER / locustfile), "--headless", "--only-summary"]
    words += ["--loglevel", "WARNING", "--host", plan.url, "--users", str(plan.stations)]
    return [*words, "--spawn-rate", f"{plan.spawn_rate or plan.stations:g}"]


def _plugstorm(locustfile: str, letters: str, *more: str) -> Callable[[Plan], list[str]]:
    """Run a locustfile of ours; no other engine has stations whose names begin with these letters."""

    def command(plan: Plan) -> list[str]:
        words = [*_locust(locustfile, plan), "--identity-pattern", letters + "{n:06d}"]
        words += ["--plugstorm-profile", "idle", "--seed", "1", "--schema-share", f"{plan.schema_share:g}"]
        # The sink counts CALLs; those of the check after the run would be none of the measured ones.
        words += ["--no-objective", "csms-answers"]
        words += ["--connect-timeout", "60", "--out", str(plan.folder / f"run-{plan.stations}-{os.urandom(4).hex()}")]
        words += ["--tls-ca", str(plan.ca_file)] if plan.ca_file else []
        words += more
        return words + [word for source in plan.sources for word in ("--source-address", source)]

    return command


def _node_folder() -> Path:
    """Find the place where ocpp-rpc is kept between two benches."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "plugstorm" / f"ocpp-rpc-{_OCPP_RPC}"


def _node_missing() -> str:
    if shutil.which("node") is None:
        return "Node is not installed"
    folder = _node_folder()
    if (folder / "node_modules" / "ocpp-rpc" / "package.json").exists():
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    words = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603 - our own words
            [*words, f"ocpp-rpc@{_OCPP_RPC}"],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_INSTALL_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "npm could not install ocpp-rpc in time"
    return "" if done.returncode == 0 else "npm could not install ocpp-rpc (is there a network?)"


def _node(plan: Plan) -> list[str]:
    return ["node", str(_FOLDER / "ocpp_rpc.cjs"), plan.url, str(plan.stations)]


ENGINES: Final = (
    Engine(
        name=PLUGSTORM,
        title="Plugstorm",
        command=_plugstorm("plugstorm_users.py", "PS"),
    ),
    Engine(
        name=PLUGSTORM_TASK,
        title="Plugstorm, from a Locust task",
        command=_plugstorm("plugstorm_task_users.py", "PT"),
    ),
    Engine(
        name="websocket-client",
        title="Locust + websocket-client",
        command=lambda plan: _locust("websocket_client_users.py", plan),
    ),
    Engine(
        name=MQTT,
        title="Plugstorm over MQTT",
        command=_plugstorm("plugstorm_users.py", "PM", "--dialect", "raw"),
        over_mqtt=True,
    ),
    Engine(
        name=SHARED,
        title=f"Plugstorm over MQTT, {_TRUNKS} connections",
        command=_plugstorm("plugstorm_users.py", "PN", "--dialect", "raw", "--mqtt-connections", str(_TRUNKS)),
        over_mqtt=True,
    ),
    Engine(
        name=PAHO,
        title="Locust + paho-mqtt",
        command=lambda plan: _locust("paho_mqtt_users.py", plan),
        over_mqtt=True,
        # Its loop waits in `select`, which takes no descriptor above 1,023, and a client has three.
        most_stations=300,
    ),
    Engine(
        name="mobilityhouse",
        title="mobilityhouse/ocpp",
        command=_module("mobilityhouse"),
    ),
    Engine(
        name="mobilityhouse-unchecked",
        title="mobilityhouse/ocpp, unchecked",
        command=_module("mobilityhouse", "unchecked"),
    ),
    Engine(
        name="ocpp-rpc",
        title="ocpp-rpc on Node",
        command=_node,
        missing=_node_missing,
        environment=lambda: {"NODE_PATH": str(_node_folder() / "node_modules")},
    ),
    Engine(
        name=K6,
        title="k6",
        command=_module("k6"),
        # Its licence is the AGPL: who wants the row installs it.
        missing=lambda: "" if shutil.which("k6") else "k6 is not installed",
    ),
    Engine(
        name=CEILING,
        title="Ceiling: picows on uvloop",
        command=_module("ceiling"),
    ),
    Engine(
        name="ceiling-bytes",
        title="Ceiling without JSON",
        command=_module("ceiling", "bytes"),
    ),
)


def choose(names: list[str], *, mqtt: bool = False) -> list[Engine]:
    """Find engines by name, all if none is named; the ceiling is always among them. Raises `UsageError`.

    With `mqtt` those over MQTT, and the one over WebSocket that they are held against.
    """
    if mqtt and not names:
        return [engine for engine in ENGINES if engine.over_mqtt or engine.name == PLUGSTORM]
    known = {engine.name: engine for engine in ENGINES}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no engine {name!r}; known are {', '.join(known)}")
    return [engine for engine in ENGINES if not names or engine.name in names or engine.name == CEILING]
