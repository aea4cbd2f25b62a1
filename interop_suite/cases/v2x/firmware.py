"""Secure firmware updates: the order with its certificate and signature, and every way in which it ends."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from drivers.base import trigger_need
from fixtures.certificates import Authority
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, noted, still_serves
from interop_suite.claims.claim import Check, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import boot_is_accepted, heartbeat
from interop_suite.steps.operator_orders import lies_ahead, ordered
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS, event_answered, part6, report_connector, status_answered

BLOCK = "Firmware Management"
PROFILE = "Core"
ORDER = "UpdateFirmware"
IMAGE = "https://firmware.example.invalid/Station-7.3.bin"
NEXT_IMAGE = "https://firmware.example.invalid/Station-7.4.bin"
SIGNATURE = "TUVVQ0lRRHpXYVFrN3JQc2lnbmF0dXJlIG9mIDcuMw=="
NEXT_SIGNATURE = "TUVRQ0lGMnhGcTlWbGJzaWduYXR1cmUgb2YgNy40"
LATER = {"retrieveDateTime": "2031-03-04T05:06:07Z", "installDateTime": "2031-04-05T06:07:08Z"}
REBOOT = "reboot"
"""Stands between the statuses for the boot with the new firmware."""
REBOOTS_MAX = 4
REBOOT_WAIT_MAX = 5.0
"""Seconds that a station waits at most before it boots again, whatever interval a Pending asks for."""

EVERY_UPDATE = ("update-firmware-without-firmware", "update-firmware-unsigned")
"""Defects that every order meets."""
AFTER_BOOT = "firmware-update-over-with-boot"
OF_16 = "firmware-statuses-of-16-only"
FAILURE = "firmware-failure-unhandled"


@cache
def signing_certificate() -> str:
    """Make the certificate that the firmware is signed with, in PEM."""
    credential = Authority("Plugstorm Firmware Root").station("Firmware Signing", "Plugstorm Firmware")
    return credential.certificate_pem.decode()


def order_of(number: int, image: str = IMAGE, signature: str = SIGNATURE, **dates: str) -> dict[str, Any]:
    """Write what the operator asks for; a download may begin at once unless `dates` say otherwise."""
    firmware = {
        "location": image,
        "retrieveDateTime": now(),
        "signingCertificate": signing_certificate(),
        "signature": signature,
        **dates,
    }
    return {"requestId": number, "retries": 3, "retryInterval": 45, "firmware": firmware}


def _is_pem(value: Any) -> str | None:
    return None if "-----BEGIN CERTIFICATE-----" in str(value) else f"is {str(value)[:40]!r} instead of a PEM"


def sends_update(image: str = IMAGE, claim: str | None = None) -> Check:
    """Claim that the order arrives with all that a secure update needs."""
    fields = {
        "requestId": present(),
        "firmware.location": one_of(image),
        "firmware.retrieveDateTime": present(),
        "firmware.signingCertificate": _is_pem,
        "firmware.signature": present(),
    }
    return ordered(ORDER, fields, claim=claim)


every_status_answered = answered("FirmwareStatusNotification", claim="Every status of the update is answered")


def _ask(probe: Probe, order: dict[str, Any], reply: str) -> dict[str, Any] | None:
    """Have the update ordered and answer it; gives the CALL, None where none came."""
    probe.station.reply(ORDER, {"status": reply})
    probe.command(ORDER, order)
    return probe.station.expect(ORDER)


def _tell(probe: Probe, request: dict[str, Any], *statuses: str) -> None:
    """Tell how the update of a request goes on; a CSMS may have given the request a number of its own."""
    for status in statuses:
        if status == REBOOT:
            _boot(probe.station)
        else:
            payload = v2x.firmware_status_notification(status, request_id=request.get("requestId"))
            answer = probe.station.call("FirmwareStatusNotification", payload)
            if answer.kind not in ("result", "error"):
                # A CSMS that has fallen silent is not told any more.
                return


def _boot(station: ScriptedStation) -> None:
    for _ in range(REBOOTS_MAX):
        answer = station.call("BootNotification", v2x.boot_notification(station.model, "FirmwareUpdate"))
        if answer.get("status") != "Pending":
            break
        station.listen(min(REBOOT_WAIT_MAX, answer.seconds("interval") or 1.0))
    for connector in station.model.connectors:
        report_connector(station, "Available", evse=connector.evse_id, connector=connector.connector_id)


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One update from its order to its end."""

    id: str
    title: str
    clause: Clause
    statuses: tuple[str, ...] = ()
    reply: str = "Accepted"
    later: str | None = None
    """The date that the operator sets to the future."""
    security_event: str | None = None
    defect: str
    also: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the texts ask of the CSMS on this way."""
        dated = (lies_ahead(ORDER, f"firmware.{self.later}"),) if self.later else ()
        told = (every_status_answered,) if self.statuses else ()
        booted = (boot_is_accepted, status_answered, event_answered) if REBOOT in self.statuses else ()
        secured = (answered("SecurityEventNotification", claim="The security event is answered"),)
        return (sends_update(), *dated, *told, *booted, *(secured if self.security_event else ()), still_serves())


DOWNLOADED = ("Downloading", "Downloaded", "SignatureVerified")
REBOOTED = ("Installing", "InstallRebooting", REBOOT)

UPDATES = (
    Update(
        id="TC_L_01_CSMS",
        title="A secure firmware update that succeeds",
        clause=part6("L01.FR.11"),
        statuses=(*DOWNLOADED, *REBOOTED, "Installed"),
        defect="update-firmware-unsigned",
        also=("update-firmware-without-firmware", AFTER_BOOT, OF_16),
    ),
    Update(
        id="TC_L_02_CSMS",
        title="A secure firmware update whose installation is scheduled",
        clause=part6("TC_L_02_CSMS"),
        statuses=(*DOWNLOADED, "InstallScheduled", *REBOOTED, "Installed"),
        later="installDateTime",
        defect="firmware-install-date-dropped",
        also=(*EVERY_UPDATE, AFTER_BOOT, OF_16),
    ),
    Update(
        id="TC_L_03_CSMS",
        title="A secure firmware update whose download is scheduled",
        clause=part6("TC_L_03_CSMS"),
        statuses=("DownloadScheduled", *DOWNLOADED, *REBOOTED, "Installed"),
        later="retrieveDateTime",
        defect="firmware-retrieved-at-once",
        also=(*EVERY_UPDATE, AFTER_BOOT, OF_16),
    ),
    Update(
        id="TC_L_04_CSMS",
        title="A firmware update whose signing certificate is revoked",
        clause=part6("TC_L_04_CSMS"),
        reply="RevokedCertificate",
        defect="closes-after-firmware-certificate-refused",
        also=EVERY_UPDATE,
    ),
    Update(
        id="TC_L_05_CSMS",
        title="A firmware update whose signing certificate is invalid",
        clause=part6("TC_L_05_CSMS"),
        reply="InvalidCertificate",
        security_event="InvalidFirmwareSigningCertificate",
        defect="security-event-needs-tech-info",
        also=(*EVERY_UPDATE, "closes-after-firmware-certificate-refused"),
    ),
    Update(
        id="TC_L_06_CSMS",
        title="A firmware update whose signature is invalid",
        clause=part6("L01.FR.01"),
        statuses=("Downloading", "Downloaded", "InvalidSignature"),
        security_event="InvalidFirmwareSignature",
        defect="update-firmware-without-firmware",
        also=("update-firmware-unsigned", "security-event-needs-tech-info", OF_16, FAILURE),
    ),
    Update(
        id="TC_L_07_CSMS",
        title="A firmware update whose download fails",
        clause=part6("L01.FR.11"),
        statuses=("Downloading", "DownloadFailed"),
        defect=FAILURE,
        also=EVERY_UPDATE,
    ),
    Update(
        id="TC_L_08_CSMS",
        title="A firmware update that fails its verification when it is installed",
        clause=part6("TC_L_08_CSMS"),
        statuses=(*DOWNLOADED, "Installing", "InstallVerificationFailed"),
        defect=OF_16,
        also=(*EVERY_UPDATE, FAILURE),
    ),
    Update(
        id="TC_L_09_CSMS",
        title="A firmware update whose installation fails after the boot",
        clause=part6("TC_L_09_CSMS"),
        statuses=(*DOWNLOADED, *REBOOTED, "InstallationFailed"),
        defect=AFTER_BOOT,
        also=(*EVERY_UPDATE, OF_16, FAILURE),
    ),
)


def _words(update: Update) -> str:
    told = ", ".join(update.statuses).replace(REBOOT, "a boot with FirmwareUpdate and every connector Available")
    parts = [f"{update.reply} to UpdateFirmware", told, f"the security event {update.security_event}"]
    return "; ".join(part for part in parts if part and not part.endswith("None")) + ", then a Heartbeat."


def _add(update: Update) -> None:
    @case(
        id=update.id,
        ocpp=VERSIONS,
        title=update.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(ORDER),),
        sends=_words(update),
        expects="The CSMS SHALL send UpdateFirmware with certificate, signature and dates, and answer what follows.",
        clause=update.clause,
        defect=update.defect,
        also=update.also,
        checks=update.checks,
    )
    def script(probe: Probe) -> None:
        station = probe.station
        dates = {} if update.later is None else {update.later: LATER[update.later]}
        request = _ask(probe, order_of(41, **dates), update.reply)
        if request is None:
            return
        _tell(probe, request, *update.statuses)
        if update.security_event:
            station.call("SecurityEventNotification", v2x.security_event_notification(update.security_event, now()))
        heartbeat(station)


for _update in UPDATES:
    _add(_update)


# -- a second order, and a session that is in the way -----------------------------------------------------------------

_second_update = sends_update(NEXT_IMAGE, claim="The second order is sent while the first is being carried out")
_own_number = noted("own_number", "The second order has a requestId of its own", level=Level.RECOMMENDED)
_every_check = (every_status_answered, boot_is_accepted, status_answered, event_answered, still_serves())


def _two_orders(probe: Probe, reply: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Have a second update ordered while the first is downloaded; gives both CALLs, None where one did not come."""
    first = _ask(probe, order_of(43), "Accepted")
    if first is None:
        return None
    _tell(probe, first, "Downloading")
    second = _ask(probe, order_of(44, NEXT_IMAGE, NEXT_SIGNATURE), reply)
    if second is None:
        return None
    numbers = [first.get("requestId"), second.get("requestId")]
    probe.station.note(own_number=[numbers[0] != numbers[1], numbers])
    return first, second


