"""What a station does with certificates: its own, and the roots that it trusts."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from fixtures.certificates import Authority, client_context, hash_data, read_subject, server_context
from loadtest.transport.target import Target
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness
from tests.loadtest.station.test_station_memory import set_flag, status
from tests.tls_handshake import common_name, shake_hands

every_version = pytest.mark.parametrize("version", list(Version))
DUAL = Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0, reboot=5.0)


@every_version
def test_a_signing_request_is_a_real_one_and_only_its_certificate_is_taken(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    set_flag(harness, "CpoName", "SecurityCtrlr", "OrganizationName", "Grid & Co")
    action, wanted = "TriggerMessage", "SignChargingStationCertificate"
    if version is Version.V16:
        action, wanted = "ExtendedTriggerMessage", "SignChargePointCertificate"
    assert status(harness, action, {"requestedMessage": wanted}) == "Accepted"
    csr = harness.sent("SignCertificate")[0].payload["csr"]
    subject = read_subject(csr)
    assert (subject.common_name, subject.organization) == (harness.station.individual.serial_number, "Grid & Co")
    authority = Authority("Signer")
    chain = authority.sign_csr(csr).decode()
    foreign = authority.station("PLG-9", "Grid & Co").certificate_pem.decode()
    answers = [
        status(harness, "CertificateSigned", {"certificateChain": pem})
        for pem in ("none at all", foreign, chain, chain)
    ]
    assert answers == ["Rejected", "Rejected", "Accepted", "Rejected"]
    assert len(harness.sent("SecurityEventNotification")) == 3


@every_version
def test_a_signed_certificate_is_shown_in_the_next_handshake(version: Version) -> None:
    root = Authority("Root of the CSMS")
    server = server_context(root.server(), client_ca_pem=root.root_pem)
    trusting = Target("wss://localhost/ocpp", tls=client_context(root.root_pem))
    harness = FleetHarness(version, DUAL, target=trusting).start()
    action, wanted = "TriggerMessage", "SignChargingStationCertificate"
    if version is Version.V16:
        action, wanted = "ExtendedTriggerMessage", "SignChargePointCertificate"
    harness.command(action, {"requestedMessage": wanted})
    chain = root.sign_csr(harness.sent("SignCertificate")[0].payload["csr"]).decode()
    assert status(harness, "CertificateSigned", {"certificateChain": chain}) == "Accepted"
    for _ in range(2):
        harness.lose()
        harness.run(20.0)
    first, second, third = harness.targets
    assert first.tls is not None
    with pytest.raises(ssl.SSLError):
        shake_hands(server, first.tls)
    assert second.tls is not None
    assert common_name(shake_hands(server, second.tls)) == harness.station.individual.serial_number
    assert third is second
    assert (second.url, second.addresses) == (first.url, first.addresses)


@every_version
def test_installed_roots_are_listed_until_they_are_deleted(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    kind, field = "CentralSystemRootCertificate", "certificateHashData"
    if version is not Version.V16:
        kind, field = "CSMSRootCertificate", "certificateHashDataChain"
    pem = Authority("New root").certificate_pem.decode()
    wanted: Any = kind if version is Version.V16 else [kind]

    def listed() -> list[dict[str, str]]:
        found = harness.command("GetInstalledCertificateIds", {"certificateType": wanted})[2].get(field, [])
        return [part.get("certificateHashData", part) for part in found]

    assert len(listed()) == 1
    assert status(harness, "InstallCertificate", {"certificateType": kind, "certificate": pem}) == "Accepted"
    assert status(harness, "InstallCertificate", {"certificateType": kind, "certificate": pem}) == "Accepted"
    assert status(harness, "InstallCertificate", {"certificateType": kind, "certificate": "no"}) == "Rejected"
    assert listed()[1:] == [hash_data(pem, pem)]
    by_other_hash = hash_data(pem, pem, "SHA512")
    by_other_hash["issuerNameHash"] = by_other_hash["issuerNameHash"].upper()
    assert status(harness, "DeleteCertificate", {"certificateHashData": by_other_hash}) == "Accepted"
    assert status(harness, "DeleteCertificate", {"certificateHashData": by_other_hash}) == "NotFound"
    assert status(harness, "DeleteCertificate", {"certificateHashData": listed()[0]}) == "Accepted"
    assert listed() == []
