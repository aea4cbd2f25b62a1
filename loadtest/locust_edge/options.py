"""What a load run can be told: the options that Plugstorm adds to Locust's command line, and their meaning.

Locust parses, `read_options` judges; so every mistake ends as one line that says what to do, also from the web UI or an
environment variable. The module does not import Locust.
"""

from __future__ import annotations

import ipaddress
import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from config.assignments import split_assignment
from config.errors import ConfigError
from config.locations import Location
from config.quantities import number, seconds, share, whole
from config.words import hint
from evidence.redact import redact_url
from loadtest.judging.settings import Settings
from loadtest.judging.slo import read_slo
from loadtest.plugins.commands.setup import plugin_of
from loadtest.plugins.ledger.control_port import KEEPS, ControlPort
from loadtest.plugins.ledger.plugin import KpiPlugin, LedgerPlugin
from loadtest.plugins.quantities import QUANTITIES
from loadtest.plugins.storms.formula import ways_back
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.timing.backoff import SPEC, Backoff, parse_backoff
from loadtest.workload.identities import DEFAULT_PATTERN, Identities, read_identities
from loadtest.workload.profile import DEFAULT_PROFILE, Profile, check_versions, load_profile, profile_names, with_time
from loadtest.workload.storms import STORMS, MassRemoteStart, read_storm_words, read_storms
from ocppj.errors import UsageError, as_usage_error
from ocppj.identity import check_identity, check_owned, check_target_url
from ocppj.versions import RULES, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LoadOptions",
    "add_options",
    "measure_settings",
    "read_addresses",
    "read_options",
    "read_timed_profile",
    "read_versions",
]


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was asked for, checked; times in seconds."""

    url: str
    ocpp: dict[Version, int]
    """Versions and their weights; empty leaves it to the user classes."""
    profile: Profile
    seed: int
    password: str | None
    call_timeout: float
    connect_timeout: float
    backoff: Backoff
    schema_share: float
    sources: tuple[str, ...]
    tls_ca: str | None
    stop_patience: float
    trace_share: float = 0.0


_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--ocpp",
        {
            "action": "append",
            "metavar": "VERSION[=WEIGHT]",
            "help": f"OCPP version of the stations ({', '.join(Version)}); repeat it for a mix, as in "
            "--ocpp 1.6=3 --ocpp 2.0.1. Default: 1.6",
        },
    ),
    (
        "--plugstorm-profile",
        {
            "default": DEFAULT_PROFILE,
            "metavar": "NAME|FILE",
            "help": f"What the stations do all day: {', '.join(profile_names())}, or a YAML file. "
            f"Default: {DEFAULT_PROFILE}",
        },
    ),
    (
        "--time-compression",
        {
            "metavar": "K",
            "help": "Seconds of the profile's day in a second of the clock. Default: what the profile says",
        },
    ),
    (
        "--start-at",
        {"metavar": "HH:MM", "help": "Time of the profile's day at the begin. Default: the profile's, or its busiest"},
    ),
    ("--seed", {"metavar": "N", "help": "Seed of all draws; the same one gives the same schedule. Default: drawn"}),
    ("--out", {"metavar": "DIR", "help": "Folder of the run. Default: runs/<UTC time>-load"}),
    (
        "--password",
        {
            "metavar": "TEXT",
            "is_secret": True,
            "help": "Password of all stations (HTTP Basic); 1.6 also takes it as hex",
        },
    ),
    ("--call-timeout", {"default": "30", "metavar": "S", "help": "Seconds until a CALL is unanswered. Default: 30"}),
    (
        "--connect-timeout",
        {"default": "30", "metavar": "S", "help": "Seconds for TCP, TLS and upgrade together. Default: 30"},
    ),
    (
        "--backoff",
        {
            "default": str(SPEC),
            "metavar": "SPEC",
            "help": "How stations come back: spec:MIN/RANGE/REPEATS (the formula of OCPP 2.x), fixed:WAIT[/RANGE] or "
            f"none. Default: {SPEC}",
        },
    ),
    (
        "--schema-share",
        {
            "default": "0.01",
            "metavar": "SHARE",
            "help": "Share of the answers checked against their schema. Default: 0.01",
        },
    ),
    (
        "--trace-share",
        {
            "default": "0",
            "metavar": "SHARE",
            "help": "Share of the stations whose frames are all written to traces/ in the run folder. Default: 0",
        },
    ),
    (
        "--identity-pattern",
        {"metavar": "PATTERN", "help": f"How stations are called. Default: {DEFAULT_PATTERN}"},
    ),
    (
        "--station-list",
        {"metavar": "FILE", "help": "CSV of registered stations: identity, and where needed token and password"},
    ),
    (
        "--source-address",
        {
            "action": "append",
            "metavar": "IP[-IP]",
            "help": "Local address, or a range of them, to connect from; each has its own ports",
        },
    ),
    ("--tls-ca", {"metavar": "FILE", "help": "PEM file of the CA that signed the CSMS' certificate"}),
    (
        "--warm-up",
        {"metavar": "S", "help": "Seconds between the ramp and the measurement. Default: a tenth of the run"},
    ),
    (
        "--cool-down",
        {"default": "0", "metavar": "S", "help": "Last seconds of the run, which are not judged. Default: 0"},
    ),
    (
        "--i-own-this-target",
        {
            "action": "append",
            "metavar": "HOST",
            "help": "The CSMS' host, where it is not this machine: you may test it. May be repeated",
        },
    ),
    (
        "--slo",
        {"metavar": "FILE", "help": "YAML file of objectives; a missed one ends with exit code 1. Default: none"},
    ),
    (
        "--no-locust-table",
        {"action": "store_true", "help": "Leave out Locust's own table at the end; Plugstorm's says more"},
    ),
    (
        "--driver",
        {
            "metavar": "NAME|FILE",
            "help": "How the CSMS' own API is reached: a preset, or a YAML file (docs/drivers.md)",
        },
    ),
    ("--control-url", {"metavar": "URL", "help": "Address of the CSMS' API, for drivers that take one"}),
    (
        "--driver-option",
        {"action": "append", "metavar": "NAME=VALUE", "help": "A variable of the driver file. May be repeated"},
    ),
    (
        "--commands",
        {
            "metavar": "FILE",
            "help": "YAML list of commands for the CSMS to send (docs/commands.md), instead of those of the profile",
        },
    ),
    (
        "--storm",
        {
            "action": "append",
            "metavar": "NAME[@TIME][,KEY=VALUE…]|FILE",
            "help": "What strikes the stations during the measurement, as in csms-restart@60s,down=5s or a YAML file; "
            f"may be repeated. Known: {', '.join(STORMS)}",
        },
    ),
    (
        "--stop-patience",
        {"default": "5", "metavar": "S", "help": "Seconds to end transactions and answers at the stop. Default: 5"},
    ),
)


def add_options(parser: Any) -> None:
    """Add the options to Locust's parser; each can be given as `PLUGSTORM_…` in the environment, too."""
    group = parser.add_argument_group("Plugstorm", "Virtual charge points")
    for flag, arguments in _OPTIONS:
        name = flag.removeprefix("--").removeprefix("plugstorm-").upper().replace("-", "_")
        # Lists do not survive Locust's web form.
        in_web_ui = "action" not in arguments and flag != "--out"
        is_secret = bool(arguments.get("is_secret"))
        plain = {key: value for key, value in arguments.items() if key != "is_secret"}
        action = group.add_argument(flag, env_var=f"PLUGSTORM_{name}", **plain)
        action.include_in_web_ui, action.is_secret = in_web_ui, is_secret
        action.is_required = action.is_multiple = False


