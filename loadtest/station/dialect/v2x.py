"""OCPP 2.0.1 and 2.1: the station numbers the transactions, and one message tells everything about them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from fixtures.meter import Reading
from fixtures.models import ConnectorModel
from fixtures.models import Station as Individual
from fixtures.payloads import v2x
from fixtures.payloads.sampled_values import meter_value_2x
from fixtures.tokens import Token
from loadtest.station.dialect.contract import Ending, Payload, Said, Status, TransactionView, Trigger
from ocppj.outcomes import is_accepted
from ocppj.versions import RULES, Version

__all__ = ["Dialect2x"]

# stoppedReason (ReasonEnumType) and triggerReason (TriggerReasonEnumType) of each ending.
_ENDINGS: Mapping[Ending, tuple[str | None, str]] = MappingProxyType(
    {
        Ending.LOCAL: ("Local", "StopAuthorized"),
        Ending.REMOTE: ("Remote", "RemoteStop"),
        Ending.DE_AUTHORIZED: ("DeAuthorized", "Deauthorized"),
        Ending.UNLOCKED: ("Other", "UnlockCommand"),
        Ending.SOFT_RESET: ("Reboot", "ResetCommand"),
        Ending.HARD_RESET: ("ImmediateReset", "ResetCommand"),
        Ending.POWER_LOSS: ("PowerLoss", "AbnormalCondition"),
    }
)
_REGISTER = ("Energy.Active.Import.Register",)
_TRIGGERS = MappingProxyType(
    {
        Trigger.PERIODIC: ("Sample.Periodic", "MeterValuePeriodic"),
        Trigger.CLOCK: ("Sample.Clock", "MeterValueClock"),
        Trigger.ASKED: ("Trigger", "Trigger"),
        Trigger.CHARGING_STATE: ("Other", "ChargingStateChanged"),
        Trigger.OPERATION_MODE: ("Other", "OperationModeChanged"),
        Trigger.TARIFF: ("Other", "TariffChanged"),
    }
)
_STATES = MappingProxyType(
    {
        Status.CHARGING: "Charging",
        Status.SUSPENDED_EV: "SuspendedEV",
        Status.SUSPENDED_EVSE: "SuspendedEVSE",
    }
)


class Dialect2x:
    """The strategy of 2.0.1 and 2.1."""

    status_words: Mapping[Status, str] = MappingProxyType(
        {
            **dict.fromkeys(Status, "Occupied"),
            Status.AVAILABLE: "Available",
            Status.RESERVED: "Reserved",
            Status.UNAVAILABLE: "Unavailable",
        }
    )
    may_leave_transaction_unnamed = False
    tells_charging_state = True
    meter_values_in_transaction = False
    heartbeat_setting: tuple[str, ...] = ("OCPPCommCtrlr", "HeartbeatInterval")
    meter_setting: tuple[str, ...] = ("SampledDataCtrlr", "TxUpdatedInterval")

    def __init__(self, version: Version) -> None:
        """Speak 2.0.1 or 2.1."""
        self.version = version
        self.rules = RULES[version]
        self.ocpp = str(version)

    def address(self, connector: ConnectorModel) -> int:
        """Return the number of the EVSE."""
        return connector.evse_id

    def boot(self, individual: Individual, *, remote: bool) -> Payload:
        """Introduce the station."""
        return v2x.boot_notification(individual, "RemoteReset" if remote else "PowerUp")

    def station_status(self, word: str, timestamp: str) -> list[Payload]:  # noqa: ARG002 - there is nothing to say
        """Report nothing: 2.x has no connector 0."""
        return []

    def status(self, connector: ConnectorModel, word: str, timestamp: str) -> Payload:
        """Report the status of a connector."""
        return v2x.status_notification(connector.evse_id, connector.connector_id, word, timestamp)

    def faulted(self, connector: ConnectorModel, timestamp: str) -> Payload:
        """Report a fault of a connector."""
        return v2x.status_notification(connector.evse_id, connector.connector_id, "Faulted", timestamp)

    def authorize(self, token: str) -> Payload:
        """Ask about a token."""
        return v2x.authorize(Token(value=token))

    def new_transaction_id(self, bits: int) -> str | None:
        """Make a UUID."""
        return str(UUID(int=bits, version=4))

    def meter_values(
        self, connector: ConnectorModel, reading: Reading, timestamp: str, trigger: Trigger = Trigger.ASKED
    ) -> Payload:
        """Report what a meter shows outside of transactions."""
        value = meter_value_2x(reading, _REGISTER, timestamp, context=_TRIGGERS[trigger][0])
        return v2x.meter_values(connector.evse_id, [value])

    def started(self, charging_session: TransactionView, now: float) -> Said:
        """Report the begin of a transaction."""
        remote = charging_session.remote_start_id is not None
        value = meter_value_2x(
            charging_session.reading,
            charging_session.measurands,
            charging_session.timestamp(now),
            context="Transaction.Begin",
        )
        return self._event(
            charging_session,
            now,
            "Started",
            "RemoteStart" if remote else "Authorized",
            charging_state=_STATES.get(charging_session.status, "Charging"),
            operation_mode=charging_session.operation_mode,
            reservation_id=charging_session.reservation_id,
            remote_start_id=charging_session.remote_start_id,
            evse_id=charging_session.model.evse_id,
            connector_id=charging_session.model.connector_id,
            id_token=_id_token(charging_session),
            meter_value=[value],
        )

    def metered(self, charging_session: TransactionView, at: float, trigger: Trigger) -> Said:
        """Report the last reading."""
        context, reason = _TRIGGERS[trigger]
        value = meter_value_2x(
            charging_session.reading,
            charging_session.measurands,
            charging_session.timestamp(at),
            context=context,
        )
        state = _STATES.get(charging_session.status, "Charging")
        return self._event(
            charging_session,
            at,
            "Updated",
            reason,
            charging_state=state,
            operation_mode=charging_session.operation_mode,
            meter_value=[value],
        )

    def ended(self, charging_session: TransactionView, ending: Ending, now: float) -> Said:
        """Report the end of a transaction."""
        stopped_reason, trigger = _ENDINGS[ending]
        value = meter_value_2x(
            charging_session.reading,
            charging_session.measurands,
            charging_session.timestamp(now),
            context="Transaction.End",
        )
        return self._event(
            charging_session,
            now,
            "Ended",
            trigger,
            charging_state="EVConnected",
            stopped_reason=stopped_reason,
            time_spent_charging=int(now - charging_session.started_at),
            id_token=_id_token(charging_session) if ending is Ending.LOCAL else None,
            meter_value=[value],
        )

    def read_start(self, charging_session: TransactionView, answer: Mapping[str, Any] | None) -> bool:  # noqa: ARG002 - the id is ours
        """Take the verdict on the token; a left-out one is a yes (OCPP 2.x E01)."""
        return answer is None or is_accepted({"idTokenInfo": answer.get("idTokenInfo")})

    def _event(
        self,
        charging_session: TransactionView,
        at: float,
        kind: str,
        trigger: str,
        *,
        id_token: Payload | None = None,
        **fields: Any,
    ) -> Said:
        payload = v2x.transaction_event(
            kind,
            trigger,
            charging_session.next_seq_no(),
            str(charging_session.transaction_id),
            charging_session.timestamp(at),
            offline=None if charging_session.online else True,
            **fields,
        )
        if id_token is not None:
            payload["idToken"] = id_token
        return Said("TransactionEvent", lambda: payload)


def _id_token(charging_session: TransactionView) -> Payload:
    # A CSMS may start a transaction with any type of token, and hears of it with that type.
    return {"idToken": charging_session.token, "type": charging_session.token_type}
