"""What may stand in a driver file, as types: `docs/drivers.md` explains it by example.

A field says by its type how its text is filled in: see `Place` in `drivers.template`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from drivers.template import Dialect, Place

__all__ = [
    "Broker",
    "Callback",
    "Choice",
    "Document",
    "Http",
    "HttpDefaults",
    "Limit",
    "Manual",
    "Mqtt",
    "MqttWait",
    "Operation",
    "Operations",
    "Outcome",
    "Poll",
    "Request",
    "Retry",
    "Shell",
    "Sql",
    "Step",
    "Variable",
]

Text = Annotated[str, msgspec.Meta(extra={"place": Place.TEXT})]
Url = Annotated[str, msgspec.Meta(extra={"place": Place.URL})]
Statement = Annotated[str, msgspec.Meta(extra={"place": Place.SQL})]
Condition = Annotated[str, msgspec.Meta(extra={"place": Place.CONDITION})]
Value = Annotated[Any, msgspec.Meta(extra={"place": Place.VALUE})]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
OcppVersion = Literal["1.6", "2.0.1", "2.1"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of the file; a key that is not known is an error."""


class Variable(_Part, frozen=True, kw_only=True):
    """Something that a user may set with `--driver-option`."""

    about: str = ""
    default: str | int | float | bool | None = None
    """May hold `${ENV:NAME}`; null leaves the variable unset, and what uses it is not available."""
    required: bool = False
    secret: bool = False
    """Its value comes from an environment variable and is shown nowhere."""


class Retry(_Part, frozen=True, kw_only=True):
    """When a request is made again."""

    statuses: tuple[int, ...] = (429, 503)
    when: Condition | None = None
    """About `response`, such as a text that says that the station is not there yet."""
    attempts: Annotated[int, msgspec.Meta(ge=1)] = 6
    wait: Seconds = 1.0
    """Seconds between two attempts where the answer names none (`Retry-After`, or "retry in 3 seconds")."""
    longest: Seconds = 60.0
    """Seconds that one wait may last at most; an answer that asks for more is an error."""


class Request(_Part, frozen=True, kw_only=True):
    """One HTTP request."""

    url: Url
    method: Method = "GET"
    query: dict[str, Value] = {}
    headers: dict[str, Value] = {}
    body: Value = msgspec.UNSET
    """JSON; `{{ payload }}` is the OCPP payload as it is."""
    text: Text | None = None
    """A body that is not JSON; name its type in headers."""
    form: dict[str, Value] = {}
    """Fields of an HTML form, instead of a body."""
    expect: list[int] = []
    """HTTP statuses that are not errors; empty for 200 to 299."""
    timeout: Positive | None = None


class Outcome(_Part, frozen=True, kw_only=True):
    """How the result of a command is read; the first one whose `when` holds is taken."""

    when: Condition | None = None
    status: Value = "answered"
    """answered, error, timeout or sent, or a word of the CSMS that `map` translates."""
    map: dict[str, Literal["answered", "error", "timeout", "sent"]] = {}
    payload: Value = None
    code: Value = None
    description: Value = None
    origin: Value = None
    """`station` for its CALLERROR, `csms` for a command that was never sent."""


class Poll(_Part, frozen=True, kw_only=True):
    """Asks again and again until something holds."""

    request: Request
    until: Condition
    every: Positive = 0.2
    timeout: Positive = 30.0


class Callback(_Part, frozen=True, kw_only=True):
    """Waits for the CSMS to call `{{ callback_url }}`."""

    timeout: Positive = 30.0
    on_timeout: Literal["sent", "timeout"] = "timeout"


class Http(Request, frozen=True, kw_only=True):
    """A request with all that belongs to it; `expect`, `retry` and `ok` are about its own answer."""

    retry: Retry | None = None
    ok: Condition | None = None
    """About `response`: where it does not hold, the CSMS did not do it."""
    at_once: list[Outcome] = []
    """Results that make waiting needless, such as a refusal."""
    poll: Poll | None = None
    callback: Callback | None = None


class Sql(_Part, frozen=True, kw_only=True):
    """Statements that the client program of the database reads from its standard input."""

    statement: Statement
    ok: Condition | None = None


class Shell(_Part, frozen=True, kw_only=True):
    """A command for `sh`; what it needs comes in environment variables."""

    command: str
    env: dict[str, Text] = {}
    stdin: Text | None = None
    expect: tuple[int, ...] = (0,)
    timeout: Positive = 30.0
    ok: Condition | None = None


class MqttWait(_Part, frozen=True, kw_only=True):
    """The message that answers one that was published."""

    topic: Text
    """A topic filter; it is subscribed to before anything is published."""
    when: Condition | None = None
    """About `response`: whether it is the one that is meant; without it the first that comes."""
    timeout: Positive = 30.0
    on_timeout: Literal["sent", "timeout"] = "timeout"
    """Result of a command; of anything else, no answer is an error."""


