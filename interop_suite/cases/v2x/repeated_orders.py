"""Two orders of one action at one station: each is carried out as it was named, and has a number of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, K_BLOCK, two_sessions
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)
CLAUSE = Clause("201-4", "4.1.7")
TOKEN = (token_need("Accepted"),)
CORE, DEVICE, DISPLAY = "Core", "Advanced Device Management", "Advanced UI"
ACCEPTED: Payload = {"status": "Accepted"}
ONE_NUMBER = "one-number-for-all-requests"
BEFORE = "order-before-once-more"
EARLY, LATE = "2031-03-02T05:30:00Z", "2031-04-07T21:45:00Z"


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """Two orders of one action."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str
    profile: str
    action: str
    orders: Callable[[Probe], Sequence[Payload]]
    reply: Payload | Callable[[Payload], Payload]
    number: str | None = None
    """The field that tells two requests apart, where a CSMS chooses it."""
    needs: tuple[str, ...] = ()
    defect: str
    also: tuple[str, ...] = ()


def _own_number(action: str, path: str) -> Check:
    """Claim that what tells two requests of a station apart is not the same in both."""
    claim = f"Two requests of one station have {path} of their own"

    def judge(history: History) -> list[Finding]:
        numbers = [field(call.payload, path) for call in history.commands(action)]
        if len(numbers) < 2:  # noqa: PLR2004  # nothing to compare
            return []
        same = len(set(map(str, numbers))) < len(numbers)
        actual = f"{path} is {', '.join(map(repr, numbers))}"
        return [Finding(verdict=Verdict.FAILED if same else Verdict.OK, claim=claim, actual=actual)]

    return Check(claim=claim, judge=judge)


def _fixed(*orders: Payload) -> Callable[[Probe], Sequence[Payload]]:
    return lambda _probe: orders


def _starts(probe: Probe) -> Sequence[Payload]:
    tokens = [probe.token(), probe.another_token()]
    return [
        {"evseId": evse, "remoteStartId": 8200 + evse, "idToken": {"idToken": token, "type": "ISO14443"}}
        for evse, token in zip((EVSE_1, EVSE_2), tokens, strict=True)
    ]


def _swaps(probe: Probe) -> Sequence[Payload]:
    tokens = [probe.token(), probe.another_token()]
    return [
        {"requestId": number, "idToken": {"idToken": token, "type": "ISO14443"}}
        for number, token in zip((8231, 8232), tokens, strict=True)
    ]


def _stops(probe: Probe) -> Sequence[Payload]:
    return [{"transactionId": str(session.id)} for session in two_sessions(probe)]


def _priorities(probe: Probe) -> Sequence[Payload]:
    older, newer = two_sessions(probe)
    return [{"transactionId": str(newer.id), "activate": True}, {"transactionId": str(older.id), "activate": False}]


def _transfers(probe: Probe) -> Sequence[Payload]:
    older, newer = two_sessions(probe)
    modes = (["AC_three_phase", "AC_BPT"], ["DC", "DC_BPT"])
    return [
        {"transactionId": str(session.id), "allowedEnergyTransfer": allowed}
        for session, allowed in zip((newer, older), modes, strict=True)
    ]


def _cancelled(probe: Probe) -> Sequence[Payload]:
    tokens = [probe.token(), probe.another_token()]
    numbers = []
    for evse, token in zip((EVSE_1, EVSE_2), tokens, strict=True):
        order = {
            "id": 8240 + evse,
            "expiryDateTime": LATE,
            "evseId": evse,
            "idToken": {"idToken": token, "type": "ISO14443"},
        }
        request = obey(probe, "ReserveNow", order, ACCEPTED)
        numbers.append(8240 + evse if request is None else int(request.get("id", 0)))
    return [{"reservationId": number} for number in reversed(numbers)]


def _hash(name: str) -> Payload:
    return {
        "certificateHashData": {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": name * 32,
            "issuerKeyHash": name[::-1] * 32,
            "serialNumber": f"3{name}f",
        }
    }


def _log(number: int, name: str) -> Payload:
    place = {"remoteLocation": f"https://logs.example.invalid/{name}"}
    return {"requestId": number, "logType": "DiagnosticsLog", "log": place}


def _firmware(number: int, name: str) -> Payload:
    place = {"location": f"https://firmware.example.invalid/{name}", "retrieveDateTime": EARLY}
    return {"requestId": number, "firmware": place}


def _published(number: int, name: str) -> Payload:
    return {"requestId": number, "location": f"https://firmware.example.invalid/{name}", "checksum": name * 32}


def _shown(number: int, text: str) -> Payload:
    message = {"format": "UTF8", "language": "en", "content": text}
    return {"message": {"id": number, "priority": "NormalCycle", "message": message}}


def _customer(number: int, name: str) -> Payload:
    return {"requestId": number, "report": True, "clear": False, "customerIdentifier": name}


