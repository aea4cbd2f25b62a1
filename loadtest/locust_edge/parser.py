"""Plugstorm's options on Locust's command line and in its web form, and the request that Locust's parser found.

Locust parses, the table of options judges; so every mistake ends as one line that says what to do, also from the web UI
or an environment variable. The module does not import Locust.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from loadtest.locust_edge.options import OPTIONS, Option
from loadtest.locust_edge.request import LoadRequest, default_word
from loadtest.workload.profile import profile_names
from loadtest.workload.storms import STORMS
from ocppj.versions import Version

__all__ = ["add_options", "request_of"]


def add_options(parser: Any) -> None:
    """Add the options to Locust's parser; each can be given as `PLUGSTORM_…` in the environment, too."""
    group = parser.add_argument_group("Plugstorm", "Virtual charge points")
    # Locust shows its own --help before it has read a locustfile.
    helper = group.add_argument(
        "--plugstorm-help", action="help", env_var=None, help="Show these options, too, and exit."
    )
    helper.include_in_web_ui = helper.is_secret = helper.is_required = helper.is_multiple = False
    for option in OPTIONS:
        if option.is_of_locust:
            continue
        name = option.locust.removeprefix("--").removeprefix("plugstorm-").upper().replace("-", "_")
        action = group.add_argument(option.locust, env_var=f"PLUGSTORM_{name}", help=_help(option), **_how(option))
        # Lists do not survive Locust's web form, and it would show secrets.
        is_simple = not option.repeats and not option.is_switch
        action.include_in_web_ui = is_simple and not option.tells_secrets and option.field != "out"
        action.is_secret = option.is_secret
        action.is_required = action.is_multiple = False


def request_of(given: Any, host: str | None) -> LoadRequest:
    """Judge what Locust parsed; raises `UsageError`.

    A seed that nobody gave is drawn and written back, so that Locust's master hands the same one to every worker.
    """
    if not given.seed:
        given.seed = str(secrets.randbelow(2**31))
    found = vars(given)
    words = {option.field: found.get(_dest(option)) for option in OPTIONS if not option.is_of_locust}
    processes = (found.get("expect_workers") if found.get("master") else found.get("processes")) or 1
    words |= {
        "url": host,
        # Locust takes 0 for "not given".
        "stations": found.get("num_users") or None,
        "spawn_rate": found.get("spawn_rate"),
        "duration": found.get("run_time") or None,
        # A negative number counts from the number of cores down.
        "workers": processes if processes > 0 else None,
        "ui_port": None if found.get("headless") else found.get("web_port"),
    }
    request = LoadRequest.read(words, by_locust=True)
    return msgspec.structs.replace(request, url=request.check_target())


def _how(option: Option) -> dict[str, Any]:
    """Return what argparse has to know of an option; values stay words until they are judged."""
    if option.is_switch:
        return {"action": "store_true"}
    if option.repeats:
        return {"action": "append", "metavar": option.metavar}
    return {"default": default_word(option), "metavar": option.metavar}


def _help(option: Option) -> str:
    words = [option.help]
    if known := _known(option):
        words.append(f"Known: {', '.join(known)}.")
    if otherwise := option.otherwise or default_word(option):
        words.append(f"Default: {otherwise}")
    return " ".join(words).replace("%", "%%")


def _known(option: Option) -> list[str]:
    match option.field:
        case "ocpp":
            return list(Version)
        case "profile":
            return profile_names()
        case "storms":
            return list(STORMS)
    return []


def _dest(option: Option) -> str:
    return option.locust.removeprefix("--").replace("-", "_")
