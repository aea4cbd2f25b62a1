"""Take secrets out of whatever is about to be written to a file or a log."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

__all__ = ["REDACTED", "redact", "redact_text", "redact_url"]

REDACTED = "(redacted)"

_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)?$|secret|^authorization$|authorizationkey|api_?key|private_?key|token_?secret|^cookie$",
    re.IGNORECASE,
)
# Where OCPP itself carries a password: the value that stands beside one of these names.
_SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword", "apnpassword", "vpnpassword"})
_BASIC = re.compile(r"(?i)\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{4,}")
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_URL_USER = re.compile(r"(?<=://)[^/@\s\"']+@")


def redact_text(text: str) -> str:
    """Blank credentials in free text: Basic and Bearer values, private keys, the user part of URLs."""
    text = _BASIC.sub(lambda match: f"{match[1]} {REDACTED}", text)
    text = _PEM_KEY.sub(f"-----{REDACTED} PRIVATE KEY-----", text)
    return _URL_USER.sub(f"{REDACTED}@", text)


def redact_url(url: str) -> str:
    """Blank the user and password of a URL and leave the rest as it is."""
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{REDACTED}@{host}"))


def redact(value: Any, secrets: frozenset[str] = frozenset()) -> Any:
    """Copy a JSON value with every secret blanked: by the name of its field, by OCPP's key/value pairs, or by text.

    `secrets` are values known to be secret; they are blanked wherever they stand in a string.
    """
    if isinstance(value, dict):
        return {key: _redact_field(value, str(key), item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    if isinstance(value, str):
        text = redact_text(value)
        for secret in secrets:
            text = text.replace(secret, REDACTED)
        return text
    return value


def _redact_field(parent: dict[str, Any], key: str, item: Any, secrets: frozenset[str]) -> Any:
    if isinstance(item, str) and item and (_SECRET_NAME.search(key) or _names_a_secret(parent, key)):
        return REDACTED
    return redact(item, secrets)


def _names_a_secret(parent: dict[str, Any], key: str) -> bool:
    """Recognise `{"key": "AuthorizationKey", "value": …}` and `{"variable": {"name": …}, "attributeValue": …}`."""
    if key not in ("value", "attributeValue"):
        return False
    variable = parent.get("variable")
    name = parent.get("key") or (variable.get("name") if isinstance(variable, dict) else None)
    return isinstance(name, str) and name.lower() in _SECRET_KEYS