def _profiles(number: int, evse: int) -> Payload:
    return {"requestId": number, "evseId": evse, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}


NUMBERED = (
    Repeated(
        id="CMD_10",
        title="Two base reports can be told apart",
        block="Provisioning",
        profile=CORE,
        action="GetBaseReport",
        orders=_fixed(
            {"requestId": 8201, "reportBase": "ConfigurationInventory"},
            {"requestId": 8202, "reportBase": "FullInventory"},
        ),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("base-report-always-configuration", "base-report-of-another-kind"),
    ),
    Repeated(
        id="CMD_11",
        title="Two reports can be told apart",
        block="Provisioning",
        profile=DEVICE,
        action="GetReport",
        orders=_fixed(
            {"requestId": 8203, "componentCriteria": ["Problem"]}, {"requestId": 8204, "componentCriteria": ["Active"]}
        ),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("get-report-drops-criteria",),
    ),
    Repeated(
        id="CMD_12",
        title="Two reports of monitors can be told apart",
        block="Diagnostics",
        profile=DEVICE,
        action="GetMonitoringReport",
        orders=_fixed(
            {"requestId": 8205, "monitoringCriteria": ["ThresholdMonitoring"]},
            {"requestId": 8206, "monitoringCriteria": ["DeltaMonitoring"]},
        ),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
    ),
    Repeated(
        id="CMD_13",
        title="Two uploads of logs can be told apart",
        block="Diagnostics",
        profile=CORE,
        action="GetLog",
        orders=_fixed(_log(8207, "first"), _log(8208, "second")),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("get-log-https-as-http", "get-log-of-another-kind", "get-log-place-of-first"),
    ),
    Repeated(
        id="CMD_14",
        title="Two updates of firmware can be told apart",
        block="Firmware Management",
        profile=CORE,
        action="UpdateFirmware",
        orders=_fixed(_firmware(8209, "first"), _firmware(8210, "second")),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("firmware-of-first-order-again", "update-firmware-without-firmware"),
    ),
    Repeated(
        id="CMD_15",
        title="Two publications of firmware can be told apart",
        block="Firmware Management",
        profile=CORE,
        action="PublishFirmware",
        orders=_fixed(_published(8211, "a"), _published(8212, "b")),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
    ),
    Repeated(
        id="CMD_16",
        title="Two requests for what is kept of customers can be told apart",
        block="Diagnostics",
        profile=CORE,
        action="CustomerInformation",
        orders=_fixed(_customer(8213, "customer-a"), _customer(8214, "customer-b")),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("customer-identifier-sent-as-token",),
    ),
    Repeated(
        id="CMD_17",
        title="Two lists of messages can be told apart",
        block="Display Message",
        profile=DISPLAY,
        action="GetDisplayMessages",
        orders=_fixed({"requestId": 8215, "state": "Idle"}, {"requestId": 8216, "state": "Charging"}),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("get-display-messages-drops-state",),
    ),
    Repeated(
        id="CMD_18",
        title="Two messages do not replace one another",
        block="Display Message",
        profile=DISPLAY,
        action="SetDisplayMessage",
        orders=_fixed(_shown(371, "Cable on the left"), _shown(372, "Cable on the right")),
        reply=ACCEPTED,
        number="message.id",
        defect=ONE_NUMBER,
    ),
    Repeated(
        id="CMD_19",
        title="Two reports of charging profiles can be told apart",
        block=K_BLOCK,
        profile="Smart Charging",
        action="GetChargingProfiles",
        orders=_fixed(_profiles(8217, EVSE_1), _profiles(8218, EVSE_2)),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
    ),
    Repeated(
        id="CMD_20",
        title="Two remote starts can be told apart",
        block="Remote Control",
        profile=CORE,
        action="RequestStartTransaction",
        orders=_starts,
        reply=ACCEPTED,
        number="remoteStartId",
        needs=TOKEN,
        defect=ONE_NUMBER,
        also=("remote-start-doubled",),
    ),
    Repeated(
        id="CMD_21",
        title="Two reports of DER controls can be told apart",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="GetDERControl",
        orders=_fixed({"requestId": 8219, "isDefault": True}, {"requestId": 8220, "isDefault": False}),
        reply=ACCEPTED,
        number="requestId",
        defect=ONE_NUMBER,
        also=("der-controls-read-without-default",),
    ),
    Repeated(
        id="CMD_22",
        title="Two swaps of batteries can be told apart",
        versions=V21,
        block="Battery Swapping",
        profile="Battery Swapping",
        action="RequestBatterySwap",
        orders=_swaps,
        reply=ACCEPTED,
        number="requestId",
        needs=TOKEN,
        defect=ONE_NUMBER,
        also=("battery-swap-token-as-central",),
    ),
)
IN_TURN = (
    Repeated(
        id="CMD_30",
        title="Two reservations are cancelled, the newer one first",
        block="Reservation",
        profile="Reservation",
        action="CancelReservation",
        orders=_cancelled,
        reply=ACCEPTED,
        needs=(*TOKEN, trigger_need("ReserveNow")),
        defect=BEFORE,
        also=("cancel-of-newest-reservation", "reserve-another-evse"),
    ),
    Repeated(
        id="CMD_31",
        title="Two certificates are deleted",
        block="Certificate Management",
        profile=CORE,
        action="DeleteCertificate",
        orders=_fixed(_hash("4a"), _hash("7c")),
        reply=ACCEPTED,
        defect=BEFORE,
        also=("delete-certificate-hashes-swapped", "delete-certificate-of-first-report"),
    ),
    Repeated(
        id="CMD_32",
        title="Two sessions are stopped, the older one first",
        block="Remote Control",
        profile=CORE,
        action="RequestStopTransaction",
        orders=_stops,
        reply=ACCEPTED,
        needs=TOKEN,
        defect=BEFORE,
        also=("request-stop-wrong-transaction", "stop-names-latest-session", "stop-names-first-session"),
    ),
    Repeated(
        id="CMD_33",
        title="Priority is given to one session, and taken from another",
        versions=V21,
        block=K_BLOCK,
        profile="Smart Charging",
        action="UsePriorityCharging",
        orders=_priorities,
        reply=ACCEPTED,
        needs=TOKEN,
        defect=BEFORE,
        also=("priority-charging-always-on", "priority-charging-for-first-transaction"),
    ),
    Repeated(
        id="CMD_34",
        title="Two sessions get other modes of energy transfer",
        versions=V21,
        block="Bidirectional Power Transfer",
        profile="V2X",
        action="NotifyAllowedEnergyTransfer",
        orders=_transfers,
        reply=ACCEPTED,
        needs=TOKEN,
        defect=BEFORE,
        also=("transfer-allowed-for-first-transaction",),
    ),
)


