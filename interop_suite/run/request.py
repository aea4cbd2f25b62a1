"""What an interop run is asked for: one frozen request, and one table that makes the options of both command lines.

`plugstorm interop` and `pytest interop_suite` read and write the same fields; only the names of their options differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from config.assignments import assignments
from config.errors import ConfigError
from mqtt.names import DEFAULT_DIALECT
from ocppj.errors import as_usage_error
from ocppj.identity import is_mqtt

__all__ = [
    "DEFAULT_ORGANIZATION",
    "FIELDS",
    "WORKER_INPUT",
    "InteropRequest",
    "Kind",
    "RequestField",
    "Spelling",
    "from_options",
    "to_words",
]

DEFAULT_ORGANIZATION = "Plugstorm"
WORKER_INPUT = "plugstorm"
"""Where a worker of a parallel run finds what the controller shares."""


class InteropRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was asked for; the workers of a parallel run get it as plain data."""

    url: str | None = None
    dialect: str | None = None
    """How OCPP is written over MQTT: a name, or a YAML file; None with a broker is the default one."""
    tls_url: str | None = None
    ca_file: str | None = None
    certificate: str | None = None
    """PEM file of the certificate, with its key, that every station shows to a broker."""
    ocpp: tuple[str, ...] = ()
    driver: str | None = None
    driver_options: dict[str, str] = {}
    control_url: str | None = None
    resume: str | None = None
    """Folder of an earlier run, or its answers file, for a driver that asks a person."""
    select: str | None = None
    recorded: tuple[str, ...] = ()
    """Files of cases that logs became, to be run instead of those of the suite."""
    expect: str | None = None
    features: str | None = None
    """File of what the CSMS claims."""
    again: str | None = None
    """Folder of the run that is repeated, as far as it went wrong."""
    csms_name: str | None = None
    csms_version: str | None = None
    tester: str | None = None
    laboratory: str | None = None
    label: str | None = None
    """The commit or release of the CSMS."""
    out: str | None = None
    password: str | None = None
    identities: tuple[str, ...] = ()
    tokens: dict[str, str] = {}
    organization: str = DEFAULT_ORGANIZATION
    """Operator in the client certificates of stations."""
    timeout: float = 10.0
    """Seconds of patience with every answer."""
    command_timeout: float | None = None
    """Seconds of patience with a command that was ordered."""
    model: str = "ac-trio"
    repeat: int = 1
    strict_order: bool = False
    """Whether a CALL that the case did not ask for is FAILED."""

    @property
    def spoken_dialect(self) -> str:
        """The dialect of OCPP over MQTT, by name or file; empty for a CSMS that takes WebSocket."""
        return (self.dialect or DEFAULT_DIALECT) if is_mqtt(self.url or "") else ""

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be written down: the password of the stations, and that of the broker's user."""
        inside = urlsplit(self.url or "").password
        return frozenset(secret for secret in (self.password, inside and unquote(inside)) if secret)


class Kind(StrEnum):
    """How the value of a field is written."""

    TEXT = "text"
    VERSIONS = "versions"
    """OCPP versions, one an option."""
    LIST = "list"
    """Texts, one an option."""
    PAIRS = "pairs"
    """NAME=VALUE, one an option."""
    NUMBER = "number"
    COUNT = "count"
    SWITCH = "switch"


Spelling = Literal["flag", "option"]
"""Of `plugstorm interop`, or of pytest."""


class RequestField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the request, and how both command lines write it."""

    name: str
    flag: str
    """Its name on the command line of `plugstorm interop`."""
    option: str
    """Its name on the command line of pytest."""
    help: str
    kind: Kind = Kind.TEXT
    metavar: str | None = None
    otherwise: str | bool = False
    """What holds without it, for the help; False says nothing, True shows the default."""
    variable: str | None = None
    """The environment variable that `plugstorm interop` reads it from as well."""
    example: str = ""
    """One pair."""
    least: float | None = None
    describes_csms: bool = False
    """Whether it says something about a CSMS of one's own, and nothing about the practice CSMS."""


