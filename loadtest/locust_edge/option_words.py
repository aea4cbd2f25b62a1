"""What the words of a load run's options mean: from a word and its flag to a value, and back.

Each reader raises `UsageError` with the flag in its sentence.
"""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config import quantities
from config.assignments import assignment, split_assignment
from config.errors import ConfigError
from config.words import hint
from loadtest.timing.backoff import Backoff, parse_backoff
from loadtest.workload.stages import Stage, read_stages
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = [
    "above_zero",
    "address",
    "backoff",
    "host_and_port",
    "http_url",
    "label",
    "number",
    "path",
    "read_addresses",
    "read_duration",
    "read_rate",
    "share",
    "stages",
    "text",
    "time_above_zero",
    "time_of",
    "version",
    "whole",
    "write_duration",
    "write_host_and_port",
    "write_label",
    "write_number",
    "write_rate",
    "write_version",
]

_MOST_ADDRESSES: Final = 4096
_HIGHEST_PORT: Final = 65_535
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN_LABELS: Final = frozenset(
    {"action", "command", "direction", "how", "kind", "le", "ocpp", "outcome", "run", "storm", "target", "verdict"}
    | {"version", "window", "worker"}
)
"""Labels that metrics have anyway."""


def text(word: str, _: str) -> str:
    """Take a word as it stands."""
    return word


def path(word: str, _: str) -> Path:
    """Read the path of a file."""
    return Path(word)


def write_number(value: float) -> str:
    """Write a number without a needless fraction."""
    return repr(float(value)).removesuffix(".0")


def number(word: str, flag: str) -> float:
    """Read a number."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return quantities.number(word)


def above_zero(word: str, flag: str) -> float:
    """Read a number above 0."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return quantities.number(word, above=True)


def time_of(word: str, flag: str) -> float:
    """Read `90`, `1.5s` or `5m` as seconds."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return quantities.seconds(word)


def time_above_zero(word: str, flag: str) -> float:
    """Read a time above 0 as seconds."""
    value = time_of(word, flag)
    if value == 0:
        raise UsageError(f"{flag}: expected a time above 0, but it is {word!r}")
    return value


def read_rate(word: str, flag: str) -> float:
    """Read `5/s` or `300/min` as a number a second; raises `UsageError`."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        found = quantities.rate(word)
    if found.of_each:
        raise UsageError(f"{flag}: expected a rate of all stations together, as in 5/s, but it is {word!r}")
    return found.per_second


def write_rate(value: float) -> str:
    """Write a number a second as a rate."""
    return f"{Decimal(repr(value)):f}/s"


def share(word: str, flag: str) -> float:
    """Read `5 %` or `0.05` as a share."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return quantities.share(word)


def whole(word: str, flag: str, *, least: int = 0, most: int | None = None) -> int:
    """Read a whole number between two limits."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        value = quantities.whole(word, least=least)
    if most is not None and value > most:
        raise UsageError(f"{flag}: expected a whole number of at most {most}, but it is {word!r}")
    return value


def read_duration(word: str, flag: str = "--duration") -> int:
    """Read `90`, `60s`, `5m` or `1h30m` as seconds; raises `UsageError` for anything else and for nothing."""
    value = time_of(word, flag)
    if value <= 0 or value != int(value):
        raise UsageError(f"{flag}: expected whole seconds above 0, as in 60s, 5m or 1h30m, but it is {word!r}")
    return int(value)


def write_duration(seconds: int) -> str:
    """Write seconds as a duration."""
    return f"{seconds}s"


def version(word: str, flag: str) -> tuple[Version, int]:
    """Read `2.0.1` or `2.0.1=3` as a version and its weight."""
    name, weight = split_assignment(word)
    if name not in list(Version):
        raise UsageError(f"{flag} {name} is not a version that Plugstorm speaks; {hint(name, Version)}")
    return Version(name), whole(weight, f"{flag} {name}=", least=1) if weight else 1


def write_version(pair: tuple[Version, int]) -> str:
    """Write a version with its weight."""
    version, weight = pair
    return str(version) if weight == 1 else f"{version}={weight}"


def read_addresses(text: str, flag: str = "--source-address") -> list[str]:
    """Read an address or a range of them; raises `UsageError`."""
    first, _, last = text.partition("-")
    try:
        low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address((last or first).strip())
    except ValueError:
        raise UsageError(f"{flag} {text} is not an IP address or a range, as in 127.0.0.2-127.0.0.9") from None
    if low.version != high.version or not 0 <= int(high) - int(low) < _MOST_ADDRESSES:
        raise UsageError(f"{flag} {text} is not a range of at most {_MOST_ADDRESSES} addresses")
    return [str(low + step) for step in range(int(high) - int(low) + 1)]


def address(word: str, flag: str) -> str:
    """Check an address or a range of them, and leave it as it stands."""
    read_addresses(word, flag)
    return word


def stages(word: str, _: str) -> tuple[Stage, ...]:
    """Read the stages of a run."""
    return read_stages(word)


def backoff(word: str, _: str) -> Backoff:
    """Read how connection attempts are spaced."""
    return parse_backoff(word)


def host_and_port(word: str, flag: str) -> tuple[str, int]:
    """Read `9464`, `0.0.0.0:9464` or `[::1]:9464` as a host and a port; without a host, this machine alone."""
    host, _, port = word.rpartition(":")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"{flag}: expected an IPv6 address in brackets, as in [::1]:9464, but it is {word!r}")
    return host.strip("[]") or "127.0.0.1", whole(port, flag, most=_HIGHEST_PORT)


def write_host_and_port(pair: tuple[str, int]) -> str:
    """Write a host and a port."""
    host, port = pair
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def http_url(word: str, flag: str) -> str:
    """Check an address of HTTP, and leave it as it stands; it may hold a secret, so no sentence repeats it."""
    try:
        parts = urlsplit(word)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"{flag}: expected a URL with a host that begins with http:// or https://")
    return word


def label(word: str, flag: str) -> tuple[str, str]:
    """Read a label of metrics; its name follows the rules of Prometheus."""
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        name, value = assignment(word, "testid=nightly")
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        raise UsageError(f"{flag}: expected a name of letters, digits and _, but it is {name!r}")
    if name in OWN_LABELS:
        raise UsageError(f"{flag}: {name} is a label of Plugstorm's own; take another name")
    return name, value


def write_label(pair: tuple[str, str]) -> str:
    """Write a label."""
    return "=".join(pair)