def _monitor(value: float, component: str, variable: str) -> Payload:
    place = {"component": {"name": component, "evse": {"id": EVSE_1}}, "variable": {"name": variable}}
    return {"setMonitoringData": [{"value": value, "type": "UpperThreshold", "severity": 4, **place}]}


def _monitored(request: Payload) -> Payload:
    """Accept every monitor of a request."""
    kept = ("type", "severity", "component", "variable")
    wanted = request.get("setMonitoringData", ())
    results = [{"id": 8301, "status": "Accepted", **{name: each[name] for name in kept}} for each in wanted]
    return {"setMonitoringResult": results}


AGAIN = (
    Repeated(
        id="CMD_35",
        title="Two monitors are set, one after the other",
        block="Diagnostics",
        profile=DEVICE,
        action="SetVariableMonitoring",
        orders=_fixed(_monitor(41.0, "EVSE", "Power"), _monitor(73.0, "EVSE", "Temperature")),
        reply=_monitored,
        defect=BEFORE,
        also=("monitor-id-zero-by-default",),
    ),
    Repeated(
        id="CMD_36",
        title="Two messages are cleared, one after the other",
        block="Display Message",
        profile=DISPLAY,
        action="ClearDisplayMessage",
        orders=_fixed({"id": 8311}, {"id": 8312}),
        reply={"status": "Unknown"},
        defect=BEFORE,
        also=("closes-after-clear-unknown-display-message",),
    ),
    Repeated(
        id="CMD_37",
        title="Two messages are triggered, one after the other",
        block="Remote Control",
        profile=CORE,
        action="TriggerMessage",
        orders=_fixed(
            {"requestedMessage": "FirmwareStatusNotification"}, {"requestedMessage": "LogStatusNotification"}
        ),
        reply={"status": "NotImplemented"},
        defect=BEFORE,
        also=("closes-after-trigger-not-implemented",),
    ),
)


def _add(repeated: Repeated) -> None:
    own = () if repeated.number is None else (_own_number(repeated.action, repeated.number),)
    status = "Accepted" if callable(repeated.reply) else repeated.reply["status"]
    named = f"The CSMS SHALL send {repeated.action} for each as its operator named it"

    @case(
        id=repeated.id,
        ocpp=repeated.versions,
        title=repeated.title,
        block=repeated.block,
        profile=repeated.profile,
        initiator="csms",
        needs=(trigger_need(repeated.action), *repeated.needs),
        sends=f"{status} to {repeated.action}, twice, then a Heartbeat.",
        expects=f"{named}, with {repeated.number} of its own." if repeated.number else f"{named}.",
        clause=CLAUSE,
        defect=repeated.defect,
        also=repeated.also,
        checks=(fulfilled(repeated.action, may_refuse=True), *own, still_serves()),
    )
    def script(probe: Probe) -> None:
        for order in repeated.orders(probe):
            obey(probe, repeated.action, order, repeated.reply)
        heartbeat(probe.station)


for _repeated in (*NUMBERED, *IN_TURN, *AGAIN):
    _add(_repeated)
