r"""The kinds of log that write a frame as one line of text, as a table.

The shapes were read off the programs' sources and off logs in their public issue trackers.
"""

from __future__ import annotations

import html
import re
from typing import Final

import msgspec

from analysis.model import Direction, Side, Traits
from analysis.readers.lines import TIME, LineFormat, LineReader
from analysis.readers.plain import PlainReader

__all__ = ["LINE_READERS"]

_IN: Final = Direction.TO_CSMS
_OUT: Final = Direction.TO_STATION
_AT_CSMS: Final = Traits(taken_at=Side.CSMS)
_AT_STATION: Final = Traits(taken_at=Side.STATION)


def _unquoted(line: str) -> str:
    r"""Read the message out of a line of logrus or winston: `time="…" msg="sent … [3,\"1\"…"`, or a line of JSON."""
    if line[:1] == "{":
        return _from_json(line)
    start = line.find('msg="')
    if start < 0:
        return line
    end = start + 5
    while (end := line.find('"', end)) > 0 and line[end - 1] == "\\":
        end += 1
    try:
        message = msgspec.json.decode(line[start + 4 : end + 1] if end > 0 else "")
    except msgspec.MsgspecError:
        return line
    return f"{line[:start]}{message}"


def _from_json(line: str) -> str:
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return line
    if not isinstance(fields, dict):
        return line
    message = fields.get("msg") or fields.get("message")
    if not isinstance(message, str):
        return line
    stamp = fields.get("time") or fields.get("timestamp") or fields.get("ts") or ""
    return f"{stamp} {message}"


def _plain_core(line: str) -> str:
    """Write what OCPP.Core tells of a received message, which is not its payload, as the beginning of a frame."""
    match = _CORE_MESSAGE.search(line)
    if match is None:
        return line
    action = f'"{match[3]}",' if match[3] else ""
    return f'{line[: match.start()]}ReceiveMessage: [{match[1]},"{match[2]}",{action}...'


_CORE_MESSAGE = re.compile(r"OCPP-Message: Type=(\d) / ID=([^ /]*) / Action=(\w*)\)?")
_HTML_TAG = re.compile(r"</?(?:tr|td|th|b|pre|table|html|body|head)(?: [^>]*)?>")


def _plain_html(line: str) -> str:
    return html.unescape(_HTML_TAG.sub(" ", line))


_STEVE = LineFormat(
    name="steve",
    title="SteVe, its WebSocketLogger",
    traits=msgspec.structs.replace(_AT_CSMS, connections=True),
    mark="chargeBoxId=",
    at_mark=True,
    frame=re.compile(
        r"chargeBoxId=(?P<station>[^,\]]*), *sessionId=(?P<connection>[^\]]*)\] "
        r"(?P<arrow>Received|Sending)(?: message)?: *(?P<frame>.*)"
    ),
    arrows={"Received": _IN, "Sending": _OUT},
    opened=re.compile(
        rf"(?:(?P<time>{TIME}).*?)?\[chargeBoxId=(?P<station>[^,\]]*), *sessionId=(?P<connection>[^\]]*)\] "
        r"Connection is established"
    ),
    closed=re.compile(
        rf"(?:(?P<time>{TIME}).*?)?\[chargeBoxId=(?P<station>[^,\]]*), *sessionId=(?P<connection>[^\]]*)\] "
        r"Connection is closed(?:, status: \D*(?P<code>\d{4})(?:, reason=(?P<reason>[^\]]*))?)?"
    ),
    begins=re.compile(rf"\[[A-Z]+ *\] {TIME}|{TIME}"),
)

_HOME_ASSISTANT = LineFormat(
    name="home-assistant",
    title="Home Assistant's ocpp (lbbrhzn)",
    traits=_AT_CSMS,
    mark=") [ocpp",
    at_mark=True,
    frame=re.compile(
        r"\) \[ocpp[\w.]*\] (?P<station>[^\s:]+): "
        r"(?P<arrow>receive|send)(?: message)? (?P<frame>\[.*)"
    ),
    arrows={"receive": _IN, "send": _OUT},
    begins=re.compile(rf"(?:[\w.-]+ +\| )?{TIME} [A-Z]+ \("),
)

