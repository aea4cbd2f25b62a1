"""Certificates: signing requests, signed ones, and the store of roots (whitepaper A02, M03-M05; OCPP 2.x A, M)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from fixtures.certificates import CertificateError, hash_data, make_csr, same_key
from fixtures.device import CERTIFICATE_STORE_LENGTH
from fixtures.models import OPERATOR
from fixtures.payloads import v2x, v16
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.certificates import CertificateStore, Root
from loadtest.station.state.settings import text_setting
from loadtest.station.state.store import need, peek
from ocppj.versions import Version

__all__ = [
    "certificate_signed",
    "delete_certificate",
    "get_installed_certificate_ids_2x",
    "get_installed_certificate_ids_16",
    "install_certificate",
    "sign_certificate",
]


class _Words(NamedTuple):
    sign: Callable[[str, str | None], Request]
    invalid: str
    """The security event for a signed certificate that is not for this station."""


_WORDS_2X = _Words(
    lambda csr, kind: v2x.sign_certificate(csr, certificate_type=kind),
    "InvalidChargingStationCertificate",
)
_WORDS: Mapping[Version, _Words] = MappingProxyType(
    {
        Version.V16: _Words(lambda csr, _: v16.sign_certificate(csr), "InvalidChargePointCertificate"),
        Version.V201: _WORDS_2X,
        Version.V21: _WORDS_2X,
    }
)


# -- the station's own certificate -------------------------------------------------------------------------------------


def sign_certificate(station: Controls, kind: str | None) -> None:
    """Make a key and ask the CSMS to sign it: CN is the serial number, O the operator (A00.FR.509 and .511)."""
    operator = text_setting(station, "organization")[:_LONGEST_NAME].strip() or OPERATOR
    request = make_csr(station.individual.serial_number, operator)
    need(station, CertificateStore).pending = request
    payload = _WORDS[station.version].sign(request.csr_pem.decode(), kind)
    station.call("SignCertificate", payload, station.context.clock(), triggered=True)


_LONGEST_NAME = 64
"""Characters of a name in a certificate (RFC 5280 appendix A)."""


def certificate_signed(station: Controls, request: Request, _: Request) -> Reaction:
    """Take the certificate for the key of the last request; one for no such key is useless and refused (A02)."""
    kept = peek(station, CertificateStore)
    chain = request["certificateChain"]
    if kept is not None and kept.pending is not None and same_key(chain, kept.pending):
        try:
            kept.sign(chain)
        except ssl.SSLError:
            return Reaction("Rejected", partial(_tell_invalid, station))
        station.context.recorder.activity("certificate signed by the CSMS")
        return Reaction()
    return Reaction("Rejected", partial(_tell_invalid, station))


def _tell_invalid(station: Controls) -> None:
    now = station.context.clock()
    payload = v2x.security_event_notification(_WORDS[station.version].invalid, station.context.timestamp(now))
    station.call("SecurityEventNotification", payload, now)


# -- what it trusts ----------------------------------------------------------------------------------------------------


def install_certificate(station: Controls, request: Request, _: Request) -> Reaction:
    """Trust one more root, where it is one (M05)."""
    pem, kind = request["certificate"], request["certificateType"]
    try:
        hashes = hash_data(pem, pem)
    except CertificateError:
        return Reaction("Rejected")
    others = [root for root in _roots(station) if not (root.kind == kind and root.is_meant(hashes))]
    if len(others) >= CERTIFICATE_STORE_LENGTH:
        return Reaction("Rejected")
    return Reaction(then=partial(_install, station, Root(kind, pem, hashes)))


def _install(station: Controls, root: Root) -> None:
    store = need(station, CertificateStore)
    store.roots = [kept for kept in store.roots if not (kept.kind == root.kind and kept.is_meant(root.hashes))]
    store.roots.append(root)


def delete_certificate(station: Controls, request: Request, _: Request) -> Reaction:
    """Trust a root no longer (M04)."""
    wanted = request["certificateHashData"]
    found = [root for root in _roots(station) if root.is_meant(wanted)]
    return Reaction(then=partial(_delete, station, found)) if found else Reaction("NotFound")


def _delete(station: Controls, found: list[Root]) -> None:
    store = need(station, CertificateStore)
    store.roots = [root for root in store.roots if root not in found]


def _roots(station: Controls) -> list[Root]:
    kept = peek(station, CertificateStore)
    return kept.roots if kept is not None else CertificateStore(station).roots


def get_installed_certificate_ids_16(station: Controls, request: Request, answer: Request) -> Reaction:
    """List what is trusted of one kind (whitepaper M03)."""
    found = [root.hashes for root in _roots(station) if root.kind == request["certificateType"]]
    return _list(answer, "certificateHashData", found)


def get_installed_certificate_ids_2x(station: Controls, request: Request, answer: Request) -> Reaction:
    """List what is trusted, of some kinds or of all (OCPP 2.x M03)."""
    kinds = request.get("certificateType")
    found = [
        {"certificateType": root.kind, "certificateHashData": root.hashes}
        for root in _roots(station)
        if not kinds or root.kind in kinds
    ]
    return _list(answer, "certificateHashDataChain", found)


def _list(answer: Request, name: str, found: list[Any]) -> Reaction:
    if not found:
        answer.pop(name, None)
        return Reaction("NotFound")
    answer[name] = found
    return Reaction("Accepted")
