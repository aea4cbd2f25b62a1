"""Provisioning: boot, reports, and what a Pending station is asked for."""

from __future__ import annotations

from drivers.base import StationSettings, trigger_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.expected import above, one_of, present
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import boot_is_accepted, heartbeat
from interop_suite.steps.reboot import tell_connectors
from interop_suite.steps.registration import WAIT, boot_as
from interop_suite.steps.v2x import VERSIONS, notify_event, part6, status_answered

BLOCK = "Provisioning"
PROFILE = "Core"
SHORT_WAIT = 1
"""Seconds until the next boot, as the operator sets them."""
WAIT_MAX = 5.0
"""Seconds that a station waits for its next boot at most, where the CSMS tells it another time."""
AVAILABILITY = ("Connector", "AvailabilityState", "Available")


@case(
    id="TC_B_01_CSMS",
    ocpp=VERSIONS,
    title="Cold boot is accepted, and every status and the first heartbeat are answered",
    block=BLOCK,
    profile=PROFILE,
    start=Start.CONNECTED,
    sends="A BootNotification, a StatusNotification for each connector, a NotifyEvent, and a Heartbeat.",
    expects="The CSMS SHALL accept the boot with its time and an interval, and answer every other CALL.",
    clause=part6("B01.FR.02"),
    defect="boot-without-interval",
    also=("heartbeat-unanswered", "answer-with-other-id"),
    checks=(
        answered("BootNotification", {"currentTime": present(), "interval": present()}),
        boot_is_accepted,
        status_answered,
        answered("NotifyEvent"),
        answered("Heartbeat", {"currentTime": present()}),
    ),
)
def cold_boot(probe: Probe) -> None:
    station = probe.station
    probe.boot(station)
    probe.report_available(station)
    notify_event(station, *AVAILABILITY, trigger="Delta")
    heartbeat(station)


@case(
    id="TC_B_02_CSMS",
    ocpp=VERSIONS,
    title="A cold boot is answered Pending first, and accepted when the operator has decided so",
    block=BLOCK,
    profile=PROFILE,
    start=Start.CONNECTED,
    needs=("boot-status:Pending",),
    sends="A boot that is answered Pending, a second boot, the state of each connector, and a heartbeat.",
    expects="The CSMS SHALL answer Pending and then Accepted, as its operator decides, and answer every other CALL.",
    clause=part6("B02.FR.01"),
    defect="boot-stays-pending",
    also=("boot-status-ignored", "heartbeat-unanswered", "answer-with-other-id"),
    checks=(
        answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The boot is answered Pending first"),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=1, claim="The next boot is accepted"),
        status_answered,
        answered("NotifyEvent"),
        answered("Heartbeat", {"currentTime": present()}),
    ),
)
def pending_boot(probe: Probe) -> None:
    station = probe.station
    probe.set_up(station, StationSettings(boot_status="Pending", interval=SHORT_WAIT))
    answer = probe.send_boot(station)
    if answer.get("status") != "Pending":
        return
    probe.set_up(station, StationSettings(boot_status="Accepted", interval=WAIT))
    station.listen(min(WAIT_MAX, answer.seconds("interval") or SHORT_WAIT))
    probe.send_boot(station)
    tell_connectors(station)
    heartbeat(station)


@case(
    id="TC_B_31_CSMS",
    ocpp=VERSIONS,
    title="A Pending station is triggered to boot again, and accepted then",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    start=Start.CONNECTED,
    needs=("boot-status:Pending", trigger_need("TriggerMessage")),
    sends="A boot that is answered Pending, Accepted to TriggerMessage, a second boot, and a status.",
    expects="The CSMS SHALL answer Pending, trigger a boot when its operator asks for it, and accept that one.",
    clause=part6("TC_B_31_CSMS"),
    defect="boot-status-ignored",
    also=("boot-stays-pending", "pending-connection-closed"),
    checks=(
        answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The operator's decision counts"),
        asked("TriggerMessage", {"requestedMessage": one_of("BootNotification")}),
        boot_is_accepted,
        status_answered,
    ),
)
def triggered_boot(probe: Probe) -> None:
    station = probe.station
    if boot_as(probe, "Pending") != "Pending":
        return
    station.reply("TriggerMessage", {"status": "Accepted"})
    probe.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    if station.expect("TriggerMessage") is None:
        return
    probe.set_up(station, StationSettings(boot_status="Accepted", interval=WAIT))
    station.call("BootNotification", v2x.boot_notification(station.model, "Triggered"))
    probe.report_available(station)


@case(
    id="TC_B_12_CSMS",
    ocpp=VERSIONS,
    title="The configuration inventory is asked for and reported",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetBaseReport"),),
    sends="Accepted to GetBaseReport, and NotifyReport in two parts.",
    expects="The CSMS SHALL send GetBaseReport with ConfigurationInventory, and answer each part of the report.",
    clause=part6("B07.FR.07"),
    defect="base-report-of-another-kind",
    also=("report-over-after-first-part",),
    checks=(
        asked("GetBaseReport", {"reportBase": one_of("ConfigurationInventory"), "requestId": above(-1)}),
        answered("NotifyReport", claim="Each part of the report is answered"),
    ),
)
def base_report(probe: Probe) -> None:
    station = probe.station
    station.reply("GetBaseReport", {"status": "Accepted"})
    probe.command("GetBaseReport", {"requestId": 31, "reportBase": "ConfigurationInventory"})
    request = station.expect("GetBaseReport")
    if request is None:
        return
    data = v2x.report_data(station.model)
    half = len(data) // 2
    for number, part in enumerate((data[:half], data[half:])):
        payload = v2x.notify_report(int(request.get("requestId", 31)), number, now(), part, tbc=number == 0)
        station.call("NotifyReport", payload)