_MOBILITYHOUSE = LineFormat(
    name="mobilityhouse",
    title="mobilityhouse/ocpp, Python's logging",
    traits=_AT_CSMS,
    frame=re.compile(
        rf"(?:(?P<time>{TIME}).*?)?(?<![\w(])(?:ocpp\w*(?: - [A-Z]+ -|[\]:]| -)? ?)(?P<station>[^\s:\[\]]+): "
        r"(?P<arrow>receive|send)(?: message)? (?P<frame>\[.*)"
    ),
    arrows={"receive": _IN, "send": _OUT},
    begins=re.compile(rf"{TIME}|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):"),
)

_OCPP_CORE = LineFormat(
    name="ocpp.core",
    title="OCPP.Core, log file with traces",
    traits=_AT_CSMS,
    mark="OCPPMiddleware",
    at_mark=True,
    frame=re.compile(
        r"OCPPMiddleware\.\w+ => "
        r"(?:(?P<arrow>SendOcppMessage|ReceiveMessage|ReceiveOcppMessage)|[A-Z][^/]*/ Msg): ?(?P<frame>\[.*)"
    ),
    arrows={"SendOcppMessage": _OUT, "ReceiveMessage": _IN, "ReceiveOcppMessage": _IN},
    closed=re.compile(rf"(?:(?P<time>{TIME}).*?)?OCPPMiddleware\.\w+ => Websocket closed: State="),
    prepare=_plain_core,
    begins=re.compile(TIME),
)

_OCPP_CORE_DUMP = LineFormat(
    name="ocpp.core-dump",
    title="OCPP.Core, folder of dumped messages",
    traits=_AT_CSMS,
    mark="_ocpp",
    frame=re.compile(
        r"^(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d+)_ocpp(?P<version>\d\d)-(?P<arrow>in|out)\.txt: (?P<frame>.*)"
    ),
    arrows={"in": _IN, "out": _OUT},
    begins=re.compile(r"\d{4}-\d\d-\d\d_"),
)

_EVEREST_ARROWS: Final = {
    "ChargePoint>CentralSystem": _IN,
    "ChargePoint": _IN,
    "CentralSystem>ChargePoint": _OUT,
    "CentralSystem": _OUT,
}
# libocpp logs a CALL when it is queued (its issue 1063), so that two of them may seem to be open.
_EVEREST_TRAITS: Final = Traits(taken_at=Side.STATION, queued=frozenset({Side.STATION}))
_EVEREST = LineFormat(
    name="everest",
    title="EVerest/libocpp, message log or console",
    traits=_EVEREST_TRAITS,
    mark="C",
    frame=re.compile(
        rf"(?P<time>{TIME})(?:: +|.* )(?P<arrow>ChargePoint>CentralSystem|CentralSystem>ChargePoint"
        r"|(?:ChargePoint|CentralSystem)(?=: \[)):? *(?:\w+ *)?(?P<frame>(?:\[.*)?)$"
    ),
    arrows=_EVEREST_ARROWS,
    begins=re.compile(rf"{TIME}"),
)
_EVEREST_HTML = LineFormat(
    name="everest-html",
    title="EVerest/libocpp, message log as HTML",
    traits=_EVEREST_TRAITS,
    mark=">C",
    frame=re.compile(
        rf"(?P<time>{TIME}) +(?P<arrow>ChargePoint>CentralSystem|CentralSystem>ChargePoint) +(?:\w+ *)?"
        r"(?P<frame>(?:\[.*)?)$"
    ),
    arrows=_EVEREST_ARROWS,
    prepare=_plain_html,
    begins=re.compile(rf" *{TIME}"),
)