FIELDS: tuple[RequestField, ...] = (
    RequestField(
        name="url",
        flag="--url",
        option="--csms-url",
        metavar="WS_URL",
        help="Address of the CSMS; the identity follows after a slash, or where {id} stands. mqtt:// or mqtts:// names "
        "the broker of a CSMS that takes OCPP over MQTT. Without it the practice CSMS is started and tested.",
    ),
    RequestField(
        name="dialect",
        flag="--dialect",
        option="--csms-dialect",
        metavar="NAME|FILE",
        help="How OCPP is written over MQTT: raw, emqx, maeve, or a YAML file (docs/mqtt.md).",
        otherwise=f"{DEFAULT_DIALECT} with a broker",
        describes_csms=True,
    ),
    RequestField(
        name="ocpp",
        flag="--ocpp",
        option="--csms-ocpp",
        kind=Kind.VERSIONS,
        help="Version to test; may be repeated.",
        otherwise="all that have cases",
    ),
    RequestField(
        name="driver",
        flag="--driver",
        option="--csms-driver",
        metavar="NAME|FILE",
        help="How to reach the CSMS's controls: none, http, a preset, or a YAML file.",
        otherwise="http with the address of a control API, else none",
        describes_csms=True,
    ),
    RequestField(
        name="driver_options",
        flag="--driver-option",
        option="--csms-driver-option",
        kind=Kind.PAIRS,
        metavar="NAME=VALUE",
        example="base=http://127.0.0.1:8080",
        help="What the driver asks for; may be repeated.",
        otherwise="none",
        describes_csms=True,
    ),
    RequestField(
        name="control_url",
        flag="--control-url",
        option="--csms-control-url",
        metavar="HTTP_URL",
        help="Address of the control API.",
        describes_csms=True,
    ),
    RequestField(
        name="select",
        flag="--select",
        option="--case-select",
        metavar="EXPR",
        help="Cases: ids or their beginnings, title:…, block:…, profile:…, level:…, separated by commas; ! takes away.",
        otherwise="all",
    ),
    RequestField(
        name="recorded",
        flag="--recorded",
        option="--case-recorded",
        kind=Kind.LIST,
        metavar="FILE",
        help="Case that plugstorm analyze --to-case wrote, run instead of those of the suite; may be repeated.",
        otherwise="none",
    ),
    RequestField(
        name="expect",
        flag="--expect",
        option="--case-expect",
        metavar="FILE",
        help="YAML file of declared failures.",
        otherwise="none",
    ),
    RequestField(
        name="features",
        flag="--features",
        option="--csms-features",
        metavar="FILE",
        help="YAML file of what the CSMS claims to support; see --features-template.",
        otherwise="everything, as far as it can be driven",
    ),
    RequestField(
        name="again",
        flag="--again",
        option="--run-again",
        metavar="RUN",
        help="Folder of an earlier run: run its failed and inconclusive cases again, with its options; --select "
        "chooses among its cases.",
        otherwise="none",
    ),
    RequestField(
        name="csms_name",
        flag="--csms-name",
        option="--csms-name",
        metavar="NAME",
        help="Name of the CSMS, for the report.",
        otherwise="none",
    ),
    RequestField(
        name="csms_version",
        flag="--csms-version",
        option="--csms-version",
        metavar="VERSION",
        help="Version of the CSMS, for the report.",
        otherwise="none",
    ),
    RequestField(
        name="tester",
        flag="--tester",
        option="--run-tester",
        metavar="NAME",
        help="Who tests, for the report.",
        otherwise="none",
    ),
    RequestField(
        name="laboratory",
        flag="--laboratory",
        option="--run-laboratory",
        metavar="NAME",
        help="For whom or where, for the report.",
        otherwise="none",
    ),
    RequestField(
        name="label",
        flag="--label",
        option="--run-label",
        metavar="TEXT",
        help="Commit or release of the CSMS, for plugstorm history.",
        otherwise="none",
    ),
    RequestField(
        name="resume",
        flag="--resume",
        option="--csms-resume",
        metavar="DIR",
        help="Earlier run, for a driver that asks a person: take its answers.",
        otherwise="none",
        describes_csms=True,
    ),
    RequestField(
        name="out",
        flag="--out",
        option="--run-out",
        metavar="DIR",
        help="Folder of the run.",
        otherwise="runs/<UTC time>-<kind>",
    ),
    RequestField(
        name="tls_url",
        flag="--tls-url",
        option="--csms-tls-url",
        metavar="WSS_URL",
        help="TLS address of the same CSMS.",
        describes_csms=True,
    ),
    RequestField(
        name="ca_file",
        flag="--ca",
        option="--csms-ca",
        metavar="PEM",
        help="Root that signed the CSMS's certificate.",
        otherwise="those of the system",
        describes_csms=True,
    ),
    RequestField(
        name="certificate",
        flag="--certificate",
        option="--csms-certificate",
        metavar="PEM",
        help="With mqtts://: certificate and key that every station shows to the broker.",
        otherwise="none",
        describes_csms=True,
    ),
    RequestField(
        name="identities",
        flag="--identity",
        option="--csms-identity",
        kind=Kind.LIST,
        help="Station that the CSMS knows; may be repeated.",
        otherwise="made up for each case",
        describes_csms=True,
    ),
    RequestField(
        name="password",
        flag="--password",
        option="--csms-password",
        variable="PLUGSTORM_PASSWORD",
        help="Password of every station (HTTP Basic); the username is its identity.",
    ),
    RequestField(
        name="tokens",
        flag="--token",
        option="--csms-token",
        kind=Kind.PAIRS,
        metavar="STATUS=ID",
        example="Accepted=04A1B2C3D4E5F6",
        help="Token that the CSMS knows; may be repeated.",
        otherwise="none",
        describes_csms=True,
    ),
    RequestField(
        name="organization",
        flag="--organization",
        option="--csms-organization",
        metavar="NAME",
        help="Operator that the CSMS expects in the client certificates of its stations.",
        otherwise=True,
        describes_csms=True,
    ),
    RequestField(
        name="model",
        flag="--model",
        option="--csms-model",
        help="Station model that the cases play.",
        otherwise=True,
    ),
    RequestField(
        name="timeout",
        flag="--timeout",
        option="--csms-timeout",
        kind=Kind.NUMBER,
        metavar="SECONDS",
        help="Patience with every answer.",
        otherwise=True,
        least=0.1,
    ),
    RequestField(
        name="command_timeout",
        flag="--command-timeout",
        option="--csms-command-timeout",
        kind=Kind.NUMBER,
        metavar="SECONDS",
        help="Patience with a command that the CSMS was asked to send, for one that keeps a queue.",
        otherwise="7 times --timeout",
        least=0.1,
    ),
    RequestField(
        name="repeat",
        flag="--repeat",
        option="--case-repeat",
        kind=Kind.COUNT,
        metavar="N",
        help="Run each case N times; with several jobs, a small load.",
        otherwise=True,
        least=1,
    ),
    RequestField(
        name="strict_order",
        flag="--strict-order",
        option="--strict-order",
        kind=Kind.SWITCH,
        help="Fail on CALLs that no case asked for, as the OCA's tool does.",
        otherwise=True,
    ),
)