@case(
    id="TC_L_10_CSMS",
    ocpp=VERSIONS,
    title="A new firmware update cancels the one before it",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to UpdateFirmware, AcceptedCanceled to another one, and every status of the second to Installed.",
    expects="The CSMS SHALL send both orders, each with its own firmware, and answer all that follows.",
    clause=part6("L01.FR.24"),
    defect="firmware-of-first-order-again",
    also=(*EVERY_UPDATE, AFTER_BOOT, OF_16),
    checks=(sends_update(), _second_update, _own_number, *_every_check),
)
def canceled(probe: Probe) -> None:
    orders = _two_orders(probe, "AcceptedCanceled")
    if orders is not None:
        _tell(probe, orders[1], *DOWNLOADED, *REBOOTED, "Installed")
        heartbeat(probe.station)


@case(
    id="TC_L_11_CSMS",
    ocpp=VERSIONS,
    title="A firmware update that cannot be cancelled goes on",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends="Accepted to UpdateFirmware, Rejected to another one, and every status of the first to Installed.",
    expects="The CSMS SHALL send both orders, each with its own firmware, and answer all that follows.",
    clause=part6("L01.FR.27"),
    defect="firmware-status-of-older-order-refused",
    also=(*EVERY_UPDATE, "firmware-of-first-order-again", AFTER_BOOT, OF_16),
    checks=(sends_update(), _second_update, _own_number, *_every_check),
)
def not_cancelled(probe: Probe) -> None:
    orders = _two_orders(probe, "Rejected")
    if orders is not None:
        _tell(probe, orders[0], "Downloaded", "SignatureVerified", *REBOOTED, "Installed")
        heartbeat(probe.station)


