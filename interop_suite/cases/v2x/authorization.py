"""Authorization: what the CSMS says about tokens, asked for or in an event, and the cache of the station."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves, unknown_token_refused
from interop_suite.claims.expected import one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.transaction_events import (
    AUTHORIZED,
    CHARGING,
    ENDED_DEAUTHORIZED,
    STARTED_BY_BAY,
    answers_all,
)
from interop_suite.steps.v2x import VERSIONS, part6, starts_with_token
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
    sends="Authorize with a token that the CSMS cannot know, twice.",
    expects="The CSMS SHALL answer each with a status of Unknown or Invalid.",
    clause=part6("C01.FR.07"),
    defect="unknown-tag-authorized",
    also=("token-learnt-by-asking",),
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
    token = probe.unknown_token()
    # Whoever asks for a token does not make it known.
    for _ in range(2):
        authorize(probe.station, token)


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


BAY = event_defect_id("Started", "EVDetected")
TOKEN_INFO = "event-without-token-info"  # noqa: S105  # the name of a defect


@case(
    id="TC_C_08_CSMS",
    ocpp=VERSIONS,
    title="A token that the station knows from its cache is accepted in the event, without Authorize",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"),),
    sends="A session that begins without a token, and an Updated with a token that the CSMS accepts.",
    expects="The CSMS SHALL answer the event with a status of Accepted.",
    clause=part6("TC_C_08_CSMS"),
    defect=TOKEN_INFO,
    also=(BAY, "token-info-only-when-authorized"),
    checks=(answers_all, starts_with_token("Accepted")),
)
def cached_token(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=2)
    for each in (STARTED_BY_BAY, AUTHORIZED, CHARGING):
        each.send(charging)
    charging.end(2500)


@case(
    id="TC_C_20_CSMS",
    ocpp=VERSIONS,
    title="A token of the station's cache that is invalid at the CSMS is refused in the answer to the event",
    block=BLOCK,
    profile=PROFILE,
    sends="A session that begins without a token, an Updated with one that nobody knows, its end, and Authorize.",
    expects="The CSMS SHALL answer the event with a status of Invalid or Unknown, and answer the others.",
    clause=part6("TC_C_20_CSMS"),
    defect="invalid-tag-started",
    also=(
        TOKEN_INFO,
        BAY,
        event_defect_id("Ended", "Deauthorized"),
        "token-learnt-by-charging",
        "unknown-tag-authorized",
    ),
    checks=(
        answers_all,
        unknown_token_refused(
            "Authorize",
            STATUS,
            ("Invalid", "Unknown"),
            ("Blocked", "Expired", "NotAtThisLocation", "NotAtThisTime"),
            claim="The token is not accepted for having been in a session",
        ),
        unknown_token_refused(
            "TransactionEvent",
            STATUS,
            ("Invalid", "Unknown"),
            ("Blocked", "Expired", "NotAtThisLocation", "NotAtThisTime"),
            claim="The answer to the event says that the token is not accepted",
            nth=1,
        ),
    ),
)
def invalid_in_cache(probe: Probe) -> None:
    charging = Charging(probe.station, probe.unknown_token(), connector=2)
    for each in (STARTED_BY_BAY, AUTHORIZED, ENDED_DEAUTHORIZED):
        each.send(charging)
    authorize(probe.station, charging.token)


@case(
    id="TC_C_38_CSMS",
    ocpp=VERSIONS,
    title="The station refuses to clear its cache, and is asked again when the operator wants so",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("ClearCache"),),
    sends="Rejected to ClearCache, Accepted to the next one, then a Heartbeat.",
    expects="The CSMS SHALL send ClearCache each time its operator asks for it, take both answers and go on.",
    clause=part6("TC_C_38_CSMS"),
    defect="cache-cleared-although-refused",
    also=("clear-cache-with-payload",),
    checks=(
        asked("ClearCache", nth=0),
        asked("ClearCache", nth=1, claim="The CSMS sends ClearCache again after a refusal"),
        still_serves(),
    ),
)
def refused_clear_cache(probe: Probe) -> None:
    station = probe.station
    for status in ("Rejected", "Accepted"):
        station.reply("ClearCache", {"status": status})
        probe.command("ClearCache", {})
    heartbeat(station)
