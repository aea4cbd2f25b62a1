"""OCPP 1.6: the CSMS numbers the transactions, and each step has a message of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fixtures.meter import Reading
from fixtures.models import ConnectorModel
from fixtures.models import Station as Individual
from fixtures.payloads import v16
from fixtures.payloads.sampled_values import meter_value_16
from loadtest.station.dialect.contract import Ending, Payload, Said, Status, TransactionView, Trigger
from ocppj.outcomes import is_accepted
from ocppj.versions import RULES, Version

__all__ = ["Dialect16"]

NO_TRANSACTION_ID = -1
"""Stands for the id that a CSMS never gave (OCPP 1.6 errata §3.18)."""

# OCPP 1.6 §7.36; Local is what a left-out reason means.
_REASONS: Mapping[Ending, str | None] = MappingProxyType(
    {
        Ending.LOCAL: None,
        Ending.REMOTE: "Remote",
        Ending.DE_AUTHORIZED: "DeAuthorized",
        Ending.UNLOCKED: "UnlockCommand",
        Ending.SOFT_RESET: "SoftReset",
        Ending.HARD_RESET: "HardReset",
        Ending.POWER_LOSS: "PowerLoss",
    }
)
_REGISTER = ("Energy.Active.Import.Register",)
_CONTEXTS = MappingProxyType(
    {
        Trigger.PERIODIC: "Sample.Periodic",
        Trigger.CLOCK: "Sample.Clock",
        Trigger.ASKED: "Trigger",
        Trigger.CHARGING_STATE: "Other",
        Trigger.OPERATION_MODE: "Other",
        Trigger.TARIFF: "Other",
    }
)


class Dialect16:
    """The strategy of 1.6."""

    version: Version = Version.V16
    rules = RULES[Version.V16]
    ocpp = str(Version.V16)
    status_words: Mapping[Status, str] = MappingProxyType({status: str(status) for status in Status})
    may_leave_transaction_unnamed = True
    tells_charging_state = False
    meter_values_in_transaction = True
    heartbeat_setting: tuple[str, ...] = ("HeartbeatInterval",)
    meter_setting: tuple[str, ...] = ("MeterValueSampleInterval",)

    def address(self, connector: ConnectorModel) -> int:
        """Return the number of the connector."""
        return connector.number

    def boot(self, individual: Individual, *, remote: bool) -> Payload:  # noqa: ARG002 - 1.6 gives no reason
        """Introduce the station."""
        return v16.boot_notification(individual)

    def station_status(self, word: str, timestamp: str) -> list[Payload]:
        """Report the status of the whole station, which is connector 0."""
        return [v16.status_notification(0, word, timestamp=timestamp)]

    def status(self, connector: ConnectorModel, word: str, timestamp: str) -> Payload:
        """Report the status of a connector."""
        return v16.status_notification(connector.number, word, timestamp=timestamp)

    def faulted(self, connector: ConnectorModel, timestamp: str) -> Payload:
        """Report a fault of a connector, which needs a code other than NoError (§7.6)."""
        return v16.status_notification(connector.number, "Faulted", error_code="OtherError", timestamp=timestamp)

    def authorize(self, token: str) -> Payload:
        """Ask about a token."""
        return v16.authorize(token)

    def new_transaction_id(self, bits: int) -> str | None:  # noqa: ARG002 - the CSMS makes it
        """Leave the id to the CSMS."""
        return None

    def meter_values(
        self, connector: ConnectorModel, reading: Reading, timestamp: str, trigger: Trigger = Trigger.ASKED
    ) -> Payload:
        """Report what a meter shows outside of transactions."""
        value = meter_value_16(reading, _REGISTER, timestamp, context=_CONTEXTS[trigger])
        return v16.meter_values(connector.number, [value])

    def started(self, charging_session: TransactionView, now: float) -> Said:
        """Report the begin of a transaction."""
        timestamp = charging_session.timestamp(now)
        payload = v16.start_transaction(
            charging_session.model.number,
            charging_session.token,
            charging_session.register_wh,
            timestamp,
            reservation_id=charging_session.reservation_id,
        )
        return Said("StartTransaction", lambda: payload)

    def metered(self, charging_session: TransactionView, at: float, trigger: Trigger) -> Said:
        """Report the last reading."""
        reading, timestamp = charging_session.reading, charging_session.timestamp(at)

        def build() -> Payload:
            value = meter_value_16(reading, charging_session.measurands, timestamp, context=_CONTEXTS[trigger])
            return v16.meter_values(charging_session.model.number, [value], transaction_id=_id(charging_session))

        return Said("MeterValues", build)

    def ended(self, charging_session: TransactionView, ending: Ending, now: float) -> Said:
        """Report the end of a transaction."""
        meter_stop, timestamp = charging_session.register_wh, charging_session.timestamp(now)
        token = charging_session.token if ending is Ending.LOCAL else None

        def build() -> Payload:
            return v16.stop_transaction(
                _id(charging_session), meter_stop, timestamp, id_tag=token, reason=_REASONS[ending]
            )

        return Said("StopTransaction", build)

    def read_start(self, charging_session: TransactionView, answer: Mapping[str, Any] | None) -> bool:
        """Take the transaction id of the CSMS."""
        if answer is None:
            return True
        number = answer.get("transactionId")
        if type(number) is int:
            charging_session.transaction_id = number
        info = answer.get("idTagInfo")
        return is_accepted({"idTagInfo": info})


def _id(charging_session: TransactionView) -> int:
    return charging_session.transaction_id if isinstance(charging_session.transaction_id, int) else NO_TRANSACTION_ID
