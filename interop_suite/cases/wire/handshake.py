"""Handshake: the URL names the station, the offer names the version, and nonsense gets a 4xx."""

from __future__ import annotations

import secrets

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.checks import answered, connection, given, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Connection
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import REFUSAL_PATIENCE, Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import SERVER_ERROR, boot_is_accepted, boots_where_let_in, lets_in, opens
from interop_suite.steps.pending_commands import (
    COMMAND,
    asked_first,
    first_command,
    is_answered,
    reply_first,
    reported_first,
)
from interop_suite.steps.shared_case import ALL, V2X, shared, wire_clause
from ocppj.errors import InconclusiveError
from ocppj.versions import RULES, Version

BLOCK = "Handshake"

# -- which version ---------------------------------------------------------------------------------------------------

_UNNAMED = "A connection without a subprotocol is not served"


def _judge_unnamed(history: History) -> list[Finding]:
    findings = []
    for attempt in history.attempts()[:1]:
        closed = not attempt.opened or attempt.ended_by_csms
        verdict = Verdict.OK if closed else Verdict.NON_STRICT
        actual = attempt.describe() + ("" if closed else ", and it stays open")
        on_it = [call for call in history.calls("Heartbeat") if call.call.connection == attempt.number]
        if any(call.kind is AnswerKind.RESULT for call in on_it):
            verdict, actual = Verdict.NON_STRICT, f"{actual}, and a Heartbeat was answered"
        if attempt.opened and attempt.subprotocol is not None:
            verdict, actual = Verdict.FAILED, f"{actual}, which nobody had offered"
        findings.append(Finding(verdict=verdict, claim=_UNNAMED, actual=actual, frame=attempt.line))
    return findings


