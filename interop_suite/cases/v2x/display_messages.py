"""Messages on the display of a 2.x station that the operator sets: content, time, state, transaction, and refusals."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, field, one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.v2x import VERSIONS
from ocppj.versions import Version

BLOCK = "Display Message"
PROFILE = "Advanced UI"
PROFILE_21 = "unknown (2.1)"
BY_SCHEMA = Clause("201-4", "4.1.7")
BY_SCHEMA_21 = Clause("21-4", "4.1.7")
SET = "SetDisplayMessage"
START, END = "2031-05-06T07:08:09Z", "2031-06-07T08:09:10Z"
ACCEPTED = {"status": "Accepted"}

DROPS_TRANSACTION = "display-message-drops-transaction"
UNDATED_SESSION = "display-message-of-session-undated"
CLOSES = "closes-after-display-message-refused"

Payload = dict[str, Any]


def message(number: int, text: str, *, priority: str = "InFront", format: str = "UTF8", **more: Any) -> Payload:  # noqa: A002  # the field's own word
    """Write what the operator wants shown."""
    content = {"format": format, "language": "en", "content": text}
    return {"message": {"id": number, "priority": priority, "message": content, **more}}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One message that the operator wants shown, and what the station says to it."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    profile: str = PROFILE
    clause: Clause = BY_SCHEMA
    order: Payload
    in_session: bool = False
    """Whether it belongs to a transaction: the second of two that run at the station."""
    reply: str = "Accepted"
    fields: dict[str, Expected]
    defect: str
    also: tuple[str, ...] = ()


SHOWN = (
    Shown(
        id="TC_O_01_CSMS",
        title="A message with signs beyond ASCII is shown in one state of the station",
        order=message(11, "Laden kostet 0,49 €/kWh – größer geht’s nicht", state="Charging"),
        fields={
            "message.message.content": present(),
            "message.message.format": one_of("UTF8"),
            "message.priority": one_of("InFront"),
            "message.state": one_of("Charging"),
        },
        defect="display-message-ascii-only",
        also=("display-message-state-dropped",),
    ),
    Shown(
        id="TC_O_06_CSMS",
        title="A message is shown during one of two transactions",
        order=message(16, "Your session ends at noon."),
        in_session=True,
        fields={"message.transactionId": present(), "message.priority": one_of("InFront")},
        defect="display-message-for-first-transaction",
        also=(DROPS_TRANSACTION,),
    ),
    Shown(
        id="TC_O_10_CSMS",
        title="The station does not know the transaction of a message",
        order=message(20, "Your session is over."),
        in_session=True,
        reply="UnknownTransaction",
        fields={"message.transactionId": present()},
        defect=DROPS_TRANSACTION,
        also=("display-message-for-first-transaction", CLOSES),
    ),
    Shown(
        id="TC_O_13_CSMS",
        title="A message is shown from a moment on",
        order=message(23, "From May on: new prices.", startDateTime=START),
        fields={"message.startDateTime": present()},
        defect="display-message-start-dropped",
    ),
    Shown(
        id="TC_O_14_CSMS",
        title="A message is shown until a moment",
        order=message(24, "Free coffee until June.", endDateTime=END),
        fields={"message.endDateTime": present()},
        defect="display-message-end-dropped",
    ),
    Shown(
        id="TC_O_17_CSMS",
        title="The station does not have the priority of a message",
        order=message(27, "Please leave the building.", priority="AlwaysFront"),
        reply="NotSupportedPriority",
        fields={"message.priority": one_of("AlwaysFront")},
        defect="display-message-priority-lowered",
        also=(CLOSES,),
    ),
    Shown(
        id="TC_O_18_CSMS",
        title="The station does not have the state of a message",
        order=message(28, "Out of order.", priority="NormalCycle", state="Faulted"),
        reply="NotSupportedState",
        fields={"message.state": one_of("Faulted")},
        defect="display-message-state-dropped",
        also=(CLOSES,),
    ),
    Shown(
        id="TC_O_19_CSMS",
        title="The station does not have the format of a message",
        order=message(29, "<b>Welcome</b>", format="HTML"),
        reply="NotSupportedMessageFormat",
        fields={"message.message.format": one_of("HTML")},
        defect="display-message-html-as-text",
        also=(CLOSES,),
    ),
    Shown(
        id="TC_O_25_CSMS",
        title="A message is shown in one state of the station",
        order=message(35, "Plug in to begin.", priority="NormalCycle", state="Idle"),
        fields={"message.state": one_of("Idle"), "message.priority": one_of("NormalCycle")},
        defect="display-message-state-dropped",
    ),
    Shown(
        id="TC_O_26_CSMS",
        title="The station refuses a message",
        order=message(36, "No more room for this."),
        reply="Rejected",
        fields={"message.message.content": present()},
        defect=CLOSES,
    ),
    Shown(
        id="TC_O_27_CSMS",
        title="A message is shown during a transaction, from a moment on",
        order=message(37, "Half price from now on.", startDateTime=START),
        in_session=True,
        fields={
            "message.transactionId": present(),
            "message.startDateTime": present(),
            "message.state": one_of(None),
        },
        defect=UNDATED_SESSION,
        also=("display-message-start-dropped", "display-message-for-first-transaction", DROPS_TRANSACTION),
    ),
    Shown(
        id="TC_O_28_CSMS",
        title="A message is shown during a transaction, until a moment",
        order=message(38, "Half price until then.", endDateTime=END),
        in_session=True,
        fields={
            "message.transactionId": present(),
            "message.endDateTime": present(),
            "message.state": one_of(None),
        },
        defect=UNDATED_SESSION,
        also=("display-message-end-dropped", "display-message-for-first-transaction", DROPS_TRANSACTION),
    ),
    Shown(
        id="TC_O_100_CSMS",
        title="The station does not have the language of a message",
        ocpp=(Version.V21,),
        profile=PROFILE_21,
        clause=BY_SCHEMA_21,
        order={
            "message": {
                "id": 40,
                "priority": "InFront",
                "message": {"format": "UTF8", "language": "cy", "content": "Croeso i Gymru"},
            }
        },
        reply="LanguageNotSupported",
        fields={"message.message.language": one_of("cy")},
        defect="closes-after-language-not-supported",
        also=("display-message-always-in-english",),
    ),
)


def _named(shown: Shown, transaction: str | None) -> Payload:
    return {"message": {**shown.order["message"], **({"transactionId": transaction} if transaction else {})}}


def _second_of_two_sessions(probe: Probe) -> str:
    """Begin a session at each EVSE, and give the id of the later one."""
    later = ""
    for evse in (1, 2):
        charging = Charging(probe.station, probe.any_token() if evse == 1 else probe.another_token(), connector=evse)
        charging.begin(1000 * evse)
        later = str(charging.id)
    return later


def _add(shown: Shown) -> None:
    @case(
        id=shown.id,
        ocpp=shown.ocpp,
        title=shown.title,
        block=BLOCK,
        profile=shown.profile,
        initiator="csms",
        needs=(trigger_need(SET),),
        sends=f"{'Two sessions, ' if shown.in_session else ''}{shown.reply} to SetDisplayMessage, then a Heartbeat.",
        expects="The CSMS SHALL send SetDisplayMessage with all that its operator named, and go on.",
        clause=shown.clause,
        defect=shown.defect,
        also=shown.also,
        checks=(ordered(SET, {"message.id": present(), **shown.fields}), still_serves()),
    )
    def script(probe: Probe) -> None:
        transaction = _second_of_two_sessions(probe) if shown.in_session else None
        obey(probe, SET, _named(shown, transaction), {"status": shown.reply})
        heartbeat(probe.station)


for _shown in SHOWN:
    _add(_shown)


# -- two messages in turn ----------------------------------------------------------------------------------------------

_REPLACED = "The new message has the number of the one that it replaces"
OLD, NEW = message(22, "Opening hours: 8 to 18"), message(22, "Opening hours: 7 to 19", priority="NormalCycle")


def _judge_replacement(history: History) -> list[Finding]:
    """Compare the numbers of both CALLs; a CSMS that numbers messages itself cannot be told to replace one."""
    calls = history.commands(SET)
    contents = {field(call.payload, "message.message.content"): call for call in calls}
    old, new = (contents.get(each["message"]["message"]["content"]) for each in (OLD, NEW))
    if old is None or new is None:
        return []
    first, second = field(old.payload, "message.id"), field(new.payload, "message.id")
    named = OLD["message"]["id"]
    if first == second:
        verdict, actual = Verdict.OK, f"both have the id {first}"
    elif first != named:
        verdict, actual = Verdict.NOT_APPLICABLE, "this CSMS numbers its messages itself, so that none replaces another"
    else:
        verdict, actual = Verdict.FAILED, f"the new one has the id {second} instead of {first}"
    return [Finding(verdict=verdict, claim=_REPLACED, actual=actual, frame=new.call.line)]


@case(
    id="TC_O_12_CSMS",
    ocpp=VERSIONS,
    title="A message replaces another one",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(SET),),
    sends="Accepted to two SetDisplayMessage of the same id, then a Heartbeat.",
    expects="The CSMS SHALL send both, the second with the id of the first and the content of its own.",
    clause=BY_SCHEMA,
    defect="display-message-never-replaced",
    also=("display-message-content-of-first",),
    checks=(
        ordered(SET, {"message.priority": one_of("InFront")}, claim="The CSMS sends the first message"),
        ordered(SET, {"message.priority": one_of("NormalCycle")}, claim="The CSMS sends the message that replaces it"),
        Check(claim=_REPLACED, judge=_judge_replacement),
        still_serves(),
    ),
)
def replaced(probe: Probe) -> None:
    for order in (OLD, NEW):
        obey(probe, SET, order, ACCEPTED)
    heartbeat(probe.station)


# -- the language of the driver ----------------------------------------------------------------------------------------


@case(
    id="TC_O_101_CSMS",
    ocpp=(Version.V21,),
    title="A message is shown in the language of the driver and in another one",
    block=BLOCK,
    profile=PROFILE_21,
    initiator="csms",
    needs=(trigger_need(SET),),
    sends="Authorize, Accepted to SetDisplayMessage in the driver's language and in English, then a Heartbeat.",
    expects="The CSMS SHALL answer the token, and send the message in both languages.",
    clause=BY_SCHEMA_21,
    defect="display-message-always-in-english",
    also=("display-message-extra-dropped",),
    checks=(
        answered("Authorize", {"idTokenInfo.status": present()}, claim="The token is answered"),
        ordered(SET, {"message.message.language": present(), "message.messageExtra": present()}),
        still_serves(),
    ),
)
def in_the_drivers_language(probe: Probe) -> None:
    # Whether the token is accepted is no matter here.
    probe.station.note(plain="Authorize")
    answer = authorize(probe.station, probe.any_token())
    # Where the CSMS knows no language of this driver, the operator names one.
    language = answer.get("idTokenInfo", "language1", default="nl")
    first = {"format": "UTF8", "language": language, "content": "Welkom aan boord"}
    extra = {"format": "UTF8", "language": "en-GB", "content": "Welcome aboard"}
    order = {"message": {"id": 41, "priority": "InFront", "message": first, "messageExtra": [extra]}}
    obey(probe, SET, order, ACCEPTED)
    heartbeat(probe.station)
