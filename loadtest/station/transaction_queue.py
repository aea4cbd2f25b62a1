"""The transaction messages of a station: in order, kept while offline, sent again after a failure.

OCPP 1.6 §3.7 and §3.7.1, OCPP 2.x E04 and E13: new ones wait for older ones; after a CALLERROR or no answer a message
is sent again, each time after a longer wait, and given up after the last attempt so that the others can go on.
"""

from __future__ import annotations

from typing import Final

from evidence.vocabulary import TO_CSMS, UNDELIVERED
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Payload, Said
from loadtest.station.views import ChargingSessionView
from loadtest.timing.backoff import retry_delay
from loadtest.timing.timers import Timer
from loadtest.workload.vendor import NEUTRAL
from ocppj.outcomes import Outcome, as_seen

__all__ = ["ATTEMPTS", "MOST_KEPT", "RETRY_INTERVAL", "TransactionQueue"]

# What a vendor without habits of its own does.
ATTEMPTS: Final = NEUTRAL.retry.attempts
RETRY_INTERVAL: Final = NEUTRAL.retry.interval
MOST_KEPT: Final = NEUTRAL.queue

_KEPT = (Outcome.LOST, Outcome.NEVER_SENT)
_UNANSWERED = (Outcome.LOST, Outcome.TIMEOUT)


class _Message:
    __slots__ = ("charging_session", "failures", "intended_at", "is_start", "is_stop", "message_id", "said", "tried")

    def __init__(
        self, said: Said, charging_session: ChargingSessionView, intended_at: float, *, is_start: bool, is_stop: bool
    ) -> None:
        self.said = said
        self.charging_session = charging_session
        self.intended_at = intended_at
        self.is_start = is_start
        self.is_stop = is_stop
        self.failures = 0
        self.message_id: str | None = None
        self.tried = False

    @property
    def is_money(self) -> bool:
        """Whether the ledger wants to know of it."""
        return self.is_start or self.is_stop


class TransactionQueue:
    """The queue of one station; made when its first transaction begins."""

    __slots__ = ("_messages", "_on_way", "_retry", "station")

    def __init__(self, station: Host) -> None:
        """Start empty."""
        self.station = station
        self._messages: list[_Message] = []  # seldom more than one, and an empty deque is 0.6 KB
        self._on_way: _Message | None = None
        self._retry: Timer | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self,
        said: Said,
        charging_session: ChargingSessionView,
        intended_at: float,
        *,
        is_start: bool = False,
        is_stop: bool = False,
    ) -> None:
        """Queue a message, and send it when nothing is before it."""
        message = _Message(said, charging_session, intended_at, is_start=is_start, is_stop=is_stop)
        if message.is_money:
            charging_session.record.queued(is_start=is_start)
        if len(self._messages) >= self.station.context.vendor.queue:
            self._count_undelivered(message)
            return
        self._messages.append(message)
        self.pump()

    def pump(self) -> None:
        """Send the oldest message if that is possible now."""
        station = self.station
        if not self._messages or self._on_way is not None or self._retry is not None or not station.online:
            return
        message = self._on_way = self._messages[0]
        message.tried = True
        if message.message_id is None and station.context.vendor.quirks.retries_with_same_id:
            message.message_id = station.new_message_id()
        # While it was offline a station intended nothing; what it kept falls due when it is back.
        intended_at = max(message.intended_at, station.online_since)
        action, payload, charging_session = message.said.action, message.said.build(), message.charging_session
        if message.is_money:
            charging_session.record.building(
                action, payload, charging_session.transaction_id, is_start=message.is_start
            )
        station.call(action, payload, intended_at, self._ended, message_id=message.message_id)

    def copied(self, action: str) -> None:
        """Take note that a message which is on its way goes to the CSMS twice."""
        message = self._on_way
        if message is not None and message.is_money and message.said.action == action:
            message.charging_session.record.copied(is_start=message.is_start)

    def close(self) -> None:
        """Give up everything that was not delivered."""
        self.station.context.timers.cancel(self._retry)
        self._retry = None
        for message in self._messages:
            self._count_undelivered(message)
        self._messages.clear()
        self._on_way = None

    def _ended(self, payload: Payload | None, outcome: str) -> None:
        message, self._on_way = self._on_way, None
        if message is None or not self._messages or self._messages[0] is not message:
            return
        if message.is_money:
            message.charging_session.record.ended(payload, outcome, is_start=message.is_start)
        if payload is None and not self._forgets(message, outcome):
            if as_seen(outcome) in _KEPT:
                return
            message.failures += 1
            retry = self.station.context.vendor.retry
            delay = retry_delay(retry.interval, message.failures, retry.attempts)
            if delay is not None:
                self._wait(message, delay)
                return
            self.station.context.recorder.fault(UNDELIVERED)
        del self._messages[0]
        if message.is_start:
            message.charging_session.start_answered(payload)
        if message.is_money:
            message.charging_session.record.settled(message.charging_session.transaction_id)
        observer = self.station.observer
        if observer is not None and payload is not None:
            observer.delivered(self.station, message, payload)
        self.pump()

    def _forgets(self, message: _Message, outcome: str) -> bool:
        """Return whether the station gives up the start of a transaction that nobody answered."""
        forgets = self.station.context.vendor.quirks.forgets_lost_start
        return forgets and message.said.action == "StartTransaction" and as_seen(outcome) in _UNANSWERED

    def _wait(self, message: _Message, delay: float) -> None:
        due = self.station.context.clock() + delay
        message.intended_at = due
        self._retry = self.station.context.timers.at(due, self._retry_due, self.station)

    def _retry_due(self, _: float) -> None:
        self._retry = None
        self.pump()

    def _count_undelivered(self, message: _Message) -> None:
        context = self.station.context
        if message.is_money:
            if message is self._on_way:
                message.charging_session.record.ended(None, Outcome.LOST, is_start=message.is_start)
            message.charging_session.record.settled(message.charging_session.transaction_id)
        context.recorder.fault(UNDELIVERED)
        if message.tried:
            return  # each try was counted with its own outcome
        now = context.clock()
        waited = max(0.0, now - message.intended_at)
        ocpp = self.station.dialect.ocpp
        context.recorder.call(ocpp, message.said.action, TO_CSMS, Outcome.NEVER_SENT, None, waited, now)
