"""Fields that few send: orders of the operator that name them, or leave them out, and what must reach the station."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.certificates import Authority
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.command_outcomes import orders_of
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field, present, shown
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import History
from interop_suite.claims.moments import apart
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.v16 import ago

Payload = dict[str, Any]
ACCEPTED: Payload = {"status": "Accepted"}
CORE, SMART, SECURITY = "Core", "Smart Charging", "Advanced Security"
ACCEPTED_TOKEN = token_need("Accepted")


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one action that a CSMS easily changes on the way from its operator to the station."""

    id: str
    title: str
    block: str
    profile: str
    action: str
    write: Callable[[Probe], Sequence[Payload]]
    reply: Payload
    needs: tuple[str, ...] = ()
    """What it needs besides the command."""
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    """Defects of other cases that it finds, too."""
    checks: tuple[Check, ...] = ()
    """What is claimed besides that every order arrives, with what it names."""


# -- what no rule about orders says ----------------------------------------------------------------------------------

_NOTHING_ADDED = "The command names no criterion that its operator did not name"


def _judge_criteria(history: History) -> list[Finding]:
    """Judge what narrows the selection of profiles: the station then keeps some that its operator wanted gone."""
    findings = []
    for order in orders_of(history):
        for call in order.calls:
            added = {name: value for name, value in call.payload.items() if name not in order.order.info["payload"]}
            verdict = Verdict.FAILED if added else Verdict.OK
            actual = f"it has {json.dumps(added)} besides" if added else "as ordered"
            findings.append(Finding(verdict=verdict, claim=_NOTHING_ADDED, actual=actual, frame=call.call.line))
    return findings


def _judge_triggers(history: History) -> list[Finding]:
    """Judge what a CSMS adds where all connectors are meant; 0 is the charge point as a whole."""
    findings = []
    for order in orders_of(history):
        if "connectorId" in order.order.info["payload"]:
            continue
        for call in order.calls:
            added = call.payload.get("connectorId")
            verdict = Verdict.FAILED if added else Verdict.OK
            actual = f"connectorId is {added}" if added else "as ordered"
            findings.append(Finding(verdict=verdict, claim=_EVERY_CONNECTOR, actual=actual, frame=call.call.line))
    return findings


_EVERY_CONNECTOR = "A message that is triggered for no connector in particular is triggered for none"


def _told_apart(path: str, claim: str, level: Level, clause: Clause) -> Check:
    """Claim that what its operator numbers apart a CSMS numbers apart, whatever numbers it takes."""

    def judge(history: History) -> list[Finding]:
        pairs = [
            (field(order.order.info["payload"], path), field(call.payload, path))
            for order in orders_of(history)
            for call in order.calls
        ]
        if len({named for named, _ in pairs}) < 2:  # noqa: PLR2004  # two orders
            return []
        same = len({sent for _, sent in pairs}) < len({named for named, _ in pairs})
        verdict = level.when_broken if same else Verdict.OK
        return [Finding(verdict=verdict, claim=claim, actual=f"{path} {[sent for _, sent in pairs]}", clause=clause)]

    return Check(claim=claim, judge=judge)


_AS_REGISTERED = "Each entry says of its tag what the operator ordered and registered"


def _judge_list(history: History) -> list[Finding]:
    """Judge each list; where the operator could name the tags only, what is registered of them is still to be told."""
    return [
        _weigh_list(order.order.info["payload"], call, by_name=handed_over is not None)
        for order in orders_of(history)
        if (handed_over := order.order.info.get("handed_over")) is None or "localAuthorizationList" in handed_over
        for call in order.calls
    ]


