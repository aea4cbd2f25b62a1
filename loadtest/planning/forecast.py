"""What a load run will do, before anything is sent: messages, connections and bytes a second, memory, files, ports.

The traffic comes from a rehearsal of a part of the fleet in virtual time (`loadtest.planning.rehearsal`), scaled up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from evidence.vocabulary import MEASURE
from loadtest.measuring.windows import slow_ramp
from loadtest.planning.machine_check import Machine, Needs, Shortage, lacking, needs
from loadtest.planning.rehearsal import MOST_CALLS, MOST_STATIONS, Part, Traffic, rehearse
from loadtest.workload.curve import DAY, clock_text
from loadtest.workload.mix import messages_a_day
from loadtest.workload.profile import Profile, check_versions
from ocppj.versions import Version

__all__ = ["HEARTBEAT", "ActionRate", "Forecast", "WindowRate", "forecast"]

HEARTBEAT: Final = 300.0
"""Seconds between Heartbeats where neither the profile nor a CSMS has said it yet."""
CPU_PER_CALL: Final = 60e-6
"""Seconds of processor time, everything included, on an ordinary core; `plugstorm calibrate` measures it here."""
_UPGRADE_BYTES: Final = 330
"""About as many bytes does the upgrade to WebSocket take each way."""


class ActionRate(msgspec.Struct, frozen=True, kw_only=True):
    """CALLs of one action in the window that is judged."""

    ocpp: str
    action: str
    calls_per_s: float
    call_bytes: float
    """Mean size of a CALL on the WebSocket."""
    answer_bytes: float


class WindowRate(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the run."""

    name: str
    seconds: float
    calls_per_s: float
    connects_per_s: float
    sent_bytes_per_s: float
    received_bytes_per_s: float


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be said beforehand; rates are those of the window `measure` where nothing else is said."""

    stations: int
    profile: str
    ocpp: dict[str, int]
    duration_s: float
    spawn_rate: float
    calls_per_s: float
    calls_total: float
    """In the whole run."""
    connects_per_s: float
    """While the stations come."""
    sent_bytes_per_s: float
    received_bytes_per_s: float
    cpu_cores: float
    actions: list[ActionRate]
    windows: list[WindowRate]
    needs: Needs
    shortages: list[Shortage]
    assumptions: list[str]


def forecast(
    profile: Profile,
    versions: Mapping[Version, int],
    have: Machine,
    *,
    stations: int,
    spawn_rate: float,
    duration: float,
    workers: int = 1,
    sources: int = 1,
    tls: bool = False,
    own_csms: bool = False,
    connections: int | None = None,
    warm_up: float | None = None,
    cool_down: float = 0.0,
    interval: float = HEARTBEAT,
    seed: int = 0,
) -> Forecast:
    """Rehearse and scale; takes a few seconds at most. Times in seconds; `connections` as in `needs`."""
    versions = versions or {Version.V16: 1}
    check_versions(profile, tuple(versions))
    played = rehearse(
        profile,
        versions,
        stations=min(stations, _rehearsed_stations(profile, duration, interval)),
        ramp=stations / spawn_rate,
        duration=duration,
        warm_up=warm_up,
        cool_down=cool_down,
        interval=interval,
        seed=seed,
    )
    scale = stations / played.stations
    windows = [_window(name, part, scale) for name, part in played.parts.items()]
    # A rehearsal that was cut short has seen the last window long enough to go on as it was.
    rest = duration - played.seconds
    if rest > 0:
        windows[-1] = msgspec.structs.replace(windows[-1], seconds=windows[-1].seconds + rest)
    judged = played.parts.get(MEASURE, Part())
    rate = next((window for window in windows if window.name == MEASURE), _window(MEASURE, judged, scale))
    need = needs(stations, workers=workers, sources=sources, tls=tls, own_csms=own_csms, connections=connections)
    return Forecast(
        stations=stations,
        profile=profile.name,
        ocpp={str(version): weight for version, weight in versions.items()},
        duration_s=duration,
        spawn_rate=spawn_rate,
        calls_per_s=rate.calls_per_s,
        calls_total=round(sum(window.calls_per_s * window.seconds for window in windows)),
        connects_per_s=max((window.connects_per_s for window in windows), default=0.0),
        sent_bytes_per_s=rate.sent_bytes_per_s,
        received_bytes_per_s=rate.received_bytes_per_s,
        cpu_cores=round(max((window.calls_per_s for window in windows), default=0.0) * CPU_PER_CALL, 3),
        actions=_actions(judged, scale),
        windows=windows,
        needs=need,
        shortages=lacking(need, have),
        assumptions=_assumptions(profile, played.stations, stations, interval, rest=rest, measured=judged.seconds)
        + [said for said in (slow_ramp(stations, spawn_rate, duration),) if said],
    )


def _rehearsed_stations(profile: Profile, duration: float, interval: float) -> int:
    """Choose how many stations to rehearse: where hours differ, few for the whole day rather than many for a part."""
    if not _has_day(profile):
        return MOST_STATIONS
    calls = sum(messages_a_day(profile, heartbeat=interval).values()) / DAY * duration
    return max(_FEWEST_REHEARSED, min(MOST_STATIONS, int(_SHARE_OF_CALLS * MOST_CALLS / max(calls, 1.0))))


_FEWEST_REHEARSED: Final = 5
_SHARE_OF_CALLS: Final = 0.7
"""Room for the busiest hours, and for what a mean does not know."""


def _has_day(profile: Profile) -> bool:
    parts = [part for part, _ in profile.members] or [profile]
    return any(part.workload is not None or part.recorded.stations for part in parts)


def _window(name: str, part: Part, scale: float) -> WindowRate:
    per_second = scale / part.seconds if part.seconds > 0 else 0.0
    total = _sum(part.traffic.values())
    upgrades = part.connects * _UPGRADE_BYTES
    return WindowRate(
        name=name,
        seconds=round(part.seconds, 3),
        calls_per_s=round(total.calls * per_second, 3),
        connects_per_s=round(part.connects * per_second, 3),
        sent_bytes_per_s=round((total.sent + upgrades) * per_second),
        received_bytes_per_s=round((total.received + upgrades) * per_second),
    )


def _sum(parts: Iterable[Traffic]) -> Traffic:
    total = Traffic()
    for part in parts:
        total.calls += part.calls
        total.sent += part.sent
        total.received += part.received
    return total


def _actions(part: Part, scale: float) -> list[ActionRate]:
    rows = [
        ActionRate(
            ocpp=ocpp,
            action=action,
            calls_per_s=round(traffic.calls * scale / part.seconds, 3),
            call_bytes=round(traffic.sent / traffic.calls, 1),
            answer_bytes=round(traffic.received / traffic.calls, 1),
        )
        for (ocpp, action), traffic in part.traffic.items()
    ]
    return sorted(rows, key=lambda row: -row.calls_per_s)


def _assumptions(
    profile: Profile, played: int, stations: int, interval: float, *, rest: float, measured: float
) -> list[str]:
    said = ["the CSMS accepts every station and every token, answers at once, and sends no CALLs"]
    if _has_day(profile):
        compressed = f", {profile.compression:g} times as fast as the clock" if profile.compression != 1 else ""
        said.append(f"the day begins at {clock_text(profile.start)}{compressed}")
    recorded = profile.recorded
    if recorded.stations:
        said.append(f"{min(stations, recorded.stations)} of {recorded.stations} recorded stations are replayed")
    if recorded.left_out:
        said.append(
            f"{recorded.left_out} recorded messages are left out: their transactions began before the recording"
        )
    if profile.heartbeat is None and not recorded.cues:
        said.append(f"the CSMS asks for a Heartbeat every {interval:g} s (--heartbeat sets another interval)")
    said.append("bytes are those of the WebSocket frames; TCP/IP, and TLS where used, come on top")
    if played < stations:
        said.append(f"{played} stations were rehearsed and scaled up to {stations}")
    if rest > 0:
        said.append(f"the last {rest:.0f} s were not rehearsed and go on as before")
    if not measured:
        said.append("nothing would be measured: the ramp and the warm-up take the whole run")
    return said
