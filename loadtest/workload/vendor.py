"""Vendors: kinds of charger firmware with habits of their own, as YAML files in this folder or anywhere.

A load profile mixes them with `vendors: {spec-201: 3, jitterless-60: 1}`. What a vendor leaves out is what the profile,
the command line and the CSMS say; a vendor without any key behaves like a station without a vendor.
"""

from __future__ import annotations

from functools import cache
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Final

import msgspec

from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from fixtures.payloads.sampled_values import MEASURANDS
from loadtest.timing.backoff import Backoff, parse_backoff
from loadtest.workload.quirks import Quirks
from ocppj.errors import UsageError, as_usage_error

__all__ = [
    "NEUTRAL",
    "OFFLINE_THRESHOLD",
    "Retry",
    "Vendor",
    "find_vendor",
    "load_vendor",
    "read_vendor",
    "vendor_names",
]

OFFLINE_THRESHOLD: Final = 600.0
"""Seconds offline after which all connector statuses are sent again (OfflineThreshold of 2.x)."""
SHORTEST_SILENCE: Final = 1.0
"""Seconds; heartbeats, pings and clock-aligned readings that come faster than this are not the habit of any station."""

_FOLDER = Path(__file__).with_name("vendors")

_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
# Without constraints of its own: msgspec 0.22 misreads a constrained number beside a bool.
_When = bool | float


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a transaction message is sent again (OCPP 1.6 §3.7.1, 2.x E13)."""

    attempts: _Count = 3
    """TransactionMessageAttempts; MessageAttempts of 2.x."""
    interval: _Seconds = 60.0
    """Seconds; TransactionMessageRetryInterval, MessageAttemptInterval of 2.x."""


class Vendor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of firmware; all its stations share one record. Times in seconds."""

    name: str = ""
    title: str
    heartbeat: float | None = None
    """Seconds between Heartbeats, whatever the CSMS says in its BootNotification answer."""
    heartbeat_when_quiet: bool = False
    """Whether a Heartbeat is only sent when nothing else was for so long (OCPP 1.6 §4.6)."""
    boot_on_reconnect: _When = False
    """Whether a station boots again when it comes back: never, always, or after so many seconds offline."""
    statuses_on_reconnect: _When = OFFLINE_THRESHOLD
    """When every status is told again after a reconnect: never, always, or after so many seconds offline.

    One that changed meanwhile is told in any case.
    """
    backoff: str | None = None
    """How connection attempts are spaced, as `--backoff` takes it; without it, what that says."""
    ping: _Seconds = 0.0
    """Seconds between WebSocket pings, 0 for none; a pong that is not there by the next one ends the connection."""
    clock_aligned: _Seconds = 0.0
    """Seconds between readings on the multiples of the wall clock, 0 for none (ClockAlignedDataInterval)."""
    clock_aligned_idle: bool = False
    """Whether connectors without a transaction take part in that."""
    meter: _Seconds | None = None
    """Seconds between meter values while charging, 0 for none; without it, what the profile or the model says."""
    measurands: tuple[str, ...] = ()
    """What the meter reports; without it, what the station model does."""
    meter_bytes: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 0
    """Least size of the payload of a meter message; signed data fills it up."""
    retry: Retry = Retry()
    queue: _Count = 1000
    """How many transaction messages a station keeps for the CSMS."""
    quirks: Quirks = Quirks()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("heartbeat", "ping", "clock_aligned"):
            value = getattr(self, name)
            if value is not None and (name == "heartbeat" or value) and not SHORTEST_SILENCE <= value < inf:
                raise ValueError(f"`{name}` must be at least {SHORTEST_SILENCE:g} s")
        for name in ("boot_on_reconnect", "statuses_on_reconnect"):
            value = getattr(self, name)
            if value < 0 or not isfinite(value):
                raise ValueError(f"`{name}` must be false, true, or seconds from 0 up")
        if self.backoff is not None:
            try:
                parse_backoff(self.backoff)
            except UsageError as error:
                raise ValueError(f"`backoff`: {error}") from None
        for measurand in self.measurands:
            if measurand not in MEASURANDS:
                raise ValueError(f"`measurands` has {measurand!r}; {hint(measurand, MEASURANDS)}")

    def way_back(self, otherwise: Backoff) -> Backoff:
        """Return how connection attempts are spaced; `otherwise` where the vendor has no way of its own."""
        return otherwise if self.backoff is None else parse_backoff(self.backoff)

    def boots_again(self, offline: float) -> bool:
        """Return whether a station boots again after so many seconds offline."""
        return _is_due(self.boot_on_reconnect, offline)

    def tells_all(self, offline: float) -> bool:
        """Return whether every connector tells its status after so many seconds offline."""
        return _is_due(self.statuses_on_reconnect, offline)


def _is_due(when: bool | float, offline: float) -> bool:  # noqa: FBT001 - a value as it stands in the file
    return when if isinstance(when, bool) else offline > when


NEUTRAL: Final = Vendor(name="neutral", title="No habits of its own")
"""The vendor of a station where none was chosen."""


def vendor_names() -> list[str]:
    """List the vendors that come with Plugstorm."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find_vendor(name_or_path: str, folder: Path) -> str:
    """Return the name of a known vendor, or the path of a file that is looked for in `folder`; raises `UsageError`.

    The file is read, so that its mistakes are told now.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        path = folder / name_or_path
        load_vendor(str(path))
        return str(path)
    names = vendor_names()
    if name_or_path not in names:
        raise UsageError(f"there is no vendor {name_or_path!r}; {hint(name_or_path, names)}")
    return name_or_path


@cache
def load_vendor(name_or_path: str) -> Vendor:
    """Read a vendor once per process, by what `find_vendor` returned; raises `UsageError`."""
    if name_or_path.endswith((".yaml", ".yml")):
        return read_vendor(Path(name_or_path))
    return read_vendor(_FOLDER / f"{name_or_path}.yaml")


@as_usage_error(ConfigError)
def read_vendor(path: Path) -> Vendor:
    """Read one file; raises `UsageError` that says where the mistake is and what was probably meant."""
    document, location = read_yaml(path, "vendor file")
    return msgspec.structs.replace(convert(document, Vendor, location, hidden=("name",)), name=path.stem)
