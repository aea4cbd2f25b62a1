"""Every station message is answered: what a station tells or asks by itself, which needs nothing of a driver.

What only tells the CSMS something has nothing in it that could be refused. What refers to things that this CSMS does
not know, such as a contract or a request that it never made, it may refuse, and still it must answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from fixtures.certificates import make_csr
from fixtures.corpus import minimal
from fixtures.csms.defects.station_messages import unanswered_defect_id
from fixtures.device import Variable
from fixtures.payloads import v2x, v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.shared_case import V2X
from interop_suite.steps.v16 import ago
from ocppj.actions import ACTIONS
from ocppj.versions import Version

BLOCK = "Station messages"
ANSWER_2X = {Version.V201: Clause("201-4", "4.1.7"), Version.V21: Clause("21-4", "4.1.7")}
REQUEST = 71
"""A request that the CSMS has not made in this case; a station that has restarted may still report on it."""

Payloads = Callable[[Probe], Iterable[dict[str, Any]]]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One action that a station sends by itself."""

    action: str
    payloads: Payloads
    block: str = BLOCK
    versions: tuple[Version, ...] = V2X
    clause: Clause | None = None
    """Where it is not that of every CALL of the version."""
    defect: str | None = None
    """Where it is not that nothing is answered."""
    also: tuple[str, ...] = ()
    refers: bool = False
    """Whether it is about something that the CSMS does not know, so that a CALLERROR has a reason."""


def _answered_somehow(action: str) -> Check:
    strict = answered(action)

    def judge(history: History) -> list[Finding]:
        refused = {call.answer.line for call in history.calls(action) if call.kind is AnswerKind.ERROR and call.answer}
        return [
            msgspec.structs.replace(finding, verdict=Verdict.NON_STRICT)
            if finding.verdict is Verdict.FAILED and finding.frame in refused
            else finding
            for finding in strict.judge(history)
        ]

    return Check(claim=strict.claim, judge=judge)


def _smallest(action: str) -> Payloads:
    return lambda probe: [minimal(probe.version, action, "request")]


def _event(_: Probe) -> Iterable[dict[str, Any]]:
    about = Variable("ChargingStation", "Problem", "true")
    for number, value in enumerate(("true", "false")):
        event = v2x.event_data(number, now(), about, value, trigger="Delta", cleared=None if number == 0 else True)
        yield v2x.notify_event(0, now(), [event])


def _report(_: Probe) -> Iterable[dict[str, Any]]:
    item = v2x.report_item(Variable("OCPPCommCtrlr", "HeartbeatInterval", "300"), "300")
    yield v2x.notify_report(REQUEST, 0, now(), [item], tbc=True)
    yield v2x.notify_report(REQUEST, 1, now(), [item])


def _monitors(probe: Probe) -> Iterable[dict[str, Any]]:
    about = Variable("ChargingStation", "Power", "0")
    yield v2x.notify_monitoring_report(REQUEST, 0, now(), [v2x.monitoring_data(probe.version, about, 1)])


# Only a station that was asked for its state, while nothing is going on, may leave out the requestId.
def _firmware(_: Probe) -> Iterable[dict[str, Any]]:
    for status in ("Downloading", "Downloaded", "Installing", "Installed", "DownloadFailed"):
        yield v2x.firmware_status_notification(status, request_id=REQUEST)


def _log(_: Probe) -> Iterable[dict[str, Any]]:
    for status in ("Uploading", "Uploaded", "UploadFailure"):
        yield v2x.log_status_notification(status, request_id=REQUEST)


def _profiles(_: Probe) -> Iterable[dict[str, Any]]:
    profile = v2x.charging_profile(1, v2x.charging_schedule(1, [(0, 16.0)]))
    yield v2x.report_charging_profiles(REQUEST, 1, [profile])


def _certificate(probe: Probe) -> Iterable[dict[str, Any]]:
    csr = make_csr(probe.station.identity, probe.operator).csr_pem.decode()
    yield v2x.sign_certificate(csr, certificate_type="ChargingStationCertificate")


def _one(make: Callable[[], dict[str, Any]]) -> Payloads:
    return lambda _: [make()]


def _both_limits(_: Probe) -> Iterable[dict[str, Any]]:
    schedule = v2x.charging_schedule(1, [(0, 16.0), (600, 10.0)])
    yield v2x.notify_charging_limit(evse_id=1, is_grid_critical=False, schedules=[schedule])
    yield v2x.notify_charging_limit()


_SECURITY = "Security"
_REPORTING = "Reporting"
_FIRMWARE = "Firmware Management"
_SMART = "Smart Charging"