def read_options(given: Any, host: str | None) -> LoadOptions:
    """Judge what Locust parsed; raises `UsageError`.

    A seed that nobody gave is drawn and written back, so that Locust's master hands the same one to every worker.
    """
    if not host:
        raise UsageError("No CSMS was named; give its address with --host ws://…")
    url = check_owned(check_target_url(host), given.i_own_this_target or ())
    _check_locust(given)
    if not given.seed:
        given.seed = str(secrets.randbelow(2**31))
    versions = read_versions(given.ocpp)
    profile = read_timed_profile(given.plugstorm_profile, given.time_compression, given.start_at)
    check_versions(profile, versions or (Version.V16,))
    return LoadOptions(
        url=url,
        ocpp=versions,
        profile=profile,
        seed=_whole(given.seed, "--seed"),
        password=given.password or None,
        call_timeout=_time(given.call_timeout, "--call-timeout", above_zero=True),
        connect_timeout=_time(given.connect_timeout, "--connect-timeout", above_zero=True),
        backoff=parse_backoff(given.backoff),
        schema_share=_share(given.schema_share, "--schema-share"),
        sources=read_addresses(given.source_address),
        tls_ca=given.tls_ca or None,
        stop_patience=_time(given.stop_patience, "--stop-patience"),
        trace_share=_share(given.trace_share, "--trace-share"),
    )


def read_timed_profile(name: str, compression: Any, start_at: str | None) -> Profile:
    """Load a profile, and set its time where that was asked for; raises `UsageError`."""
    pace = _above_zero(compression, "--time-compression") if compression else None
    return with_time(load_profile(name), compression=pace, start_at=start_at or None)


