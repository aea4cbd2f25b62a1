"""The options of a load run: one table for `plugstorm load` and for Locust, and what their words mean.

Each value is judged by its line of `OPTIONS` and nowhere else, so that both commands refuse a mistake with the same
sentence. The fields are those of `loadtest.locust_edge.request.LoadRequest`. The module imports neither Locust nor what
stations are made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from loadtest.locust_edge import option_words as words
from loadtest.workload.defaults import DEFAULT_PATTERN, DEFAULT_PROFILE
from loadtest.workload.stages import write_stages
from mqtt.names import DEFAULT_DIALECT
from ocppj.versions import Version

__all__ = ["OPTIONS", "RAMP", "Option", "in_locusts_words", "option_of"]

RAMP: Final = 10.0
"""Seconds in which all stations start when no rate was given."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """How a field of `LoadRequest` is given on both command lines, and judged."""

    field: str
    flag: str | None = None
    """Of `plugstorm load`; None: only after the two dashes."""
    locust: str
    """Of Locust."""
    help: str
    metavar: str | None = None
    read: Callable[[str, str], Any]
    """From a word and its flag to a value; raises `UsageError`."""
    write: Callable[[Any], str] = str
    """Back to the word."""
    preset: str | None = None
    """The word that `plugstorm load` takes where none is given."""
    otherwise: str | None = None
    """What people read about the value that is taken where none is given."""
    repeats: bool = False
    is_switch: bool = False
    """Whether it takes no value."""
    is_of_locust: bool = False
    """Whether Locust brings this option, so that Plugstorm must not add it."""
    is_secret: bool = False
    tells_secrets: bool = False
    """Whether its values may hold a secret and stay out of the run folder."""

    def texts(self, value: Any) -> list[str]:
        """Write a value, each time that the option must be repeated."""
        if value is None or value is False:
            return []
        return [self.write(one) for one in value] if self.repeats else [self.write(value)]


# -- the table ---------------------------------------------------------------------------------------------------------

OPTIONS: Final = (
    Option(
        field="url",
        flag="--url",
        locust="--host",
        metavar="WS_URL",
        help="Address of the CSMS; the identity follows after a slash, or where {id} stands. mqtt:// or mqtts:// names "
        "the broker of a CSMS that takes OCPP over MQTT. Without it the practice CSMS is started and tested.",
        read=words.text,
        is_of_locust=True,
    ),
    Option(
        field="dialect",
        flag="--dialect",
        locust="--dialect",
        metavar="NAME|FILE",
        help="How OCPP is written over MQTT: raw, emqx, maeve, or a YAML file (docs/mqtt.md).",
        read=words.text,
        otherwise=f"{DEFAULT_DIALECT} with a broker",
    ),
    Option(
        field="mqtt_connections",
        flag="--mqtt-connections",
        locust="--mqtt-connections",
        metavar="N",
        help="With a broker: let the stations of a process share so many connections instead of one for each station.",
        read=partial(words.whole, least=1),
        otherwise="one for each station",
    ),
    Option(
        field="ocpp",
        flag="--ocpp",
        locust="--ocpp",
        metavar="VERSION[=WEIGHT]",
        help="OCPP version of the stations; repeat it for a mix, as in --ocpp 1.6=3 --ocpp 2.0.1.",
        read=words.version,
        write=words.write_version,
        otherwise=str(Version.V16),
        repeats=True,
    ),
    Option(
        field="stations",
        flag="--stations",
        locust="--users",
        metavar="N",
        help="How many virtual charge points.",
        read=partial(words.whole, least=1),
        preset="100",
        is_of_locust=True,
    ),
    Option(
        field="spawn_rate",
        flag="--spawn-rate",
        locust="--spawn-rate",
        metavar="RATE",
        help="Stations that start in a second.",
        read=words.above_zero,
        write=words.write_number,
        otherwise=f"all in {RAMP:g} s",
        is_of_locust=True,
    ),
    Option(
        field="duration",
        flag="--duration",
        locust="--run-time",
        metavar="TIME",
        help="Length of the run with its ramp: 60s, 5m, 1h30m.",
        read=words.read_duration,
        write=words.write_duration,
        preset="60s",
        is_of_locust=True,
    ),
    Option(
        field="stages",
        flag="--stages",
        locust="--stages",
        metavar="TO/OVER,HOLD,…|FILE",
        help="Ramps and holds instead of --stations and --duration, as in '1000/2m, 5m, 0/1m', or a YAML file.",
        read=words.stages,
        write=write_stages,
        otherwise="those of the profile",
    ),
    Option(
        field="profile",
        flag="--profile",
        locust="--plugstorm-profile",
        metavar="NAME|FILE",
        help="What the stations do all day: a profile, or a YAML file.",
        read=words.text,
        preset=DEFAULT_PROFILE,
    ),
    Option(
        field="arrival_rate",
        flag="--arrival-rate",
        locust="--arrival-rate",
        metavar="RATE",
        help="Charging sessions that begin at all stations together, as in 5/s; for profiles with sessions.",
        read=words.read_rate,
        write=words.write_rate,
        otherwise="what the profile says",
    ),
    Option(
        field="time_compression",
        flag="--time-compression",
        locust="--time-compression",
        metavar="K",
        help="Seconds of the profile's day in a second of the clock.",
        read=words.above_zero,
        write=words.write_number,
        otherwise="what the profile says",
    ),
    Option(
        field="start_at",
        flag="--start-at",
        locust="--start-at",
        metavar="HH:MM",
        help="Time of the profile's day when the run starts.",
        read=words.text,
        otherwise="what the profile says, or its busiest time",
    ),
    Option(
        field="storms",
        flag="--storm",
        locust="--storm",
        metavar="NAME[@TIME][,KEY=VALUE]|FILE",
        help="What strikes the stations during the measurement, as in csms-restart@60s,down=5s, or a YAML file; may be "
        "repeated. plugstorm storm --list shows the storms.",
        read=words.text,
        otherwise="none",
        repeats=True,
    ),
    Option(
        field="slo",
        flag="--slo",
        locust="--slo",
        metavar="FILE",
        help="YAML file of objectives; a missed one gives exit code 1.",
        read=words.path,
        otherwise="none",
    ),
    Option(
        field="no_objectives",
        flag="--no-objective",
        locust="--no-objective",
        metavar="NAME",
        help="Switch a built-in objective off, as in failed-calls (docs/slo.md); may be repeated.",
        read=words.text,
        otherwise="none is off",
        repeats=True,
    ),
    Option(
        field="abort_when",
        flag="--abort-when",
        locust="--abort-when",
        metavar="OBJECTIVE [for TIME]",
        help="End the run early when it misses this objective, as in 'errors < 5 % for 30s'; may be repeated.",
        read=words.text,
        otherwise="when nobody has been connected for 60 s",
        repeats=True,
    ),
    Option(
        field="driver",
        flag="--driver",
        locust="--driver",
        metavar="NAME|FILE",
        help="How the CSMS is made to send commands: a preset or a YAML file (docs/drivers.md).",
        read=words.text,
        otherwise="http with --control-url, else none",
    ),
    Option(
        field="control_url",
        flag="--control-url",
        locust="--control-url",
        metavar="URL",
        help="Address of the CSMS's own API, for drivers that take one.",
        read=words.text,
    ),
    Option(
        field="driver_options",
        flag="--driver-option",
        locust="--driver-option",
        metavar="NAME=VALUE",
        help="A variable of the driver file; may be repeated.",
        read=words.text,
        repeats=True,
        tells_secrets=True,
    ),
    Option(
        field="register",
        flag="--register",
        locust="--register",
        help="Before the run, make the CSMS know every station and its tokens through the driver.",
        read=words.text,
        is_switch=True,
    ),
    Option(
        field="commands",
        flag="--commands",
        locust="--commands",
        metavar="FILE",
        help="YAML list of commands for the CSMS to send (docs/commands.md).",
        read=words.path,
        otherwise="those of the profile",
    ),
    Option(
        field="watch_pids",
        flag="--watch-pid",
        locust="--watch-pid",
        metavar="PID",
        help="Process of the CSMS on this machine: its processor time, memory, open files and threads are shown beside "
        "the run, those of its children included; may be repeated.",
        read=partial(words.whole, least=1),
        repeats=True,
    ),
    Option(
        field="watch_urls",
        flag="--watch-url",
        locust="--watch-url",
        metavar="URL",
        help="Where the CSMS shows metrics as Prometheus text; may be repeated.",
        read=words.text,
        repeats=True,
        tells_secrets=True,
    ),
    Option(
        field="watch_series",
        flag="--watch-series",
        locust="--watch-series",
        metavar="NAME",
        help="Name of a metric to take, as in process_open_fds or 'db_*'; may be repeated.",
        read=words.text,
        otherwise="gauges and counters, at most 40",
        repeats=True,
    ),
    Option(
        field="metrics",
        flag="--metrics",
        locust="--metrics",
        metavar="[HOST:]PORT",
        help="Show the figures of the run to Prometheus at http://HOST:PORT/metrics, on this machine alone unless HOST "
        "says otherwise (docs/metrics.md).",
        read=words.host_and_port,
        write=words.write_host_and_port,
    ),
    Option(
        field="remote_write",
        flag="--remote-write",
        locust="--remote-write",
        metavar="URL",
        help="Push the figures of the run to a receiver of Prometheus's remote write every 5 s, and at its end.",
        read=words.http_url,
        tells_secrets=True,
    ),
    Option(
        field="otlp",
        flag="--otlp",
        locust="--otlp",
        help="Push the figures of the run to a collector of OpenTelemetry over HTTP; the OTEL_* variables say where.",
        read=words.text,
        is_switch=True,
    ),
    Option(
        field="metrics_labels",
        flag="--metrics-label",
        locust="--metrics-label",
        metavar="NAME=VALUE",
        help="A label on everything that --metrics, --remote-write and --otlp give, as in testid=nightly; may be "
        "repeated.",
        read=words.label,
        write=words.write_label,
        repeats=True,
    ),
    Option(
        field="workers",
        flag="--workers",
        locust="--processes",
        metavar="N",
        help="Processes that share the stations.",
        read=partial(words.whole, least=1),
        preset="1",
        is_of_locust=True,
    ),
    Option(
        field="source_addresses",
        flag="--source-address",
        locust="--source-address",
        metavar="IP[-IP]",
        help="Local address, or a range, to connect from, each with its own ports; may be repeated.",
        read=words.address,
        otherwise="the system's",
        repeats=True,
    ),
    Option(
        field="owned",
        flag="--i-own-this-target",
        locust="--i-own-this-target",
        metavar="HOST",
        help="Host of the CSMS, where it is not this machine: you may test it. May be repeated.",
        read=words.text,
        repeats=True,
    ),
    Option(
        field="trace_share",
        flag="--trace-share",
        locust="--trace-share",
        metavar="SHARE",
        help="Share of the stations whose frames are written to traces/ in the run folder.",
        read=words.share,
        write=words.write_number,
        preset="0",
    ),
    Option(
        field="seed",
        flag="--seed",
        locust="--seed",
        metavar="N",
        help="Seed of all draws; the same one gives the same schedule.",
        read=words.whole,
        otherwise="drawn",
    ),
    Option(
        field="ui_port",
        flag="--ui-port",
        locust="--web-port",
        metavar="PORT",
        help="Port of the web UI.",
        read=partial(words.whole, least=1, most=65_535),
        preset="8089",
        is_of_locust=True,
    ),
    Option(
        field="out",
        flag="--out",
        locust="--out",
        metavar="DIR",
        help="Folder of the run.",
        read=words.path,
        otherwise="runs/<UTC time>-<kind>",
    ),
    Option(
        field="label",
        flag="--label",
        locust="--label",
        metavar="TEXT",
        help="Commit or release of the CSMS, for plugstorm history and compare --baseline tag:TEXT.",
        read=words.text,
        otherwise="none",
    ),
    Option(
        field="tls_ca",
        flag="--ca",
        locust="--tls-ca",
        metavar="PEM",
        help="Root that signed the CSMS's certificate.",
        read=words.path,
        otherwise="those of the system",
    ),
    Option(
        field="tls_certificate",
        flag="--certificate",
        locust="--tls-certificate",
        metavar="PEM",
        help="Certificate with its key that every station shows; a broker may ask for one.",
        read=words.path,
        otherwise="none",
    ),
    Option(
        field="tls_resume",
        flag="--tls-resume",
        locust="--tls-resume",
        help="Stations resume the TLS session of their last connection, as modems do.",
        read=words.text,
        is_switch=True,
    ),
    Option(
        field="password",
        flag="--password",
        locust="--password",
        metavar="TEXT",
        help="Password of every station (HTTP Basic); the username is its identity. OCPP 1.6 also takes it as hex.",
        read=words.text,
        is_secret=True,
    ),
    Option(
        field="station_list",
        flag="--station-list",
        locust="--station-list",
        metavar="CSV",
        help="Registered stations: identity, and where needed token (token2, …) and password.",
        read=words.path,
        otherwise="identities from the pattern",
    ),
    Option(
        field="token_list",
        flag="--token-list",
        locust="--token-list",
        metavar="FILE",
        help="Tokens that the CSMS knows, one on each line; the stations share them out.",
        read=words.path,
        otherwise="tokens of Plugstorm's own",
    ),
    Option(
        field="identity_pattern",
        flag="--identity-pattern",
        locust="--identity-pattern",
        metavar="PATTERN",
        help="How stations are named.",
        read=words.text,
        otherwise=DEFAULT_PATTERN,
    ),
    Option(
        field="call_timeout",
        flag="--call-timeout",
        locust="--call-timeout",
        metavar="S",
        help="Seconds until a CALL counts as unanswered.",
        read=words.time_above_zero,
        write=words.write_number,
    ),
    Option(
        field="connect_timeout",
        flag="--connect-timeout",
        locust="--connect-timeout",
        metavar="S",
        help="Seconds for TCP, TLS and upgrade together.",
        read=words.time_above_zero,
        write=words.write_number,
    ),
    Option(
        field="backoff",
        flag="--backoff",
        locust="--backoff",
        metavar="SPEC",
        help="Reconnect back-off: spec:MIN/RANGE/REPEATS (the formula of OCPP 2.x), fixed:WAIT[/RANGE] or none.",
        read=words.backoff,
    ),
    Option(
        field="schema_share",
        flag="--schema-share",
        locust="--schema-share",
        metavar="SHARE",
        help="Share of the answers checked against their schema.",
        read=words.share,
        write=words.write_number,
    ),
    Option(
        field="warm_up",
        flag="--warm-up",
        locust="--warm-up",
        metavar="S",
        help="Seconds between the ramp and the measurement.",
        read=words.time_of,
        write=words.write_number,
        otherwise="a tenth of the run",
    ),
    Option(
        field="cool_down",
        flag="--cool-down",
        locust="--cool-down",
        metavar="S",
        help="Last seconds of the run, which are not judged.",
        read=words.time_of,
        write=words.write_number,
    ),
    Option(
        field="stop_patience",
        flag="--stop-patience",
        locust="--stop-patience",
        metavar="S",
        help="Seconds to end transactions and answers when the run stops.",
        read=words.time_of,
        write=words.write_number,
    ),
    Option(
        field="no_locust_table",
        locust="--no-locust-table",
        help="Leave out Locust's own table at the end; Plugstorm's says more.",
        read=words.text,
        is_switch=True,
    ),
)
"""Every option of a load run, in the order of the help."""

_FLAG: Final = re.compile(r"--[a-z][a-z-]*")
_IN_LOCUST: Final = {option.flag: option.locust for option in OPTIONS if option.flag}


def in_locusts_words(text: str) -> str:
    """Name the options in a text for people as Locust calls them; it was written for `plugstorm load`."""
    return _FLAG.sub(lambda found: _IN_LOCUST.get(found[0], found[0]), text)


_BY_FIELD: Final = {option.field: option for option in OPTIONS}


def option_of(field: str) -> Option:
    """Return the option that gives this field."""
    return _BY_FIELD[field]
