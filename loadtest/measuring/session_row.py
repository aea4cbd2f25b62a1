"""One charging session at a connector as a row: what the station tells the ledger, in the order of its fields."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ocppj.outcomes import Outcome

__all__ = ["NOTE", "Row", "row_of"]

NOTE: Final = "charging_session"
"""The kind of the note that carries a row: its fields in their order."""

_ANSWERED: Final = frozenset({Outcome.ACCEPTED, Outcome.REJECTED})


class Row(msgspec.Struct, omit_defaults=True):
    """What a station knows of one charging session; times as it wrote them, energies in Wh, spans in seconds."""

    station: str
    ocpp: str
    token: str
    plugged: float = 0.0
    """Seconds since 1970 at which the driver meant to be there; 0 where the charging session never began."""
    window: str = ""
    remote: bool = False
    """Whether the CSMS asked for the transaction."""
    expected: bool = True
    """Whether the token should be accepted; a refusal of one that should not is not a failure."""
    authorize: str = ""
    """Outcome of Authorize; empty where nothing was asked."""
    evse: int | None = None
    """In 2.x."""
    connector: int | None = None
    id: int | str | None = None
    """Of the transaction: the CSMS's choice in 1.6, the station's in 2.x."""
    start: str = ""
    """Outcome of the last sending of the start; empty where no transaction began."""
    start_sends: int = 0
    start_time: str | None = None
    meter_start: float | None = None
    to_start: float | None = None
    """From the intended Authorize, or the CSMS's order, to the answer that accepted the start."""
    stop: str = ""
    """Outcome of the last sending of the stop; empty where the transaction was not ended."""
    stop_sends: int = 0
    stop_id: int | None = None
    """The transactionId that a StopTransaction named."""
    stop_time: str | None = None
    meter_stop: float | None = None
    ending: str = ""
    seconds: float = 0.0
    """From start to stop."""
    metered: bool = False
    """Whether a meter value was told between them."""
    offline: bool = False
    """Whether the transaction began without a connection."""
    cut: bool = False
    """Whether the end of the run, a restart or a crash of the station cut the charging session short."""
    thirsty: bool = True
    """Whether the car took energy as soon as the transaction began: it was not full, nor waiting, nor held back."""
    storm: bool = False
    """Whether a storm came between station and CSMS at some moment that counts for the charging session."""
    cost: float | None = None
    """The total cost that the CSMS told last, in CostUpdated or in an answer to a TransactionEvent."""

    @property
    def is_transaction(self) -> bool:
        """Whether there is something to reconcile: the start was told, or was to be."""
        return bool(self.start)

    @property
    def start_answered(self) -> bool:
        """Whether the CSMS has confirmed the start with a CALLRESULT."""
        return self.start in _ANSWERED

    @property
    def stop_answered(self) -> bool:
        """Whether the CSMS has confirmed the stop with a CALLRESULT."""
        return self.stop in _ANSWERED

    @property
    def once(self) -> bool:
        """Whether each message was put on the wire once and answered, so that nothing can be there twice by right."""
        stopped = not self.stop or (self.stop_answered and self.stop_sends == 1)
        return self.start_answered and self.start_sends == 1 and stopped

    @property
    def energy(self) -> float | None:
        """Wh between the two readings."""
        if self.meter_start is None or self.meter_stop is None:
            return None
        return self.meter_stop - self.meter_start


def row_of(note: list[Any]) -> Row:
    """Take a row out of the note that carried it."""
    return Row(*note[1:])