class Mqtt(_Part, frozen=True, kw_only=True):
    """A message for the broker, and the answer to it."""

    topic: Text
    message: Value = msgspec.UNSET
    """JSON; `{{ payload }}` is the OCPP payload as it is."""
    text: Text | None = None
    """A message that is not JSON."""
    qos: Literal[0, 1, 2] = 1
    retain: bool = False
    wait: MqttWait | None = None
    ok: Condition | None = None
    """About `response`: where it does not hold, the CSMS did not do it."""


class Manual(_Part, frozen=True, kw_only=True):
    """A question to the person at the terminal."""

    prompt: Text
    show: Value = None
    """Shown as JSON below the prompt, such as `{{ payload }}`."""


class Step(_Part, frozen=True, kw_only=True):
    """One of several things to do in turn."""

    when: Condition | None = None
    http: Http | None = None
    sql: Sql | None = None
    shell: Shell | None = None
    mqtt: Mqtt | None = None
    manual: Manual | None = None
    save: dict[str, Value] = {}
    """Names for what `response` holds, for the steps that follow."""


class Limit(_Part, frozen=True, kw_only=True):
    """Something that the operation cannot do although it exists."""

    when: Condition
    why: Text


class Operation(_Part, frozen=True, kw_only=True):
    """One way to do something, and where it applies; exactly one of the seven ways is given."""

    versions: list[OcppVersion] = []
    actions: list[str] = []
    statuses: list[str] = []
    when: Condition | None = None
    """About variables alone."""
    cannot: list[Limit] = []
    """What it is asked in vain, such as a payload that the API has no words for; nothing is sent then."""
    http: Http | None = None
    sql: Sql | None = None
    shell: Shell | None = None
    mqtt: Mqtt | None = None
    manual: Manual | None = None
    steps: list[Step] = []
    unsupported: str | None = None
    answer: Outcome | list[Outcome] = []
    """Result of a trigger; without one the command counts as sent."""
    rows: Value = None
    """`transactions`: the list in `response`."""
    fields: dict[str, Value] = {}
    """`transactions`: what each `row` is called here."""
    is_online: Value = None
    """`online`: true or false, from `response`."""
    certificate: Value = None
    """`sign_client_certificate`: the PEM chain in `response`."""


Choice = Operation | list[Operation]


class Operations(_Part, frozen=True, kw_only=True):
    """What the CSMS can be made to do; of several ways the first that applies is taken."""

    health: Choice | None = None
    register: Choice | None = None
    password: Choice | None = None
    security_profile: Choice | None = None
    boot_status: Choice | None = None
    connected: Choice | None = None
    token: Choice | None = None
    trigger: Choice | None = None
    transactions: Choice | None = None
    online: Choice | None = None
    sign_client_certificate: Choice | None = None
    web_payment: Choice | None = None


class Basic(_Part, frozen=True, kw_only=True):
    """HTTP Basic credentials."""

    user: Text
    password: Text


class HttpDefaults(_Part, frozen=True, kw_only=True):
    """What every request of the driver has in common."""

    base_url: Text = ""
    headers: dict[str, Value] = {}
    query: dict[str, Value] = {}
    basic: Basic | None = None
    timeout: Positive = 40.0
    retry: Retry = Retry()
    ca_file: Text | None = None
    """PEM file of the root that signed the certificate of the API."""


class Database(_Part, frozen=True, kw_only=True):
    """The client program of a database, such as `psql -X -q -A -t -v ON_ERROR_STOP=1`."""

    dialect: Dialect
    command: str
    env: dict[str, Text] = {}
    separator: str = "|"
    """Between the columns that it prints."""
    timeout: Positive = 30.0


class Broker(_Part, frozen=True, kw_only=True):
    """The broker of the CSMS."""

    url: Text
    user: Text | None = None
    password: Text | None = None
    mqtt: Literal["3.1.1", "5"] = "3.1.1"
    ca_file: Text | None = None
    """PEM file of the root that signed the broker's certificate."""
    timeout: Positive = 30.0


class CallbackServer(_Part, frozen=True, kw_only=True):
    """Where the CSMS finds the harness."""

    bind: Text = "127.0.0.1"
    port: Value = 0
    """0 for any free one."""
    url: Text | None = None
    """Base as the CSMS sees it, with `{{ served_port }}`; needed where the CSMS runs in a container."""


class Waits(_Part, frozen=True, kw_only=True):
    """Pauses in seconds, for a CSMS that takes a moment to know what it was told."""

    after_register: Seconds = 0.0
    before_trigger: Seconds = 0.0
    before_reconnect: Seconds = 0.0


class Document(_Part, frozen=True, kw_only=True):
    """A whole driver file."""

    driver: str
    about: str = ""
    versions: list[OcppVersion] = []
    """OCPP versions that it is for; empty for all."""
    variables: dict[str, Variable] = {}
    http: HttpDefaults = HttpDefaults()
    database: Database | None = None
    broker: Broker | None = None
    callback: CallbackServer = CallbackServer()
    login: Step | None = None
    """Done before the first request and again after a 401; what it saves is known everywhere."""
    waits: Waits = Waits()
    patience: Seconds = 0.0
    """Seconds that a command may take at most; 0 leaves it to the run's time-out."""
    signs_certificates: Value = False
    """Whether the CSMS signs the certificate requests of its stations: true, false, or the reason why not."""
    operations: Operations