def _weigh_list(order: Mapping[str, Any], call: Exchange, *, by_name: bool) -> Finding:
    payload = call.payload
    wanted = _infos(order)
    found = _infos(payload)
    wrong = [
        f"{name} of {tag} is {shown(found.get(tag, {}).get(name))} instead of {value!r}"
        for tag, info in wanted.items()
        for name, value in info.items()
        if not _is_same(value, found.get(tag, {}).get(name))
    ]
    broken = Verdict.NON_STRICT if by_name else Verdict.FAILED
    return Finding(
        verdict=broken if wrong else Verdict.OK,
        claim=_AS_REGISTERED,
        actual="; ".join(wrong) or f"{len(wanted)} entries",
        frame=call.call.line,
    )


def _infos(payload: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = payload.get("localAuthorizationList")
    return {
        str(entry.get("idTag")).casefold(): entry.get("idTagInfo") or {}
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping)
    }


def _is_same(wanted: str, found: object) -> bool:
    difference = apart(wanted, found)
    if difference is not None:
        return difference <= 1.0
    return isinstance(found, str) and found.casefold() == wanted.casefold()


# -- the orders ------------------------------------------------------------------------------------------------------


def _criteria(_probe: Probe) -> list[Payload]:
    # 0 is a value of its own: the lowest level, and the charge point as a whole (OCPP 1.6 §6.13).
    zeros = {"connectorId": 0, "stackLevel": 0}
    return [{"chargingProfilePurpose": "TxDefaultProfile"}, {"connectorId": 2, "stackLevel": 3}, zeros]


def _update(_probe: Probe) -> list[Payload]:
    location = "https://firmware.example.org/Builds/Trio%20AC.bin?channel=Stable&v=2.0"
    # Stores of files sign their addresses, which makes them long; no retry is something else than none named (§6.55).
    signed = f"{location}&Signature={secrets.token_urlsafe(300)}"
    return [
        {"location": location, "retrieveDate": ago(minutes=-5), "retries": 4, "retryInterval": 90},
        {"location": signed, "retrieveDate": ago(minutes=-5), "retries": 0},
    ]


def _logs(_probe: Probe) -> list[Payload]:
    window = {"oldestTimestamp": ago(hours=9), "latestTimestamp": ago(hours=3)}
    location = "https://files.example.org/Logs"
    signed = f"{location}?Signature={secrets.token_urlsafe(300)}"
    return [
        {
            "logType": "SecurityLog",
            "requestId": 41,
            "retries": 3,
            "retryInterval": 45,
            "log": {"remoteLocation": location, **window},
        },
        {"logType": "DiagnosticsLog", "requestId": 42, "retries": 0, "log": {"remoteLocation": signed}},
    ]


def _signed_update(_probe: Probe) -> list[Payload]:
    firmware = {
        "location": "https://firmware.example.org/Builds/Trio-3.0.bin",
        "retrieveDateTime": ago(minutes=-5),
        "installDateTime": ago(hours=-6),
        "signingCertificate": Authority("Plugstorm Firmware Signing").certificate_pem.decode(),
        "signature": secrets.token_hex(64),
    }
    return [{"requestId": 43, "retries": 2, "retryInterval": 30, "firmware": firmware}]


def _list(probe: Probe) -> list[Payload]:
    group, end = probe.made_up_token(), ago(hours=-48)
    infos: list[dict[str, str]] = [
        {"status": "Accepted", "parentIdTag": group},
        {"status": "Accepted", "expiryDate": end},
        {"status": "Blocked"},
    ]
    entries = []
    for info in infos:
        tag = probe.made_up_token()
        probe.give_token(tag, info["status"], parent=info.get("parentIdTag"), expiry=info.get("expiryDate"))
        entries.append({"idTag": tag, "idTagInfo": info})
    return [{"listVersion": 51, "updateType": "Full", "localAuthorizationList": entries}]


def _schedule(unit: str, limits: Sequence[float], **fields: Any) -> Payload:
    periods = [
        {"startPeriod": 1800 * number, "limit": limit, "numberPhases": 1 + 2 * (number % 2)}
        for number, limit in enumerate(limits)
    ]
    return {"chargingRateUnit": unit, "chargingSchedulePeriod": periods, "duration": 7200, **fields}