@case(
    id="TC_L_13_CSMS",
    ocpp=VERSIONS,
    title="A firmware update waits for the session that is going on",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(ORDER),),
    sends=(
        "A session; Accepted to UpdateFirmware, DownloadScheduled, the other connectors Unavailable; the end of the "
        "session, and every status to Installed."
    ),
    expects="The CSMS SHALL send UpdateFirmware with the signing certificate, and answer the session and the update.",
    clause=part6("TC_L_13_CSMS"),
    defect="sessions-refused-while-updating",
    also=(
        *EVERY_UPDATE,
        AFTER_BOOT,
        OF_16,
        event_defect_id("Updated", "StopAuthorized"),
        event_defect_id("Ended", "EVCommunicationLost"),
    ),
    checks=(sends_update(), answers_all, *_every_check),
)
def waits_for_session(probe: Probe) -> None:
    station = probe.station
    charging = Charging(station, probe.any_token(), connector=2)
    report_connector(station, "Occupied", evse=2)
    charging.begin()
    request = _ask(probe, order_of(47), "Accepted")
    if request is None:
        return
    _tell(probe, request, "DownloadScheduled")
    for connector in station.model.connectors:
        if connector.evse_id != charging.connector:
            report_connector(station, "Unavailable", evse=connector.evse_id, connector=connector.connector_id)
    charging.event("Updated", "StopAuthorized", token=charging.identified(), charging_state="EVConnected")
    charging.event("Ended", "EVCommunicationLost", stopped_reason="Local", charging_state="Idle")
    report_connector(station, "Unavailable", evse=2)
    _tell(probe, request, *DOWNLOADED, *REBOOTED, "Installed")
    heartbeat(station)
