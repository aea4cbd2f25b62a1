"""Connections as the field has them: cut off, many in a row, silent, with ids of others, by odd but legal requests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from drivers.base import StationSettings
from evidence.verdicts import Verdict
from interop_suite.claims.checks import answered, connection, given, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import BYSTANDER, History
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.offer import Trait
from interop_suite.drive.probe import REFUSAL_PATIENCE, Probe
from interop_suite.drive.setup import Start
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import boot_is_accepted, boots_where_let_in, heartbeat, lets_in, opens
from interop_suite.steps.pending_commands import (
    COMMAND,
    answer,
    asked_first,
    first_action,
    first_command,
    first_of,
    hold,
    is_answered,
    order_first,
    reply_first,
    reported_first,
)
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared, wire_clause
from ocppj.versions import RULES, Version

BLOCK = "Field"


@shared(
    id="FLD_30",
    title="A station that is cut off costs nobody else anything",
    block=BLOCK,
    bystander=True,
    sends="A Heartbeat and the loss of the TCP connection at once, twice; a return; another station's Heartbeat.",
    expects="The CSMS SHALL let the station in again, and go on serving the others.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="return-closes-bystanders",
    checks=(still_serves(), bystander_serves()),
)
def cut_off(probe: Probe) -> None:
    station = probe.station
    for _ in range(2):
        station.start_call("Heartbeat", {})
        station.drop()
        probe.reconnect(station, judged=True)
    heartbeat(station)
    heartbeat(probe.bystander)


TIMES = 12


TRIES = 3
"""Connections of one return: a CSMS may need a moment to notice that the one before has ended."""
RETRY_AFTER = 0.5
"""Seconds before the second try of a return, and twice that before the third."""
_EACH_TIME = "Each of many connections in a row is let in and served"


def _judge_returns(history: History) -> list[Finding]:
    attempts = history.attempts()
    if not attempts or attempts[0].unreachable or attempts[0].wanted_credentials:
        return []
    served = {call.call.connection for call in history.calls("Heartbeat") if call.kind is AnswerKind.RESULT}
    lost = [attempt for attempt in attempts if not attempt.opened or attempt.number not in served]
    if not lost:
        return [Finding(verdict=Verdict.OK, claim=_EACH_TIME, actual=f"all {len(attempts)} are served")]
    shut_out = lost[-1] is attempts[-1]
    how = f"it is not, also not in {TRIES} tries" if shut_out else "it is served after one more connection"
    verdict = Verdict.FAILED if shut_out else Verdict.NON_STRICT
    actual = f"{how} ({lost[-1].describe()})"
    return [Finding(verdict=verdict, claim=_EACH_TIME, actual=actual, frame=lost[-1].line)]


@shared(
    id="FLD_31",
    title="A station that comes back again and again is let in each time",
    block=BLOCK,
    sends=f"{TIMES} connections one after another, the old one closed or cut off, each with a Heartbeat.",
    expects="The CSMS SHALL let the station in and serve it each time: a connection that has ended holds nothing up.",
    clause=wire_clause("3.2", "3.2", "3.3"),
    defect="connections-never-given-back",
    checks=(Check(claim=_EACH_TIME, judge=_judge_returns),),
)
def again_and_again(probe: Probe) -> None:
    station = probe.station
    for number in range(TIMES):
        if number % 2:
            station.drop()
        if not _return(station):
            break


def _return(station: ScriptedStation) -> bool:
    for pause in range(TRIES):
        if pause:
            station.disconnect()
            station.pump(lambda: False, pause * RETRY_AFTER)
        if station.connect().opened and heartbeat(station).ok:
            return True
    return False


_AFTER = "A command that is ordered after the return of the station reaches it"


def _judge_after_return(history: History) -> list[Finding]:
    returned = history.attempts()[-1].line if history.attempts() else None
    orders = [order.line for order in history.triggers(first_action(history)) if returned and order.line > returned]
    if not orders or returned is None:
        return []
    calls = [call for call in history.commands(first_action(history)) if call.call.line > orders[0]]
    verdict, actual = (Verdict.OK, "it arrived") if calls else (Verdict.FAILED, "it did not come")
    return [Finding(verdict=verdict, claim=_AFTER, actual=actual, frame=orders[0])]


@shared(
    id="FLD_32",
    title="A command that was open when the connection was lost holds up none on the next one",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="The loss of the connection while a command is open, a new one, and the answer to the next command.",
    expects="The CSMS SHALL take the command for ended, as no answer crosses connections, and send the next one.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="open-command-outlives-connection",
    checks=(
        asked_first(nth=0, claim="The CSMS sends the first command"),
        Check(claim=_AFTER, judge=_judge_after_return),
        still_serves(),
    ),
)
def lost_with_a_command(probe: Probe) -> None:
    station = probe.station
    future, message_id = hold(probe)
    if message_id is None:
        probe.outcome(first_of(probe), future)
        return
    station.drop()
    probe.reconnect(station, judged=True)
    heartbeat(station)
    probe.outcome(first_of(probe), future)
    reply_first(probe, "Accepted", station=station)
    first_command(probe)
    station.expect(first_of(probe))
    heartbeat(station)


INTERVAL = 2
"""Seconds between Heartbeats, as the operator sets them."""
SILENCE = 3.2
"""Seconds without a message: one interval and a bit."""
_STAYS = "A station that is silent for one interval and a bit keeps its connection"


def _judge_silence(history: History) -> list[Finding]:
    boots = [boot for boot in history.calls("BootNotification") if boot.kind is AnswerKind.RESULT]
    if not boots:
        return []
    if boots[-1].result.get("interval") != INTERVAL:
        actual = f"the operator cannot set the interval of this CSMS: {boots[-1].describe_answer()}"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_STAYS, actual=actual)]
    told = boots[-1].answer.line if boots[-1].answer else 0
    ended = [c for c in history.attempts(prepared=True) if c.ended_by_csms and (c.closed_line or 0) > told]
    actual = f"closed with {(ended[0].closed or {}).get('code')}" if ended else f"it was silent for {SILENCE} s"
    verdict = Verdict.FAILED if ended else Verdict.OK
    return [Finding(verdict=verdict, claim=_STAYS, actual=actual, frame=ended[0].closed_line if ended else None)]


@shared(
    id="FLD_33",
    title="A station that sends its Heartbeat a bit late is still there",
    block=BLOCK,
    start=Start.CONNECTED,
    needs=("register",),
    sends=f"A boot that is answered with an interval of {INTERVAL} s, silence for {SILENCE} s, and a Heartbeat.",
    expects="The CSMS SHALL keep the connection: a read deadline that is the interval itself cuts off every station.",
    clause={Version.V16: Clause("1.6", "4.6"), **{v: Clause("201-6", "B01.FR.02") for v in V2X}},
    defect="quiet-station-cut-off",
    also=("answer-with-other-id",),
    checks=(Check(claim=_STAYS, judge=_judge_silence), still_serves()),
)
def a_bit_late(probe: Probe) -> None:
    station = probe.station
    probe.set_up(station, StationSettings(boot_status="Accepted", interval=INTERVAL))
    probe.boot(station)
    station.listen(SILENCE)
    if station.connected:
        heartbeat(station)


@shared(
    id="FLD_34",
    title="Two stations may use the same message ids",
    block=BLOCK,
    bystander=True,
    sends="Heartbeats of two stations in turn, with the same three ids, and an Authorize with the last of them.",
    expects="The CSMS SHALL answer each: an id belongs to the station that chose it.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="ids-known-across-stations",
    also=("answers-kept-by-message-id",),
    checks=(
        answered("Heartbeat", claim="Every Heartbeat of the station is answered"),
        answered("Heartbeat", role=BYSTANDER, claim="Every Heartbeat of the other station is answered"),
        answered(
            "Authorize", role=BYSTANDER, claim="The Authorize with an id of the first station is answered as such"
        ),
    ),
)
def same_ids(probe: Probe) -> None:
    tag = secrets.token_hex(4)
    for number in range(3):
        for station in (probe.station, probe.bystander):
            station.call("Heartbeat", {}, message_id=f"{tag}-{number}")
    # The answers to these have nothing in common, so that one which was kept shows.
    probe.station.call("Heartbeat", {}, message_id=f"{tag}-3")
    payload = DIALOGUES[probe.version].authorize(probe.made_up_token())
    probe.bystander.call("Authorize", payload, message_id=f"{tag}-3")


@shared(
    id="FLD_35",
    title="A plus sign in an identity is a plus sign",
    block=BLOCK,
    initiator="csms",
    start=Start.OFFLINE,
    needs=("register", *COMMAND),
    sends="The connection and boot of a station whose identity holds a plus sign, and Accepted to a command.",
    expects="The CSMS SHALL let it in and reach it: in a path, unlike in a form, the sign stands for itself.",
    clause=wire_clause("3.1.1", "3.1.1", "3.1.1"),
    defect="plus-read-as-blank",
    checks=(
        connection("An identity with '+' is let in", lets_in, role="plus"),
        reported_first(
            is_answered("Accepted"),
            even_unsent=True,
            claim="The CSMS reaches the station with '+' in its identity",
        ),
    ),
)
def plus_sign(probe: Probe) -> None:
    identity = f"PS+{secrets.token_hex(5)}"
    station = probe.new_station("plus", identity=identity)
    url = station.offer.url.replace("%2B", "+")
    station.offer = msgspec.structs.replace(station.offer, url=url)
    reply_first(probe, "Accepted", station=station)
    if boots_where_let_in(probe, station):
        first_command(probe, station=station)


# -- requests that are odd and legal ---------------------------------------------------------------------------------


@shared(
    id="FLD_36",
    title="An upgrade by way of a proxy is an upgrade",
    block=BLOCK,
    start=Start.OFFLINE,
    sends="An upgrade with `Connection: keep-alive, Upgrade` and `Upgrade: WebSocket`, and a boot.",
    expects="The CSMS SHALL let the station in: the first is a list, and the words have no case.",
    clause={version: Clause("RFC6455", "4.2.1") for version in ALL},
    defect="keep-alive-upgrade-refused",
    checks=(connection("The upgrade is accepted", opens, nth=0), boot_is_accepted),
)
def through_a_proxy(probe: Probe) -> None:
    station = probe.station
    station.offer = msgspec.structs.replace(
        station.offer,
        without=("Connection", "Upgrade"),
        headers=(("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")),
    )
    probe.reconnect(station, judged=True)
    probe.boot(station)


_NOT_BY_PREFIX = "A subprotocol that only begins like one is not served as that one"


def _judge_prefix(history: History) -> list[Finding]:
    attempts = history.attempts()
    if not attempts or attempts[0].unreachable:
        return []
    first = attempts[0]
    boots = [b for b in history.calls("BootNotification") if b.call.connection == first.number]
    served = first.opened and any(boot.kind is AnswerKind.RESULT for boot in boots)
    # A server names what the client offered, or nothing (RFC 6455 §4.2.2).
    other = first.opened and first.subprotocol not in (None, *(first.info.get("offered") or ()))
    actual = f"{first.describe()}{', and its boot was answered' if served else ''}"
    verdict = Verdict.FAILED if served or other else Verdict.OK
    return [Finding(verdict=verdict, claim=_NOT_BY_PREFIX, actual=actual, frame=first.line)]


@shared(
    id="FLD_37",
    title="A version is known by its whole name",
    block=BLOCK,
    start=Start.OFFLINE,
    sends="An upgrade with a subprotocol that begins like that of this version, and a boot where it is let in.",
    expects="The CSMS SHALL NOT serve it: only the exact name stands for a version.",
    clause=wire_clause("3.1.2", "3.1.2", "3.1.2"),
    defect="subprotocol-by-its-beginning",
    also={
        Version.V16: ("unsupported-subprotocol-accepted", "subprotocol-of-its-own-named"),
        **dict.fromkeys(V2X, ("subprotocol-of-its-own-named",)),
    },
    checks=(
        Check(claim=_NOT_BY_PREFIX, judge=_judge_prefix),
        connection("The exact name is accepted", opens, nth=-1),
        boot_is_accepted,
    ),
)
def whole_name(probe: Probe) -> None:
    station = probe.station
    if station.connect(subprotocols=(f"{RULES[probe.version].subprotocol}5",)).opened:
        station.pump(lambda: not station.connected, REFUSAL_PATIENCE)
    if station.connected:
        probe.send_boot(station)
    probe.reconnect(station, judged=True)
    probe.boot(station)


PROBED: Mapping[Version, Version] = {
    Version.V16: Version.V201,
    Version.V201: Version.V16,
    Version.V21: Version.V201,
}


def _probe_was_let_in(history: History) -> tuple[bool, str]:
    first = history.attempts()[:1]
    return bool(first) and first[0].opened, first[0].describe() if first else "no attempt"


def _judge_probe(history: History) -> list[Finding]:
    held, actual = _probe_was_let_in(history)
    claim = "The station first connects with another version"
    if held:
        return [Finding(verdict=Verdict.OK, claim=claim, actual=actual)]
    absent = f"this CSMS does not speak {PROBED[history.rules.version]}: {actual}"
    return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=absent)]


_READ_BY_ITS_VERSION = (
    Check(claim="The station first connects with another version", judge=_judge_probe),
    connection("The connection with this version is accepted", opens, nth=-1),
    answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The boot is read by its version"),
)
_OWN_WORDS: Mapping[Version, tuple[Check, ...]] = {
    Version.V16: (),
    Version.V201: (),
    Version.V21: (answered("TransactionEvent", claim="An event with words that only this version has is answered"),),
}
"""What tells a version from the one before it, where a boot does not."""


@shared(
    id="FLD_38",
    title="The version is that of the connection, whatever a station spoke before",
    block=BLOCK,
    needs=(Trait.UPGRADE,),
    start=Start.OFFLINE,
    sends="A connection with another version, which says nothing and is closed; one with this version, a boot.",
    expects="The CSMS SHALL read each message by the version of the connection that it came on.",
    clause=wire_clause("3.1.2", "3.1.2", "3.1.2"),
    defect="first-version-sticks",
    also={Version.V16: (), Version.V201: (), Version.V21: ("words-of-first-version",)},
    checks={version: (*_READ_BY_ITS_VERSION, *checks) for version, checks in _OWN_WORDS.items()},
)
def version_probe(probe: Probe) -> None:
    station = probe.station
    if station.connect(subprotocols=(RULES[PROBED[probe.version]].subprotocol,)).opened:
        station.listen(0.1)
    station.disconnect()
    probe.reconnect(station, judged=True)
    probe.boot(station)
    if _OWN_WORDS[probe.version]:
        charging = Charging(station, probe.made_up_token())
        charging.begin(1800, tariff_id="plugstorm-day")
        charging.end(2300)


# -- one station and the others --------------------------------------------------------------------------------------


def _is_open(history: History) -> tuple[bool, str]:
    held = history.commands(first_action(history), role=BYSTANDER)
    return bool(held), f"{len(held)} commands"


_MEANWHILE = "The command to this station arrives while the other one is open"


def _judge_meanwhile(history: History) -> list[Finding]:
    held = [call for call in history.commands(first_action(history), role=BYSTANDER) if call.answer is not None]
    own = history.commands(first_action(history))
    if not held or held[0].answer is None or not own:
        return []
    waited = own[0].call.line > held[0].answer.line
    verdict, actual = (Verdict.FAILED, "it came after the answer") if waited else (Verdict.OK, "it did")
    return [Finding(verdict=verdict, claim=_MEANWHILE, actual=actual, frame=own[0].call.line)]


@shared(
    id="FLD_39",
    title="A station that does not answer holds up no command to another one",
    block=BLOCK,
    initiator="csms",
    bystander=True,
    needs=COMMAND,
    sends="No answer of another station to a command; meanwhile this one's answer to its own; then the first.",
    expects="The CSMS SHALL send the second command at once: each station has its own turn.",
    clause={
        Version.V16: Clause("1.6J-E", "3.4"),
        **{v: c for v, c in wire_clause("4.1.1", "4.1.1", "4.1.1").items() if v in V2X},
    },
    defect="one-silent-station-holds-all",
    checks=(
        given("The other station has a command open", _is_open),
        asked_first(claim="The CSMS sends the command to this station"),
        Check(claim=_MEANWHILE, judge=_judge_meanwhile),
        still_serves(),
    ),
)
def turn_of_its_own(probe: Probe) -> None:
    station, other = probe.station, probe.bystander
    future, message_id = hold(probe, other)
    reply_first(probe, "Rejected", station=station)
    second = order_first(probe, station=station)
    station.expect(first_of(probe))
    if message_id is not None:
        answer(other, message_id, "Accepted")
        probe.outcome(first_of(probe), future, station=other)
    probe.outcome(first_of(probe), second, station=station)
    heartbeat(station)