def _profiles(_probe: Probe) -> list[Payload]:
    valid = {"validFrom": ago(minutes=10), "validTo": ago(hours=-24)}
    common = {"chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Recurring", **valid}
    start = ago(hours=1)
    limits = (22000.0, 7400.5, 0.0, 11000.0)
    whole = {
        "chargingProfileId": 61,
        "stackLevel": 2,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        **valid,
        "chargingSchedule": _schedule("W", limits, startSchedule=start, minChargingRate=1400.5),
    }
    daily, weekly = (
        {
            "chargingProfileId": number,
            "stackLevel": level,
            "recurrencyKind": kind,
            **common,
            "chargingSchedule": _schedule("A", (32.0, 8.5), startSchedule=start),
        }
        for number, level, kind in ((62, 3, "Daily"), (63, 4, "Weekly"))
    )
    return [
        {"connectorId": 0, "csChargingProfiles": whole},
        {"connectorId": 2, "csChargingProfiles": daily},
        {"connectorId": 2, "csChargingProfiles": weekly},
    ]


def _remote_start(probe: Probe) -> list[Payload]:
    profile = {
        "chargingProfileId": 64,
        "stackLevel": 5,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": _schedule("A", (16.0, 8.5, 32.0), minChargingRate=6.0),
    }
    return [{"connectorId": 2, "idTag": probe.token(), "chargingProfile": profile}]


def _transfers(_probe: Probe) -> list[Payload]:
    vendor = "org.example.Plugstorm"
    return [
        {"vendorId": vendor, "messageId": "SetLamp", "data": json.dumps({"colour": "blue", "seconds": 45})},
        {"vendorId": vendor, "data": "plain words, 007"},
        {"vendorId": vendor},
        {"vendorId": f"{vendor}.{'x' * 200}", "messageId": "m" * 50, "data": f"Grüße \u2713 {secrets.token_hex(1000)}"},
    ]


def _hashes(probe: Probe) -> list[Payload]:
    hashes = [
        {
            "hashAlgorithm": name,
            "issuerNameHash": secrets.token_hex(size),
            "issuerKeyHash": secrets.token_hex(size),
            "serialNumber": f"00{secrets.token_hex(7)}",
        }
        for name, size in {"SHA256": 32, "SHA384": 48, "SHA512": 64}.items()
    ]
    # A CSMS may delete only what the station has reported.
    probe.station.reply("GetInstalledCertificateIds", {"status": "Accepted", "certificateHashData": hashes})
    probe.command("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"})
    return [{"certificateHashData": each} for each in hashes]


def _composites(_probe: Probe) -> list[Payload]:
    return [
        {"connectorId": 0, "duration": 86400, "chargingRateUnit": "W"},
        {"connectorId": 2, "duration": 900, "chargingRateUnit": "A"},
    ]


def _triggers(_probe: Probe) -> list[Payload]:
    return [
        {"requestedMessage": "MeterValues", "connectorId": 2},
        {"requestedMessage": "StatusNotification", "connectorId": 3},
        {"requestedMessage": "StatusNotification"},
    ]


def _places(_probe: Probe) -> list[Payload]:
    return [
        {"connectorId": 0, "type": "Inoperative"},
        {"connectorId": 0, "type": "Operative"},
        {"connectorId": 3, "type": "Inoperative"},
        {"connectorId": 3, "type": "Operative"},
    ]


def _keys(_probe: Probe) -> list[Payload]:
    return [{"key": ["HeartbeatInterval", "NumberOfConnectors", "MeterValueSampleInterval"]}, {}]


def _values(_probe: Probe) -> list[Payload]:
    measurands = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,SoC"
    return [
        {"key": "StopTxnSampledData", "value": ""},
        {"key": "MeterValuesSampledData", "value": measurands},
        {"key": "MeterValueSampleInterval", "value": "0"},
    ]


