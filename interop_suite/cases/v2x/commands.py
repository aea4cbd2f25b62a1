"""What the operator starts: each command reaches the station with what the operator asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, each, one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v2x import VERSIONS, part6

Payload = dict[str, Any]
INTERVAL = "347"
"""Seconds that no CSMS sets by itself: such a CALL is no order that came twice."""
HEARTBEAT_INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
RESET_RETRIES = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "ResetRetries"}}
TIME_ZONE = {"component": {"name": "ClockCtrlr"}, "variable": {"name": "DateTime"}}


class OperatorOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the operator, and what the station answers; None leaves the answer to a good station."""

    id: str
    title: str
    block: str
    profile: str = "Core"
    action: str
    payload: Payload | Callable[[Probe], Payload]
    reply: Payload | None = None
    expected: Mapping[str, Expected]
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()


ORDERS = (
    OperatorOrder(
        id="TC_B_06_CSMS",
        title="Read one variable",
        block="Provisioning",
        action="GetVariables",
        payload={"getVariableData": [HEARTBEAT_INTERVAL]},
        expected={"getVariableData.0.variable.name": one_of("HeartbeatInterval"), "getVariableData.1": one_of(None)},
        clause=part6("B06.FR.01"),
        defect="get-variables-of-another-name",
    ),
    OperatorOrder(
        id="TC_B_07_CSMS",
        title="Read two variables in one request",
        block="Provisioning",
        action="GetVariables",
        payload={"getVariableData": [RESET_RETRIES, TIME_ZONE]},
        expected={
            "getVariableData.0.variable.name": one_of("ResetRetries"),
            "getVariableData.1.variable.name": one_of("DateTime"),
        },
        clause=part6("B06.FR.01"),
        defect="get-variables-one-by-one",
    ),
    OperatorOrder(
        id="TC_B_09_CSMS",
        title="Write one variable",
        block="Provisioning",
        action="SetVariables",
        payload={"setVariableData": [{**HEARTBEAT_INTERVAL, "attributeValue": INTERVAL}]},
        expected={
            "setVariableData.0.variable.name": one_of("HeartbeatInterval"),
            "setVariableData.0.attributeValue": one_of(INTERVAL),
        },
        clause=part6("B05.FR.01"),
        defect="set-variables-number",
    ),
    OperatorOrder(
        id="TC_B_10_CSMS",
        title="Write two variables in one request",
        block="Provisioning",
        action="SetVariables",
        payload={
            "setVariableData": [
                {**HEARTBEAT_INTERVAL, "attributeValue": INTERVAL},
                {**RESET_RETRIES, "attributeValue": "2"},
            ]
        },
        expected={"setVariableData": each("component", "variable", "attributeValue"), "setVariableData.1": present()},
        clause=part6("B05.FR.01"),
        defect="set-variables-one-by-one",
        also=("set-variables-number",),
    ),
    OperatorOrder(
        id="TC_B_25_CSMS",
        title="Reset one EVSE",
        block="Provisioning",
        action="Reset",
        payload={"type": "OnIdle", "evseId": 2},
        reply={"status": "Accepted"},
        expected={"type": one_of("OnIdle"), "evseId": one_of(2)},
        clause=part6("B11.FR.04"),
        defect="reset-drops-evse",
        also=("reset-of-first-evse", "reset-on-idle-sent-as-immediate"),
    ),
    OperatorOrder(
        id="TC_C_37_CSMS",
        title="Clear the authorization cache",
        block="Authorization",
        action="ClearCache",
        payload={},
        reply={"status": "Accepted"},
        expected={},
        clause=part6("TC_C_37_CSMS"),
        defect="clear-cache-with-payload",
    ),
    OperatorOrder(
        id="TC_F_27_CSMS",
        title="The station does not know the message that it is to send",
        block="Remote Control",
        action="TriggerMessage",
        payload={"requestedMessage": "LogStatusNotification"},
        reply={"status": "NotImplemented"},
        expected={"requestedMessage": one_of("LogStatusNotification")},
        clause=part6("F06.FR.08"),
        defect="closes-after-trigger-not-implemented",
    ),
)


def _add(order: OperatorOrder) -> None:
    @case(
        id=order.id,
        ocpp=VERSIONS,
        title=order.title,
        block=order.block,
        profile=order.profile,
        initiator="csms",
        needs=(trigger_need(order.action),),
        sends=f"The answer of a station to {order.action}, then a Heartbeat.",
        expects=f"The CSMS SHALL send {order.action} with what its operator asked for, take the answer and go on.",
        clause=order.clause,
        defect=order.defect,
        also=order.also,
        checks=(asked(order.action, order.expected), still_serves()),
    )
    def script(probe: Probe) -> None:
        payload = order.payload(probe) if callable(order.payload) else order.payload
        if order.reply is not None:
            probe.station.reply(order.action, order.reply)
        probe.command(order.action, payload)
        heartbeat(probe.station)


for _order in ORDERS:
    _add(_order)
