"""What an operator named in a command, held against the CALL that came of it.

A CSMS fills in what nobody named, and it numbers requests, profiles and reservations by itself; every other field that
its operator named must arrive as it was named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isclose
from types import MappingProxyType
from typing import Any

from evidence.redact import REDACTED
from interop_suite.claims.expected import other_than

__all__ = ["differences", "joined", "nearest", "redated"]

_EVERYWHERE = frozenset({"requestId", "remoteStartId"})
_PROFILE = ("chargingProfileId", "id", "chargingSchedule.id")
# A CSMS numbers these itself, or knows better: what a token is worth, and when a download may begin.
_CHOSEN_BY_CSMS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ReserveNow": frozenset({"reservationId", "id"}),
        "SendLocalList": frozenset(
            {
                "listVersion",
                "versionNumber",
                "localAuthorizationList.idTagInfo",
                "localAuthorizationList.idTokenInfo",
            }
        ),
        "SetChargingProfile": frozenset(
            f"{holder}.{name}" for holder in ("csChargingProfiles", "chargingProfile") for name in _PROFILE
        ),
        "SetDisplayMessage": frozenset({"message.id"}),
        "RemoteStartTransaction": frozenset(f"chargingProfile.{name}" for name in _PROFILE),
        "RequestStartTransaction": frozenset(f"chargingProfile.{name}" for name in _PROFILE),
        "UpdateFirmware": frozenset({"retrieveDate", "firmware.retrieveDateTime", "firmware.installDateTime"}),
        "SignedUpdateFirmware": frozenset({"firmware.retrieveDateTime", "firmware.installDateTime"}),
    }
)
_CASE_COUNTS = frozenset(
    {
        "attributeValue",
        "certificate",
        "certificateChain",
        "location",
        "remoteLocation",
        "signature",
        "signingCertificate",
        "value",
    }
)
"""Addresses, PEM and Base64, and what is only stored; identifiers have no case (OCPP 1.6 §7.15)."""
_MAY_BE_SPLIT: Mapping[str, str] = MappingProxyType(
    {
        "ClearVariableMonitoring": "id",
        "GetVariables": "getVariableData",
        "SetVariableMonitoring": "setMonitoringData",
        "SetVariables": "setVariableData",
    }
)
_PEM = "-----begin "
_IN_ORDER = frozenset({"curveData", "prices", "v2xFreqWattCurve", "v2xSignalWattCurve"})
"""Lists whose order has a meaning: of prices the first that applies counts; the points of a curve are a row."""
_SAME_TIME = 1.0
"""Seconds: an API may keep times without their fractions."""
_ABSENT = object()
_ACTUAL = "Actual"


def differences(
    action: str, named: Mapping[str, Any], sent: object, handed_over: Collection[str] | None = None
) -> list[str]:
    """List the fields that an operator named and that did not arrive as named, each in words.

    `handed_over` are the fields that the driver could tell the CSMS at all, dotted; None for all.
    """
    skipped = _EVERYWHERE | _CHOSEN_BY_CSMS.get(action, frozenset())
    return [
        f"{path} {_otherwise(found, wanted)}"
        for path, wanted, found in _leaves(named, sent, "")
        if not _is_within(path, skipped) and (handed_over is None or _is_within(path, handed_over))
    ]


def redated(
    action: str, named: Mapping[str, Any], sent: object, handed_over: Collection[str] | None = None
) -> list[str]:
    """List the dates that an operator named and the CSMS chose otherwise, each in words.

    No text forbids it, and whoever named a date wonders.
    """
    chosen = _CHOSEN_BY_CSMS.get(action, frozenset())
    return [
        f"{path} {_otherwise(found, wanted)}"
        for path, wanted, found in _leaves(named, sent, "")
        if _is_within(path, chosen)
        and (handed_over is None or _is_within(path, handed_over))
        and isinstance(wanted, str)
        and isinstance(found, str)
        and _is_time(wanted)
        and _is_time(found)
    ]


def nearest(
    action: str, named: Mapping[str, Any], payloads: Sequence[object], handed_over: Collection[str] | None = None
) -> int:
    """Find which of several payloads of an action is the one that an operator asked for, the first of equals."""
    return min(
        range(len(payloads)), key=lambda index: len(differences(action, named, payloads[index] or {}, handed_over))
    )


def joined(action: str, payloads: Sequence[object]) -> object:
    """Put payloads together whose list a CSMS may have split, as ItemsPerMessage asks for (2.x B05, B06)."""
    name = _MAY_BE_SPLIT.get(action)
    read = [payload for payload in payloads if isinstance(payload, Mapping)]
    if name is None or not read:
        return payloads[0] if payloads else None
    return {**read[0], name: [entry for payload in read for entry in _listed(payload.get(name))]}


def _leaves(wanted: Any, found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Walk what was wanted, and give each value that is not there."""
    if isinstance(wanted, Mapping):
        for name, value in wanted.items():
            inner = found.get(name, _ABSENT) if isinstance(found, Mapping) else _ABSENT
            yield from _leaves(value, inner, f"{path}.{name}" if path else str(name))
        if "variable" in wanted and "attributeType" not in wanted and isinstance(found, Mapping):
            # Whoever names no attribute means the actual value (2.x GetVariableDataType, SetVariableDataType).
            attribute = found.get("attributeType", _ACTUAL)
            if attribute != _ACTUAL:
                yield f"{path}.attributeType", _ACTUAL, attribute
    elif isinstance(wanted, list | tuple):
        yield from _entries(wanted, found, path)
    elif not _is_same(wanted, found) or _is_other_case(path, wanted, found):
        yield path, wanted, found