ORDERS = (
    Orders(
        id="OPT_21",
        title="Charging profiles are cleared by the criteria that the operator named, and no others",
        block=SMART,
        profile=SMART,
        action="ClearChargingProfile",
        write=_criteria,
        reply=ACCEPTED,
        clause=Clause("1.6", "5.5"),
        defect="clear-profile-zeros",
        also=("clear-of-another-profile", "criteria-of-zero-left-out"),
        checks=(Check(claim=_NOTHING_ADDED, judge=_judge_criteria),),
    ),
    Orders(
        id="OPT_22",
        title="A firmware update names its retries and their interval",
        block="Firmware Management",
        profile="Firmware Management",
        action="UpdateFirmware",
        write=_update,
        reply={},
        clause=Clause("1.6", "5.19"),
        defect="update-retries-swapped",
        also=("update-without-retries-left-out",),
    ),
    Orders(
        id="OPT_23",
        title="A security log is asked for with its window and its retries",
        block="Security",
        profile=SECURITY,
        action="GetLog",
        write=_logs,
        reply=ACCEPTED,
        clause=Clause("SWP", "5.9"),
        defect="security-log-window-lost",
        also=("get-log-without-location", "log-window-lost"),
        checks=(_told_apart("requestId", "Two requests have two ids", Level.RECOMMENDED, Clause("SWP", "5.9")),),
    ),
    Orders(
        id="OPT_24",
        title="A signed update has a time of its own for the installation",
        block="Security",
        profile=SECURITY,
        action="SignedUpdateFirmware",
        write=_signed_update,
        reply=ACCEPTED,
        clause=Clause("SWP", "5.17"),
        defect="install-date-lost",
        checks=(ordered("SignedUpdateFirmware", {"firmware.installDateTime": present()}),),
    ),
    Orders(
        id="OPT_25",
        title="A local list has the group, the expiry date and the status of each tag",
        block="Local Authorization List",
        profile="Local Auth List Management",
        action="SendLocalList",
        write=_list,
        reply=ACCEPTED,
        needs=(ACCEPTED_TOKEN, token_need("Blocked"), token_need("parent"), token_need("expiry")),
        clause=Clause("1.6", "5.15"),
        defect="local-list-without-parents",
        also=("local-list-entries-without-info",),
        checks=(Check(claim=_AS_REGISTERED, judge=_judge_list),),
    ),
    Orders(
        id="OPT_26",
        title="Charging profiles of every purpose and kind arrive with all their fields",
        block=SMART,
        profile=SMART,
        action="SetChargingProfile",
        write=_profiles,
        reply=ACCEPTED,
        clause=Clause("1.6", "5.16"),
        defect="profile-validity-lost",
        also=("charging-limit-rounded", "profile-id-constant"),
        checks=(
            _told_apart(
                "csChargingProfiles.chargingProfileId",
                "Three profiles have three ids",
                Level.REQUIRED,
                Clause("1.6", "7.8"),
            ),
        ),
    ),
    Orders(
        id="OPT_27",
        title="A remote start carries a profile of several periods",
        block=SMART,
        profile=SMART,
        action="RemoteStartTransaction",
        write=_remote_start,
        reply={"status": "Rejected"},
        needs=(ACCEPTED_TOKEN,),
        clause=Clause("1.6", "5.16.2"),
        defect="remote-start-profile-cut",
        also=("closes-after-remote-start-rejected", "remote-start-drops-profile"),
    ),
    Orders(
        id="OPT_28",
        title="Data for a station stay a text, whatever they look like",
        block=CORE,
        profile=CORE,
        action="DataTransfer",
        write=_transfers,
        reply={"status": "UnknownVendorId"},
        clause=Clause("1.6", "5.6"),
        defect="transferred-text-as-object",
        also=("long-data-cut",),
    ),
    Orders(
        id="OPT_29",
        title="A certificate is deleted by the hashes that name it, of whatever algorithm",
        block="Security",
        profile=SECURITY,
        action="DeleteCertificate",
        write=_hashes,
        reply=ACCEPTED,
        needs=(trigger_need("GetInstalledCertificateIds"),),
        clause=Clause("SWP", "5.3"),
        defect="hash-algorithm-constant",
        also=("delete-of-another-certificate", "installed-ids-without-type"),
    ),
    Orders(
        id="OPT_30",
        title="A composite schedule is asked for in the unit and for the place that the operator names",
        block=SMART,
        profile=SMART,
        action="GetCompositeSchedule",
        write=_composites,
        reply={"status": "Rejected"},
        clause=Clause("1.6", "5.7"),
        defect="composite-schedule-in-amperes",
    ),
    Orders(
        id="OPT_31",
        title="A message is triggered for the connector that the operator names",
        block="Remote Trigger",
        profile="Remote Trigger",
        action="TriggerMessage",
        write=_triggers,
        reply={"status": "Rejected"},
        clause=Clause("1.6", "5.17"),
        defect="trigger-for-connector-1",
        also=(
            "closes-after-trigger-rejected",
            "trigger-message-for-another-message",
            "trigger-for-connector-1-by-default",
        ),
        checks=(Check(claim=_EVERY_CONNECTOR, judge=_judge_triggers),),
    ),
    Orders(
        id="OPT_32",
        title="A message is triggered for the connector that the operator names, by the extended command too",
        block="Security",
        profile=SECURITY,
        action="ExtendedTriggerMessage",
        write=_triggers,
        reply={"status": "Rejected"},
        clause=Clause("SWP", "5.5"),
        defect="extended-trigger-without-connector",
        checks=(Check(claim=_EVERY_CONNECTOR, judge=_judge_triggers),),
    ),
    Orders(
        id="OPT_33",
        title="The whole station or one connector is taken out of operation and back",
        block=CORE,
        profile=CORE,
        action="ChangeAvailability",
        write=_places,
        # The station is still charging (OCPP 1.6 §7.3).
        reply={"status": "Scheduled"},
        clause=Clause("1.6", "5.2"),
        defect="station-taken-for-connector-1",
        also=("inoperative-sent-as-operative",),
    ),
    Orders(
        id="OPT_34",
        title="Several keys are read at once, or all of them",
        block=CORE,
        profile=CORE,
        action="GetConfiguration",
        write=_keys,
        reply={
            "configurationKey": [
                {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
                {"key": "LightIntensity", "readonly": True},
            ],
            "unknownKey": ["MeterValueSampleInterval"],
        },
        clause=Clause("1.6", "5.8"),
        defect="first-key-only",
        also=("closes-after-key-without-value", "get-configuration-drops-keys"),
    ),
    Orders(
        id="OPT_35",
        title="A key is set to nothing, to a list, and to 0",
        block=CORE,
        profile=CORE,
        action="ChangeConfiguration",
        write=_values,
        reply={"status": "RebootRequired"},
        clause=Clause("1.6-E", "3.13"),
        defect="empty-value-left-out",
    ),
)


def _add(orders: Orders) -> None:
    @case(
        id=orders.id,
        ocpp="1.6",
        title=orders.title,
        block=orders.block,
        profile=orders.profile,
        initiator="csms",
        needs=(trigger_need(orders.action), *orders.needs),
        sends=f"{orders.reply.get('status', 'An answer')} to each {orders.action}, then a Heartbeat.",
        expects=f"The CSMS SHALL send {orders.action} with every field that its operator named.",
        clause=orders.clause,
        defect=orders.defect,
        also=orders.also,
        checks=(fulfilled(orders.action), *orders.checks, still_serves()),
    )
    def script(probe: Probe) -> None:
        probe.station.reply(orders.action, orders.reply)
        for payload in orders.write(probe):
            probe.command(orders.action, payload)
        heartbeat(probe.station)


for _orders in ORDERS:
    _add(_orders)