def measure_settings(given: Any, options: LoadOptions, ocpp: Sequence[Version]) -> Settings:
    """Tell the measuring side what it needs to know of a run, the names of all stations included.

    Raises `UsageError`. Called where the run is led and not in its workers, which may be on other machines.
    """
    identities = _identities(given)
    for version in ocpp:
        check_identity(identities.lease(1).identity, RULES[version])
    duration = given.run_time
    storms = [
        *read_storms(list(options.profile.storms), Location("The profile's storms")),
        *read_storm_words(given.storm or ()),
    ]
    for storm in storms:
        if duration and storm.at >= duration:
            raise UsageError(f"The storm {storm.name} is due after {storm.at:g} s; the run lasts {duration:g} s")
    seconds = float(duration) if duration else None
    commander, driver = plugin_of(given, options.profile.commands, ocpp, options.seed, seconds)
    if commander is None and any(isinstance(storm, MassRemoteStart) for storm in storms):
        raise UsageError(
            "The storm mass-remote-start makes the CSMS start transactions, which needs a driver (--driver)"
        )
    details = {flag.removeprefix("--"): getattr(given, _dest(flag)) for flag, _ in _OPTIONS}
    secret_words = frozenset({options.password} if options.password else ())
    plugins = [
        StormPlugin(
            storms,
            backoff=ways_back(options.profile, options.backoff),
            seed=options.seed,
            owned=given.i_own_this_target or (),
        ),
        *([] if commander is None else [commander]),
        _ledger(given, secret_words),
        KpiPlugin(),
    ]
    return Settings(
        url=options.url,
        ocpp=[str(version) for version in ocpp],
        stations=given.num_users or 0,
        duration=seconds,
        warm_up=_time(given.warm_up, "--warm-up") if given.warm_up else None,
        cool_down=_time(given.cool_down, "--cool-down"),
        seed=options.seed,
        out=given.out or None,
        identities=identities,
        slo=read_slo(Path(given.slo), QUANTITIES) if given.slo else [],
        source_addresses=max(1, len(options.sources)),
        driver=driver,
        plugins=plugins,
        details={name: value for name, value in details.items() if value is not None and name not in _SECRET},
        secrets=secret_words,
    )


def _ledger(given: Any, secret_words: frozenset[str]) -> LedgerPlugin:
    """Make the ledger; what the CSMS recorded comes from a control port that speaks the contract of drivers."""
    url = given.control_url
    if not url or given.driver not in (None, "", "http", "practice"):
        return LedgerPlugin(secrets=secret_words)
    port = ControlPort(check_owned(url, given.i_own_this_target or ()))
    port.check()
    return LedgerPlugin(port, source=redact_url(url), keeps=KEEPS, secrets=secret_words)


_SECRET = frozenset({"password", "driver-option"})


def _dest(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _check_locust(given: Any) -> None:
    """Refuse what Locust itself would take and misunderstand."""
    for name, flag in (("num_users", "--users"), ("spawn_rate", "--spawn-rate"), ("run_time", "--run-time")):
        value = getattr(given, name, None)
        if isinstance(value, int | float) and (value < 0 or not math.isfinite(value)):
            raise UsageError(f"{flag} {value:g} must be a number from 0 up")
    if given.spawn_rate == 0:
        raise UsageError("--spawn-rate 0 would never start a station; give a number above 0")


def read_versions(texts: Sequence[str] | None) -> dict[Version, int]:
    """Read `1.6` or `1.6=3` as versions and weights; raises `UsageError`."""
    versions: dict[Version, int] = {}
    for text in texts or ():
        name, weight = split_assignment(text)
        if name not in list(Version):
            raise UsageError(f"--ocpp {name} is no version that Plugstorm speaks; {hint(name, Version)}")
        versions[Version(name)] = _whole(weight, f"--ocpp {name}", least=1) if weight else 1
    return versions


def _identities(given: Any) -> Identities:
    if given.station_list:
        if given.identity_pattern:
            raise UsageError("--identity-pattern and --station-list exclude each other; the list has the names already")
        return read_identities(Path(given.station_list))
    return Identities(given.identity_pattern) if given.identity_pattern else Identities()


def read_addresses(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Read addresses and ranges of them; raises `UsageError`."""
    addresses: list[str] = []
    for text in texts or ():
        first, _, last = text.partition("-")
        try:
            low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address((last or first).strip())
        except ValueError:
            raise UsageError(f"--source-address {text} is no IP address or range, as in 127.0.0.2-127.0.0.9") from None
        if low.version != high.version or not 0 <= int(high) - int(low) < _MOST_ADDRESSES:
            raise UsageError(f"--source-address {text} is no range of at most {_MOST_ADDRESSES} addresses")
        addresses += [str(low + step) for step in range(int(high) - int(low) + 1)]
    return tuple(addresses)


_MOST_ADDRESSES = 4096


def _time(text: Any, flag: str, *, above_zero: bool = False) -> float:
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        value = seconds(text)
    if above_zero and value == 0:
        raise UsageError(f"{flag} 0 leaves no time at all; give a time above 0")
    return value


def _share(text: Any, flag: str) -> float:
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return share(text)


def _above_zero(text: Any, flag: str) -> float:
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return number(text, above=True)


def _whole(text: Any, flag: str, *, least: int = 0) -> int:
    with as_usage_error(ConfigError, prefix=f"{flag}: "):
        return whole(text, least=least)