TOLD = (
    Told(
        action="SecurityEventNotification",
        block=_SECURITY,
        payloads=lambda _: [
            v2x.security_event_notification("StartupOfTheDevice", now()),
            v2x.security_event_notification("SettingSystemTime", now(), tech_info="clock moved by 3 s"),
        ],
        defect="security-event-refused",
        also=("security-event-needs-tech-info",),
    ),
    Told(action="SignCertificate", block=_SECURITY, payloads=_certificate, also=("certificate-chain-as-list",)),
    Told(action="NotifyReport", block=_REPORTING, payloads=_report, defect="report-unanswered", refers=True),
    Told(action="NotifyEvent", block=_REPORTING, payloads=_event, defect="notify-event-refused"),
    Told(action="NotifyMonitoringReport", block=_REPORTING, payloads=_monitors, refers=True),
    Told(
        action="NotifyCustomerInformation",
        block=_REPORTING,
        payloads=_one(lambda: v2x.notify_customer_information(REQUEST, 0, now(), "nothing is known")),
        refers=True,
    ),
    Told(
        action="FirmwareStatusNotification",
        block=_FIRMWARE,
        payloads=_firmware,
        defect="firmware-status-refused",
        also=("firmware-failure-unhandled",),
    ),
    Told(
        action="PublishFirmwareStatusNotification",
        block=_FIRMWARE,
        payloads=_one(lambda: v2x.publish_firmware_status_notification("Idle")),
    ),
    Told(action="LogStatusNotification", block=_FIRMWARE, payloads=_log, defect="log-status-refused"),
    Told(
        action="NotifyChargingLimit",
        block=_SMART,
        payloads=_both_limits,
        also=("charging-limit-with-schedule-refused", "charging-limit-without-evse-refused"),
    ),
    Told(
        action="ClearedChargingLimit",
        block=_SMART,
        payloads=_one(v2x.cleared_charging_limit),
        also=("cleared-limit-never-heard-of-refused",),
    ),
    Told(action="ReportChargingProfiles", block=_SMART, payloads=_profiles, refers=True),
    Told(
        action="NotifyDisplayMessages",
        payloads=_one(lambda: v2x.notify_display_messages(REQUEST)),
        refers=True,
    ),
    Told(
        action="ReservationStatusUpdate",
        payloads=_one(lambda: v2x.reservation_status_update(REQUEST, "Expired")),
    ),
    *(
        Told(action=action, payloads=_smallest(action), refers=True)
        for action in (
            "Get15118EVCertificate",
            "GetCertificateStatus",
            "NotifyEVChargingNeeds",
            "NotifyEVChargingSchedule",
        )
    ),
    Told(action="NotifyDERAlarm", payloads=_smallest("NotifyDERAlarm"), versions=(Version.V21,)),
    *(
        Told(action=action, payloads=_smallest(action), versions=(Version.V21,), refers=True)
        for action in (
            "BatterySwap",
            "ClosePeriodicEventStream",
            "GetCertificateChainStatus",
            "NotifyDERStartStop",
            "NotifyPriorityCharging",
            "NotifySettlement",
            "OpenPeriodicEventStream",
            "PullDynamicScheduleUpdate",
            "ReportDERControl",
            "VatNumberValidation",
        )
    ),
    # -- 1.6: what the payload matrix does not send in every form
    Told(
        action="DiagnosticsStatusNotification",
        block=_FIRMWARE,
        versions=(Version.V16,),
        payloads=lambda _: map(v16.diagnostics_status_notification, ("Idle", "Uploading", "Uploaded", "UploadFailed")),
        clause=Clause("1.6", "4.4"),
        defect="diagnostics-status-refused",
        also=("diagnostics-upload-failed-refused", "refuses-words-in-DiagnosticsStatusNotification"),
    ),
    Told(
        action="FirmwareStatusNotification",
        block=_FIRMWARE,
        versions=(Version.V16,),
        payloads=lambda _: map(
            v16.firmware_status_notification,
            # A station that comes back with its new firmware may tell the end alone.
            ("Installed", "Idle", "Downloading", "Downloaded", "Installing", "DownloadFailed", "InstallationFailed"),
        ),
        clause=Clause("1.6", "4.5"),
        defect="firmware-status-refused",
        also=(
            "firmware-download-failed-refused",
            "firmware-installed-refused",
            "firmware-installation-failed-refused",
            "refuses-words-in-FirmwareStatusNotification",
        ),
    ),
    Told(
        action="LogStatusNotification",
        block=_FIRMWARE,
        versions=(Version.V16,),
        payloads=lambda _: [
            v16.log_status_notification("Idle"),
            *(v16.log_status_notification(s, request_id=REQUEST) for s in ("Uploading", "Uploaded", "UploadFailure")),
        ],
        clause=Clause("SWP", "5.14"),
        defect="log-status-refused",
        also=("log-uploaded-refused",),
    ),
    Told(
        action="SignedFirmwareStatusNotification",
        block=_FIRMWARE,
        versions=(Version.V16,),
        payloads=lambda _: [
            v16.signed_firmware_status_notification("Idle"),
            *(
                v16.signed_firmware_status_notification(s, request_id=REQUEST)
                for s in ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")
            ),
        ],
        clause=Clause("SWP", "5.20"),
        defect="signed-firmware-status-refused",
    ),
    Told(
        action="SecurityEventNotification",
        block=_SECURITY,
        versions=(Version.V16,),
        # Events are queued while the station is offline (A04.FR.02).
        payloads=lambda _: [v16.security_event_notification("StartupOfTheDevice", at) for at in (now(), ago(hours=50))],
        clause=Clause("SWP", "5.16"),
        defect="security-event-refused",
        also=("old-security-event-refused",),
    ),
)


def _add(told: Told) -> None:
    for version in told.versions:
        assert ACTIONS[version][told.action].by_station
        clause = told.clause or ANSWER_2X[version]

        @case(
            id=f"MSG_{told.action}",
            ocpp=version,
            title=f"{told.action} of a station is answered",
            block=told.block,
            sends=f"{told.action}, in several forms where it has them, as a station sends it by itself.",
            expects="The CSMS SHALL answer each with a CALLRESULT"
            + (
                "; what it does not know, it can say there (a CALLERROR is NON_STRICT)."
                if told.refers
                else "; one that does not have this feature says NotImplemented or NotSupported."
            ),
            clause=clause,
            defect=told.defect or unanswered_defect_id(told.action),
            also=told.also,
            checks=((_answered_somehow if told.refers else answered)(told.action),),
        )
        def script(probe: Probe) -> None:
            probe.station.note(only_told=told.action, **({"plain": told.action} if told.refers else {}))
            for payload in told.payloads(probe):
                if probe.station.call(told.action, payload).kind not in ("result", "error"):
                    break


for _told in TOLD:
    _add(_told)
