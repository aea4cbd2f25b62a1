"""The dialects by version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loadtest.station.dialect.contract import Dialect
from loadtest.station.dialect.v2x import Dialect2x
from loadtest.station.dialect.v16 import Dialect16
from ocppj.versions import Version

__all__ = ["DIALECTS"]

DIALECTS: Mapping[Version, Dialect] = MappingProxyType(
    {
        Version.V16: Dialect16(),
        Version.V201: Dialect2x(Version.V201),
        Version.V21: Dialect2x(Version.V21),
    }
)
