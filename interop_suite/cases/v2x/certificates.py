"""Certificates of a station: roots installed, listed by type, and deleted by what the station says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec

from drivers.base import trigger_need
from fixtures.certificates import Authority, HashAlgorithm, hash_data
from interop_suite.catalogue import case
from interop_suite.claims.checks import noted, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, field, one_of, present, shown
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.v2x import VERSIONS, part6

BLOCK = "Certificate Management"
ISO_15118 = "ISO 15118"
BY_SCHEMA = Clause("201-4", "4.1.7")
INSTALL = "InstallCertificate"
LIST = "GetInstalledCertificateIds"
DELETE = "DeleteCertificate"
CSMS_ROOT = "CSMSRootCertificate"
MANUFACTURER_ROOT = "ManufacturerRootCertificate"
V2G_ROOT = "V2GRootCertificate"
V2G_CHAIN = "V2GCertificateChain"
MO_ROOT = "MORootCertificate"
OEM_ROOT = "OEMRootCertificate"
ALGORITHMS: tuple[HashAlgorithm, ...] = ("SHA256", "SHA384", "SHA512")


@cache
def _root(kind: str) -> Authority:
    """Make the root of one type, so that no two types have the same certificate."""
    return Authority(f"Plugstorm {kind}")


def _pem(kind: str) -> str:
    return _root(kind).root_pem.decode()


def _stored(kind: str, algorithm: HashAlgorithm = "SHA256") -> dict[str, Any]:
    """Write what a station tells of one certificate; a chain has the hash data of its sub-authorities too."""
    root = _root(kind)
    if kind != V2G_CHAIN:
        data = hash_data(root.certificate_pem, root.certificate_pem, algorithm)
        return {"certificateType": kind, "certificateHashData": data}
    above, below = _sub_authorities()
    leaf = below.station("SECC", "Plugstorm CPO").certificate_pem
    return {
        "certificateType": kind,
        "certificateHashData": hash_data(leaf, below.certificate_pem, algorithm),
        "childCertificateHashData": [
            hash_data(below.certificate_pem, above.certificate_pem, algorithm),
            hash_data(above.certificate_pem, root.certificate_pem, algorithm),
        ],
    }


@cache
def _sub_authorities() -> tuple[Authority, Authority]:
    above = _root(V2G_CHAIN).intermediate("Plugstorm CPO Sub-CA 1")
    return above, above.intermediate("Plugstorm CPO Sub-CA 2")


def _reply_with(kinds: Sequence[str], algorithm: HashAlgorithm = "SHA256") -> Any:
    """Answer a list request from a store that holds some types: with those that were asked for, or with all."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("certificateType") or kinds
        found = [_stored(kind, algorithm) for kind in kinds if kind in wanted]
        return {"status": "Accepted", "certificateHashDataChain": found} if found else {"status": "NotFound"}

    return answer


# -- installing -------------------------------------------------------------------------------------------------------


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """One root that the operator has installed."""

    id: str
    title: str
    kind: str
    reply: str = "Accepted"
    profile: str = "Core"
    versions: tuple[str, ...] = VERSIONS
    clause: Clause = part6("M05.FR.01")
    defect: str
    also: tuple[str, ...] = ()


ON_ONE_LINE = "install-certificate-newlines-escaped"
INSTALLATIONS = (
    Installation(
        id="TC_M_01_CSMS",
        title="Install a root for the CSMS",
        kind=CSMS_ROOT,
        defect=ON_ONE_LINE,
    ),
    Installation(
        id="TC_M_02_CSMS",
        title="Install a root of the manufacturer",
        kind=MANUFACTURER_ROOT,
        defect="manufacturer-root-installed-as-csms-root",
        also=(ON_ONE_LINE,),
    ),
    Installation(
        id="TC_M_03_CSMS",
        title="Install a V2G root",
        kind=V2G_ROOT,
        profile=ISO_15118,
        defect="v2g-root-installed-as-chain",
        also=(ON_ONE_LINE,),
    ),
    Installation(
        id="TC_M_04_CSMS",
        title="Install the root of a mobility operator",
        kind=MO_ROOT,
        profile=ISO_15118,
        defect="mo-root-installed-as-v2g-root",
        also=(ON_ONE_LINE,),
    ),
    Installation(
        id="TC_M_05_CSMS",
        title="A root that the station cannot install",
        kind=CSMS_ROOT,
        reply="Failed",
        clause=part6("M05.FR.03"),
        defect="closes-after-install-certificate-failed",
        also=(ON_ONE_LINE,),
    ),
    Installation(
        id="TC_M_101_CSMS",
        title="Install the root of a car maker",
        kind=OEM_ROOT,
        profile=ISO_15118,
        versions=("2.1",),
        clause=Clause("21-4", "4.1.7"),
        defect="oem-root-installed-as-manufacturer-root",
        also=(ON_ONE_LINE,),
    ),
)


