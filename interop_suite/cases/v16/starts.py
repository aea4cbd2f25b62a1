"""Starts that a CSMS has reasons to doubt: tags that are no longer good, and values that look odd."""

from __future__ import annotations

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.payloads import v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, present
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe, now
from interop_suite.steps import v16 as steps
from interop_suite.steps.v16 import ago

BLOCK = "Transactions"
NO_LONGER_GOOD = "A start with a tag that is no longer good is not Accepted"


def _judge_start(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.FAILED if field(call.result, "idTagInfo.status") == "Accepted" else Verdict.OK,
            claim=NO_LONGER_GOOD,
            actual=call.describe_answer(),
            frame=call.answer.line if call.answer else None,
        )
        for call in history.calls("StartTransaction")
        if call.kind is AnswerKind.RESULT
    ]


def _end(probe: Probe, started: Answer, *, meter: int) -> None:
    """End a session that began, so that the next one finds the connector free."""
    number = steps.transaction_id(started)
    payload = v16.stop_transaction(number, meter_stop=meter, timestamp=now(), reason="DeAuthorized")
    probe.station.call("StopTransaction", payload)


@case(
    id="AU_22",
    ocpp="1.6",
    title="A tag that has expired, or was blocked, is found out when a session begins",
    block="Authorization",
    profile="Core",
    needs=(token_need("Accepted"), token_need("Blocked"), token_need("expiry")),
    sends="StartTransaction with a tag whose expiry date was yesterday, and with a blocked one, and the ends.",
    expects="The CSMS SHALL verify the tag of a start anew: the station may have let it in from its cache.",
    clause=Clause("1.6", "4.8"),
    defect="tag-not-verified-at-start",
    checks=(answered("StartTransaction"), Check(claim=NO_LONGER_GOOD, judge=_judge_start)),
)
def tags_no_longer_good(probe: Probe) -> None:
    for token in (probe.token(expiry=ago(hours=24)), probe.token("Blocked")):
        _end(probe, steps.start_transaction(probe.station, token), meter=1000)


_ODD = "A start is answered whatever a sanity check says of its values"


@case(
    id="ST_35",
    ocpp="1.6",
    title="A start is answered when its values look odd",
    block=BLOCK,
    profile="Core",
    needs=(token_need("Accepted"),),
    sends="Sessions of a meter at 0, of one below 0, of one that is lower than before, and of an unknown reservation.",
    expects="The CSMS SHALL answer each with a transactionId: no sanity check may keep it from answering.",
    clause=Clause("1.6", "4.8"),
    defect="start-at-zero-refused",
    checks=(
        answered(
            "StartTransaction",
            {"transactionId": present()},
            claim="A start of a meter at 0 is answered with a transactionId",
            when=lambda call: call.payload.get("meterStart") == 0,
        ),
        answered(
            "StartTransaction",
            {"transactionId": present()},
            level=Level.RECOMMENDED,
            claim=_ODD,
            when=lambda call: call.payload.get("meterStart") != 0,
        ),
    ),
)
def odd_values(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    for meter, more in ((0, {}), (-250, {}), (90_000, {}), (12, {}), (700, {"reservation_id": 2_000_011})):
        payload = v16.start_transaction(1, token, meter, now(), **more)
        _end(probe, station.call("StartTransaction", payload), meter=max(0, meter) + 100)
