"""Groups of tokens: members end each other's sessions, a blocked one does not, and a master pass ends any."""

from __future__ import annotations

import msgspec

from drivers.base import token_need
from fixtures.csms.defects.v2x_events import event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import shown
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.token_groups import group_is_told, member, new_group
from interop_suite.steps.transaction_events import (
    AUTHORIZED,
    CHARGING,
    ENDED_UNPLUGGED,
    STARTED_BY_CABLE,
    STOP_SHOWN,
    answers_all,
)
from interop_suite.steps.v2x import ACCEPTED, VERSIONS, part6, starts_with_token

BLOCK = "Authorization"
NEEDS = (token_need("parent"),)
FIRST, SECOND = 1, 2
"""EVSEs."""
WRONG_GROUPS = ("group-left-out-of-events", "group-named-after-token", "group-of-first-token")
IN_EVENTS = ("event-without-token-info", *WRONG_GROUPS)
CABLE = event_defect_id("Started", "CablePluggedIn")
STOP = event_defect_id("Updated", "StopAuthorized")
LEFT = event_defect_id("Ended", "EVCommunicationLost")


def refused(value: object) -> str | None:
    """Expect any status but Accepted."""
    return f"is {shown(value)} instead of a refusal" if value in ("Accepted", None) else None


@case(
    id="TC_C_39_CSMS",
    ocpp=VERSIONS,
    title="Two tokens of one group: each answer names the group, so that the second may stop what the first began",
    block=BLOCK,
    profile="Core",
    needs=NEEDS,
    sends="Authorize with two tokens of one group and one of another, and a session that one starts and one stops.",
    expects="The CSMS SHALL accept the tokens, and name the group of each in every answer about it.",
    clause=part6("TC_C_39_CSMS"),
    defect="group-named-after-token",
    also=("group-left-out", "group-of-the-last-token", *IN_EVENTS, CABLE, STOP, LEFT),
    checks=(answered("Authorize", ACCEPTED), answers_all, starts_with_token("Accepted"), group_is_told()),
)
def group(probe: Probe) -> None:
    station, fleet = probe.station, new_group("FLEET")
    first, second = (member(probe, fleet) for _ in range(2))
    stranger = member(probe, new_group("GUEST"))
    charging = Charging(station, first, connector=SECOND)
    STARTED_BY_CABLE.send(charging)
    authorize(station, second)
    authorize(station, stranger)
    AUTHORIZED.send(charging)
    CHARGING.send(charging)
    authorize(station, second)
    charging.token = second
    STOP_SHOWN.send(charging)
    ENDED_UNPLUGGED.send(charging)


@case(
    id="TC_C_40_CSMS",
    ocpp=VERSIONS,
    title="The station knows two tokens of one group from its local list; the second stops what the first began",
    block=BLOCK,
    profile="Local Auth List",
    needs=NEEDS,
    sends="A session that one token of a group starts and another one stops, without Authorize.",
    expects="The CSMS SHALL accept both tokens in the events, and name their group.",
    clause=Clause("201-6", "TC_C_39_CSMS"),
    defect="group-left-out-of-events",
    also=(
        *(name for name in IN_EVENTS if name != "group-left-out-of-events"),
        STOP,
        LEFT,
        "token-info-only-when-authorized",
    ),
    checks=(answers_all, starts_with_token("Accepted"), group_is_told()),
)
def group_in_local_list(probe: Probe) -> None:
    fleet = new_group("FLEET")
    first, second, stranger = member(probe, fleet), member(probe, fleet), member(probe, new_group("GUEST"))
    beside = Charging(probe.station, stranger, connector=FIRST)
    charging = Charging(probe.station, first, connector=SECOND)
    for each in (beside, charging):
        each.begin()
    charging.token = second
    for each in (charging, beside):
        STOP_SHOWN.send(each)
        ENDED_UNPLUGGED.send(each)


@case(
    id="TC_C_43_CSMS",
    ocpp=VERSIONS,
    title="A blocked token does not stop the session of its group",
    block=BLOCK,
    profile="Local Auth List",
    needs=(*NEEDS, token_need("Blocked")),
    sends="A session of one token, Authorize with a blocked token of its group, and the stop by the first token.",
    expects="The CSMS SHALL not accept the blocked token, whatever its group, and go on with the session.",
    clause=part6("C01.FR.07"),
    defect="group-member-always-accepted",
    also=("blocked-tag-authorized", "event-without-token-info", STOP, LEFT),
    checks=(
        answered("Authorize", {"idTokenInfo.status": refused}, claim="The blocked token is not accepted"),
        answers_all,
        starts_with_token("Accepted"),
    ),
)
def blocked_member(probe: Probe) -> None:
    fleet = new_group("FLEET")
    first, blocked = member(probe, fleet), member(probe, fleet, "Blocked")
    charging = Charging(probe.station, first, connector=SECOND)
    charging.begin()
    authorize(probe.station, blocked)
    charging.sample(1800)
    STOP_SHOWN.send(charging)
    ENDED_UNPLUGGED.send(charging)


class MasterPass(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody with a master pass ends sessions."""

    id: str
    title: str
    ends: tuple[int, ...]
    """EVSEs whose session ends; any other goes on."""
    shows_own_token: bool = False
    """Whether the ends carry the token that began the session, and not the master pass."""


MASTER_PASSES = (
    MasterPass(id="TC_C_47_CSMS", title="A master pass stops all sessions, by the display", ends=(FIRST, SECOND)),
    MasterPass(id="TC_C_48_CSMS", title="A master pass stops the session that was chosen by display", ends=(FIRST,)),
    MasterPass(
        id="TC_C_49_CSMS",
        title="A master pass stops all sessions of a station without a display",
        ends=(SECOND, FIRST),
        shows_own_token=True,
    ),
)


def _add(master: MasterPass) -> None:
    @case(
        id=master.id,
        ocpp=VERSIONS,
        title=master.title,
        block=BLOCK,
        profile="Core",
        needs=NEEDS,
        sends="Sessions at two EVSEs, Authorize with a token of the master group, and the ends by MasterPass.",
        expects="The CSMS SHALL accept the master pass, name its group, and answer every event of every session.",
        clause=part6(master.id),
        defect="master-pass-ends-every-session",
        also=("group-left-out", "token-info-only-when-authorized", *IN_EVENTS),
        checks=(answered("Authorize", ACCEPTED), answers_all, starts_with_token("Accepted"), group_is_told()),
    )
    def script(probe: Probe) -> None:
        fleet, masters = new_group("FLEET"), new_group("MASTER")
        sessions = {evse: Charging(probe.station, member(probe, fleet), connector=evse) for evse in (FIRST, SECOND)}
        key = member(probe, masters)
        for evse, charging in sessions.items():
            charging.begin(1000 * evse)
        authorize(probe.station, key)
        for evse in master.ends:
            if not master.shows_own_token:
                sessions[evse].token = key
            sessions[evse].end(1000 * evse + 750, stopped_reason="MasterPass")
        for evse, charging in sessions.items():
            if evse not in master.ends:
                charging.sample(1000 * evse + 900)
                charging.end(1000 * evse + 1200)


for _master in MASTER_PASSES:
    _add(_master)
