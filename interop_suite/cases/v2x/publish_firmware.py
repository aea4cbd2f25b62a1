"""Firmware that a local controller publishes: the order with its checksum, each outcome, and its end."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import trigger_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.operator_orders import ordered, same_text
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Firmware Management"
CLAUSE = Clause("201-4", "4.1.7")
ORDER = "PublishFirmware"
IMAGE = "https://firmware.example.invalid/Station-8.1.bin"
CHECKSUM = "5d41402abc4b2a76b9719d911017c592"
OTHER_IMAGE = "https://firmware.example.invalid/Charger-8.2.bin"
OTHER_CHECKSUM = "7d793037a0760186574b0282f2f435e7"
UNKNOWN_CHECKSUM = "9e107d9d372bb6826bd81d3542a419d6"
PLACES = ("http://192.0.2.7/Station-8.1.bin", "ftp://192.0.2.7/Station-8.1.bin")
FAILURE = "publish-failure-unhandled"
FOREIGN = "publish-status-read-as-firmware-status"
RETRIES = "publish-firmware-without-retries"


def _order(number: int, image: str, checksum: str) -> dict[str, Any]:
    return {"location": image, "checksum": checksum, "requestId": number, "retries": 2, "retryInterval": 75}


def _publish(probe: Probe, number: int, image: str, checksum: str, *statuses: str) -> None:
    """Have firmware published, and tell how it goes; Published comes with the places where it can be had."""
    station = probe.station
    station.reply(ORDER, {"status": "Accepted"})
    probe.command(ORDER, _order(number, image, checksum))
    request = station.expect(ORDER)
    if request is None:
        return
    for status in statuses:
        places = PLACES if status == "Published" else None
        payload = v2x.publish_firmware_status_notification(status, location=places, request_id=request.get("requestId"))
        if station.call("PublishFirmwareStatusNotification", payload).kind not in ("result", "error"):
            # A CSMS that has fallen silent is not told any more.
            return


every_status_answered = answered("PublishFirmwareStatusNotification", claim="Every status is answered")
sends_firmware = ordered(ORDER, {"location": one_of(IMAGE), "checksum": same_text(CHECKSUM), "requestId": present()})


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """One firmware, from the order to its end."""

    id: str
    title: str
    statuses: tuple[str, ...]
    defect: str
    also: tuple[str, ...]


PUBLICATIONS = (
    Publication(
        id="TC_L_17_CSMS",
        title="Firmware is published by a local controller",
        statuses=("Downloading", "Downloaded", "ChecksumVerified", "Published"),
        defect="published-places-read-as-text",
        also=(RETRIES, FOREIGN),
    ),
    Publication(
        id="TC_L_19_CSMS",
        title="Firmware is not published, as its checksum is wrong",
        statuses=("Downloading", "Downloaded", "InvalidChecksum"),
        defect=FOREIGN,
        also=(RETRIES, FAILURE),
    ),
    Publication(
        id="TC_L_20_CSMS",
        title="Firmware cannot be published",
        statuses=("Downloading", "Downloaded", "ChecksumVerified", "PublishFailed"),
        defect=RETRIES,
        also=(FAILURE, FOREIGN),
    ),
    Publication(
        id="TC_L_24_CSMS",
        title="Firmware that is to be published cannot be downloaded",
        statuses=("DownloadScheduled", "Downloading", "DownloadFailed"),
        defect=FAILURE,
        also=(RETRIES,),
    ),
)


def _add_publication(publication: Publication) -> None:
    @case(
        id=publication.id,
        ocpp=VERSIONS,
        title=publication.title,
        block=BLOCK,
        initiator="csms",
        needs=(trigger_need(ORDER),),
        sends=f"Accepted to PublishFirmware, the statuses {', '.join(publication.statuses)}, then a Heartbeat.",
        expects="The CSMS SHALL send PublishFirmware with location and checksum, and answer every status.",
        clause=CLAUSE,
        defect=publication.defect,
        also=publication.also,
        checks=(sends_firmware, every_status_answered, still_serves()),
    )
    def script(probe: Probe) -> None:
        _publish(probe, 61, IMAGE, CHECKSUM, *publication.statuses)
        heartbeat(probe.station)


for _publication in PUBLICATIONS:
    _add_publication(_publication)


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to the order to publish a firmware no more."""

    id: str
    title: str
    reply: str
    defect: str
    also: tuple[str, ...] = ()
    checksum: str = CHECKSUM
    published: tuple[str, ...] = ()
    """How far the publishing has come before."""


WITHDRAWALS = (
    Withdrawal(
        id="TC_L_21_CSMS",
        title="Firmware is published no more",
        reply="Unpublished",
        published=("Downloading", "Downloaded", "ChecksumVerified", "Published"),
        defect="unpublish-of-newest-firmware",
        also=("published-places-read-as-text", RETRIES, FOREIGN),
    ),
    Withdrawal(
        id="TC_L_22_CSMS",
        title="Firmware that is not published cannot be withdrawn",
        reply="NoFirmware",
        checksum=UNKNOWN_CHECKSUM,
        defect="closes-after-unpublish-refused",
    ),
    Withdrawal(
        id="TC_L_23_CSMS",
        title="Firmware that is being downloaded by stations cannot be withdrawn",
        reply="DownloadOngoing",
        published=("Downloading", "Downloaded", "ChecksumVerified", "Published"),
        defect="closes-after-unpublish-refused",
        also=("unpublish-of-newest-firmware", "published-places-read-as-text", RETRIES, FOREIGN),
    ),
)


def _add_withdrawal(withdrawal: Withdrawal) -> None:
    told = (every_status_answered,) if withdrawal.published else ()
    before = "Two firmwares published; " if withdrawal.published else ""
    needs = (trigger_need(ORDER),) if withdrawal.published else ()

    @case(
        id=withdrawal.id,
        ocpp=VERSIONS,
        title=withdrawal.title,
        block=BLOCK,
        initiator="csms",
        needs=(*needs, trigger_need("UnpublishFirmware")),
        sends=f"{before}{withdrawal.reply} to UnpublishFirmware, then a Heartbeat.",
        expects="The CSMS SHALL send UnpublishFirmware with the checksum of the firmware, take the answer and go on.",
        clause=CLAUSE,
        defect=withdrawal.defect,
        also=withdrawal.also,
        checks=(ordered("UnpublishFirmware", {"checksum": same_text(withdrawal.checksum)}), *told, still_serves()),
    )
    def script(probe: Probe) -> None:
        if withdrawal.published:
            _publish(probe, 63, IMAGE, CHECKSUM, *withdrawal.published)
            _publish(probe, 64, OTHER_IMAGE, OTHER_CHECKSUM, *withdrawal.published)
        probe.station.reply("UnpublishFirmware", {"status": withdrawal.reply})
        probe.command("UnpublishFirmware", {"checksum": withdrawal.checksum})
        heartbeat(probe.station)


for _withdrawal in WITHDRAWALS:
    _add_withdrawal(_withdrawal)
