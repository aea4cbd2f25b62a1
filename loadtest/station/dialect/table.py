"""The dialects by version."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from loadtest.station.dialect.v2x import Dialect2x
from loadtest.station.dialect.v16 import Dialect16
from ocppj.versions import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.station.dialect.contract import Dialect

__all__ = ["DIALECTS"]

DIALECTS: Mapping[Version, Dialect] = MappingProxyType(
    {
        Version.V16: Dialect16(),
        Version.V201: Dialect2x(Version.V201),
        Version.V21: Dialect2x(Version.V21),
    }
)