@shared(
    id="HS_04",
    title="A station that names no version gets none, and is not served as if it had",
    block=BLOCK,
    start=Start.OFFLINE,
    sends="An upgrade without Sec-WebSocket-Protocol, a Heartbeat if that is let in, and then a proper connection.",
    expects="The CSMS SHALL NOT choose a version that was not offered; it should refuse, or close at once.",
    clause=wire_clause("3.2", "3.2", "3.3"),
    defect="missing-subprotocol-served",
    checks=(
        Check(claim=_UNNAMED, judge=_judge_unnamed),
        connection("A connection that names the version is accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def no_subprotocol(probe: Probe) -> None:
    station = probe.station
    # Heartbeat is the one CALL that reads alike in every version.
    if station.connect(subprotocols=()).opened:
        station.pump(lambda: not station.connected, REFUSAL_PATIENCE)
    if station.connected:
        station.call("Heartbeat", {})
    probe.reconnect(station, judged=True)
    probe.boot(station)


def _chosen_from_offer(attempt: Connection, history: History) -> tuple[bool, str]:
    del history
    offered = attempt.info.get("offered") or []
    # A CSMS that speaks only one of the two may have refused the pair; that is another case's matter.
    holds = not attempt.opened or attempt.subprotocol in offered
    return holds, f"{attempt.describe()}, offered {', '.join(offered)}"


def _let_in_with_two(history: History) -> tuple[bool, str]:
    pairs = [attempt for attempt in history.attempts() if len(attempt.info.get("offered") or []) > 1]
    return any(attempt.opened for attempt in pairs), "; ".join(attempt.describe() for attempt in pairs)


OTHER = {Version.V16: Version.V201, Version.V201: Version.V16, Version.V21: Version.V201}


@shared(
    id="HS_05",
    title="Two versions on offer, in both orders: one of them is chosen",
    block=BLOCK,
    sends="Upgrades that offer this version and another one, then the same two in the other order.",
    expects="The CSMS SHALL choose one that was offered; the station's list is in its order of preference.",
    clause=wire_clause("3.2", "3.2", "3.3"),
    defect="subprotocol-not-offered",
    checks=(
        given("An offer of two versions is let in", _let_in_with_two),
        connection("The subprotocol is one of those offered", _chosen_from_offer, nth=0),
        connection("The subprotocol is one of those offered, in the other order too", _chosen_from_offer, nth=1),
        still_serves(),
    ),
)
def two_versions(probe: Probe) -> None:
    station = probe.station
    own, other = RULES[probe.version].subprotocol, RULES[OTHER[probe.version]].subprotocol
    chosen = []
    for offer in ((own, other), (other, own)):
        chosen.append(station.connect(subprotocols=offer).subprotocol)
        station.disconnect()
    first_twice = chosen == [own, other]
    station.note(observed={"subprotocol_order": "the station's" if first_twice else f"of its own: {chosen[0]}"})
    probe.reconnect(station)
    station.call("Heartbeat", {})


# -- which station ---------------------------------------------------------------------------------------------------

# The characters of the examples in the texts. An encoded slash is refused by servers of all kinds, and no text has one.
ODD_NAMES = {Version.V16: (" ", "|"), Version.V201: (" ", "|"), Version.V21: ("|",)}


def _role(character: str) -> str:
    return f"U+{ord(character):04X}"


@shared(
    id="HS_06",
    title="A percent-encoded identity is the station that the CSMS knows by its decoded name",
    block=BLOCK,
    initiator="csms",
    start=Start.OFFLINE,
    needs=("register", *COMMAND),
    sends="Connections of stations whose identity holds a character that a URL encodes, and Accepted to a command.",
    expects="The CSMS SHALL decode the identity, let the station in, and reach it under that name.",
    clause=wire_clause("3.1.1", "3.1.1", "3.1.1"),
    defect="identity-not-decoded",
    also={
        **dict.fromkeys((Version.V16, Version.V201), ("command-to-other-station",)),
        Version.V21: (),
    },
    checks={
        version: tuple(
            check
            for number, character in enumerate(ODD_NAMES[version])
            for check in (
                connection(f"An identity with {character!r} is let in", lets_in, role=_role(character)),
                asked_first(role=_role(character), claim=f"The command for {character!r} reaches its own station"),
                reported_first(
                    is_answered("Accepted"),
                    nth=number,
                    even_unsent=True,
                    claim=f"The CSMS reaches the station with {character!r} in its identity",
                ),
            )
        )
        for version in ALL
    },
)
def odd_names(probe: Probe) -> None:
    for character in ODD_NAMES[probe.version]:
        identity = f"PS{character}{secrets.token_hex(5)}"
        station = probe.new_station(_role(character), identity=identity)
        reply_first(probe, "Accepted", station=station)
        boots_where_let_in(probe, station)
        first_command(probe, station=station)


LONGEST = 48


@shared(
    id="HS_08",
    title=f"An identity of {LONGEST} characters is let in",
    block=BLOCK,
    start=Start.OFFLINE,
    needs=("register",),
    sends=f"A connection and a boot of a station whose identity has {LONGEST} characters.",
    expects="The CSMS SHALL let it in: identities have up to 48 characters.",
    clause={version: number for version, number in wire_clause("3.1.1", "3.1.1", "3.1.1").items() if version in V2X},
    defect="identity-of-48-refused",
    checks=(
        connection("The longest identity is let in", opens, role="long"),
        answered("BootNotification", {"status": one_of("Accepted")}, role="long", nth=-1, claim="It is served"),
    ),
)
def longest_identity(probe: Probe) -> None:
    identity = f"PS{secrets.token_hex(23)}"
    try:
        station = probe.new_station("long", identity=identity)
    except InconclusiveError as refusal:
        # What the operator's side cannot store, the CSMS may still let in: its own handshake is what counts.
        station = probe.known_station("long", identity)
        station.note(observed={"register": str(refusal)})
        if not probe.gets_in(station):
            raise
    else:
        probe.reconnect(station, judged=True)
    probe.boot(station)


LOWER_CASE = ("sec-websocket-protocol", "sec-websocket-key", "sec-websocket-version", "upgrade", "connection", "host")


@shared(
    id="HS_13",
    title="The names of the headers of an upgrade count in lower case too",
    block=BLOCK,
    start=Start.OFFLINE,
    sends="An upgrade whose header names are all in lower case, as proxies write them, and a boot.",
    expects="The CSMS SHALL read it as any other: the name of a header has no case.",
    clause={version: Clause("RFC9110", "5.1") for version in ALL},
    defect="header-names-case-sensitive",
    checks=(connection("An upgrade in lower case is accepted", opens, nth=0), boot_is_accepted),
)
def header_names(probe: Probe) -> None:
    station = probe.station
    station.offer = msgspec.structs.replace(station.offer, spellings=LOWER_CASE)
    probe.reconnect(station, judged=True)
    probe.boot(station)


# -- not a WebSocket -------------------------------------------------------------------------------------------------


def _no_upgrade(attempt: Connection, history: History) -> tuple[bool, str]:
    del history
    return not attempt.opened and (attempt.status or 0) < SERVER_ERROR, attempt.describe()


# Libraries still speak the draft 8; nobody ever spoke this one.
WRONG_VERSION = (("Sec-WebSocket-Version", "99"),)


@shared(
    id="HS_12",
    title="A request that is not an upgrade, or for another WebSocket version, is refused with a 4xx",
    block=BLOCK,
    sends="A plain GET, a GET with Sec-WebSocket-Version 99, and then a proper connection with a Heartbeat.",
    expects="The CSMS SHALL answer with an HTTP error of the client (4xx), neither upgrade nor fail itself.",
    clause={version: Clause("RFC6455", "4.2.2") for version in ALL},
    defect="plain-request-crashes",
    checks=(
        connection("A plain GET is not upgraded, and no error of the server", _no_upgrade, nth=0),
        connection("An unknown WebSocket version is not upgraded, and no error of the server", _no_upgrade, nth=1),
        still_serves(),
    ),
)
def no_websocket(probe: Probe) -> None:
    station = probe.station
    station.connect(without=("Upgrade", "Connection"))
    station.connect(without=("Sec-WebSocket-Version",), headers=WRONG_VERSION)
    probe.reconnect(station, judged=True)
    station.call("Heartbeat", {})
