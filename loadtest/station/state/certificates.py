"""The certificates that a station trusts, and the one that it waits for (whitepaper A02, M03-M05; OCPP 2.x A, M)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from fixtures.answers.common import root_hash_data
from fixtures.certificates import SigningRequest, hash_data
from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Payload
from ocppj.versions import Version

__all__ = ["CSMS_ROOT", "CertificateStore", "Root"]

CSMS_ROOT: Final[Mapping[Version, str]] = MappingProxyType(
    {
        Version.V16: "CentralSystemRootCertificate",
        Version.V201: "CSMSRootCertificate",
        Version.V21: "CSMSRootCertificate",
    }
)
"""What the root of the CSMS is called."""


class Root(NamedTuple):
    """A trusted root; `pem` is None for the one that the station came with."""

    kind: str
    pem: str | None
    hashes: dict[str, str]

    def is_meant(self, wanted: Payload) -> bool:
        """Return whether somebody's hashes mean this one, by whatever algorithm."""
        mine = self.hashes
        if self.pem is not None and wanted["hashAlgorithm"] != mine["hashAlgorithm"]:
            mine = hash_data(self.pem, self.pem, wanted["hashAlgorithm"])
        return all(str(mine[name]).lower() == str(wanted[name]).lower() for name in mine)


class CertificateStore(State):
    """What one station trusts, and the key of the certificate that it has asked for."""

    __slots__ = ("pending", "roots")

    def __init__(self, station: Host) -> None:
        """Start with the root of a new station."""
        super().__init__(station)
        self.roots = [Root(CSMS_ROOT[station.version], None, root_hash_data())]
        self.pending: SigningRequest | None = None

    def __len__(self) -> int:
        return len(self.roots)
