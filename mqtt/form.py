"""From the OCPP-J array to the payload of a dialect, and back; whatever cannot be written in a dialect goes as it is.

The parts of a message are moved and never read, so that a payload keeps every digit and every odd thing in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from mqtt.dialect import Dialect
from ocppj.versions import MessageType, Rules

__all__ = ["Form", "FormError", "Outgoing"]

_read_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_type = msgspec.json.Decoder(int).decode
_read_word = msgspec.json.Decoder(str).decode

_REQUESTS: Final = frozenset({MessageType.CALL, MessageType.SEND})
_ERRORS: Final = frozenset({MessageType.CALLERROR, MessageType.CALLRESULTERROR})
_LENGTHS: Final[Mapping[int, int]] = {2: 4, 3: 3, 4: 5, 5: 5, 6: 4}
_SHOWN: Final = 80
_REMEMBERED: Final = 32
"""CALLs of the peer whose action and request an answer can repeat."""


class FormError(ValueError):
    """A payload that is not of this dialect; the message is one line."""


class Outgoing(msgspec.Struct, frozen=True):
    """What goes out for one message."""

    payload: bytes
    is_answer: bool = False


class Form:
    """How one side of one conversation writes and reads payloads; it remembers what an answer must repeat."""

    __slots__ = ("_calls", "_dialect", "_is_plain", "_rules")

    def __init__(self, dialect: Dialect, rules: Rules) -> None:
        """Begin a conversation of the version that has these rules."""
        self._dialect = dialect
        self._rules = rules
        self._is_plain = dialect.object is None and dialect.up.answers is None and dialect.down.answers is None
        """Whether a message goes out as it is, and all go the same way."""
        self._calls: dict[bytes, tuple[msgspec.Raw, msgspec.Raw]] | None = None

    @property
    def is_shareable(self) -> bool:
        """Whether it remembers nothing, so that one will do for all conversations of its version."""
        return self._dialect.object is None

    def write(self, text: str) -> Outgoing:
        """Write the text of an OCPP-J message."""
        data = _bytes_of(text)
        if self._is_plain:
            return Outgoing(data)
        try:
            parts = _read_array(data)
            number = _read_type(parts[0])
        except (msgspec.MsgspecError, IndexError, RecursionError):
            return Outgoing(data)
        is_answer = number not in _REQUESTS
        if self._dialect.object is None or _LENGTHS.get(number) != len(parts):
            return Outgoing(data, is_answer)
        return Outgoing(self._write_object(number, parts), is_answer)

    def carries(self, data: str | bytes) -> bool:
        """Return whether a text can be written so that the other side reads the same message in it."""
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if text.encode("utf-8", "replace") != (data if isinstance(data, bytes) else _bytes_of(text)):
            return False
        if self._dialect.object is None:
            return text.lstrip().startswith("[")
        try:
            parts = _read_array(_bytes_of(text))
            return _LENGTHS.get(_read_type(parts[0])) == len(parts)
        except (msgspec.MsgspecError, IndexError, RecursionError):
            return False

    def read(self, payload: bytes) -> str | bytes:
        """Read a payload as the text of an OCPP-J message; bytes where it is no UTF-8. Raises `FormError`."""
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return payload
        if self._dialect.object is None:
            if not text.lstrip().startswith("["):
                raise FormError(f"expected an OCPP-J array, but it is {_shown(text)}")
            return text
        try:
            members = _read_object(payload)
        except (msgspec.MsgspecError, RecursionError):
            raise FormError(f"expected an object with {self._dialect.object.type}, but it is {_shown(text)}") from None
        return self._read_members(members, text)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _write_object(self, number: int, parts: list[msgspec.Raw]) -> bytes:
        keys = self._dialect.object
        assert keys is not None
        members: dict[str, msgspec.Raw | int | str] = {keys.type: number, keys.id: parts[1]}
        if number in _REQUESTS:
            members |= {keys.action: parts[2], keys.request: parts[3]}
        else:
            if keys.answers_repeat and self._calls is not None and bytes(parts[1]) in self._calls:
                action, request = self._calls.pop(bytes(parts[1]))
                members |= {keys.action: action, keys.request: request}
            if number in _ERRORS:
                members |= {keys.code: self._code_out(parts[2]), keys.description: parts[3]}
                if keys.details is not None:
                    members[keys.details] = parts[4]
            else:
                members[keys.response] = parts[2]
        return msgspec.json.encode(members)

    def _read_members(self, members: dict[str, msgspec.Raw], text: str) -> str:
        keys = self._dialect.object
        assert keys is not None
        try:
            number = _read_type(members[keys.type])
            parts = [members[keys.type], members[keys.id]]
            if number in _REQUESTS:
                parts += [members[keys.action], members[keys.request]]
                if keys.answers_repeat:
                    self._remember(bytes(parts[1]), parts[2], parts[3])
            elif number in _ERRORS:
                parts += [
                    self._code_in(members[keys.code]),
                    members.get(keys.description, msgspec.Raw(b'""')),
                    members.get(keys.details or "", msgspec.Raw(b"{}")),
                ]
            else:
                parts.append(members.get(keys.response, msgspec.Raw(b"{}")))
        except KeyError as error:
            raise FormError(f"expected an object with {error.args[0]}, but it is {_shown(text)}") from None
        except msgspec.MsgspecError:
            raise FormError(f"expected a number as {keys.type}, but it is {_shown(text)}") from None
        return "[" + ",".join(bytes(part).decode() for part in parts) + "]"

    def _remember(self, number: bytes, action: msgspec.Raw, request: msgspec.Raw) -> None:
        if self._calls is None:
            self._calls = {}
        self._calls[number] = (action.copy(), request.copy())
        if len(self._calls) > _REMEMBERED:
            del self._calls[next(iter(self._calls))]

    def _code_out(self, code: msgspec.Raw) -> msgspec.Raw | str:
        names = self._dialect.errors
        return names.get(_word(code), code) if names else code

    def _code_in(self, code: msgspec.Raw) -> msgspec.Raw:
        """Give an error the name that it has in the version of this conversation."""
        word = _word(code)
        for name, other in self._dialect.errors.items():
            if other == word and name in self._rules.all_error_codes:
                return msgspec.Raw(msgspec.json.encode(name))
        return code


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _word(text: msgspec.Raw) -> str:
    """Read a text; empty where it is something else."""
    try:
        return _read_word(text)
    except msgspec.MsgspecError:
        return ""


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")
