"""Messages on the display of a 2.x station that the operator asks for and takes away."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import nothing_but, obey, send_display_messages
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Display Message"
PROFILE = "Advanced UI"
BY_SCHEMA = Clause("201-4", "4.1.7")
SET, GET, CLEAR = "SetDisplayMessage", "GetDisplayMessages", "ClearDisplayMessage"
ACCEPTED = {"status": "Accepted"}

SECOND_PART = "display-messages-second-part-refused"
EMPTY_HANDED = "closes-after-no-display-messages"
NO_PRIORITY = "get-display-messages-drops-priority"
NO_STATE = "get-display-messages-drops-state"

Payload = dict[str, Any]


def _message(number: int, text: str, priority: str, **more: Any) -> Payload:
    return {"id": number, "priority": priority, "message": {"format": "UTF8", "content": text}, **more}


SHOWN = (
    _message(51, "Mind the cable.", "NormalCycle", state="Idle"),
    _message(62, "Card readers are out of order.", "InFront", state="Unavailable"),
    _message(73, "Sale until June.", "NormalCycle", endDateTime="2031-06-07T08:09:10Z"),
)
"""What the station shows."""

every_part_answered = answered("NotifyDisplayMessages", claim="Every part of the list is answered")


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """One request for messages, and the parts in which the station tells them."""

    id: str
    title: str
    criteria: Payload = {}
    reply: str = "Accepted"
    parts: tuple[tuple[Payload, ...], ...] = ()
    defect: str
    also: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, Expected]:
        """What the CALL must hold: what was named, and nothing that narrows the search beyond it."""
        named: dict[str, Expected] = {
            name: nothing_but(*value) if isinstance(value, list) else one_of(value)
            for name, value in self.criteria.items()
        }
        return {"requestId": present(), **dict.fromkeys(("id", "priority", "state"), one_of(None)), **named}


SEARCHES = (
    Search(
        id="TC_O_02_CSMS",
        title="All messages are listed, in two parts",
        parts=(SHOWN[:1], SHOWN[1:]),
        defect=SECOND_PART,
        also=("get-display-messages-in-front-only",),
    ),
    Search(
        id="TC_O_03_CSMS",
        title="All messages are asked for, and there is none",
        reply="Unknown",
        defect=EMPTY_HANDED,
        also=("get-display-messages-in-front-only",),
    ),
    Search(
        id="TC_O_07_CSMS",
        title="Two of three messages are found by their ids",
        criteria={"id": [51, 73]},
        parts=((SHOWN[0],), (SHOWN[2],)),
        defect="get-display-messages-first-id-only",
        also=(SECOND_PART, "get-display-messages-in-front-only"),
    ),
    Search(
        id="TC_O_08_CSMS",
        title="Two of three messages are found by their priority",
        criteria={"priority": "NormalCycle"},
        parts=((SHOWN[0], SHOWN[2]),),
        defect=NO_PRIORITY,
    ),
    Search(
        id="TC_O_09_CSMS",
        title="One of three messages is found by its state",
        criteria={"state": "Unavailable"},
        parts=((SHOWN[1],),),
        defect=NO_STATE,
        also=("get-display-messages-in-front-only",),
    ),
    Search(
        id="TC_O_11_CSMS",
        title="No message has the id, the priority and the state that are asked for",
        criteria={"id": [84, 95], "priority": "AlwaysFront", "state": "Charging"},
        reply="Unknown",
        defect=EMPTY_HANDED,
        also=(NO_PRIORITY, NO_STATE, "get-display-messages-first-id-only"),
    ),
)


def _add(search: Search) -> None:
    told = f"{len(search.parts)} NotifyDisplayMessages, " if search.parts else ""

    @case(
        id=search.id,
        ocpp=VERSIONS,
        title=search.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(GET),),
        sends=f"{search.reply} to GetDisplayMessages, {told}then a Heartbeat.",
        expects="The CSMS SHALL ask for the messages that its operator named, and answer every part of the list.",
        clause=BY_SCHEMA,
        defect=search.defect,
        also=search.also,
        checks=(ordered(GET, search.fields), *((every_part_answered,) if search.parts else ()), still_serves()),
    )
    def script(probe: Probe) -> None:
        request = obey(probe, GET, {"requestId": 841, **search.criteria}, {"status": search.reply})
        if request is None:
            return
        send_display_messages(probe.station, request, search.parts)
        heartbeat(probe.station)


for _search in SEARCHES:
    _add(_search)


@case(
    id="TC_O_04_CSMS",
    ocpp=VERSIONS,
    title="The first of two messages is cleared",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(SET), trigger_need(CLEAR)),
    sends="Accepted to two SetDisplayMessage and to ClearDisplayMessage, then a Heartbeat.",
    expects="The CSMS SHALL send ClearDisplayMessage with the id of the message that its operator named.",
    clause=BY_SCHEMA,
    defect="clear-display-message-clears-the-last",
    also=("display-message-state-dropped",),
    checks=(ordered(SET, {"message": present()}), ordered(CLEAR, {"id": present()}), still_serves()),
)
def cleared(probe: Probe) -> None:
    numbers = []
    for shown in SHOWN[:2]:
        request = obey(probe, SET, {"message": shown}, ACCEPTED)
        if request is None:
            return
        # A CSMS may number its messages itself.
        numbers.append(request.get("message", {}).get("id", shown["id"]))
    obey(probe, CLEAR, {"id": numbers[0]}, ACCEPTED)
    heartbeat(probe.station)


@case(
    id="TC_O_05_CSMS",
    ocpp=VERSIONS,
    title="A message that the station does not show is to be cleared",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(CLEAR),),
    sends="Unknown to ClearDisplayMessage, then a Heartbeat.",
    expects="The CSMS SHALL send ClearDisplayMessage with the id that its operator named, and go on.",
    clause=BY_SCHEMA,
    defect="closes-after-clear-unknown-display-message",
    checks=(ordered(CLEAR, {"id": one_of(84)}), still_serves()),
)
def cleared_unknown(probe: Probe) -> None:
    obey(probe, CLEAR, {"id": 84}, {"status": "Unknown"})
    heartbeat(probe.station)
