"""The one form of a load run: every request survives its own words, Locust's real parser included."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

from loadtest.locust_edge.options import OPTIONS
from loadtest.locust_edge.parser import add_options, request_of
from loadtest.locust_edge.request import LoadRequest
from loadtest.timing.backoff import Backoff
from ocppj.errors import UsageError
from ocppj.versions import Version

pytestmark = pytest.mark.waits(0.3)

PRINTABLE = st.characters(exclude_categories=["Cs", "Cc"])
# argparse of Python 3.11 drops a value that is nothing but two dashes.
TEXT = st.text(PRINTABLE, min_size=1, max_size=20).filter(lambda text: text != "--")
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
PATH = TEXT.map(Path)
NUMBER = st.floats(0, 1e9, allow_nan=False).map(abs)
POSITIVE = st.floats(0, 1e9, exclude_min=True, allow_nan=False)
SHARE = st.floats(0, 1)
# Times are written in seconds with fractions of a millisecond at the finest, and for ten years at the longest.
TIME = st.integers(0, 10**11).map(lambda milliseconds: milliseconds / 1000)
SOME_TIME = TIME.filter(bool)
WEIGHTED = st.tuples(st.sampled_from(list(Version)), st.integers(1, 1000))
BACKOFF = st.one_of(
    st.just(Backoff("none", 0.0, 0.0, 0)),
    st.builds(Backoff, st.just("fixed"), TIME, TIME, st.just(0)),
    st.builds(Backoff, st.just("spec"), TIME, TIME, st.integers(0, 20)),
)
ADDRESS = st.one_of(st.ip_addresses().map(str), st.just("127.0.0.2-127.0.0.9"))
HOST = st.text(string.ascii_lowercase, min_size=1, max_size=8)
ADDRESS_OF_A_PAGE = st.one_of(st.ip_addresses().map(str), st.just("localhost"))
LABEL = st.tuples(HOST.map(lambda name: f"own_{name}"), TEXT.map(str.strip).filter(bool))
FIELDS: dict[str, Any] = {
    "url": st.builds("{}://127.0.0.1:9000/{}".format, st.sampled_from(["ws", "wss", "mqtt", "mqtts"]), HOST),
    "ocpp": st.lists(WEIGHTED, max_size=3).map(tuple),
    "stations": st.integers(0, 10**6),
    "spawn_rate": st.none() | POSITIVE,
    "watch_pids": st.lists(st.integers(1, 10**6), max_size=3).map(tuple),
    "watch_urls": st.lists(st.just("http://127.0.0.1:9/metrics"), max_size=2).map(tuple),
    "watch_series": st.lists(st.sampled_from(["up", "db_*"]), max_size=2).map(tuple),
    "arrival_rate": st.none() | st.floats(1e-9, 1e9),
    "duration": st.integers(0, 10**6),
    "profile": TEXT,
    "time_compression": st.none() | POSITIVE,
    "start_at": st.none() | TEXT,
    "storms": TEXTS,
    "slo": st.none() | PATH,
    "no_objectives": TEXTS,
    "abort_when": TEXTS,
    "register": st.booleans(),
    "stages": st.just(()),
    "driver": st.none() | TEXT,
    "control_url": st.none() | TEXT,
    "driver_options": TEXTS,
    "commands": st.none() | PATH,
    "metrics": st.none() | st.tuples(ADDRESS_OF_A_PAGE, st.integers(0, 65_535)),
    "remote_write": st.none() | HOST.map(lambda path: f"https://me:hush@127.0.0.1:9/{path}"),
    "otlp": st.booleans(),
    "metrics_labels": st.lists(LABEL, max_size=3).map(tuple),
    "workers": st.integers(1, 99),
    "source_addresses": st.lists(ADDRESS, max_size=3).map(tuple),
    "owned": TEXTS,
    "trace_share": SHARE,
    "seed": st.integers(0, 2**63),
    "ui_port": st.none() | st.integers(1, 65_535),
    "out": st.none() | PATH,
    "label": st.none() | TEXT,
    "tls_ca": st.none() | PATH,
    "tls_certificate": st.none() | PATH,
    "tls_resume": st.booleans(),
    "mqtt_connections": st.none() | st.integers(1, 99),
    "dialect": st.none() | st.sampled_from(["raw", "maeve"]),
    "password": st.none() | TEXT,
    "station_list": st.none() | PATH,
    "token_list": st.none() | PATH,
    "identity_pattern": st.none() | TEXT,
    "call_timeout": SOME_TIME,
    "connect_timeout": SOME_TIME,
    "backoff": BACKOFF,
    "schema_share": SHARE,
    "warm_up": st.none() | TIME,
    "cool_down": TIME,
    "stop_patience": TIME,
    "no_locust_table": st.booleans(),
}


def fitting(request: LoadRequest) -> LoadRequest:
    """Leave out what only a broker has, where there is none."""
    if request.url is not None and request.url.startswith("mqtt"):
        return request
    return msgspec.structs.replace(request, dialect=None, mqtt_connections=None)


REQUEST = st.builds(LoadRequest, **FIELDS).map(fitting)


def test_every_field_has_an_option_and_each_flag_means_one_thing() -> None:
    fields = [field for field in LoadRequest.__struct_fields__ if field != "locust"]
    assert sorted(option.field for option in OPTIONS) == sorted(fields) == sorted(FIELDS)
    for flags in ([option.flag for option in OPTIONS if option.flag], [option.locust for option in OPTIONS]):
        assert len(set(flags)) == len(flags)


@given(REQUEST)
def test_every_request_survives_its_words(request: LoadRequest) -> None:
    assert LoadRequest.from_words(request.to_words(), password=request.password) == request


def through_locust(request: LoadRequest) -> LoadRequest:
    """Send the words of a request through the parser of `locust`, with Plugstorm's options."""
    parser = get_empty_argument_parser(default_config_files=[])
    set_up: Any = setup_parser_arguments
    set_up(parser)
    add_options(parser)
    headless = ["--headless"] if request.ui_port is None else ["--autostart"]
    environment = {} if request.password is None else {"PLUGSTORM_PASSWORD": request.password}
    parsed = parser.parse_args([*request.to_words(), *headless], env_vars=environment)
    return request_of(parsed, parsed.host)


