"""What begins a job (UpdateFirmware and its kin, GetDiagnostics, GetLog, PublishFirmware), and how each stands now."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from fixtures.certificates import CertificateError, read_subject
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.commands.jobs import (
    DIAGNOSTICS,
    FIRMWARE,
    KINDS,
    LOG,
    PUBLICATION,
    SIGNED_FIRMWARE,
    Job,
    Jobs,
    Publication,
    tell_security,
)
from loadtest.station.contract import Controls
from loadtest.station.state.connectors import moment
from loadtest.station.state.firmware import Firmware
from loadtest.station.state.store import need, peek
from ocppj.versions import Version

__all__ = [
    "get_diagnostics",
    "get_log",
    "present_status",
    "publish_firmware",
    "unpublish_firmware",
    "update_firmware",
    "update_firmware_2x",
]

_CANCELLED_LOG: Mapping[Version, str | None] = MappingProxyType(
    {Version.V16: None, Version.V201: "AcceptedCanceled", Version.V21: "AcceptedCanceled"}
)
"""What the CSMS hears about an upload that another one has replaced."""


def _running(station: Controls, kind: str) -> Job | None:
    jobs = peek(station, Jobs)
    job = None if jobs is None else jobs.by_name.get(kind)
    return None if job is None or job.over else job


def _start(station: Controls, name: str, job: Job, told: str | None = None) -> None:
    """Begin a job instead of one that still runs; `told` is the last word about that one."""
    before = _running(station, name)
    if before is not None:
        before.cancel()
        if told is not None:
            payload = {"status": told, "requestId": before.request_id}
            station.call(job.kind.action, payload, station.context.clock())
    need(station, Jobs).by_name[name] = job
    job.begin()


def present_status(station: Controls, name: str) -> tuple[str, Request] | None:
    """Return action and payload of the present status of a kind of job; None for a kind that the version lacks."""
    kind = KINDS[station.version].get(name)
    if kind is None:
        return None
    jobs = peek(station, Jobs)
    job = None if jobs is None else jobs.by_name.get(name)
    if job is None or job.word is None or job.word in kind.idle_after:
        return kind.action, {"status": "Idle"}
    number = {} if job.request_id is None else {"requestId": job.request_id}
    return kind.action, {"status": job.word} | number | job.details


# -- what the CSMS asks ------------------------------------------------------------------------------------------------


def _moments(station: Controls, **texts: str | None) -> dict[str, float]:
    read = {name: moment(station.context, text) for name, text in texts.items() if text is not None}
    return {name: when for name, when in read.items() if when is not None}


def update_firmware(station: Controls, request: Request, _: Request) -> Reaction:
    """Get and install firmware (OCPP 1.6 §5.19); the answer has no room for a no."""
    before = _running(station, FIRMWARE)
    if before is not None and before.beyond_recall:
        return Reaction()
    times = _moments(station, retrieve=request["retrieveDate"])
    job = Job(station, KINDS[station.version][FIRMWARE], request, times)
    return Reaction(then=partial(_start, station, FIRMWARE, job))


def update_firmware_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Get and install firmware, signed where it comes with a certificate (OCPP 2.x L01 and L02; whitepaper L01)."""
    name = SIGNED_FIRMWARE if SIGNED_FIRMWARE in KINDS[station.version] else FIRMWARE
    firmware, before = request["firmware"], _running(station, name)
    certificate = firmware.get("signingCertificate")
    if certificate is not None and not _is_certificate(certificate):
        return Reaction("InvalidCertificate", partial(tell_security, station, "InvalidFirmwareSigningCertificate"))
    if before is not None and before.beyond_recall:
        return Reaction("Rejected")
    times = _moments(station, retrieve=firmware["retrieveDateTime"], install=firmware.get("installDateTime"))
    job = Job(station, KINDS[station.version][name], request, times, signed=certificate is not None)
    return Reaction("Accepted" if before is None else "AcceptedCanceled", partial(_start, station, name, job))


def _is_certificate(text: str) -> bool:
    try:
        read_subject(text)
    except CertificateError:
        return False
    return True


def get_diagnostics(station: Controls, request: Request, _: Request) -> Reaction:
    """Upload diagnostics (OCPP 1.6 §5.8)."""
    job = Job(station, KINDS[station.version][DIAGNOSTICS], request, {})
    return Reaction(then=partial(_start, station, DIAGNOSTICS, job))


def get_log(station: Controls, request: Request, _: Request) -> Reaction:
    """Upload a log; one that is on its way is given up for it (whitepaper N01.FR.11, OCPP 2.x N01.FR.12)."""
    before = _running(station, LOG)
    job = Job(station, KINDS[station.version][LOG], request, {})
    told = _CANCELLED_LOG[station.version] if before is not None else None
    status = "Accepted" if before is None else "AcceptedCanceled"
    return Reaction(status, partial(_start, station, LOG, job, told))


def publish_firmware(station: Controls, request: Request, _: Request) -> Reaction:
    """Get firmware for the stations behind this one (OCPP 2.x L03)."""
    if _running(station, PUBLICATION) is not None:
        return Reaction("Rejected")
    job = Publication(station, KINDS[station.version][PUBLICATION], request, {})
    return Reaction(then=partial(_start, station, PUBLICATION, job))


def unpublish_firmware(station: Controls, request: Request, _: Request) -> Reaction:
    """Offer firmware no longer (OCPP 2.x L04)."""
    running, firmware = _running(station, PUBLICATION), peek(station, Firmware)
    checksum = request["checksum"]
    if isinstance(running, Publication) and running.checksum == checksum:
        return Reaction("DownloadOngoing")
    if firmware is None or checksum not in firmware.published:
        return Reaction("NoFirmware")
    return Reaction("Unpublished", partial(firmware.published.discard, checksum))
