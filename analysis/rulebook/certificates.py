"""Certificates that a CSMS hands out: readable, for the key of the request, still valid, and there when deleted."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher

__all__ = ["Certificates"]

_HASHES: Final = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")
_HEX_DIGITS: Final[Mapping[str, int]] = {"SHA256": 64, "SHA384": 96, "SHA512": 128}
_UNUSABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
_Key = tuple[str, ...]


class Certificates(Watcher):
    """Follows requests for certificates, and what the station has installed."""

    def __init__(self, station: StationView) -> None:
        """Start without a request."""
        super().__init__(station)
        self._asked: dict[str, bytes] = {}
        """By the type of certificate: the key that the station wants to have signed."""
        self._names: dict[str, str] = {}
        """By the type of certificate: the common name of the request."""
        self._number: object = None
        """That of the last request, which 2.1 repeats."""
        self._installed: set[_Key] | None = None
        """What the station says that it has; None where it has not said so since the last change."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {
            "SignCertificate": self._requested,
            "CertificateSigned": self._signed,
            "InstallCertificate": self._installs,
            "DeleteCertificate": self._deletes,
            "GetCertificateStatus": self._asks_status,
        }

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"GetInstalledCertificateIds": self._listed, "GetCertificateStatus": self._vouched}

    def _requested(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        try:
            request = x509.load_pem_x509_csr(str(payload.get("csr")).encode())
            key, name = _key_bytes(request), _common_name(request)
        except _UNUSABLE:
            key, name = None, ""
        if key is None:
            self._asked.clear()
            return
        self._number = payload.get("requestId")
        self._asked[_type_of(payload)], self._names[_type_of(payload)] = key, name

    def _signed(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        chain = self._read(payload.get("certificateChain"), exchange)
        if not chain:
            return
        leaf, kind, number = chain[0], _type_of(payload), payload.get("requestId")
        asked = self._asked.get(kind)
        told = _key_bytes(leaf)
        if number is not None and self._number is not None and number != self._number:
            self.station.find("certificate-of-another-request", "CertificateSigned bears another requestId")
        elif told is not None and asked is not None and asked != told:
            self.station.find("certificate-of-another-key", "the certificate is for another key than was to be signed")
        elif told is not None and asked == told and _differ(self._names.get(kind, ""), _common_name(leaf)):
            self.station.find("certificate-of-another-name", "the certificate is for another name than its request")
        elif asked is None and told in self._asked.values():
            self.station.find("certificate-of-another-request", f"the type is {kind}, which was not asked for")
        if any(not _is_issued_by(*pair) for pair in pairwise(chain)):
            self.station.find("certificate-chain", "a certificate of the chain is not signed by the next one")
        now = self.station.csms_time()
        # A log without dates has the times of the station alone.
        if now is not None and leaf.not_valid_after_utc.timestamp() < now:
            self.station.find("certificate-expired", f"the certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}")

    def _installs(self, exchange: Exchange) -> None:
        self._installed = None
        self._read((exchange.payload or {}).get("certificate"), exchange)

    def _read(self, text: Any, exchange: Exchange) -> list[x509.Certificate]:
        if not isinstance(text, str):
            return []
        try:
            return x509.load_pem_x509_certificates(text.encode())
        except _UNUSABLE:
            self.station.find("certificate-unreadable", f"{exchange.action} brings no certificate in PEM")
            return []

    def _vouched(self, exchange: Exchange, answer: Payload) -> None:
        asked = (exchange.payload or {}).get("ocspRequestData") or {}
        try:
            told = ocsp.load_der_ocsp_response(b64decode(str(answer.get("ocspResult")))).serial_number
            wanted = int(str(asked.get("serialNumber")), 16)
        except _UNUSABLE:
            return
        if told != wanted:
            self.station.find("foreign-answer", "the OCSP response is about another certificate than was asked about")

    def _listed(self, exchange: Exchange, answer: Payload) -> None:
        if (exchange.payload or {}).get("certificateType"):
            return
        chains = answer.get("certificateHashDataChain")
        plain = answer.get("certificateHashData") or []
        found = [*plain, *(chain.get("certificateHashData") for chain in chains or [])]
        found += [child for chain in chains or [] for child in chain.get("childCertificateHashData") or []]
        self._installed = {_key_of(one) for one in found if isinstance(one, dict)}

    def _asks_status(self, exchange: Exchange) -> None:
        self._measure((exchange.payload or {}).get("ocspRequestData"), exchange)

    def _measure(self, hashes: Any, exchange: Exchange) -> None:
        """Hold the lengths of hashes against their algorithm; some write them in another way than as hex digits."""
        if not isinstance(hashes, dict):
            return
        right = _HEX_DIGITS.get(str(hashes.get("hashAlgorithm")))
        lengths = {len(str(hashes.get(name))) for name in ("issuerNameHash", "issuerKeyHash")}
        if right is not None and len(lengths) == 1 and lengths <= set(_HEX_DIGITS.values()) - {right}:
            self.station.find(
                "hash-length",
                f"{exchange.action}: a hash of {lengths.pop()} digits is called {hashes['hashAlgorithm']}",
                side=exchange.sender,
            )

    def _deletes(self, exchange: Exchange) -> None:
        named = (exchange.payload or {}).get("certificateHashData")
        self._measure(named, exchange)
        if not isinstance(named, dict) or not self._installed:
            return
        if _key_of(named) in self._installed:
            self._installed.discard(_key_of(named))
        else:
            self.station.find("certificate-not-there", "DeleteCertificate names a certificate that the station has not")


def _common_name(holder: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the common name; empty where there is none."""
    try:
        names = holder.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except _UNUSABLE:
        return ""
    return str(names[0].value) if names else ""


def _differ(wanted: str, told: str) -> bool:
    return bool(wanted and told) and wanted.casefold() != told.casefold()


def _type_of(payload: Payload) -> str:
    return str(payload.get("certificateType") or "ChargingStationCertificate")


def _is_issued_by(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, InvalidSignature):
        return False
    except (TypeError, UnsupportedAlgorithm):
        # Nobody can tell.
        return True
    return True


def _key_bytes(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes | None:
    """Return the public key; None for a kind of key that cannot be read."""
    try:
        return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNUSABLE:
        return None


def _key_of(hashes: Mapping[str, Any]) -> _Key:
    return tuple(str(hashes.get(name)).casefold() for name in _HASHES)
