"""How a vendor writes what every station has to say: time stamps, tokens, readings, and the size of meter messages.

A vendor with such habits has dialects of its own, which all its stations share; a neutral one uses the plain dialects
and pays nothing for this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from hashlib import shake_256
from types import MappingProxyType
from typing import Any, Final

import msgspec

from fixtures.meter import Reading
from fixtures.models import ConnectorModel
from loadtest.station.dialect.contract import Dialect, Ending, Payload, Said, TransactionView, Trigger
from loadtest.station.dialect.table import DIALECTS
from loadtest.station.dialect.v2x import Dialect2x
from loadtest.station.dialect.v16 import Dialect16
from loadtest.workload.vendor import Vendor
from ocppj.versions import Version

__all__ = ["dialect_of", "dress"]

_encode = msgspec.json.Encoder().encode
_HEX_DIGITS: Final = frozenset("0123456789ABCDEFabcdef")
_SIGNED: Final = shake_256(b"plugstorm signed meter data").hexdigest(30_000)
"""Stands for what a signing meter writes: as long as it is asked for, and as hard to compress."""
_KEY: Final = _SIGNED[:182]
"""As long as the public key of a curve of 256 bits in DER, in hexadecimal."""


# -- payloads --------------------------------------------------------------------------------------------------------


def dress(vendor: Vendor, version: Version, payload: Payload) -> Payload:
    """Copy a payload as this vendor writes it: tokens, readings and size; the original stays as it is."""
    quirks = vendor.quirks
    if quirks.lower_case_tokens:
        payload = _with_lower_case(payload)
    if not (quirks.decimal_values or vendor.meter_bytes) or "meterValue" not in payload:
        return payload
    values = [value | {"sampledValue": list(value["sampledValue"])} for value in payload["meterValue"]]
    payload = payload | {"meterValue": values}
    if quirks.decimal_values:
        for value in values:
            value["sampledValue"] = [part | {"value": _decimal(part["value"])} for part in value["sampledValue"]]
    if vendor.meter_bytes:
        _FILL_UP[version](payload, values[-1]["sampledValue"], vendor.meter_bytes)
    return payload


def _read(vendor: Vendor, version: Version, payload: Payload) -> Payload:
    """Copy a meter message as this vendor writes it."""
    if vendor.quirks.empty_lists:
        return payload | {"meterValue": [value | {"sampledValue": []} for value in payload["meterValue"]]}
    return dress(vendor, version, payload)


def _with_data(version: Version, payload: Payload, times: list[str], register: int) -> Payload:
    """Add readings of the transaction to the message of its end: a watt-hour apart, up to the register of the end."""
    field, value = _DATA[version]
    first = max(register - len(times), 0)
    readings = [
        {"timestamp": time, "sampledValue": [{**_READING, "value": value(min(first + index, register))}]}
        for index, time in enumerate(times)
    ]
    return payload | {field: readings + payload.get(field, [])}


_READING: Final = MappingProxyType({"context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register"})
_DATA: Mapping[Version, tuple[str, Callable[[int], str | float]]] = MappingProxyType(
    {Version.V16: ("transactionData", str), Version.V201: ("meterValue", float), Version.V21: ("meterValue", float)}
)
"""Where the end of a transaction carries readings, and how a value is written."""


def _lower(token: str) -> str:
    return token.lower() if _HEX_DIGITS.issuperset(token) else token


def _with_lower_case(payload: Payload) -> Payload:
    if "idTag" in payload:
        return payload | {"idTag": _lower(payload["idTag"])}
    if "idToken" in payload:
        token = payload["idToken"]
        return payload | {"idToken": token | {"idToken": _lower(token["idToken"])}}
    return payload


def _decimal(value: str | float) -> str | float:
    """Write a whole reading with a decimal: text in 1.6, a number in 2.x."""
    if isinstance(value, str):
        return value if "." in value else f"{value}.0"
    return float(value)


def _fill_up_16(payload: Payload, samples: list[dict[str, Any]], wanted: int) -> None:
    """Add signed data, which the schema of 1.6 takes at any length."""
    signed = {
        "value": "",
        "context": samples[0]["context"],
        "format": "SignedData",
        "measurand": "Energy.Active.Import.Register",
        "location": "Outlet",
    }
    missing = wanted - len(_encode(payload)) - len(_encode(signed)) - 1
    if missing > 0:
        samples.append(signed | {"value": _SIGNED[:missing]})


def _fill_up_2x(most: int, payload: Payload, samples: list[dict[str, Any]], wanted: int) -> None:
    """Add signed data to one sample after the other, to each at most `most` characters."""
    missing = wanted - len(_encode(payload))
    for index, part in enumerate(samples):
        signed = {"signedMeterData": "", "signingMethod": "ECDSA-secp256r1-SHA256", "encodingMethod": "OCMF"}
        signed["publicKey"] = _KEY
        missing -= len(_encode(signed)) + len(',"signedMeterValue":')
        if missing <= 0:
            return
        signed["signedMeterData"] = _SIGNED[: min(missing, most)]
        missing -= min(missing, most)
        samples[index] = part | {"signedMeterValue": signed}


_FILL_UP: Mapping[Version, Callable[[Payload, list[dict[str, Any]], int], None]] = MappingProxyType(
    {
        Version.V16: _fill_up_16,
        # The longest `signedMeterData` (SignedMeterValueType).
        Version.V201: partial(_fill_up_2x, 2500),
        Version.V21: partial(_fill_up_2x, 32_768),
    }
)
"""How a payload gets the number of bytes that is wanted, or as many as its schema takes."""


# -- dialects --------------------------------------------------------------------------------------------------------


def _dressed(vendor: Vendor, version: Version, build: Callable[[], Payload]) -> Payload:
    return dress(vendor, version, build())


class _Writing:
    """Lets a vendor rewrite what the plain dialect of a version builds."""

    version: Version

    def __init__(self, vendor: Vendor, *version: Version) -> None:
        super().__init__(*version)
        self.vendor = vendor

    def authorize(self, token: str) -> Payload:
        payload: Payload = super().authorize(token)  # type: ignore[misc]  # a mix-in of dialects
        return dress(self.vendor, self.version, payload)

    def meter_values(
        self, connector: ConnectorModel, reading: Reading, timestamp: str, trigger: Trigger = Trigger.ASKED
    ) -> Payload:
        payload: Payload = super().meter_values(connector, reading, timestamp, trigger)  # type: ignore[misc]  # as above
        return _read(self.vendor, self.version, payload)

    def started(self, charging_session: TransactionView, now: float) -> Said:
        return self._say(super().started(charging_session, now))  # type: ignore[misc]  # as above

    def metered(self, charging_session: TransactionView, at: float, trigger: Trigger) -> Said:
        said: Said = super().metered(charging_session, at, trigger)  # type: ignore[misc]  # as above
        return said._replace(build=lambda: _read(self.vendor, self.version, said.build()))

    def ended(self, charging_session: TransactionView, ending: Ending, now: float) -> Said:
        said = self._say(super().ended(charging_session, ending, now))  # type: ignore[misc]  # as above
        count = self.vendor.quirks.transaction_data
        if not count:
            return said
        begin, register = charging_session.started_at, charging_session.register_wh
        step = (now - begin) / count
        times = [charging_session.timestamp(begin + index * step) for index in range(count)]
        return said._replace(build=lambda: _with_data(self.version, said.build(), times, register))

    def _say(self, said: Said) -> Said:
        return said._replace(build=partial(_dressed, self.vendor, self.version, said.build))


class _Writing16(_Writing, Dialect16):
    """1.6 as a vendor writes it."""


class _Writing2x(_Writing, Dialect2x):
    """2.0.1 and 2.1 as a vendor writes them."""


_DIALECTS: Mapping[Version, Callable[[Vendor], Dialect]] = MappingProxyType(
    {
        Version.V16: _Writing16,
        Version.V201: lambda vendor: _Writing2x(vendor, Version.V201),
        Version.V21: lambda vendor: _Writing2x(vendor, Version.V21),
    }
)


@cache
def dialect_of(vendor: Vendor, version: Version) -> Dialect:
    """Return how a vendor speaks a version; the plain dialect where it has no habits in that."""
    quirks = vendor.quirks
    own_words = quirks.lower_case_tokens or quirks.decimal_values or quirks.empty_lists or quirks.transaction_data
    if not (own_words or vendor.meter_bytes):
        return DIALECTS[version]
    return _DIALECTS[version](vendor)