def _is_pem(value: Any) -> str | None:
    text = str(value)
    whole = "-----BEGIN CERTIFICATE-----\n" in text.replace("\r\n", "\n")
    return None if whole else f"is {text[:60]!r} instead of a certificate in PEM"


def _installs(kind: str) -> dict[str, Expected]:
    return {"certificateType": one_of(kind), "certificate": _is_pem}


def _add_installation(installation: Installation) -> None:
    @case(
        id=installation.id,
        ocpp=installation.versions,
        title=installation.title,
        block=BLOCK,
        profile=installation.profile,
        initiator="csms",
        needs=(trigger_need(INSTALL),),
        sends=f"{installation.reply} to InstallCertificate, then a Heartbeat.",
        expects=f"The CSMS SHALL send InstallCertificate with the certificate and {installation.kind}, and go on.",
        clause=installation.clause,
        defect=installation.defect,
        also=installation.also,
        checks=(ordered(INSTALL, _installs(installation.kind)), still_serves()),
    )
    def script(probe: Probe) -> None:
        probe.station.reply(INSTALL, {"status": installation.reply})
        probe.command(INSTALL, {"certificateType": installation.kind, "certificate": _pem(installation.kind)})
        heartbeat(probe.station)


for _installation in INSTALLATIONS:
    _add_installation(_installation)


