"""The way from Locust's events to a run: options, user classes, target check, measuring; and out again with one line.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import gevent
import psutil
from locust import events, runners
from locust.env import Environment

from evidence.exit_codes import UNREACHABLE, USAGE
from loadtest.cluster.overview import Overview
from loadtest.cluster.standing import standing_line
from loadtest.judging.settings import Settings
from loadtest.locust_edge.end_check import end_as_any
from loadtest.locust_edge.parser import add_options, request_of
from loadtest.locust_edge.process import end_process, keep_own_options, make_target
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import register_stations, settings_of, with_own_stages
from loadtest.locust_edge.same_stations import claim_stations
from loadtest.locust_edge.stages_shape import StagesShape
from loadtest.locust_edge.target_check import check_as_any
from loadtest.locust_edge.web_bar import add_bar
from loadtest.locust_edge.web_tab import add_tab
from loadtest.locust_edge.wiring import expect_workers, install, prepare_locust, spell, wired
from loadtest.plugins.storms.page import add_storm_page
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.workload.stages import write_stages
from ocppj.errors import HarnessError, TargetUnreachableError, UsageError
from ocppj.versions import Version

__all__ = ["listen"]

_logger = logging.getLogger(__name__)


def listen() -> None:
    """Listen to Locust's events; called once, when the users are imported."""
    hooks: Any = events
    prepare_locust()
    hooks.init_command_line_parser.add_listener(_on_parser)
    hooks.init.add_listener(_on_init)


def _on_parser(parser: Any, **_: Any) -> None:
    add_options(parser)


def _on_init(environment: Environment, **_: Any) -> None:
    runner: Any = environment.runner
    listeners: Any = environment.events
    listeners.test_stop.add_listener(_on_test_stop)
    if isinstance(runner, runners.WorkerRunner):
        # What was asked for comes from the master, with the order to spawn.
        keep_own_options(environment)
        install(environment, Settings(url="", ocpp=[]))
        return
    expect_workers(runner)
    given: Any = environment.parsed_options
    if given.no_locust_table:
        logging.getLogger("locust.stats_logger").setLevel(logging.WARNING)
    starts_at_once = bool(given.headless or given.autostart)
    if not starts_at_once:
        listeners.test_start.add_listener(_on_start_from_web)
    try:
        settings = _prepare(environment) if starts_at_once else Settings(url="", ocpp=[], out=given.out or None)
        wiring = install(environment, settings)
        if starts_at_once:
            wiring.check_end(_end_check(environment, settings))
        add_storm_page(environment, lambda: wiring.settings.plugins)
        if wiring.master is not None:
            wiring.master.has_page = environment.web_ui is not None
        add_tab(
            environment,
            lambda: Overview() if wiring.master is None else wiring.master.overview,
            lambda: wiring.settings.plugins,
        )
        add_bar(environment, lambda: "" if wiring.master is None else standing_line(wiring.master.standing))
    except HarnessError as error:
        _leave(environment, error)


def _on_start_from_web(environment: Environment, **_: Any) -> None:
    """Take what was asked for in the web UI; a mistake ends the test and not the process."""
    runner: Any = environment.runner
    try:
        # The measuring side was attached before anybody had said anything.
        settings = _prepare(environment)
        wired(environment).prepare(settings)
        wired(environment).check_end(_end_check(environment, settings))
    except HarnessError as error:
        _logger.error("%s", spell(str(error)))  # noqa: TRY400 - one line for people, no traceback
        gevent.spawn(runner.stop)


def _on_test_stop(environment: Environment, **_: Any) -> None:
    end_process(environment)


def _prepare(environment: Environment) -> Settings:
    """Judge what was asked for, and make sure that the CSMS is there; raises `HarnessError`."""
    given: Any = environment.parsed_options
    request = with_own_stages(request_of(given, environment.host))
    # Locust's master hands these words to every worker.
    given.stages = write_stages(request.stages)
    versions = _choose_users(environment, request)
    settings = settings_of(request, versions)
    claim_stations(settings.url, settings.identities, settings.stations)
    if request.stages:
        environment.shape_class = StagesShape(request.stages)
    if request.register:
        register_stations(request, settings, versions[0])
    _check_target(request, settings, versions)
    return settings


def _choose_users(environment: Environment, request: LoadRequest) -> list[Version]:
    """Keep the user classes of the versions that were asked for, with their weights; return the versions."""
    given: Any = environment.parsed_options
    classes: list[Any] = [user for user in environment.user_classes if hasattr(user, "ocpp")]
    for user in classes:
        if user.ocpp not in list(Version):
            raise UsageError(f"{user.__name__}.ocpp is {user.ocpp!r}; known are {', '.join(Version)}")
    weights = request.versions
    if weights:
        chosen = [user for user in classes if user.ocpp in weights]
        for user in chosen:
            user.weight = weights[Version(user.ocpp)]
        missing = [version for version in weights if not any(user.ocpp == version for user in chosen)]
        if missing:
            raise UsageError(
                f"--ocpp {missing[0]}: no user class of the locustfile speaks it; add one, or leave it out"
            )
    else:
        chosen = classes if given.user_classes else [user for user in classes if not user.on_demand]
    others = [user for user in environment.user_classes if not hasattr(user, "ocpp")]
    environment.user_classes[:] = chosen + others
    return [version for version in Version if any(user.ocpp == version for user in chosen)]


def _check_target(request: LoadRequest, settings: Settings, versions: list[Version]) -> None:
    target, leases = make_target(request), settings.identities.checkers(settings.stations)
    for version in versions:
        check_as_any(target, leases, version, request.password, timeout=request.connect_timeout)


def _end_check(environment: Environment, settings: Settings) -> Callable[[], str | None]:
    """Return what looks at the CSMS when the run is over."""
    request = request_of(environment.parsed_options, environment.host)
    version = Version(settings.ocpp[0])

    def check() -> str | None:
        leases = settings.identities.checkers(settings.stations)
        target = make_target(request)
        if target.tls is not None:
            for root in _roots(settings):
                target.tls.load_verify_locations(cafile=root)
        return end_as_any(target, leases, version, request.password, timeout=request.call_timeout)

    return check


def _roots(settings: Settings) -> list[str]:
    """Return the files with the roots that storms have made the CSMS go over to."""
    return [root for plugin in settings.plugins if isinstance(plugin, StormPlugin) for root in plugin.roots]


def _leave(environment: Environment, error: HarnessError) -> NoReturn:
    """End the process with one line and the right code, and with it the workers that `--processes` forked."""
    sys.stderr.write(f"plugstorm: error: {spell(str(error))}\n")
    given: Any = environment.parsed_options
    runner: Any = environment.runner
    # Nobody handles what the workers may still send.
    runner.greenlet.kill(block=False)
    if getattr(given, "processes", None):
        for child in psutil.Process().children():
            child.terminate()
    sys.exit(UNREACHABLE if isinstance(error, TargetUnreachableError) else USAGE)
