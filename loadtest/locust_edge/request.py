"""What a load run is asked to do: one frozen form, and its words on Locust's command line.

`plugstorm load` reads its options into a `LoadRequest` and writes that as words (`to_words`); Locust's process reads
the same request back (`loadtest.locust_edge.parser`). The options themselves stand in `loadtest.locust_edge.options`.

What a value names (a profile, a file of objectives, a storm) stays a name here: `loadtest.locust_edge.run_settings`
reads it, in the process that leads the run.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from loadtest.locust_edge.option_words import read_addresses
from loadtest.locust_edge.options import OPTIONS, RAMP, Option
from loadtest.timing.backoff import SPEC, Backoff
from loadtest.workload.defaults import DEFAULT_PROFILE
from loadtest.workload.stages import Stage, most_stations, stages_seconds
from mqtt.dialect import Dialect, load_dialect
from mqtt.names import DEFAULT_DIALECT
from ocppj.errors import UsageError
from ocppj.identity import check_owned, check_target_url, is_mqtt, is_secure
from ocppj.versions import Version

__all__ = ["LoadRequest", "default_word"]


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One load run as it was asked for; times in seconds. The defaults are those of Locust's command line."""

    url: str | None = None
    """Of the CSMS or its broker; None leaves it to `plugstorm load`, which starts the practice CSMS."""
    dialect: str | None = None
    """Of OCPP over MQTT: a name or a file."""
    ocpp: tuple[tuple[Version, int], ...] = ()
    """Versions and their weights; empty leaves them to the user classes."""
    stations: int = 0
    """0 leaves it to Locust's user count."""
    spawn_rate: float | None = None
    duration: int = 0
    """0 runs until somebody ends it."""
    stages: tuple[Stage, ...] = ()
    """Ramps and holds; where there are any, `stations` and `duration` follow from them."""
    profile: str = DEFAULT_PROFILE
    arrival_rate: float | None = None
    """Charging sessions that begin in a second at all stations together; None leaves it to the profile."""
    time_compression: float | None = None
    start_at: str | None = None
    storms: tuple[str, ...] = ()
    slo: Path | None = None
    no_objectives: tuple[str, ...] = ()
    """Built-in objectives that are switched off."""
    abort_when: tuple[str, ...] = ()
    """Objectives that end the run when they are missed."""
    driver: str | None = None
    control_url: str | None = None
    driver_options: tuple[str, ...] = ()
    register: bool = False
    """Whether the driver makes the CSMS know the stations and their tokens first."""
    commands: Path | None = None
    watch_pids: tuple[int, ...] = ()
    """Processes of the CSMS on this machine."""
    watch_urls: tuple[str, ...] = ()
    """Where the CSMS shows its metrics as Prometheus text."""
    watch_series: tuple[str, ...] = ()
    """Names of the metrics that are taken; empty takes gauges and counters."""
    metrics: tuple[str, int] | None = None
    """Host and port of a page with the figures of the run."""
    remote_write: str | None = None
    """Where they are pushed to; may hold a secret."""
    otlp: bool = False
    metrics_labels: tuple[tuple[str, str], ...] = ()
    workers: int = 1
    source_addresses: tuple[str, ...] = ()
    """Addresses and ranges of them."""
    owned: tuple[str, ...] = ()
    trace_share: float = 0.0
    seed: int | None = None
    ui_port: int | None = None
    """None runs without Locust's web UI."""
    out: Path | None = None
    mqtt_connections: int | None = None
    """How many connections the stations of a process share; None: each has its own."""
    label: str | None = None
    """The commit or release of the CSMS."""
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    """Certificate and key of the stations."""
    tls_resume: bool = False
    password: str | None = None
    """Never on a command line, where it would show in the list of processes."""
    station_list: Path | None = None
    token_list: Path | None = None
    identity_pattern: str | None = None
    call_timeout: float = 30.0
    connect_timeout: float = 30.0
    backoff: Backoff = SPEC
    schema_share: float = 0.01
    warm_up: float | None = None
    cool_down: float = 0.0
    stop_patience: float = 5.0
    no_locust_table: bool = False
    locust: tuple[str, ...] = ()
    """Further words for Locust's own command line."""

    @property
    def versions(self) -> dict[Version, int]:
        """The OCPP versions and their weights; the last word about a version counts."""
        return dict(self.ocpp)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every local address to connect from; empty leaves it to the system."""
        return tuple(address for text in self.source_addresses for address in read_addresses(text))

    @property
    def rate(self) -> float:
        """How many stations start in a second."""
        return self.spawn_rate or max(1.0, self.stations / RAMP)

    @property
    def connections(self) -> int | None:
        """How many connections all stations share; None where each has its own."""
        return None if self.mqtt_connections is None else self.mqtt_connections * self.workers

    @property
    def uses_tls(self) -> bool:
        """Whether the stations connect with TLS."""
        return self.url is not None and is_secure(self.url)

    def check_target(self) -> str:
        """Return the URL of a CSMS or broker that may be tested; raises `UsageError`, about its dialect, too."""
        if not self.url:
            raise UsageError("No CSMS was named; give its address with --host ws://…")
        url = check_owned(check_target_url(self.url, mqtt=True), self.owned)
        self.find_dialect()
        return url

    def find_dialect(self) -> Dialect | None:
        """Read the dialect of OCPP over MQTT; None for a CSMS that takes WebSocket. Raises `UsageError`."""
        if self.url is None or not is_mqtt(self.url):
            if self.dialect is not None:
                raise UsageError(f"--dialect {self.dialect} needs a broker; name it with --url mqtt://…")
            if self.mqtt_connections is not None:
                raise UsageError("--mqtt-connections needs a broker; name it with --url mqtt://…")
            return None
        return load_dialect(self.dialect or DEFAULT_DIALECT)

    @classmethod
    def read(cls, given: Mapping[str, Any], *, by_locust: bool) -> LoadRequest:
        """Judge what a parser found, by field: words, numbers, lists of them, or nothing. Raises `UsageError`.

        `by_locust` says whose flags the person has used.
        """
        return cls(**_read(OPTIONS, given, by_locust=by_locust)).staged()

    @classmethod
    def from_words(cls, words: Sequence[str], *, password: str | None = None) -> LoadRequest:
        """Read the words that `to_words` writes; raises `UsageError`."""
        return cls(password=password)._and_words(OPTIONS, words)  # noqa: SLF001 - the form's own way to add words

    def and_words(self, words: Sequence[str]) -> LoadRequest:
        """Add words of Locust's command line: Plugstorm's options to the fields, the others to those for Locust."""
        return self._and_words([option for option in OPTIONS if not option.is_of_locust], words).staged()

    def staged(self) -> LoadRequest:
        """Return the request with as many stations, and as long, as its stages want."""
        if not self.stages:
            return self
        duration = math.ceil(stages_seconds(self.stages))
        return msgspec.structs.replace(self, stations=most_stations(self.stages), duration=duration)

    def to_words(self) -> list[str]:
        """Write the request for Locust's command line, all but the password and what Locust takes by itself."""
        words: list[str] = []
        for option in OPTIONS:
            value = getattr(self, option.field)
            if option.is_secret or (
                value == getattr(_NOTHING_ASKED, option.field) and option.field not in _ALWAYS_WRITTEN
            ):
                continue
            for text in option.texts(value):
                words += [option.locust] if option.is_switch else _pair(option.locust, text)
        return [*words, *self.locust]

    def described(self) -> dict[str, Any]:
        """Return everything that was asked for by Locust's flags, as text and without secrets.

        What Locust brings itself goes by the flags of `plugstorm load`.
        """
        found: dict[str, Any] = {}
        for option in OPTIONS:
            value = getattr(self, option.field)
            if option.is_secret or option.tells_secrets or value is None or value == ():
                continue
            if option.is_of_locust and option.field not in _COMPARED:
                continue
            texts = option.texts(value)
            flag = option.flag if option.is_of_locust and option.flag else option.locust
            found[flag.removeprefix("--")] = value if option.is_switch else texts if option.repeats else texts[0]
        return found

    def _and_words(self, options: Iterable[Option], words: Sequence[str]) -> LoadRequest:
        parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
        for option in options:
            action = "store_true" if option.is_switch else "append" if option.repeats else "store"
            parser.add_argument(option.locust, dest=option.field, action=action)
        given, others = parser.parse_known_args(words)
        found = _read(options, vars(given), by_locust=True)
        for option in options:
            if option.repeats and option.field in found:
                found[option.field] = getattr(self, option.field) + found[option.field]
        return msgspec.structs.replace(self, **found, locust=(*self.locust, *others))


_NOTHING_ASKED: Final = LoadRequest()
_ALWAYS_WRITTEN: Final = frozenset({"profile"})
"""`plugstorm load` has a default of its own for these, which the environment of Locust must not change."""


_COMPARED: Final = frozenset({"stations", "spawn_rate", "duration", "workers"})
"""What Locust brings and a result depends on."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Leave it to the caller how people learn of a mistake."""
        raise UsageError(f"Further options of the load test: {message}")


def _read(options: Iterable[Option], given: Mapping[str, Any], *, by_locust: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        words = given.get(option.field)
        if words is None or words in ("", [], ()):
            continue
        flag = option.locust if by_locust else option.flag or option.locust
        if option.is_switch:
            found[option.field] = bool(words)
        elif option.repeats:
            found[option.field] = tuple(option.read(str(word), flag) for word in words)
        else:
            found[option.field] = option.read(str(words), flag)
    return found


def _pair(flag: str, text: str) -> list[str]:
    """Write an option and its value so that no parser takes the value for another option."""
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def default_word(option: Option) -> str | None:
    """Return the word for what Locust's command takes where none is given; None where that is not a value."""
    value = getattr(_NOTHING_ASKED, option.field)
    return None if value is None or option.repeats or option.is_switch else option.write(value)
