"""Logs that the operator has a 2.x station upload: which, where to, refused, and one after the other."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from drivers.base import trigger_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, noted, still_serves
from interop_suite.claims.claim import Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of, present, shown
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.v2x import VERSIONS, part6
from ocppj.versions import Version

BLOCK = "Diagnostics"
OLDEST, LATEST = "2026-03-04T05:06:07Z", "2026-04-05T06:07:08Z"
FTP = "ftp://logs.example.invalid/Upload"

KIND_LOST = "get-log-always-diagnostics"
SWAPPED = "get-log-dates-swapped"

every_status_answered = answered("LogStatusNotification", claim="Every status of the upload is answered")


def _signed_in(scheme: str) -> Expected:
    """Expect an address with a user and a password; what the trace blanks counts as there."""

    def look(value: Any) -> str | None:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is not None and parts.scheme == scheme and parts.netloc.rpartition("@")[0]:
            return None
        return f"is {shown(value)} instead of an {scheme} address with credentials"

    return look


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One order for a log, and how the upload goes."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    profile: str = "Core"
    clause: Clause
    kind: str
    location: str
    located: Expected | None = None
    """What the address must be where one_of the location is too strict: what is secret in it is blanked."""
    reply: str = "Accepted"
    statuses: tuple[str, ...] = ("Uploading", "Uploaded")
    defect: str
    also: tuple[str, ...] = ()

    def order(self, number: int) -> dict[str, Any]:
        """Write what the operator asks for."""
        log = {"remoteLocation": self.location, "oldestTimestamp": OLDEST, "latestTimestamp": LATEST}
        return {"logType": self.kind, "requestId": number, "retries": 3, "retryInterval": 45, "log": log}


UPLOADS = (
    Upload(
        id="TC_N_34_CSMS",
        title="The station refuses to upload its log",
        clause=part6("TC_N_34_CSMS"),
        kind="DiagnosticsLog",
        location=FTP,
        reply="Rejected",
        statuses=(),
        defect="closes-after-log-rejected",
        also=("get-log-of-another-kind", SWAPPED, "log-window-lost"),
    ),
    Upload(
        id="TC_N_35_CSMS",
        title="The operator has the station upload its security log",
        clause=part6("TC_N_35_CSMS"),
        kind="SecurityLog",
        location=FTP,
        defect=KIND_LOST,
        also=(SWAPPED, "log-window-lost"),
    ),
    Upload(
        id="TC_N_100_CSMS",
        title="The operator has the station upload the log of its data collector",
        ocpp=(Version.V21,),
        profile="unknown (2.1)",
        clause=Clause("21-4", "4.1.7"),
        kind="DataCollectorLog",
        location=FTP,
        defect="get-log-data-collector-as-security",
        also=(KIND_LOST, "get-log-of-another-kind", SWAPPED, "log-window-lost"),
    ),
    Upload(
        id="TC_N_102_CSMS",
        title="The operator has the station sign in for the upload over HTTP",
        ocpp=(Version.V21,),
        profile="unknown (2.1)",
        clause=Clause("21-4", "4.1.7"),
        kind="DiagnosticsLog",
        location="http://uploader:Sesame-31@logs.example.invalid/http",
        located=_signed_in("http"),
        defect="get-log-without-credentials",
        also=("get-log-of-another-kind", SWAPPED, "log-window-lost"),
    ),
    Upload(
        id="TC_N_102_2_CSMS",
        title="The operator has the station sign in for the upload over HTTPS",
        ocpp=(Version.V21,),
        profile="unknown (2.1)",
        clause=Clause("21-4", "4.1.7"),
        kind="DiagnosticsLog",
        location="https://sender:Sesame-42@logs.example.invalid/https",
        located=_signed_in("https"),
        defect="get-log-https-as-http",
        also=("get-log-without-credentials", "get-log-of-another-kind", SWAPPED, "log-window-lost"),
    ),
)


def _tell(station: ScriptedStation, request: dict[str, Any], *statuses: str) -> None:
    """Tell how an upload goes, under the number that the CSMS gave its request."""
    for value in statuses:
        payload = v2x.log_status_notification(value, request_id=request.get("requestId"))
        station.call("LogStatusNotification", payload)


def _add(upload: Upload) -> None:
    located = upload.located or one_of(upload.location)
    told = f"LogStatusNotification {' and '.join(upload.statuses)}, " if upload.statuses else ""

    @case(
        id=upload.id,
        ocpp=upload.ocpp,
        title=upload.title,
        block=BLOCK,
        profile=upload.profile,
        initiator="csms",
        needs=(trigger_need("GetLog"),),
        sends=f"{upload.reply} to GetLog, {told}then a Heartbeat.",
        expects="The CSMS SHALL send GetLog with the kind of log and a place for it, and answer every status.",
        clause=upload.clause,
        defect=upload.defect,
        also=upload.also,
        checks=(
            ordered("GetLog", {"logType": one_of(upload.kind), "requestId": present(), "log.remoteLocation": located}),
            *((every_status_answered,) if upload.statuses else ()),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        filename = {} if upload.reply == "Rejected" else {"filename": "log-7.txt"}
        request = obey(probe, "GetLog", upload.order(52), {"status": upload.reply, **filename})
        if request is None:
            return
        _tell(probe.station, request, *upload.statuses)
        heartbeat(probe.station)


for _upload in UPLOADS:
    _add(_upload)


FIRST, SECOND = "ftp://logs.example.invalid/First", "ftp://logs.example.invalid/Second"


@case(
    id="TC_N_36_CSMS",
    ocpp=VERSIONS,
    title="A second request for a log cancels the first",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=(trigger_need("GetLog"),),
    sends="Accepted to GetLog, Uploading, AcceptedCanceled to a second GetLog, and the statuses of both uploads.",
    expects="The CSMS SHALL send both requests, and answer every status, AcceptedCanceled of the first among them.",
    clause=part6("TC_N_36_CSMS"),
    defect="log-status-canceled-refused",
    also=("get-log-of-another-kind", "get-log-place-of-first"),
    checks=(
        ordered("GetLog", {"log.remoteLocation": one_of(FIRST)}, claim="The CSMS sends the first request"),
        ordered("GetLog", {"log.remoteLocation": one_of(SECOND)}, claim="The CSMS sends the second request"),
        noted("own_number", "The second request has a requestId of its own", level=Level.RECOMMENDED),
        every_status_answered,
        still_serves(),
    ),
)
def second_request(probe: Probe) -> None:
    def order(number: int, location: str) -> dict[str, Any]:
        return {"logType": "DiagnosticsLog", "requestId": number, "log": {"remoteLocation": location}}

    station = probe.station
    first = obey(probe, "GetLog", order(53, FIRST), {"status": "Accepted", "filename": "first.txt"})
    if first is None:
        return
    _tell(station, first, "Uploading")
    second = obey(probe, "GetLog", order(54, SECOND), {"status": "AcceptedCanceled", "filename": "second.txt"})
    if second is None:
        return
    numbers = [request.get("requestId") for request in (first, second)]
    station.note(own_number=[numbers[0] != numbers[1], numbers])
    _tell(station, first, "AcceptedCanceled")
    _tell(station, second, "Uploading", "Uploaded")
    heartbeat(station)
