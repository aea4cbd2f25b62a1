"""Transactions of 1.6: the CSMS gives the number, the station reports with it until the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from analysis.model import Side
from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher
from analysis.rulebook.readings import Course, say_other_transaction

__all__ = ["Transactions16"]

_NO_ID: Final = -1
"""Stands for the number that a station never got (1.6 errata §3.18)."""
_REMEMBERED: Final = 64
_FLIP: Final = 120.0
"""Seconds within which a token is not expected to lose its right."""
_REFUSALS: Final = frozenset({"Blocked", "Expired", "Invalid"})


class Transactions16(Watcher):
    """Follows StartTransaction, MeterValues, StopTransaction and what the CSMS answers."""

    def __init__(self, station: StationView) -> None:
        """Start without transactions."""
        super().__init__(station)
        self._count = 0
        self._running: dict[int, int] = {}
        """Connector to the number of its transaction."""
        self._courses: OrderedDict[int, Course] = OrderedDict()
        self._starts: OrderedDict[int, Payload] = OrderedDict()
        """The start of each number that was given."""
        self._unconfirmed: set[int] = set()
        """Connectors with a start that got no number, so that -1 stands for it."""
        self._last_start: dict[int, tuple[Payload, bool]] = {}
        """By connector: the last start, and whether it was answered."""
        self._last_stop: Payload | None = None
        self._accepted: OrderedDict[str, float] = OrderedDict()
        """Tokens to the time of the last Accepted."""

    @property
    def transactions(self) -> int:
        """Count the numbers that were given."""
        return self._count

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {
            "StartTransaction": self._starting,
            "MeterValues": self._metered,
            "StopTransaction": self._stopping,
            "RemoteStopTransaction": self._told_to_stop,
            "SetChargingProfile": self._profiled,
        }

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"StartTransaction": self._started, "Authorize": self._authorized, "StopTransaction": self._stopped}

    @property
    def errors(self) -> Mapping[str, Callable[[Exchange, str], None]]:
        """Return what to do with CALLERRORs."""
        return {"StartTransaction": self._start_refused, "StopTransaction": self._stop_refused}

    @property
    def losses(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs that are never answered."""
        return {"StartTransaction": self._start_unanswered, "StopTransaction": self._stop_unanswered}

    # -- start -----------------------------------------------------------------------------------------------------

    def _starting(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        connector = payload["connectorId"]
        before = self._last_start.get(connector)
        if before is not None and before[0] == payload:
            if before[1]:
                self.station.find(
                    "resent-though-answered", f"StartTransaction of connector {connector} was answered, and comes again"
                )
            self._last_start[connector] = (payload, False)
            return
        self._last_start[connector] = (payload, False)
        number = self._running.get(connector)
        if number is not None:
            self.station.find(
                "overlapping-start",
                f"connector {connector} starts a transaction while its transaction {number} has not ended",
            )
            del self._running[connector]

    def _started(self, exchange: Exchange, answer: Payload) -> None:
        if exchange.payload is None or not exchange.valid:
            return
        start, number = exchange.payload, answer["transactionId"]
        connector = start["connectorId"]
        if connector in self._last_start:
            self._last_start[connector] = (self._last_start[connector][0], True)
        status = answer["idTagInfo"]["status"]
        self._flips(start["idTag"], status, "StartTransaction")
        owner = next((other for other, running in self._running.items() if running == number), None)
        if status == "ConcurrentTx" and self._starts.get(number) == start:
            self.station.find(
                "repeat-refused",
                f"the start on connector {connector} comes again, and is {status} for its own transaction {number}",
            )
            return
        if status != "Accepted":
            if owner is not None and self._starts.get(number) != start:
                self.station.find(
                    "refusal-names-running",
                    f"the start on connector {connector} is {status}, and its answer bears the id {number}, which is "
                    f"that of the running transaction of connector {owner}",
                )
                return
            self._note(number, start)
            return
        if number == 0:
            self.station.find("transaction-id-zero", f"the transaction of connector {connector} gets the id 0")
        known = self._starts.get(number)
        if known is not None and known != start:
            self.station.find(
                "transaction-id-given-twice",
                f"the id {number} is that of the transaction of connector {known['connectorId']} from "
                f"{known['timestamp']}",
            )
        if known != start:
            self._count += 1
        self._note(number, start)
        self._running[connector] = number

    def _note(self, number: int, start: Payload) -> None:
        self._starts[number] = start
        course = self._courses[number] = Course(start["connectorId"])
        course.reads(self.station, float(start["meterStart"]), start["timestamp"], "StartTransaction")
        if len(self._starts) > _REMEMBERED:
            old, _ = self._starts.popitem(last=False)
            self._courses.pop(old, None)
        self._unconfirmed.discard(start["connectorId"])

    def _start_refused(self, exchange: Exchange, code: str) -> None:
        if exchange.clean and exchange.payload is not None:
            self._unconfirmed.add(exchange.payload["connectorId"])
            reason = f"the CSMS answered its StartTransaction with {code[:60]}"
            self.station.lose(exchange.payload["connectorId"], Side.CSMS, reason, exchange.line)

    def _start_unanswered(self, exchange: Exchange) -> None:
        if exchange.valid and exchange.payload is not None:
            self._unconfirmed.add(exchange.payload["connectorId"])
            reason = "the CSMS never answered its StartTransaction"
            self.station.lose(exchange.payload["connectorId"], Side.CSMS, reason, exchange.line)

    # -- readings --------------------------------------------------------------------------------------------------

    def _metered(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        number, connector = payload.get("transactionId"), payload["connectorId"]
        course = None
        if number is not None:
            course = self._course_of(number, connector)
        if course is None:
            return
        if course.over:
            self.station.find("after-the-end", f"MeterValues of transaction {number}, which has ended")

    def _course_of(self, number: int, connector: int) -> Course | None:
        station = self.station
        course = self._courses.get(number)
        running = self._running.get(connector)
        if course is not None:
            if course.connector not in (connector, 0) and connector != 0:
                station.find(
                    "wrong-connector",
                    f"MeterValues of transaction {number} name connector {connector}, not {course.connector}",
                )
            return course
        if number == _NO_ID:
            if connector not in self._unconfirmed and running is not None:
                station.find(
                    "other-transaction-id",
                    f"MeterValues of connector {connector} bear the id -1, although the CSMS gave {running}",
                )
            return None
        if running is not None:
            station.find(
                "other-transaction-id",
                f"MeterValues of connector {connector} bear the id {number}, and the CSMS gave {running}",
            )
        elif station.traits.from_the_start:
            station.find("unknown-transaction", f"MeterValues name transaction {number}, which never began")
        return None

    def course(self, exchange: Exchange) -> Course | None:
        """Return the course of a transaction that MeterValues belong to, where it is known."""
        number = (exchange.payload or {}).get("transactionId")
        return self._courses.get(number) if isinstance(number, int) else None

    # -- end -------------------------------------------------------------------------------------------------------

    def _stopping(self, exchange: Exchange) -> None:
        station, payload = self.station, exchange.payload or {}
        number = payload["transactionId"]
        course = self._courses.get(number)
        if course is None:
            self._stops_unknown(number, payload)
        elif course.over:
            if course.last == payload:
                if course.answered:
                    station.find(
                        "resent-though-answered", f"the end of transaction {number} was answered, and comes again"
                    )
            else:
                station.find("ended-twice", f"transaction {number} ends a second time, with other values")
        else:
            course.reads(station, float(payload["meterStop"]), payload["timestamp"], "StopTransaction")
            course.over, course.last = True, payload
            for connector, running in list(self._running.items()):
                if running == number:
                    del self._running[connector]

    def _stops_unknown(self, number: int, payload: Payload) -> None:
        station = self.station
        if number == _NO_ID and (self._unconfirmed or not station.traits.from_the_start):
            self._unconfirmed.clear()
            return
        tag = payload.get("idTag")
        candidates = [
            (connector, running)
            for connector, running in self._running.items()
            if tag is None or self._starts.get(running, {}).get("idTag") == tag
        ]
        if station.traits.from_the_start:
            station.find("unknown-transaction", f"StopTransaction names transaction {number}, which never began")
        elif len(candidates) == 1 and tag is not None:
            connector, running = candidates[0]
            station.find(
                "other-transaction-id",
                f"StopTransaction with the token of connector {connector} bears the id {number}, and the CSMS gave "
                f"{running}",
            )

    def _stopped(self, exchange: Exchange, answer: Payload) -> None:
        del answer
        course = self._courses.get((exchange.payload or {}).get("transactionId", _NO_ID))
        if course is not None:
            course.answered = True

    def _stop_refused(self, exchange: Exchange, code: str) -> None:
        self._lose_end(exchange, f"the CSMS answered its StopTransaction with {code[:60]}")

    def _stop_unanswered(self, exchange: Exchange) -> None:
        self._lose_end(exchange, "the CSMS never answered its StopTransaction")

    def _lose_end(self, exchange: Exchange, reason: str) -> None:
        if not exchange.valid or exchange.payload is None:
            return
        course = self._courses.get(exchange.payload["transactionId"])
        if course is not None:
            self.station.lose(course.connector, Side.CSMS, reason, exchange.line)

    def _told_to_stop(self, exchange: Exchange) -> None:
        number = (exchange.payload or {})["transactionId"]
        course = self._courses.get(number)
        if course is not None and course.over and course.answered:
            self.station.find("stop-of-ended", f"RemoteStopTransaction names transaction {number}, which has ended")

    def _profiled(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        number = payload["csChargingProfiles"].get("transactionId")
        say_other_transaction(self.station, self._courses.get(number), payload["connectorId"])

    # -- tokens ----------------------------------------------------------------------------------------------------

    def _authorized(self, exchange: Exchange, answer: Payload) -> None:
        if exchange.payload is not None and "idTag" in exchange.payload:
            self._flips(exchange.payload["idTag"], answer["idTagInfo"]["status"], "Authorize")

    def _flips(self, tag: str, status: str, action: str) -> None:
        now = self.station.at
        if now is None:
            return
        if status == "Accepted":
            self._accepted[tag] = now
            self._accepted.move_to_end(tag)
            if len(self._accepted) > _REMEMBERED:
                self._accepted.popitem(last=False)
        elif status in _REFUSALS and tag in self._accepted:
            since = now - self._accepted.pop(tag)
            # Whoever asks again asks whether something has changed: an operator may have blocked the token.
            if 0 <= since <= _FLIP and action == "StartTransaction":
                self.station.find(
                    "token-flips", f"{action} is answered {status} {since:.0f} s after the same token was Accepted"
                )