# -- listing ----------------------------------------------------------------------------------------------------------


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One question about what is installed."""

    id: str
    title: str
    kinds: tuple[str, ...]
    """The types that the operator names; none for all."""
    stored: tuple[str, ...]
    algorithms: tuple[HashAlgorithm, ...] = ("SHA256",)
    """What the station hashes with, one answer after the other."""
    profile: str = "Core"
    clause: Clause = part6("M03.FR.01")
    defect: str
    also: tuple[str, ...] = ()


AS_TEXT = "installed-ids-type-as-text"
ALL_TYPES = "installed-ids-of-every-type"
LONGER = "closes-after-longer-hashes"
EVERYTHING = (CSMS_ROOT, MANUFACTURER_ROOT, V2G_ROOT, V2G_CHAIN, MO_ROOT)
LISTINGS = (
    Listing(
        id="TC_M_12_CSMS",
        title="List the roots for the CSMS, whatever hash algorithm the station names them with",
        kinds=(CSMS_ROOT,),
        stored=EVERYTHING,
        algorithms=ALGORITHMS,
        clause=BY_SCHEMA,
        defect=AS_TEXT,
        also=(ALL_TYPES, LONGER),
    ),
    Listing(
        id="TC_M_13_CSMS",
        title="List the roots of the manufacturer",
        kinds=(MANUFACTURER_ROOT,),
        stored=EVERYTHING,
        defect=ALL_TYPES,
        also=(AS_TEXT,),
    ),
    Listing(
        id="TC_M_14_CSMS",
        title="List the V2G roots",
        kinds=(V2G_ROOT,),
        stored=EVERYTHING,
        profile=ISO_15118,
        clause=BY_SCHEMA,
        defect="v2g-roots-listed-as-chains",
        also=(AS_TEXT, ALL_TYPES),
    ),
    Listing(
        id="TC_M_15_CSMS",
        title="List the V2G chains",
        kinds=(V2G_CHAIN,),
        stored=EVERYTHING,
        profile=ISO_15118,
        clause=BY_SCHEMA,
        defect="v2g-chains-listed-as-roots",
        also=(AS_TEXT, ALL_TYPES),
    ),
    Listing(
        id="TC_M_16_CSMS",
        title="List the roots of mobility operators",
        kinds=(MO_ROOT,),
        stored=EVERYTHING,
        profile=ISO_15118,
        clause=BY_SCHEMA,
        defect="mo-roots-listed-as-v2g-roots",
        also=(AS_TEXT, ALL_TYPES),
    ),
    Listing(
        id="TC_M_17_CSMS",
        title="List certificates of two types with one request",
        kinds=(CSMS_ROOT, MANUFACTURER_ROOT),
        stored=EVERYTHING,
        clause=BY_SCHEMA,
        defect="installed-ids-of-first-type-only",
        also=(AS_TEXT, ALL_TYPES),
    ),
    Listing(
        id="TC_M_18_CSMS",
        title="List certificates of every type",
        kinds=(),
        stored=EVERYTHING,
        clause=part6("TC_M_18_CSMS"),
        defect="installed-ids-of-csms-roots-only",
    ),
    Listing(
        id="TC_M_19_CSMS",
        title="List certificates of a type that the station has none of",
        kinds=(MANUFACTURER_ROOT,),
        stored=(CSMS_ROOT,),
        clause=part6("M03.FR.02"),
        defect="closes-after-no-certificate-found",
        also=(AS_TEXT, ALL_TYPES),
    ),
)


def _exactly(kinds: Iterable[str]) -> Expected:
    wanted = sorted(kinds)

    def look(value: Any) -> str | None:
        found = sorted(map(str, value)) if isinstance(value, list) else value
        return None if found == wanted else f"is {shown(value)} instead of {wanted}"

    return look


def _add_listing(listing: Listing) -> None:
    kinds = {"certificateType": list(listing.kinds)} if listing.kinds else {}
    named = " and ".join(listing.kinds) or "no type"

    @case(
        id=listing.id,
        ocpp=VERSIONS,
        title=listing.title,
        block=BLOCK,
        profile=listing.profile,
        initiator="csms",
        needs=(trigger_need(LIST),),
        sends="What is installed of the types in GetInstalledCertificateIds, or NotFound, then a Heartbeat.",
        expects=f"The CSMS SHALL send GetInstalledCertificateIds with {named}, take the answer and go on.",
        clause=listing.clause,
        defect=listing.defect,
        also=listing.also,
        checks=(
            ordered(LIST, {"certificateType": _exactly(listing.kinds) if listing.kinds else one_of(None)}),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        for algorithm in listing.algorithms:
            probe.station.reply(LIST, _reply_with(listing.stored, algorithm))
            probe.command(LIST, kinds)
            heartbeat(probe.station)


for _listing in LISTINGS:
    _add_listing(_listing)


# -- deleting ---------------------------------------------------------------------------------------------------------

_as_reported = noted("as_reported", "DeleteCertificate carries the hash data that the station reported")
_deletes = ordered(DELETE, {"certificateHashData": present()})
DELETING = (trigger_need(INSTALL), trigger_need(LIST), trigger_need(DELETE))
SWAPPED = "delete-certificate-hashes-swapped"


def _holds_csms_root(value: Any) -> str | None:
    held = value is None or (isinstance(value, list) and CSMS_ROOT in value)
    return None if held else f"is {value!r} without {CSMS_ROOT}"


_asks_first = ordered(LIST, {"certificateType": _holds_csms_root})


def _delete(probe: Probe, algorithm: HashAlgorithm, reply: str) -> None:
    """Have a root installed, listed and deleted, beside another that stays."""
    station = probe.station
    ours, other = _stored(CSMS_ROOT, algorithm), _stored(MANUFACTURER_ROOT, algorithm)
    station.reply(INSTALL, {"status": "Accepted"})
    probe.command(INSTALL, {"certificateType": CSMS_ROOT, "certificate": _pem(CSMS_ROOT)})
    station.reply(LIST, {"status": "Accepted", "certificateHashDataChain": [ours, other]})
    probe.command(LIST, {})
    station.reply(DELETE, {"status": reply})
    wanted = ours["certificateHashData"]
    probe.command(DELETE, {"certificateHashData": wanted})
    request = station.expect(DELETE)
    if request is not None:
        found = {name: field(request, f"certificateHashData.{name}") for name in wanted}
        same = all(str(found[name]).casefold() == value.casefold() for name, value in wanted.items())
        station.note(as_reported=[same, found])


@case(
    id="TC_M_20_CSMS",
    ocpp=VERSIONS,
    title="Delete a certificate, whatever hash algorithm the station names it with",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=DELETING,
    sends=(
        "For SHA256, SHA384 and SHA512 in turn: Accepted to InstallCertificate, two roots in the answer to "
        "GetInstalledCertificateIds, Accepted to DeleteCertificate; then a Heartbeat."
    ),
    expects="The CSMS SHALL send DeleteCertificate with the hash data that the station reported last.",
    clause=part6("M04.FR.07"),
    defect="delete-certificate-always-sha256",
    also=(SWAPPED, "delete-certificate-of-first-report", ON_ONE_LINE, LONGER, "order-before-once-more"),
    checks=(ordered(INSTALL, _installs(CSMS_ROOT)), _asks_first, _deletes, _as_reported, still_serves()),
)
def deleted(probe: Probe) -> None:
    for algorithm in ALGORITHMS:
        _delete(probe, algorithm, "Accepted")
    heartbeat(probe.station)


@case(
    id="TC_M_21_CSMS",
    ocpp=VERSIONS,
    title="A certificate that the station cannot delete",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    needs=DELETING,
    sends="Two roots in the answer to GetInstalledCertificateIds, Failed to DeleteCertificate, then a Heartbeat.",
    expects="The CSMS SHALL send DeleteCertificate with the hash data that the station reported, and go on.",
    clause=part6("M04.FR.01"),
    defect="closes-after-delete-certificate-failed",
    also=(SWAPPED, "delete-certificate-always-sha256", ON_ONE_LINE, LONGER),
    checks=(ordered(INSTALL, _installs(CSMS_ROOT)), _asks_first, _deletes, _as_reported, still_serves()),
)
def not_deleted(probe: Probe) -> None:
    _delete(probe, "SHA384", "Failed")
    heartbeat(probe.station)
