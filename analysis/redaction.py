"""Makes a log safe to share: what could name or admit anybody is replaced, alike wherever it stands.

Only what is known to be harmless is kept: words of the specification, numbers, times. Everything else becomes a
pseudonym of the same length where there is room, so that a text that is too long stays too long. The key of a run is
thrown away with it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import PurePath
from typing import Any, Final

import msgspec

from analysis.guess import head_of
from analysis.model import Record, Unread
from ocppj.actions import ACTIONS
from ocppj.messages import encode_json
from ocppj.schemas import schema
from ocppj.versions import RULES

__all__ = ["Redactor"]

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|z|[+-]\d\d:?(?:\d\d)?)?)?")
_READING: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?(?:[eE][+-]?\d{1,3})?")
# Names of settings are words of the specification or of a vendor, and say what a value is about.
_KEY_NAME: Final = re.compile(r"[A-Z][A-Za-z]{2,49}")
_SHORTEST: Final = 8
_KINDS: Final = {
    "idtag": "TAG", "parentidtag": "TAG", "idtoken": "TAG", "groupidtoken": "TAG",
    "transactionid": "TX", "vendorid": "VENDOR", "chargepointvendor": "VENDOR", "vendorname": "VENDOR",
    "chargepointmodel": "MODEL", "model": "MODEL", "firmwareversion": "FW",
}  # fmt: skip
_MOST_DEPTH: Final = 60


@cache
def _harmless() -> frozenset[str]:
    """Return the words that the schemas, the actions and the error codes consist of."""
    words = {code for rules in RULES.values() for code in rules.all_error_codes}
    for version, actions in ACTIONS.items():
        for action, about in actions.items():
            words.add(action)
            for part in ("request",) if about.unconfirmed else ("request", "response"):
                _collect(schema(version, action, part), words)
    return frozenset(words)


def _collect(node: Any, words: set[str]) -> None:
    if isinstance(node, dict):
        words.update(word for word in node.get("enum", ()) if isinstance(word, str))
        words.update(node.get("properties", {}))
        for member in node.values():
            _collect(member, words)
    elif isinstance(node, list):
        for member in node:
            _collect(member, words)


class Redactor:
    """Replaces consistently within one run."""

    def __init__(self, key: bytes | None = None) -> None:
        """Draw a key, or take one."""
        self._key = key or secrets.token_bytes(32)
        self._harmless = _harmless()

    def records(self, records: Iterable[Record | Unread]) -> Iterator[Record | Unread]:
        """Replace everything in records; of a line that could not be read nothing is left."""
        for record in records:
            if isinstance(record, Unread):
                yield Unread(record.line, "(left out: it could not be read)", "a line that could not be read")
            else:
                yield self._record(record)

    def path(self, name: str) -> str:
        """Replace the name of a file, and keep its ending."""
        place = PurePath(name)
        return f"{self.text(place.name, 'LOG')}{''.join(place.suffixes)}" if "." in place.name else "log"

    def text(self, text: str, kind: str = "X") -> str:
        """Return the pseudonym of a text."""
        if not text:
            return text
        digest = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).hexdigest()
        length = max(len(text), _SHORTEST)
        name = f"{kind}-{digest}" if length >= _SHORTEST + len(kind) + 1 else digest
        return (name + digest * (length // len(digest) + 1))[:length]

    def value(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """Return a JSON value with everything replaced that is not known to be harmless."""
        if isinstance(value, str):
            return self._string(value, name)
        if depth > _MOST_DEPTH:
            return None
        if isinstance(value, dict):
            return self._object(value, name, depth)
        if isinstance(value, list):
            return [self.value(member, name, depth + 1) for member in value]
        return value

    def _object(self, value: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        if name == "customData":
            return {"vendorId": self.text(str(value.get("vendorId", "")), "VENDOR")}
        clean = {self._member(key): self.value(member, key, depth + 1) for key, member in value.items()}
        setting = value.get("name") if name in ("component", "variable") else None
        if isinstance(setting, str) and _KEY_NAME.fullmatch(setting):
            clean["name"] = setting
        setting = value.get("key")
        if isinstance(setting, str) and "server" not in value and _KEY_NAME.fullmatch(setting):
            clean["key"] = setting
        elif isinstance(setting, list):
            clean["key"] = [self._setting(member) for member in setting]
        reading = value.get("value")
        # A number anywhere else may be a telephone number, a PIN or a card.
        if isinstance(reading, str) and "key" not in value and "variable" not in value and _READING.fullmatch(reading):
            clean["value"] = reading
        return clean

    def _setting(self, text: Any) -> Any:
        return text if isinstance(text, str) and _KEY_NAME.fullmatch(text) else self.value(text)

    def _member(self, key: str) -> str:
        return key if key in self._harmless else self.text(key, "KEY")

    def _string(self, text: str, name: str) -> str:
        if text in self._harmless or _TIME.fullmatch(text):
            return text
        return self.text(text, _KINDS.get(name.lower(), "X"))

    def _record(self, record: Record) -> Record:
        station = self.text(record.station, "CP")
        connection = self.text(record.connection, "S")
        if record.event:
            return msgspec.structs.replace(record, station=station, connection=connection, reason="")
        value = record.value
        if isinstance(value, list):
            clean = self._frame(value)
            return msgspec.structs.replace(
                record, station=station, connection=connection, value=clean, text=encode_json(clean)
            )
        return msgspec.structs.replace(
            record, station=station, connection=connection, text=self._broken(record.text), value=None
        )

    def _frame(self, value: list[Any]) -> list[Any]:
        clean = [self.value(member) for member in value]
        if len(value) > 1 and isinstance(value[1], str):
            clean[1] = self._message_id(value[1])
        return clean

    def _message_id(self, message_id: str) -> str:
        return message_id if message_id == "-1" else self.text(message_id, "M")

    def _broken(self, text: str) -> str:
        """Keep of a frame that is not JSON what says that it was sent: its number, its id and its action."""
        kind, message_id, action = head_of(text)
        if not kind:
            return "[ (left out: not JSON)"
        shown = f',"{action}"' if action in self._harmless else ""
        return f'[{kind},"{self._message_id(message_id)}"{shown}, (left out: not JSON)'
