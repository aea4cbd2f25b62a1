"""Local Auth List Management: versions, full and differential updates, and stations that refuse them."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import each, one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat

BLOCK = "Local Authorization List"
PROFILE = "Local Auth List"
LIST_VERSION = 7


def _entry(token: str) -> dict[str, Any]:
    return {"idTag": token, "idTagInfo": {"status": "Accepted"}}


def _full(token: str, version: int = LIST_VERSION) -> dict[str, Any]:
    return {"listVersion": version, "updateType": "Full", "localAuthorizationList": [_entry(token)]}


@case(
    id="TC_042_1_CSMS",
    ocpp="1.6",
    title="The list version is asked of a station without list support",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetLocalListVersion"),),
    sends="The answer -1 to GetLocalListVersion, then a Heartbeat.",
    expects="The CSMS SHALL send GetLocalListVersion, take -1 as no support and go on serving.",
    clause=Clause("1.6", "5.10"),
    defect="closes-after-list-version-minus-one",
    checks=(asked("GetLocalListVersion"), still_serves()),
)
def version_without_support(probe: Probe) -> None:
    probe.station.reply("GetLocalListVersion", {"listVersion": -1})
    probe.command("GetLocalListVersion", {})
    heartbeat(probe.station)


@case(
    id="TC_042_2_CSMS",
    ocpp="1.6",
    title="The list version is asked of a station whose list is empty",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetLocalListVersion"),),
    sends="The answer 0 to GetLocalListVersion.",
    expects="The CSMS SHALL send GetLocalListVersion without any field.",
    clause=Clause("1.6", "5.10"),
    defect="get-local-list-version-with-payload",
    checks=(asked("GetLocalListVersion"),),
)
def version_of_empty_list(probe: Probe) -> None:
    probe.station.reply("GetLocalListVersion", {"listVersion": 0})
    probe.command("GetLocalListVersion", {})


def _refused_list(probe: Probe, status: str) -> None:
    probe.station.reply("SendLocalList", {"status": status})
    probe.command("SendLocalList", _full(probe.token()))
    heartbeat(probe.station)


@case(
    id="TC_043_1_CSMS",
    ocpp="1.6",
    title="A full list update is refused as NotSupported",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SendLocalList")),
    sends="The answer NotSupported to SendLocalList, then a Heartbeat.",
    expects="The CSMS SHALL send a Full update, take the answer and go on serving.",
    clause=Clause("1.6", "5.15"),
    defect="closes-after-list-not-supported",
    checks=(asked("SendLocalList", {"updateType": one_of("Full"), "listVersion": present()}), still_serves()),
)
def list_not_supported(probe: Probe) -> None:
    _refused_list(probe, "NotSupported")


@case(
    id="TC_043_3_CSMS",
    ocpp="1.6",
    title="A list update is answered Failed",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SendLocalList")),
    sends="The answer Failed to SendLocalList, then a Heartbeat.",
    expects="The CSMS SHALL send the update, take the answer and go on serving.",
    clause=Clause("1.6", "5.15"),
    defect="closes-after-list-failed",
    checks=(asked("SendLocalList", {"listVersion": present()}), still_serves()),
)
def list_failed(probe: Probe) -> None:
    _refused_list(probe, "Failed")


@case(
    id="TC_043_4_CSMS",
    ocpp="1.6",
    title="A full list update, every entry with its idTagInfo",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SendLocalList")),
    sends="The answer Accepted to SendLocalList.",
    expects="The CSMS SHALL send a Full update whose every entry has an idTag and idTagInfo.",
    clause=Clause("1.6", "5.15"),
    defect="local-list-entries-without-info",
    checks=(
        asked(
            "SendLocalList",
            {
                "updateType": one_of("Full"),
                "listVersion": present(),
                "localAuthorizationList": each("idTag", "idTagInfo"),
            },
        ),
    ),
)
def full_list(probe: Probe) -> None:
    probe.station.reply("SendLocalList", {"status": "Accepted"})
    probe.command("SendLocalList", _full(probe.token()))


@case(
    id="TC_043_5_CSMS",
    ocpp="1.6",
    title="A differential update with a higher version and only the new tag",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("GetLocalListVersion"), trigger_need("SendLocalList")),
    sends="The answer 7 to GetLocalListVersion and Accepted to SendLocalList.",
    expects="The CSMS SHALL send a Differential update with a version above the one that the station has.",
    clause=Clause("1.6", "5.15"),
    defect="differential-list-sent-as-full",
    checks=(
        asked("GetLocalListVersion"),
        asked(
            "SendLocalList",
            {
                "updateType": one_of("Differential"),
                "listVersion": one_of(LIST_VERSION + 1),
                "localAuthorizationList": each("idTag", "idTagInfo"),
            },
        ),
    ),
)
def differential_list(probe: Probe) -> None:
    station = probe.station
    station.reply("GetLocalListVersion", {"listVersion": LIST_VERSION})
    station.reply("SendLocalList", {"status": "Accepted"})
    probe.command("GetLocalListVersion", {})
    update = {**_full(probe.token(), LIST_VERSION + 1), "updateType": "Differential"}
    probe.command("SendLocalList", update)
