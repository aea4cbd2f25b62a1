"""SendLocalList and GetLocalListVersion (OCPP 1.6 §5.10 and §5.15, 2.x D01 and D02)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from fixtures.device import LOCAL_LIST_LENGTH, LOCAL_LIST_PART
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.connectors import Token, token_2x
from loadtest.station.state.local_list import ListEntry, LocalList
from loadtest.station.state.settings import flag
from loadtest.station.state.store import need, peek
from ocppj.versions import Version

__all__ = ["list_version", "send_local_list"]


class _Words(NamedTuple):
    version: str
    """The field with the version, in the request and in the answer of GetLocalListVersion."""
    token: Callable[[Request], Token]
    info: str
    parent: Callable[[Request], str]
    disabled: str
    """The status while the list is switched off."""


_WORDS_2X = _Words(
    "versionNumber",
    lambda entry: token_2x(entry["idToken"]),
    "idTokenInfo",
    lambda info: info.get("groupIdToken", {}).get("idToken", ""),
    "Failed",
)
_WORDS: Mapping[Version, _Words] = MappingProxyType(
    {
        Version.V16: _Words(
            "listVersion",
            lambda entry: (entry["idTag"].upper(), "ISO14443"),
            "idTagInfo",
            lambda info: info.get("parentIdTag", ""),
            "NotSupported",
        ),
        Version.V201: _WORDS_2X,
        Version.V21: _WORDS_2X,
    }
)


def list_version(station: Controls, _: Request, answer: Request) -> Reaction:
    """Return the version of the list, 0 without a list."""
    kept = peek(station, LocalList)
    if kept and flag(station, "local_list"):
        answer[_WORDS[station.version].version] = kept.version
    return Reaction()


def send_local_list(station: Controls, request: Request, _: Request) -> Reaction:
    """Replace the list, or change it, by the rules for versions."""
    words = _WORDS[station.version]
    if not flag(station, "local_list"):
        return Reaction(words.disabled)
    kept = peek(station, LocalList)
    version, sent = request[words.version], request.get("localAuthorizationList") or []
    full = request["updateType"] == "Full"
    if not full and version <= (kept.version if kept else 0):
        return Reaction("VersionMismatch")
    changes = _changes(words, sent)
    if version <= 0 or changes is None or len(sent) > LOCAL_LIST_PART:
        return Reaction("Failed")
    if full and any(entry is None for entry in changes.values()):
        # Of what is to be new, everything must be said.
        return Reaction("Failed")
    entries: dict[Token, Any] = ({} if full or not kept else dict(kept.entries)) | changes
    entries = {token: entry for token, entry in entries.items() if entry is not None}
    if len(entries) > LOCAL_LIST_LENGTH:
        return Reaction("Failed")
    return Reaction(then=partial(_replace, station, version, entries))


def _changes(words: _Words, sent: list[Request]) -> dict[Token, ListEntry | None] | None:
    """Read what was sent, with None for a token to be removed; None when a token comes twice."""
    changes: dict[Token, ListEntry | None] = {}
    for item in sent:
        info = item.get(words.info)
        changes[words.token(item)] = None if info is None else ListEntry(info["status"], words.parent(info).upper())
    return changes if len(changes) == len(sent) else None


def _replace(station: Controls, version: int, entries: dict[Token, ListEntry]) -> None:
    kept = need(station, LocalList)
    kept.version = version
    kept.entries = entries
