"""Conversations with what is wrong in them, and the way each kind of log would have written them down.

Names, ids and times are invented. A scene is written once and rendered in every format, so that a format is read well
exactly where the same findings come out.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

START = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
UP, DOWN = "up", "down"
BOOT_16 = {"chargePointVendor": "Invented", "chargePointModel": "Model A"}
BOOT_2X = {"reason": "PowerUp", "chargingStation": {"vendorName": "Invented", "model": "Model B"}}


class Line(NamedTuple):
    """A frame, which way it went, and how many seconds after the start."""

    after: float
    way: str
    frame: str


class Scene(NamedTuple):
    """A conversation of one station."""

    name: str
    lines: list[Line]
    expected: set[tuple[str, str]]
    """Sides and rules that it breaks."""


class Talk:
    """Writes a conversation, exchange after exchange."""

    def __init__(self, boot: dict[str, Any] | None = None) -> None:
        self.now = 0.0
        self.ids = 100
        self.lines: list[Line] = []
        if boot is not None:
            self.up("BootNotification", boot, {"status": "Accepted", "currentTime": self.stamp(), "interval": 300})

    def stamp(self, shift: float = 0) -> str:
        return (START + timedelta(seconds=self.now + shift)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def say(self, way: str, frame: list[Any] | str, wait: float = 0.25) -> Talk:
        text = frame if isinstance(frame, str) else json.dumps(frame, separators=(",", ":"))
        self.lines.append(Line(self.now, way, text))
        self.now += wait
        return self

    def up(self, action: str, payload: dict[str, Any], answer: Any = None, **more: Any) -> Talk:
        """Send a CALL of the station; `answer` is a payload, or a frame without its id."""
        return self._call(UP, DOWN, action, payload, {} if answer is None else answer, **more)

    def down(self, action: str, payload: dict[str, Any], answer: Any = None, **more: Any) -> Talk:
        """Send a CALL of the CSMS."""
        return self._call(DOWN, UP, action, payload, {} if answer is None else answer, **more)

    def _call(
        self, way: str, back: str, action: str, payload: dict[str, Any], answer: Any, *, answered: bool = True,
        wait: float = 3.0, took: float = 0.25, message_id: str | None = None,
    ) -> Talk:  # fmt: skip
        self.ids += 1
        name = message_id or f"{way}-{self.ids}"
        self.say(way, [2, name, action, payload], took)
        if answered:
            frame = [answer[0], name, *answer[1:]] if isinstance(answer, list) else [3, name, answer]
            self.say(back, frame, wait)
        return self

    def start(
        self, connector: int = 1, number: int = 7, tag: str = "INVENTED1", meter: int = 1000, **more: Any
    ) -> Talk:
        payload = {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": self.stamp()}
        return self.up(
            "StartTransaction", payload, {"transactionId": number, "idTagInfo": {"status": "Accepted"}}, **more
        )

    def meter(self, wh: float, connector: int = 1, number: int = 7, **more: Any) -> Talk:
        sample = {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        value = {"timestamp": self.stamp(), "sampledValue": [sample]}
        return self.up(
            "MeterValues", {"connectorId": connector, "transactionId": number, "meterValue": [value]}, **more
        )

    def stop(self, meter: int = 2000, number: int = 7, **more: Any) -> Talk:
        return self.up(
            "StopTransaction", {"transactionId": number, "meterStop": meter, "timestamp": self.stamp()}, {}, **more
        )

    def status(self, status: str, connector: int = 1, answer: Any = None, **more: Any) -> Talk:
        payload = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": self.stamp()}
        return self.up("StatusNotification", payload, answer, **more)

    def beat(self, **more: Any) -> Talk:
        return self.up("Heartbeat", {}, {"currentTime": self.stamp()}, **more)

    def event(self, kind: str, number: int, name: str = "tx-invented-1", **more: Any) -> Talk:
        payload = {
            "eventType": kind, "timestamp": self.stamp(), "triggerReason": "MeterValuePeriodic", "seqNo": number,
            "transactionInfo": {"transactionId": name}, "evse": {"id": 1},
        }  # fmt: skip
        return self.up("TransactionEvent", payload, {}, **more)


def scenes() -> list[Scene]:
    """Write the conversations."""
    good = Talk(BOOT_16).status("Available").status("Preparing").start().status("Charging").meter(1100).meter(1300)
    good.down("GetConfiguration", {"key": ["HeartbeatInterval"]}, {"configurationKey": [], "unknownKey": []})
    good.stop().status("Finishing").status("Available").beat()
    no_answer = Talk(BOOT_16).status("Preparing").start(answered=False, took=40).status("Charging").beat().beat()
    other_id = Talk(BOOT_16).status("Preparing").start(number=7).meter(1100, number=8).stop(number=7)
    naive = Talk().up(
        "BootNotification", BOOT_16, {"status": "Accepted", "currentTime": "2026-03-02T08:00:00", "interval": 300}
    )
    naive.status("Available").beat()
    modern = Talk(BOOT_2X).event("Started", 0).event("Updated", 1).event("Updated", 3).event("Ended", 4).beat()
    refused = (
        Talk(BOOT_16)
        .start()
        .stop()
        .say(UP, [2, "x1", "StartTransaction", {}])
        .say(DOWN, [4, "x1", "FormationViolation", "", {}])
    )
    return [
        Scene("good", good.lines, set()),
        Scene("no answer to a start", no_answer.lines, {("csms", "unanswered-call")}),
        Scene("another transaction id", other_id.lines, {("charge-point", "other-transaction-id")}),
        Scene("a time without a zone", naive.lines, {("csms", "time-without-zone")}),
        Scene("a gap in 2.0.1", modern.lines, {("charge-point", "sequence-gap")}),
        Scene("a broken start", refused.lines, {("charge-point", "schema")}),
    ]


STATION = "INV-0001"


def _at(line: Line, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    return (START + timedelta(seconds=line.after)).strftime(pattern)


def _ms(line: Line) -> str:
    return f"{int(line.after * 1000) % 1000:03}"


def steve(line: Line) -> str:
    word = "Received" if line.way == UP else "Sending"
    return (
        f"[INFO ] {_at(line)},{_ms(line)} de.rwth.idsg.steve.ocpp.ws.WebSocketLogger (qtp12-34) - "
        f"[chargeBoxId={STATION}, sessionId=5e551011-0000] {word}: {line.frame}"
    )


def mobilityhouse(line: Line) -> str:
    word = "receive message" if line.way == UP else "send"
    return f"{_at(line)},{_ms(line)} INFO:ocpp:{STATION}: {word} {line.frame}"


def home_assistant(line: Line) -> str:
    word = "receive message" if line.way == UP else "send"
    return f"{_at(line)}.{_ms(line)} INFO (MainThread) [ocpp] {STATION}: {word} {line.frame}"


def evcc(line: Line) -> str:
    word = "recv" if line.way == UP else "send"
    return f"evcc  | [ocpp  ] TRACE {_at(line, '%Y/%m/%d %H:%M:%S')} {word} {STATION}: {line.frame}"


def ocpp_go(line: Line) -> str:
    word = "received JSON message from" if line.way == UP else "sent JSON message to"
    message = json.dumps(f"{word} {STATION}: {line.frame}")
    return f'time="{_at(line, "%Y-%m-%dT%H:%M:%SZ")}" level=debug msg={message} logger=ocppj'


def sap(line: Line) -> str:
    sign, word = (">>", "sent") if line.way == UP else ("<<", "received")
    return (
        f"debug: {_at(line, '%d.%m.%Y, %H:%M:%S')} {STATION} | OCPPService.x: {sign} Command 'X' {word} request "
        f"payload: {line.frame}"
    )


def micro_ocpp(line: Line) -> str:
    return f"{_at(line, '%H:%M:%S')}.{_ms(line)} > [MO] {'Send' if line.way == UP else 'Recv'}: {line.frame}"


def everest(line: Line) -> str:
    way = "ChargePoint>CentralSystem" if line.way == UP else "CentralSystem>ChargePoint"
    body = json.dumps(json.loads(line.frame), indent=2)
    return f"{_at(line, '%Y-%m-%dT%H:%M:%S')}.{_ms(line)}Z: {way} \n{body}\n"


def everest_html(line: Line) -> str:
    origin, target = ("ChargePoint", "CentralSystem") if line.way == UP else ("CentralSystem", "ChargePoint")
    body = html.escape(json.dumps(json.loads(line.frame), indent=2))
    return (
        f'<tr class="{origin}"> <td>{_at(line, "%Y-%m-%dT%H:%M:%S")}.{_ms(line)}Z</td> <td>{origin}&gt;{target}</td> '
        f'<td><b>X</b></td><td><b></b></td> <td><pre lang="json">{body}</pre></td> </tr>'
    )


def ocpp_core_dump(line: Line) -> str:
    return f"{_at(line, '%Y-%m-%d_%H-%M-%S')}-{_ms(line)}0_ocpp16-{'in' if line.way == UP else 'out'}.txt: {line.frame}"


def ocpp_core(line: Line) -> str:
    word = "ReceiveMessage" if line.way == UP else "SendOcppMessage"
    return f"{_at(line)}.{_ms(line)} [TRC] OCPPMiddleware.OCPP16 => {word}: {line.frame}"


def citrineos(line: Line) -> str:
    frame = json.loads(line.frame)
    state = {2: 1, 3: 2}.get(frame[0])
    head = f"{_at(line)}.{_ms(line)}\tDEBUG\t/app/sender.js:85\tCitrineOS Logger:"
    if state is None:
        return f"{head}MessageRouterImpl\tProcess CallError {STATION} {_javascript(frame)}"
    about = {
        "origin": "cs" if line.way == UP else "csms",
        "action": frame[2] if state == 1 else "X",
        "context": {"stationId": STATION, "correlationId": frame[1]},
        "state": state,
        "payload": frame[-1],
    }
    return f"{head}RabbitMqSender\tPublishing to citrineos: {_javascript(about)}"


def _javascript(value: Any) -> str:
    text = json.dumps(value, indent=2)
    for key in (
        "origin",
        "action",
        "context",
        "stationId",
        "correlationId",
        "state",
        "payload",
        "idTag",
        "connectorId",
    ):
        text = text.replace(f'"{key}":', f"{key}:")
    return text.replace("'", "\\'").replace('"', "'") if "'" not in text else text


def ocpp_trace(line: Line) -> str:
    frame = json.loads(line.frame)
    told = {
        "schemaVersion": "1.1", "timestamp": f"{_at(line, '%Y-%m-%dT%H:%M:%S')}.{_ms(line)}Z", "transport": "json",
        "chargePointId": STATION, "direction": "cp-to-csms" if line.way == UP else "csms-to-cp",
        "messageType": {2: "CALL", 3: "CALLRESULT", 4: "CALLERROR"}[frame[0]], "messageId": frame[1],
    }  # fmt: skip
    if frame[0] == 2:
        told["action"] = frame[2]
    if frame[0] == 4:
        told["error"] = {"code": frame[2], "description": frame[3], "details": frame[4]}
    else:
        told["payload"] = frame[-1]
    return json.dumps(told)


def plugstorm(line: Line) -> str:
    kind = "sent" if line.way == UP else "received"
    told = {"t": 100.0 + line.after, "station": STATION, "connection": 1, "kind": kind, "text": line.frame}
    return json.dumps(told, separators=(",", ":"))


def columns(line: Line) -> str:
    quoted = line.frame.replace('"', '""')
    return f'{_at(line)},{STATION},{"station" if line.way == UP else "csms"},"{quoted}"'


def plain(line: Line) -> str:
    return f"{_at(line)} {line.frame}"


FORMATS: dict[str, tuple[Callable[[Line], str], str]] = {
    "steve": (steve, ""),
    "mobilityhouse": (mobilityhouse, ""),
    "home-assistant": (home_assistant, ""),
    "evcc": (evcc, ""),
    "ocpp-go": (ocpp_go, ""),
    "sap-simulator": (sap, ""),
    "microocpp": (micro_ocpp, ""),
    "everest": (everest, ""),
    "everest-html": (everest_html, ""),
    "ocpp.core": (ocpp_core, ""),
    "ocpp.core-dump": (ocpp_core_dump, ""),
    "citrineos": (citrineos, ""),
    "ocpp-trace": (ocpp_trace, ""),
    "plugstorm": (
        plugstorm,
        f'{{"t":99.9,"station":"{STATION}","connection":1,"kind":"handshake","info":{{"status":101}}}}\n',
    ),
    "csv": (columns, "time,station,direction,message\n"),
    "plain": (plain, ""),
}
"""By the name of the format: how it writes a line, and what stands above them."""


def render(scene: Scene, name: str) -> str:
    """Write a scene as a log of a format."""
    writer, head = FORMATS[name]
    return head + "\n".join(writer(line) for line in scene.lines) + "\n"
