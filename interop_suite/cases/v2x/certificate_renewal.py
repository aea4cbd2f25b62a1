"""Renewal of certificates at the request of the CSMS: of the station, of what it shows to cars, and of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.certificates import SigningRequest, chain_flaw, make_csr, same_key, same_name
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves, takes_csr
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v2x import VERSIONS, part6
from ocppj.versions import Version

BLOCK = "Security"
STATION, V2G = "ChargingStationCertificate", "V2GCertificate"
REQUEST_ID = 2718
_NUMBERED: Mapping[Version, dict[str, Any]] = {
    Version.V16: {},
    Version.V201: {},
    Version.V21: {"requestId": REQUEST_ID},
}
"""What a request carries besides the CSR and its type."""
OTHER_KEY, AS_LIST, WITHHELD = "certificate-for-another-key", "certificate-chain-as-list", "certificate-withheld"
OTHER_REQUEST = "signed-certificate-of-another-request"
USELESS = (
    "signed-certificate-expired",
    "signed-certificate-of-another-issuer",
    "signed-certificate-of-another-name",
)


_NAMED = noted("certificate_names", "The certificate names whom the request names", clause=part6("A00.FR.511"))


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """One renewal, from the trigger to what the station makes of its new certificate."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    profile: str = "Advanced Security"
    trigger: str = "SignChargingStationCertificate"
    kind: str | None = STATION
    """`certificateType` of the request; None renews both certificates with one."""
    reply: str = "Accepted"
    withdrawn: bool = False
    """Whether the OCA has taken it out of certification, so that it no longer counts."""
    clause: Clause
    defect: str
    also: tuple[str, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the texts ask of the CSMS."""
        told = (answered("SecurityEventNotification", claim="The security event is answered"),)
        checks = (
            asked("TriggerMessage", {"requestedMessage": one_of(self.trigger)}),
            takes_csr(),
            Check(claim=_FOLLOWS, judge=_judge_certificate),
            noted("certificate_fits", "The certificate is a chain in PEM for the key of the request"),
            noted("certificate_holds", "The certificate is valid now, and what follows it issued it"),
            *((_NAMED, _is_sent_as(self.kind)) if self.kind else ()),
            *(told if self.reply == "Rejected" else ()),
            still_serves(),
        )
        return tuple(map(_uncounted, checks)) if self.withdrawn else checks


_FOLLOWS = "An accepted request is followed by its certificate"
_SENT_AS = "The certificate is sent as what was asked for"


def _judge_certificate(history: History) -> list[Finding]:
    asked_for = [call for call in history.calls("SignCertificate") if call.result.get("status") == "Accepted"]
    signed = history.commands("CertificateSigned")
    if not asked_for:
        return []
    actual = "CertificateSigned came" if signed else "no CertificateSigned came"
    verdict = Verdict.OK if signed else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_FOLLOWS, actual=actual, frame=asked_for[0].call.line)]


def _is_sent_as(kind: str) -> Check:
    """Claim that certificateType and, in 2.1, requestId are those of the request.

    A CSMS may leave both out. Then a certificate for cars is taken for that of the station, too, and a station of 2.1
    cannot tell which of its requests was answered.
    """

    def judge(history: History) -> list[Finding]:
        return [
            Finding(verdict=verdict, claim=_SENT_AS, actual=actual, frame=call.call.line)
            for call in history.commands("CertificateSigned")
            for verdict, actual in [_weigh(kind, call.payload, history.rules.version)]
        ]

    return Check(claim=_SENT_AS, judge=judge)


def _weigh(kind: str, payload: Any, version: Version) -> tuple[Verdict, str]:
    told, number = field(payload, "certificateType"), field(payload, "requestId")
    actual = f"certificateType is {told!r}, requestId is {number!r}"
    if told not in (kind, None) or number not in (REQUEST_ID, None):
        return Verdict.FAILED, actual
    numbered = number is not None or not _NUMBERED[version]
    return (Verdict.OK if numbered and (told is not None or kind != V2G) else Verdict.NON_STRICT), actual


def _uncounted(check: Check) -> Check:
    """Make a claim of a case that was withdrawn: what is seen is told, and holds against nobody."""

    def judge(history: History) -> list[Finding]:
        return list(_as_information(check.judge(history)))

    return Check(claim=check.claim, judge=judge)


def _as_information(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        counts = finding.verdict in (Verdict.FAILED, Verdict.NON_STRICT)
        yield msgspec.structs.replace(finding, verdict=Verdict.INFORMATIONAL) if counts else finding


RENEWALS = (
    Renewal(
        id="TC_A_11_CSMS",
        title="The CSMS has the station renew its certificate",
        clause=part6("A02.FR.11"),
        defect=WITHHELD,
        also=(OTHER_KEY, AS_LIST, OTHER_REQUEST, *USELESS),
    ),
    Renewal(
        id="TC_A_12_CSMS",
        title="The CSMS has the station renew the certificate that it shows to cars",
        profile="ISO 15118",
        trigger="SignV2GCertificate",
        kind=V2G,
        clause=part6("A02.FR.11"),
        defect="v2g-certificate-as-station-certificate",
        also=(WITHHELD, OTHER_KEY, AS_LIST, OTHER_REQUEST, *USELESS),
    ),
    Renewal(
        id="TC_A_13_CSMS",
        title="The CSMS has the station renew one certificate for both uses (withdrawn from certification 2025-02)",
        ocpp=("2.0.1",),
        profile="ISO 15118",
        trigger="SignCombinedCertificate",
        kind=None,
        withdrawn=True,
        clause=part6("A02.FR.11"),
        defect=AS_LIST,
        also=(),
    ),
    Renewal(
        id="TC_A_14_CSMS",
        title="The station rejects the signed certificate, and reports that as a security event",
        reply="Rejected",
        clause=part6("TC_A_14_CSMS"),
        defect="closes-after-certificate-rejected",
        also=(
            WITHHELD,
            OTHER_KEY,
            AS_LIST,
            OTHER_REQUEST,
            *USELESS,
            "security-event-refused",
            "security-event-needs-tech-info",
        ),
    ),
)


def _ask_for(probe: Probe, renewal: Renewal) -> SigningRequest | None:
    """Send the request; gives it where the CSMS has accepted it."""
    station = probe.station
    request = make_csr(station.identity, probe.operator)
    payload = v2x.sign_certificate(request.csr_pem.decode(), certificate_type=renewal.kind)
    answer = station.call("SignCertificate", payload | _NUMBERED[station.version])
    return request if answer.get("status") == "Accepted" else None


def _add(renewal: Renewal) -> None:
    @case(
        id=renewal.id,
        ocpp=renewal.ocpp,
        title=renewal.title,
        block=BLOCK,
        profile=renewal.profile,
        initiator="csms",
        needs=(trigger_need("TriggerMessage"), "certificate-signing"),
        sends=f"Accepted to TriggerMessage, SignCertificate with a CSR, and {renewal.reply} to CertificateSigned.",
        expects="The CSMS SHALL trigger the request, accept it, and send the certificate for its key as what it is.",
        clause=renewal.clause,
        defect=renewal.defect,
        also=renewal.also,
        checks=renewal.checks,
    )
    def script(probe: Probe) -> None:
        station = probe.station
        if renewal.withdrawn:
            station.note(only_told=True)
        station.reply("TriggerMessage", {"status": "Accepted"})
        station.reply("CertificateSigned", {"status": renewal.reply})
        probe.command("TriggerMessage", {"requestedMessage": renewal.trigger})
        request = None if station.expect("TriggerMessage") is None else _ask_for(probe, renewal)
        signed = None if request is None else station.expect("CertificateSigned")
        if signed is None or request is None:
            return
        chain = str(signed.get("certificateChain"))
        flaw = chain_flaw(chain, datetime.now(UTC))
        station.note(certificate_fits=[same_key(chain, request), f"{len(chain)} characters"])
        station.note(certificate_holds=[not flaw, flaw or "a chain that holds"])
        station.note(certificate_names=[same_name(chain, request), f"the request names {station.identity}"])
        if renewal.reply == "Rejected":
            event = v2x.security_event_notification("InvalidChargingStationCertificate", now())
            station.call("SecurityEventNotification", event)
        heartbeat(station)


for _renewal in RENEWALS:
    _add(_renewal)


@case(
    id="OPT_14",
    ocpp=VERSIONS,
    title="A request that does not say for what its certificate is",
    block=BLOCK,
    profile="Advanced Security",
    needs=("certificate-signing",),
    sends="SignCertificate with a CSR alone, and Accepted to CertificateSigned.",
    expects="The CSMS SHALL send the certificate for the key of each request that it accepts.",
    clause=part6("A02.FR.11"),
    defect="certificate-withheld-without-type",
    also=(WITHHELD, OTHER_KEY, AS_LIST),
    checks=(
        takes_csr(),
        Check(claim=_FOLLOWS, judge=_judge_certificate),
        noted("certificate_fits", "The certificate is a chain in PEM for the key of the request"),
        still_serves(),
    ),
)
def without_type(probe: Probe) -> None:
    station = probe.station
    station.reply("CertificateSigned", {"status": "Accepted"})
    request = make_csr(station.identity, probe.operator)
    answer = station.call("SignCertificate", {"csr": request.csr_pem.decode()})
    signed = station.expect("CertificateSigned") if answer.get("status") == "Accepted" else None
    if signed is not None:
        chain = str(signed.get("certificateChain"))
        station.note(certificate_fits=[same_key(chain, request), f"{len(chain)} characters"])
    heartbeat(station)
