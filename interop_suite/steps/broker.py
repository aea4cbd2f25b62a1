"""What cases about OCPP over MQTT share: CALLs in other forms, and what was overheard."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.catalogue import Script
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import present
from interop_suite.claims.history import PRIMARY, History
from interop_suite.drive.broker_side import dialect_of, form_of, post
from interop_suite.drive.offer import Trait
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from interop_suite.steps.shared_case import ALL, shared
from mqtt.dialect import Keys
from ocppj.messages import Call, encode
from ocppj.trace import TraceRecord
from ocppj.versions import Version

__all__ = [
    "BLOCK",
    "ask",
    "claimed_by",
    "deliveries",
    "heard_from_csms",
    "keys_of",
    "mqtt_case",
    "new_call",
    "overheard",
    "served",
    "spoil",
]

BLOCK = "MQTT"

served = answered("Heartbeat", {"currentTime": present()}, claim="Every Heartbeat is answered")


def mqtt_case(
    *,
    id: str,  # noqa: A002  # the field's own word
    title: str,
    sends: str,
    expects: str,
    rule: tuple[str, str],
    defect: str,
    checks: tuple[Check, ...],
    level: Level = Level.REQUIRED,
    needs: tuple[str, ...] = (),
    versions: tuple[Version, ...] = ALL,
    initiator: str = "station",
    start: Start = Start.BOOTED,
    bystander: bool = False,
    also: tuple[str, ...] = (),
    serves: bool = True,
) -> Callable[[Script], Script]:
    """Register a case about the broker; `rule` is a document and a place in it.

    Unless told otherwise it claims that the last Heartbeat of its script is answered, too.
    """
    return shared(
        id=id,
        title=title,
        block=BLOCK,
        initiator=initiator,
        sends=sends,
        expects=expects,
        clause={version: Clause(*rule) for version in versions},
        level=level,
        needs=(Trait.BROKER, *needs),
        defect=defect,
        also=also,
        checks=(*checks, still_serves()) if serves else checks,
        start=start,
        bystander=bystander,
    )


def keys_of(station: ScriptedStation) -> Keys:
    """Return the keys of the dialect's objects; raises `NoWayError` where messages are arrays."""
    keys = dialect_of(station).object
    if keys is None:
        raise NoWayError("the messages of this dialect are arrays, which have no keys")
    return keys


def new_call(action: str = "Heartbeat", payload: dict[str, Any] | None = None) -> str:
    """Write a CALL with an id of its own."""
    return encode(Call(f"mq-{secrets.token_hex(6)}", action, payload or {}))


def ask(
    station: ScriptedStation,
    text: str,
    change: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    *,
    times: int = 1,
) -> None:
    """Publish a CALL, with its object changed, once or several times, and wait for answers."""
    payload = form_of(station, text)
    if change is not None:
        payload = msgspec.json.encode(change(msgspec.json.decode(payload)))
    for number in range(times):
        before = station.heard
        post(station, payload, text=text)
        # To a repetition the CSMS may say nothing.
        patience = station.timeout if not number else min(1.0, station.timeout)
        _await_more(station, before, patience)
    station.take_in()


def _await_more(station: ScriptedStation, seen: int, patience: float) -> None:
    station.pump(lambda: station.heard > seen or not station.connected, patience)


def spoil(probe: Probe, payload: bytes) -> None:
    """Publish what is no message, and see whether the station is still served."""
    station = probe.station
    # What a dialect of arrays takes for one may be answered, and the trace must show what was asked.
    is_array = dialect_of(station).object is None and station.carries(payload)
    text = payload.decode() if is_array else None
    post(station, payload, text=text)
    station.take_in()
    station.call("Heartbeat", {})


def heard_from_csms(history: History, role: str = PRIMARY) -> Iterator[tuple[int, TraceRecord]]:
    """Give what was delivered to a station while it was judged, with the lines of the trace."""
    station, judged = history.station(role), {frame.line for frame in history.scripted_frames()}
    for line, record in enumerate(history.records):
        if line in judged and record.station == station:
            yield line, record


def overheard(history: History) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give what another client heard, with the lines of the trace."""
    for line, record in enumerate(history.records):
        if "overheard" in record.info:
            yield line, record.info


def deliveries(claim: str, judge: Callable[[History], Iterator[Finding]]) -> Check:
    """Make a check of a generator."""
    return Check(claim=claim, judge=lambda history: list(judge(history)))


def claimed_by(claim: str, *, good: bool, actual: str, frame: int | None, bad: Verdict = Verdict.FAILED) -> Finding:
    """Write a finding that holds or does not."""
    return Finding(verdict=Verdict.OK if good else bad, claim=claim, actual=actual, frame=frame)