def from_options(given: Mapping[str, Any], spelling: Spelling) -> InteropRequest:
    """Read a request from the values that a command line parsed, by field; None and [] stand for the default.

    Raises `UsageError` for a pair that is not one.
    """
    read = {field.name: _READ[field.kind](given[field.name], field, getattr(field, spelling)) for field in FIELDS}
    return InteropRequest(**{name: value for name, value in read.items() if value is not None})


def to_words(request: InteropRequest, spelling: Spelling, leave_out: Collection[str] = ()) -> list[str]:
    """Write the options that make this request; a field with its default has none."""
    defaults = InteropRequest()
    words = []
    for field in FIELDS:
        value = getattr(request, field.name)
        if field.name in leave_out or value == getattr(defaults, field.name):
            continue
        option = getattr(field, spelling)
        words += (
            [option] if field.kind is Kind.SWITCH else [word for text in _texts(value) for word in _pair(option, text)]
        )
    return words


def _pair(option: str, text: str) -> list[str]:
    # On its own it would be taken for another option, or by pytest for a file of options.
    return [f"{option}={text}"] if text.startswith(("-", "@")) else [option, text]


def _texts(value: object) -> list[str]:
    match value:
        case dict():
            return [f"{name}={text}" for name, text in value.items()]
        case tuple():
            return [str(text) for text in value]
        case _:
            return [str(value)]


def _read_text(value: Any, _field: RequestField, _option: str) -> str | None:
    return None if value is None else str(value)


def _read_list(value: Any, _field: RequestField, _option: str) -> tuple[str, ...]:
    return tuple(str(text) for text in value or ())


def _read_pairs(value: Any, field: RequestField, option: str) -> dict[str, str]:
    with as_usage_error(ConfigError, prefix=f"{option}: "):
        return assignments(value or (), field.example)


def _as_it_is(value: Any, _field: RequestField, _option: str) -> Any:
    return value


_READ: Mapping[Kind, Callable[[Any, RequestField, str], Any]] = {
    Kind.TEXT: _read_text,
    Kind.VERSIONS: _read_list,
    Kind.LIST: _read_list,
    Kind.PAIRS: _read_pairs,
    Kind.NUMBER: _as_it_is,
    Kind.COUNT: _as_it_is,
    Kind.SWITCH: _as_it_is,
}
