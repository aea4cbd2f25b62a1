"""The certificates that a station trusts, and the one that it waits for (whitepaper A02, M03-M05; OCPP 2.x A, M)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from fixtures.answers.common import root_hash_data
from fixtures.certificates import Credential, SigningRequest, hash_data
from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Payload
from loadtest.transport.target import Target
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

    __slots__ = ("_own", "_signed", "pending", "roots")

    def __init__(self, station: Host) -> None:
        """Start with the root of a new station."""
        super().__init__(station)
        self.roots = [Root(CSMS_ROOT[station.version], None, root_hash_data())]
        self.pending: SigningRequest | None = None
        self._signed: Credential | None = None
        self._own: tuple[Target, Target] | None = None
        """A place, and the same one with the station's own certificate."""

    def sign(self, chain: str) -> None:
        """Use the certificate for the key of the last request from the next connection on.

        Raises `ssl.SSLError` where the chain is of no use for TLS.
        """
        assert self.pending is not None
        credential = Credential(chain.encode(), self.pending.private_key_pem)
        target = self.station.context.target
        self._own = (target, target.identified(credential.load_into)) if target.tls is not None else None
        self._signed, self.pending = credential, None

    def target(self, target: Target) -> Target:
        """Return a place as the station connects to it: with its own certificate, where the CSMS has signed one."""
        if self._signed is None or target.tls is None or target.mqtt_connections:
            # A connection that stations share has one certificate for all.
            return target
        if self._own is None or self._own[0] is not target:
            self._own = target, target.identified(self._signed.load_into)
        return self._own[1]

    def __len__(self) -> int:
        return len(self.roots)
