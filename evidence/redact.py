"""Take secrets out of whatever is about to be written to a file or a log.

What a stranger sent passes through here: all of it is linear in the length of its input and safe at any depth.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ocppj.messages import duplicate_keys

__all__ = ["REDACTED", "redact", "redact_frame", "redact_text", "redact_url"]

REDACTED = "(redacted)"

_SECRET_NAME = re.compile(
    r"(?<!x)pass(?:word|wd|phrase)?$|secret|(?:^|-)authorization$|authorizationkey|api[_-]?key|private[_-]?key|cookie$"
    r"|(?:access|auth)[_-]?token|^simpin$",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(r"(?:^|-)authorization$|cookie$|api[_-]?key$", re.IGNORECASE)
# A frame without any of these holds no secret; the backslash is for names and secrets that are written with escapes.
_MARKS = (
    "pass", "secret", "authorization", "api", "private", "cookie", "sstoken", "htoken", "_token", "-token", "simpin",
    "vpn", "basic ", "bearer ", "@", "\\",
)  # fmt: skip
# Where OCPP keeps the value of the key or variable that a neighbour names.
_VALUE_NAMES = frozenset({"value", "attributeValue"})

_BASIC = re.compile(r"(?i)\b(Basic)\s+([A-Za-z0-9+/]{4,})={0,2}")
_BEARER = re.compile(r"(?i)\b(Bearer)\s+[A-Za-z0-9+/=._~-]{4,}")
# A key without its end is one that was cut off.
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z ]{0,20}PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_URL_USER = re.compile(r"(?<=://)[^/?#\s\"']*@")
_URL_QUERY = re.compile(r"(?i)([?&](?:password|passwd|pwd|secret|token|access_token|api_?key)=)[^&#\s\"']+")
# Every quote may open a string here: which ones do cannot be told in text that is cut off or escaped.
_STRING = re.compile(r'"(?=([^"\\]{1,100})(?:["\\]|\Z))')
# Members of JSON objects in text: of one that was cut off, and of one that is itself a string of JSON.
_MEMBER = re.compile(r'("([^"\\]{1,100})"\s{0,9}:\s{0,9}")((?:[^"\\]|\\.)+)', re.DOTALL)
_ESCAPED_MEMBER = re.compile(r'(\\"([^"\\]{1,100})\\"\s{0,9}:\s{0,9}\\")([^"\\]+)')

LONGEST_WORD = 16

_decode = msgspec.json.Decoder().decode


def redact_text(text: str) -> str:
    """Blank credentials in free text: Basic and Bearer values, private keys, users of URLs, JSON members by name."""
    text = _BASIC.sub(_blank_basic, text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    text = _PEM_KEY.sub(f"-----{REDACTED} PRIVATE KEY-----", text)
    text = _URL_USER.sub(f"{REDACTED}@", text)
    text = _URL_QUERY.sub(rf"\1{REDACTED}", text)
    text = _MEMBER.sub(_blank_member, text)
    return _ESCAPED_MEMBER.sub(_blank_member, text)


def redact_url(url: str) -> str:
    """Blank the user, the password and secrets in the query of a URL, and leave the rest as it is."""
    url = _URL_QUERY.sub(rf"\1{REDACTED}", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return redact_text(url)
    if "@" not in parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{REDACTED}@{host}"))


def redact(value: Any, secrets: frozenset[str] = frozenset()) -> Any:
    """Copy a JSON value with every secret blanked: by the name of its field, by OCPP's key/value pairs, or by text.

    `secrets` are values known to be secret; they are blanked wherever they stand in a string, a mere word as a word.
    """
    root = [value]
    # Each step: a copied container, the place in it to look at, and the names below that hold secrets (None: all).
    pending: list[tuple[Any, Any, frozenset[str] | None]] = [(root, 0, frozenset())]
    while pending:
        holder, place, names = pending.pop()
        item = holder[place]
        if isinstance(place, str) and (names is None or place in names or _SECRET_NAME.search(place)):
            names = None
        if isinstance(item, dict):
            holder[place] = copy = {str(key): member for key, member in item.items()}
            below = None if names is None else names | _secret_members(copy)
            pending += [(copy, key, below) for key in copy]
        elif isinstance(item, list | tuple):
            holder[place] = members = list(item)
            pending += [(members, position, names) for position in range(len(members))]
            if names is not None and _is_secret_pair(members):
                pending[-1] = (members, 1, None)
        elif names is None:
            holder[place] = _blank(item)
        elif isinstance(item, str):
            holder[place] = _redact_string(item, secrets)
    return root[0]


def redact_frame(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """Blank the secrets of a frame and leave every other frame as it was on the wire, to the byte."""
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS) and not any(secret in text for secret in secrets):
        return text
    try:
        value = _decode(text)
        clean = redact(value, secrets)
        unchanged = clean == value
        written = msgspec.json.encode(clean).decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _redact_unreadable(text, secrets)
    # `value` holds only the last of several members with one name.
    if duplicate_keys(text):
        return _redact_unreadable(text, secrets)
    return text if unchanged else written


def _secret_members(holder: dict[str, Any]) -> frozenset[str]:
    """Return which members of an object hold a secret because another member says so.

    `{"key": "AuthorizationKey", "value": …}` of 1.6, `{"variable": {"name": …}, "attributeValue": …}` of 2.x, also
    where the values stand one level deeper, and the shared key of a VPN (OCPP 2.0.1 Part 2 VPNType).
    """
    variable = holder.get("variable")
    name = holder.get("key") or holder.get("name") or (variable.get("name") if isinstance(variable, dict) else None)
    members = _VALUE_NAMES if isinstance(name, str) and _SECRET_NAME.search(name) else frozenset[str]()
    return members | {"key"} if "server" in holder and "user" in holder else members


def _is_secret_pair(members: list[Any]) -> bool:
    """Recognise a header that is written as a list of its name and value."""
    match members:
        case [str(name), _]:
            return _SECRET_HEADER.search(name) is not None
    return False


def _blank(item: Any) -> Any:
    """Blank a secret value; an empty one, and a boolean that says whether there is one, are no secrets."""
    return item if item is None or item == "" or isinstance(item, bool) else REDACTED


def _redact_string(text: str, secrets: frozenset[str]) -> str:
    if text[:1] in ("{", "[") and len(text) > 1:
        whole = redact_frame(text, secrets)
        if whole != text:
            return whole
    return _without(redact_text(text), secrets)


def _without(text: str, secrets: frozenset[str]) -> str:
    for secret in secrets:
        if not secret or secret not in text:
            continue
        if _is_word(secret):
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", REDACTED, text)
        else:
            text = text.replace(secret, REDACTED)
    return text


def _is_word(secret: str) -> bool:
    """Return whether a secret is a mere word: inside of a longer word, such as a name, it is not the secret."""
    return len(secret) <= LONGEST_WORD and secret.isascii() and secret.isalpha()


def _redact_unreadable(text: str, secrets: frozenset[str]) -> str:
    """Blank the secrets of text that is nearly JSON, rather too much than too little."""
    names = {match[1] for match in _STRING.finditer(text)}
    blank = _VALUE_NAMES if any(map(_SECRET_NAME.search, names)) else frozenset[str]()
    if {"server", "user"} <= names:
        blank |= {"key"}
    text = redact_text(text)
    for member in (_MEMBER, _ESCAPED_MEMBER):
        text = member.sub(lambda match: match[1] + REDACTED if match[2] in blank else match[0], text)
    escaped = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for secret in secrets for ascii_only in (True, False)}
    return _without(text, secrets | escaped)


def _blank_basic(match: re.Match[str]) -> str:
    """Blank what decodes to `identity:password`, and leave words such as "Basic authentication"."""
    whole = match[2][: len(match[2]) // 4 * 4]
    return f"{match[1]} {REDACTED}" if b":" in base64.b64decode(whole) else match[0]


def _blank_member(match: re.Match[str]) -> str:
    return match[1] + REDACTED if _SECRET_NAME.search(match[2]) else match[0]