def _entries(wanted: Sequence[Any], found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Look for each entry anywhere in a list: no text gives most lists of commands an order."""
    entries = list(found) if isinstance(found, list | tuple) else []
    if path.rpartition(".")[2] in _IN_ORDER and _is_reordered(wanted, entries, path):
        yield path, "in their order", "in another order"
        return
    for value in wanted:
        tries = [list(_leaves(value, entry, path)) for entry in entries]
        best = min(range(len(tries)), key=lambda index: len(tries[index]), default=None)
        if best is None:
            yield from _leaves(value, _ABSENT, path)
            continue
        yield from tries[best]
        del entries[best]
    for surplus in entries:
        # A CSMS may add entries of its own; nothing is meant by one that is there twice (1.6 §6.41 forbids it).
        if any(not [*_leaves(value, surplus, path), *_leaves(surplus, value, path)] for value in wanted):
            yield path, "one of each", "one of them twice"


def _is_reordered(wanted: Sequence[Any], found: Sequence[Any], path: str) -> bool:
    """Return whether all entries are there, each once, and not where they were."""

    def is_same(value: Any, entry: Any) -> bool:
        return not [*_leaves(value, entry, path)]

    if len(wanted) != len(found) or all(map(is_same, wanted, found)):
        return False
    return all(any(is_same(value, entry) for entry in found) for value in wanted)


def _is_within(path: str, holders: Collection[str]) -> bool:
    return any(path == holder or path.startswith(f"{holder}.") for holder in holders)


def _is_other_case(path: str, wanted: Any, found: Any) -> bool:
    """Return whether a text whose case counts arrived in another one; the words for yes and no have none."""
    if path.rpartition(".")[2] not in _CASE_COUNTS or not isinstance(wanted, str) or not isinstance(found, str):
        return False
    if REDACTED in wanted or REDACTED in found or wanted.casefold() in ("true", "false"):
        return False
    return wanted.split() != found.split() and wanted.casefold().split() == found.casefold().split()


def _is_near(wanted: float, found: float) -> bool:
    try:
        return isclose(wanted, found, rel_tol=1e-9)
    except OverflowError:
        # A whole number may be too large for a float.
        return False


def _is_same(wanted: Any, found: Any) -> bool:
    match wanted, found:
        case (bool(), _) | (_, bool()):
            return wanted is found
        case int(), int():
            return wanted == found
        case int() | float(), int() | float():
            return _is_near(wanted, found)
        case str(), str():
            # Identifiers have no case (OCPP 1.6 §7.15); what was blanked says nothing.
            same = _parts(wanted.casefold()) == _parts(found.casefold())
            return same or REDACTED in wanted or REDACTED in found or _is_same_time(wanted, found)
        case _:
            return bool(wanted == found)


def _parts(text: str) -> list[str]:
    """Split a text at its blanks, and PEM, which has no fixed line ends, at its lines (RFC 7468 §3)."""
    if _PEM not in text:
        return text.split()
    return [line for each in text.splitlines() if (line := each.strip())]


def _is_time(text: str) -> bool:
    try:
        _moment(text)
    except ValueError:
        return False
    return True


def _is_same_time(wanted: str, found: str) -> bool:
    try:
        apart = _moment(wanted) - _moment(found)
    except ValueError:
        return False
    return abs(apart.total_seconds()) <= _SAME_TIME


def _moment(text: str) -> datetime:
    """Read a time; one without a zone is taken for UTC, and its lack is a matter of the schema."""
    moment = datetime.fromisoformat(text.upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _otherwise(found: Any, wanted: Any) -> str:
    return other_than(None if found is _ABSENT else found, wanted)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