_MICRO_OCPP = LineFormat(
    name="microocpp",
    title="MicroOcpp, its traffic on the console",
    traits=_AT_STATION,
    mark="[MO] ",
    frame=re.compile(rf"(?:(?P<time>{TIME}|\d\d:\d\d:\d\d\.\d+) .*?)?\[MO\] (?P<arrow>Send|Recv): (?P<frame>\[.*)"),
    arrows={"Send": _IN, "Recv": _OUT},
    begins=re.compile(r".{0,40}\[MO\] "),
)

_EVCC = LineFormat(
    name="evcc",
    title="evcc, log level trace",
    traits=msgspec.structs.replace(_AT_CSMS, logged_late=True),
    mark="[ocpp",
    frame=re.compile(
        rf"\[ocpp *\] TRACE (?P<time>{TIME}) (?P<arrow>send|sent|recv|received)(?: JSON message (?:to|from))? "
        r"(?P<station>[^\s:]+): (?P<frame>\[.*)"
    ),
    arrows={"send": _OUT, "sent": _OUT, "recv": _IN, "received": _IN},
    opened=re.compile(rf"\[ocpp *\] DEBUG (?P<time>{TIME}) charge point connected: (?P<station>\S+)"),
    closed=re.compile(rf"\[ocpp *\] DEBUG (?P<time>{TIME}) charge point disconnected: (?P<station>\S+)"),
    begins=re.compile(r"(?:[\w.-]+ +\| )?(?:\w{3} +\d+ [\d:]+ \S+ \S+: )?\[[\w-]+ *\] [A-Z]+ "),
)

_OCPP_GO = LineFormat(
    name="ocpp-go",
    title="ocpp-go, debug log of its ocppj package",
    traits=Traits(logged_late=True),
    mark=" JSON message ",
    frame=re.compile(
        rf"(?:(?P<time>{TIME}).*?)?(?P<arrow>sent JSON message to server|received JSON message from server"
        r"|(?:sent|received)(?= JSON message (?:to|from) ))(?: JSON message (?:to|from) (?P<station>[^\s:]+))?: "
        r"(?P<frame>\[.*)"
    ),
    arrows={
        "sent": _OUT,
        "received": _IN,
        "sent JSON message to server": _IN,
        "received JSON message from server": _OUT,
    },
    prepare=_unquoted,
    begins=re.compile(rf"time=|{TIME}|[A-Z]{{4}}\["),
)

_SAP_TIME: Final = rf"{TIME}|\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},? \d{{1,2}}:\d\d:\d\d(?: ?[AaPp][Mm])?"
_SAP = LineFormat(
    name="sap-simulator",
    title="SAP's e-mobility charging stations simulator, log level debug",
    traits=_AT_STATION,
    mark="Command '",
    frame=re.compile(
        rf"(?P<time>{_SAP_TIME}) (?P<station>[^|]+?) \| .*?(?P<arrow>>>|<<) Command '[^']*' "
        r"(?:sent|received) [\w ]*payload: (?P<frame>\[.*)"
    ),
    arrows={">>": _IN, "<<": _OUT},
    opened=re.compile(
        rf"(?P<time>{_SAP_TIME}) (?P<station>[^|]+?) \| .*Connection to OCPP server through \S+ .*succeeded"
    ),
    closed=re.compile(rf"(?P<time>{_SAP_TIME}) (?P<station>[^|]+?) \| .*WebSocket.* closed.* code: (?P<code>\d{{4}})"),
    prepare=lambda line: _from_json(line) if line[:1] == "{" else line,
    begins=re.compile(r"(?:debug|info|warn|error|verbose): |\{"),
)

LINE_READERS: Final[tuple[LineReader, ...]] = (
    *map(
        LineReader,
        (
            _STEVE,
            _HOME_ASSISTANT,
            _MOBILITYHOUSE,
            _OCPP_CORE,
            _OCPP_CORE_DUMP,
            _EVEREST,
            _EVEREST_HTML,
            _MICRO_OCPP,
            _EVCC,
            _OCPP_GO,
            _SAP,
        ),
    ),
    PlainReader(),
)
"""The most particular first: of two that fit equally well, sniffing takes the earlier."""
