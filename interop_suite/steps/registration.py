"""Boots that the operator does not accept at once."""

from __future__ import annotations

from drivers.base import StationSettings
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from ocppj.errors import InconclusiveError

__all__ = ["WAIT", "boot_as", "booted_as"]

WAIT = 60
"""Seconds that a station is told to wait; no case waits so long."""


def boot_as(probe: Probe, status: str) -> str:
    """Have the operator decide on the boot, send one, and return the status that the CSMS answered, or what else."""
    station = probe.station
    probe.set_up(station, StationSettings(boot_status=status, interval=WAIT))
    answer = probe.send_boot(station)
    return str(answer.get("status") or answer.kind)


def booted_as(probe: Probe, status: str) -> ScriptedStation:
    """Do the same, and go on only if the CSMS answered as the operator decided; else raise `InconclusiveError`."""
    answered = boot_as(probe, status)
    if answered != status:
        raise InconclusiveError(f"The boot was answered {answered} instead of {status}.")
    return probe.station
