"""Authorization: what the CSMS says about tokens, and about their groups."""

from __future__ import annotations

from drivers.base import token_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, unknown_token_refused
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.v2x import ACCEPTED, VERSIONS, part6, starts_with_token
from interop_suite.steps.v16 import ago

BLOCK = "Authorization"
PROFILE = "Core"
STATUS = "idTokenInfo.status"


@case(
    id="TC_C_02_CSMS",
    ocpp=VERSIONS,
    title="Authorize of an unknown token is answered Unknown or Invalid",
    block=BLOCK,
    profile=PROFILE,
    sends="Authorize with a token that the CSMS cannot know.",
    expects="The CSMS SHALL answer with a status of Unknown or Invalid.",
    clause=part6("C01.FR.07"),
    defect="unknown-tag-authorized",
    checks=(
        unknown_token_refused(
            "Authorize",
            STATUS,
            ("Unknown", "Invalid"),
            ("Blocked", "Expired", "NotAtThisLocation", "NotAtThisTime"),
            claim="A token that the CSMS does not know is not accepted",
        ),
    ),
)
def unknown_token(probe: Probe) -> None:
    authorize(probe.station, probe.unknown_token())


@case(
    id="TC_C_06_CSMS",
    ocpp=VERSIONS,
    title="Authorize of a blocked token is answered Blocked",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Blocked"),),
    sends="Authorize with a token that the operator has blocked.",
    expects="The CSMS SHALL answer with a status of Blocked, or Invalid.",
    clause=part6("C01.FR.07"),
    defect="blocked-tag-authorized",
    checks=(
        answered(
            "Authorize",
            {STATUS: one_of("Blocked", "Invalid")},
            tolerate={STATUS: ("Unknown", "Expired")},
            claim="A blocked token is not accepted",
        ),
    ),
)
def blocked_token(probe: Probe) -> None:
    authorize(probe.station, probe.token("Blocked"))


@case(
    id="TC_C_07_CSMS",
    ocpp=VERSIONS,
    title="Authorize of an expired token is answered Expired",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Expired"),),
    sends="Authorize with a token whose time is over.",
    expects="The CSMS SHALL answer with a status of Expired, or Invalid.",
    clause=part6("C01.FR.07"),
    defect="expired-tag-authorized",
    checks=(
        answered(
            "Authorize",
            {STATUS: one_of("Expired", "Invalid")},
            tolerate={STATUS: ("Unknown", "Blocked")},
            claim="An expired token is not accepted",
        ),
    ),
)
def expired_token(probe: Probe) -> None:
    authorize(probe.station, probe.token("Expired", expiry=ago(days=30)))


GROUP = "PLUGSTORM-FLEET"


@case(
    id="TC_C_39_CSMS",
    ocpp=VERSIONS,
    title="Two tokens of one group: each answer names the group, so that the second may stop what the first began",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("parent"),),
    sends="Authorize with two tokens of one group, a session that the first one starts and the second one stops.",
    expects="The CSMS SHALL accept both tokens, and name their group.",
    clause=part6("TC_C_39_CSMS"),
    defect="group-left-out",
    also=("event-without-token-info",),
    checks=(
        answered("Authorize", {**ACCEPTED, "idTokenInfo.groupIdToken.idToken": present()}),
        starts_with_token("Accepted"),
    ),
)
def group(probe: Probe) -> None:
    station = probe.station
    first, second = (probe.token(parent=GROUP) for _ in range(2))
    authorize(station, first)
    authorize(station, second)
    charging = Charging(station, first)
    charging.begin()
    charging.token = second
    _stop(charging)


def _stop(charging: Charging) -> Answer:
    return charging.end(2500)