@settings(max_examples=40)
@given(REQUEST)
def test_every_request_survives_the_parser_of_locust(request: LoadRequest) -> None:
    assert through_locust(request) == request


@given(REQUEST, st.lists(WEIGHTED, min_size=1, max_size=2).map(tuple), SOME_TIME)
def test_words_after_the_two_dashes_belong_to_the_same_request(
    request: LoadRequest, ocpp: tuple[tuple[Version, int], ...], timeout: float
) -> None:
    words = ["--csv", "out", "--call-timeout", repr(timeout)]
    words += [word for version, weight in ocpp for word in ("--ocpp", f"{version}={weight}")]
    added = request.and_words([*words, "-u", "5", "--users", "7"])
    assert added == msgspec.structs.replace(
        request,
        call_timeout=timeout,
        ocpp=request.ocpp + ocpp,
        locust=(*request.locust, "--csv", "out", "-u", "5", "--users", "7"),
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--call-timeout"], "expected one argument"),
        (["--call-timeout", "soon"], "--call-timeout: expected a time such as"),
        (["--source-address", "here"], "--source-address here is not an IP address"),
    ],
)
def test_a_mistake_after_the_two_dashes_is_one_line(words: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        LoadRequest().and_words(words)
    assert "\n" not in str(caught.value)


def test_what_was_asked_for_is_described_without_secrets() -> None:
    request = LoadRequest(
        ocpp=((Version.V16, 3),),
        password="hunter2",
        driver_options=("token=hunter2",),
        no_locust_table=True,
        stations=7,
        duration=90,
        workers=2,
    )
    described = request.described()
    assert "hunter2" not in str(described)
    assert described["ocpp"] == ["1.6=3"]
    assert described["no-locust-table"] is True
    assert (described["call-timeout"], described["backoff"]) == ("30", "spec:3/10/3")
    assert "slo" not in described
    assert (described["stations"], described["duration"], described["workers"]) == ("7", "90s", "2")
    assert "url" not in described


def test_stages_decide_how_many_stations_there_are_and_for_how_long() -> None:
    words = LoadRequest.read({"stages": "8/2s, 3.5s, 0/1s", "stations": "100", "duration": "60s"}, by_locust=False)
    assert (words.stations, words.duration) == (8, 7)
    assert LoadRequest.from_words(words.to_words()) == words
    assert words.described()["stages"] == "8/2s, 3.5s, 0/1s"
