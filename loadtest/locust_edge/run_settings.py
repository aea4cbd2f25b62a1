"""From what was asked for to what a run is made of: the profile, the names of the stations, objectives and plugins.

Everything that a request names is read here, where the run is led and not in its workers, which may be on other
machines; only the profile is read in every process. The module does not import Locust.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from config.errors import ConfigError
from config.locations import Location
from evidence.redact import redact_url
from loadtest.judging.settings import Settings
from loadtest.judging.slo import Threshold, read_abort, read_slo
from loadtest.judging.slo_built_in import OFF, Overrides, built_in, read_objectives, read_overrides
from loadtest.locust_edge.request import LoadRequest
from loadtest.plugins.commands.plugin import CommandPlugin
from loadtest.plugins.commands.registering import register
from loadtest.plugins.commands.setup import DriverChoice, plugin_of
from loadtest.plugins.ledger.control_port import KEEPS, ControlPort
from loadtest.plugins.ledger.driver_records import DriverRecords
from loadtest.plugins.ledger.plugin import KpiPlugin, LedgerPlugin
from loadtest.plugins.metrics.plugin import MetricsPlugin
from loadtest.plugins.metrics.setup import MetricsChoice
from loadtest.plugins.metrics.setup import plugin_of as metrics_of
from loadtest.plugins.quantities import QUANTITIES
from loadtest.plugins.storms.formula import ways_back
from loadtest.plugins.storms.outside import ChangeRoot, mute_practice_csms
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.plugins.watch.contract import Source
from loadtest.plugins.watch.metrics_page import MetricsPage
from loadtest.plugins.watch.plugin import WatchPlugin
from loadtest.plugins.watch.processes import ProcessTree
from loadtest.workload.arrival_rate import with_arrival_rate
from loadtest.workload.commands import read_commands
from loadtest.workload.defaults import DEFAULT_PATTERN
from loadtest.workload.identities import Identities, read_identities, read_tokens
from loadtest.workload.profile import Profile, check_versions, load_profile, with_time
from loadtest.workload.stages import read_stage_list
from loadtest.workload.storms import MassRemoteStart, RootChange, Storm, read_storm_words, read_storms
from ocppj.errors import UsageError, as_usage_error
from ocppj.identity import check_identity, check_owned
from ocppj.versions import RULES, Version

__all__ = ["profile_of", "register_stations", "settings_of", "with_own_stages"]

_DRIVERS_OF_THE_LEDGER = frozenset({None, "http", "practice"})
"""Their control port says what the CSMS recorded."""


def profile_of(request: LoadRequest) -> Profile:
    """Load the profile at the time that was asked for; raises `UsageError`."""
    profile = with_time(load_profile(request.profile), compression=request.time_compression, start_at=request.start_at)
    check_versions(profile, tuple(request.versions) or (Version.V16,))
    rate = request.arrival_rate or profile.arrivals_per_s
    return profile if rate is None else with_arrival_rate(profile, rate, request.stations)


def with_own_stages(request: LoadRequest) -> LoadRequest:
    """Take the stages of the profile where none were asked for; raises `UsageError`."""
    if request.stages:
        return request
    profile = load_profile(request.profile)
    if not profile.stages:
        return request
    with as_usage_error(ConfigError):
        stages = read_stage_list(profile.stages, Location("The profile's stages"))
    return msgspec.structs.replace(request, stages=stages).staged()


def settings_of(request: LoadRequest, ocpp: Sequence[Version]) -> Settings:
    """Read what a request for stations of these versions names; raises `UsageError`."""
    assert request.url is not None
    assert request.seed is not None
    profile = profile_of(request)
    identities = _identities(request)
    for version in ocpp:
        check_identity(identities.lease(1).identity, RULES[version])
    seconds = float(request.duration) if request.duration else None
    storms = _storms(request, profile)
    commands = profile.commands if request.commands is None else read_commands(request.commands)
    choice = DriverChoice(name=request.driver, control_url=request.control_url, options=request.driver_options)
    commander, driver = plugin_of(commands, choice, ocpp, request.seed, seconds)
    if commander is None and any(isinstance(storm, MassRemoteStart) for storm in storms):
        raise UsageError(
            "The storm mass-remote-start makes the CSMS start transactions, which needs a driver (--driver)"
        )
    backoff = ways_back(profile, request.backoff)
    storming = StormPlugin(
        storms,
        backoff=backoff,
        seed=request.seed,
        owned=request.owned,
        mute=_mute(request),
        change_root=_change_root(request, storms),
        url=request.url,
        call_timeout=request.call_timeout,
    )
    overrides = _overrides(request, profile)
    secrets = frozenset({request.password} if request.password else ())
    return Settings(
        url=request.url,
        ocpp=[str(version) for version in ocpp],
        stations=request.stations,
        duration=seconds,
        stages=[(f"hold {one.to}" if one.is_hold else f"to {one.to}", one.seconds) for one in request.stages],
        warm_up=request.warm_up,
        cool_down=request.cool_down,
        seed=request.seed,
        out=None if request.out is None else str(request.out),
        label=request.label or "",
        identities=identities,
        slo=_thresholds(request),
        built_in=built_in(overrides, request.no_objectives),
        source_addresses=max(1, len(request.addresses)),
        shared_connections=request.mqtt_connections,
        driver=driver,
        plugins=[
            storming,
            *([] if commander is None else [commander]),
            _ledger(request, secrets, choice, identities, ocpp[0]),
            KpiPlugin(),
            *_watch(request),
            *_metrics(request, ocpp, storming, commander),
        ],
        details=request.described() | _changed(overrides),
        secrets=secrets,
    )


def _watch(request: LoadRequest) -> list[WatchPlugin]:
    """Find what is to be watched; raises `UsageError` where it is not there."""
    if request.watch_series and not request.watch_urls:
        raise UsageError("--watch-series names metrics of a page; give its address with --watch-url")
    pages = [MetricsPage(check_owned(url, request.owned), request.watch_series) for url in request.watch_urls]
    sources: list[Source] = [*(ProcessTree(pid) for pid in dict.fromkeys(request.watch_pids)), *pages]
    return [WatchPlugin(sources)] if sources else []


def _metrics(
    request: LoadRequest, ocpp: Sequence[Version], storms: StormPlugin, commands: CommandPlugin | None
) -> list[MetricsPlugin]:
    """Open the ways on which metrics are to leave; raises `UsageError`."""
    choice = MetricsChoice(
        page=request.metrics,
        remote_write=request.remote_write,
        otlp=request.otlp,
        labels=request.metrics_labels,
    )
    if choice.labels and choice == msgspec.structs.replace(MetricsChoice(), labels=choice.labels):
        raise UsageError("--metrics-label is for --metrics, --remote-write or --otlp; name one of them")
    plugin = metrics_of(
        choice,
        [str(version) for version in ocpp],
        storms=lambda: storms.storms,
        commands=lambda: () if commands is None else commands.outcomes,
    )
    return [] if plugin is None else [plugin]


def _thresholds(request: LoadRequest) -> list[Threshold]:
    """Return the objectives of the file and those that end the run; one that stands in both ends it."""
    ending = [read_abort(text, QUANTITIES) for text in dict.fromkeys(request.abort_when)]
    names = {one.text for one in ending}
    listed = [] if request.slo is None else read_slo(request.slo, QUANTITIES)
    return [one for one in listed if one.text not in names] + ending


@as_usage_error(ConfigError)
def _overrides(request: LoadRequest, profile: Profile) -> Overrides:
    """Return what the profile and the SLO file say of the built-in objectives; the SLO file has the last word."""
    of_profile = read_overrides(profile.objectives, Location("The profile's objectives"))
    return of_profile | ({} if request.slo is None else read_objectives(request.slo))


def _changed(overrides: Overrides) -> dict[str, Any]:
    """Return the built-in objectives that a file lowers or switches off, as `run.json` shows them."""
    found = {name: OFF if limit is None else limit for name, limit in overrides.items()}
    return {"objectives": found} if found else {}


def register_stations(request: LoadRequest, settings: Settings, version: Version) -> None:
    """Make the CSMS know the stations of a run, and the one that looks whether it is there; raises `UsageError`."""
    choice = DriverChoice(name=request.driver, control_url=request.control_url, options=request.driver_options)
    if not choice:
        raise UsageError("--register needs a way to the CSMS's API; name it with --driver or --control-url")
    identities = settings.identities
    leases = [identities.lease(number) for number in range(1, settings.stations + 1)]
    driver = choice.open()
    try:
        register(driver, [*leases, *identities.checkers(settings.stations)[:-1]], version, password=request.password)
    finally:
        driver.close()


def _storms(request: LoadRequest, profile: Profile) -> list[Storm]:
    storms = [*read_storms(list(profile.storms), Location("The profile's storms")), *read_storm_words(request.storms)]
    for storm in storms:
        if request.duration and storm.at >= request.duration:
            raise UsageError(
                f"The storm {storm.name} is due after {storm.at:g} s; the run lasts {request.duration:g} s"
            )
    return storms


def _mute(request: LoadRequest) -> Callable[[float, float, Callable[[int, str], object]], object] | None:
    """Return what makes the practice CSMS mute; None where the CSMS is another one."""
    if request.control_url is None or request.driver not in _DRIVERS_OF_THE_LEDGER:
        return None
    return partial(mute_practice_csms, check_owned(request.control_url, request.owned))


def _change_root(request: LoadRequest, storms: Sequence[Storm]) -> ChangeRoot | None:
    """Return what makes the practice CSMS go over to another root; None where no storm asks for that."""
    wanted = any(isinstance(storm, RootChange) and not storm.command for storm in storms)
    if not wanted or request.control_url is None or request.driver not in _DRIVERS_OF_THE_LEDGER:
        return None
    return ChangeRoot(check_owned(request.control_url, request.owned))


def _identities(request: LoadRequest) -> Identities:
    if request.station_list is None:
        pattern = DEFAULT_PATTERN if request.identity_pattern is None else request.identity_pattern
        return Identities(pattern, tokens=_tokens(request), stations=request.stations)
    if request.token_list is not None:
        raise UsageError(
            "--token-list and --station-list exclude each other; the columns token, token2, … are for tokens"
        )
    if request.identity_pattern is not None:
        raise UsageError("--identity-pattern and --station-list exclude each other; the list has the names already")
    found = read_identities(request.station_list)
    if found.capacity is not None and request.stations > found.capacity:
        raise UsageError(
            f"{request.station_list} names {found.capacity} stations, but {request.stations} are asked for; "
            f"add lines, or take --stations {found.capacity}"
        )
    return found


def _tokens(request: LoadRequest) -> list[str]:
    if request.token_list is None:
        return []
    found = read_tokens(request.token_list)
    if request.stations > len(found):
        raise UsageError(
            f"{request.token_list} names {len(found)} tokens, but {request.stations} stations are asked for, and "
            f"a token charges at one place at a time; add lines, or take --stations {len(found)}"
        )
    return found


def _ledger(
    request: LoadRequest, secrets: frozenset[str], choice: DriverChoice, identities: Identities, version: Version
) -> LedgerPlugin:
    """Make the ledger; what the CSMS recorded comes from a control port, or from the driver station by station."""
    url = request.control_url
    if url is None or request.driver not in _DRIVERS_OF_THE_LEDGER:
        names = [identities.lease(number).identity for number in range(1, request.stations + 1)]
        records = DriverRecords(choice.open, lambda: names, version)
        if not choice or not names or records.missing() is not None:
            return LedgerPlugin(secrets=secrets)
        return LedgerPlugin(records, source=f"the driver {request.driver}", secrets=secrets)
    port = ControlPort(check_owned(url, request.owned))
    port.check()
    return LedgerPlugin(port, source=redact_url(url), keeps=KEEPS, secrets=secrets)
