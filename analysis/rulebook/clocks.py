"""The clocks of both sides, and whether a station is heard of as often as it was told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from analysis.clock_readings import UNEVEN, ClockReading, unevenness
from analysis.meter_readings import instant
from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher
from ocppj.registration import Registration

__all__ = ["Clocks", "Heartbeats"]

_EPOCH_END: Final = 946_684_800.0
"""2000-01-01: a clock that shows an earlier time was never set."""
_AHEAD: Final = 60.0
_SECOND: Final = 1.1
"""Seconds after which also a clock without fractions shows another time."""
_STEP: Final = 60.0
_BEATS: Final = 10
_MOST_SILENCE: Final = 1.5
"""Intervals without a word that are too many; the last one may have been on its way."""
_GRACE: Final = 30.0
_STATION_TIMES: Final = ("StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent")


_instant = lru_cache(256)(instant)


class Clocks(Watcher):
    """Compares what the station calls now with what the CSMS calls now."""

    def __init__(self, station: StationView) -> None:
        """Start without a time of the CSMS."""
        super().__init__(station)
        self._csms: ClockReading | None = None
        """The last currentTime."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return dict.fromkeys(_STATION_TIMES, self._told)

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"BootNotification": self._time_of_csms, "Heartbeat": self._time_of_csms}

    def _told(self, exchange: Exchange) -> None:
        station = self.station
        text = (exchange.payload or {}).get("timestamp")
        if text is None:
            return
        time = _instant(text) if isinstance(text, str) else None
        if time is None:
            return
        if time < _EPOCH_END:
            if station.registration is Registration.ACCEPTED:
                station.find("clock-not-set", f"{exchange.action} bears the time {text!s:.40}, after the CSMS told it")
            return
        now = station.csms_time()
        if now is not None and time - now > _AHEAD:
            station.find(
                "clock-ahead", f"{exchange.action} bears a time {_span(time - now)} ahead of the clock of the CSMS"
            )

    def _time_of_csms(self, exchange: Exchange, answer: Payload) -> None:
        station, asked = self.station, exchange.at
        time = _instant(answer.get("currentTime"))
        if time is None or station.at is None or asked is None:
            return
        now = ClockReading(time, asked, station.at)
        # Where the log's own clock stepped back, nothing follows.
        if self._csms is not None and asked >= self._csms.answered:
            self._compare(self._csms, now)
        self._csms = now
        station.set_csms_time(time)

    def _compare(self, before: ClockReading, now: ClockReading) -> None:
        off, passed = unevenness(before, now), now.seconds - before.seconds
        if off < -UNEVEN and passed < 0:
            self.station.find("csms-clock", f"currentTime goes back by {_span(-passed)}")
        elif passed == 0 and now.asked - before.answered > _SECOND:
            gone = _span(now.asked - before.answered)
            self.station.find("csms-clock", f"currentTime stands still while {gone} pass in the log")
        elif abs(off) > _STEP:
            gone = _span(now.answered - before.answered)
            self.station.find("csms-clock", f"currentTime goes on by {_span(passed)} while {gone} pass in the log")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if abs(seconds) < 2 * 3600 else f"{seconds / 3600:.1f} h"


class Heartbeats(Watcher):
    """Holds the station to the heartbeat interval."""

    def __init__(self, station: StationView) -> None:
        """Start without an interval."""
        super().__init__(station)
        self._interval: float | None = None
        self._last: float | None = None
        self._beats: list[float] = []
        self._said = False
        self._triggered = False

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"Heartbeat": self._beat, "TriggerMessage": self._trigger}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {
            "BootNotification": self._registered,
            "ChangeConfiguration": self._changed,
            "SetVariables": self._set,
        }

    def _registered(self, exchange: Exchange, answer: Payload) -> None:
        del exchange
        interval = answer.get("interval")
        accepted = answer.get("status") == "Accepted"
        self._interval = float(interval) if accepted and isinstance(interval, int) and interval > 0 else None
        self._forget()

    def _changed(self, exchange: Exchange, answer: Payload) -> None:
        payload = exchange.payload or {}
        if payload.get("key") == "HeartbeatInterval" and answer.get("status") in ("Accepted", "RebootRequired"):
            self._take(payload.get("value"))

    def _set(self, exchange: Exchange, answer: Payload) -> None:
        del answer
        for wanted in (exchange.payload or {}).get("setVariableData", ()):
            if wanted.get("variable", {}).get("name") == "HeartbeatInterval":
                self._take(wanted.get("attributeValue"))

    def _take(self, value: Any) -> None:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        self._interval = seconds if seconds > 0 else None
        self._forget()

    def _forget(self) -> None:
        self._beats.clear()
        self._last = None

    def _trigger(self, exchange: Exchange) -> None:
        if (exchange.payload or {}).get("requestedMessage") == "Heartbeat":
            self._triggered = True

    def _beat(self, exchange: Exchange) -> None:
        interval, at = self._interval, exchange.at
        if self._triggered:
            self._triggered = False
            return
        if at is None or interval is None:
            return
        self._beats.append(at)
        if len(self._beats) < _BEATS:
            return
        took = self._beats[-1] - self._beats[0]
        mean = took / (len(self._beats) - 1)
        if 0 <= mean < interval / 2 and not self._said:
            self._said = True
            self.station.find(
                "heartbeat-too-often",
                f"{_BEATS} Heartbeats {mean:.1f} s apart on average; the interval is {interval:.0f} s",
            )
        self._beats.clear()

    def silence(self, seconds: float) -> None:
        """Take how long the station said nothing on a connection that stayed open."""
        interval = self._interval
        if interval is not None and seconds > interval * _MOST_SILENCE + _GRACE:
            self.station.find(
                "heartbeat-missing",
                f"nothing from the charge point for {seconds:.0f} s; the heartbeat interval is {interval:.0f} s",
            )
