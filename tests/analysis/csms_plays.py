"""More of what a CSMS may get wrong, and what is nearly so: profiles, tokens, reservations, certificates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from analysis.readers.source import reader_called
from tests.analysis.judging import broken, judge_text
from tests.analysis.log_scenes import BOOT_2X, START, Scene, Talk, render
from tests.analysis.rule_talks import ocsp, set_profile, shown, t2x, t16

__all__ = ["CSMS_PLAYS", "CSMS_TRACES", "judged"]

CP, CSMS = "charge-point", "csms"
_ACCEPTED = {"status": "Accepted"}


def judged(text: str, name: str) -> set[tuple[str, str]]:
    return broken(judge_text(text, reader_called(name)))


def profile_2x(
    *, evse: int = 1, purpose: str = "TxDefaultProfile", kind: str = "Absolute", **period: object
) -> dict[str, object]:
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, **period}],
    } | ({"startSchedule": "2026-03-02T08:00:00Z"} if kind == "Absolute" else {})
    profile = {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
    }
    return {"evseId": evse, "chargingProfile": profile}


def set_2x(**wanted: object) -> Talk:
    return t2x().down("SetChargingProfile", profile_2x(**wanted), _ACCEPTED)  # type: ignore[arg-type] # by name


def session_profile(number: int) -> Talk:
    talk = t16().start(1, 7).start(2, 8, tag="INVENTED2")
    wanted = set_profile(2, chargingProfilePurpose="TxProfile", transactionId=number)
    talk.lines += [line._replace(after=line.after + talk.now) for line in wanted.lines[2:]]
    return talk


def authorized(*tags: tuple[str, str, float | None]) -> Talk:
    """Ask for tokens: their spelling, their status, and in how many seconds they end."""
    talk = t16()
    for tag, status, end in tags:
        expiry = {} if end is None else {"expiryDate": talk.stamp(end)}
        talk.up("Authorize", {"idTag": tag}, {"idTagInfo": {"status": status, **expiry}})
    return talk


def repeated_start(number: int) -> Talk:
    talk = t16().start(number=7)
    talk.lines += [line._replace(after=line.after + 9) for line in talk.lines[-2:]]
    refused = talk.lines[-1].frame.replace("Accepted", "ConcurrentTx").replace("7", str(number), 1)
    talk.lines[-1] = talk.lines[-1]._replace(frame=refused if "ConcurrentTx" in refused else talk.lines[-1].frame)
    return talk


def without_authorization(status: str) -> Talk:
    talk = t2x()
    payload = {
        "eventType": "Started", "timestamp": talk.stamp(), "triggerReason": "CablePluggedIn", "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"}, "idToken": {"idToken": "", "type": "NoAuthorization"},
    }  # fmt: skip
    return talk.up("TransactionEvent", payload, {"idTokenInfo": {"status": status}})


def reservations(*wanted: tuple[int, int, str]) -> Talk:
    """Make reservations: connector, id and token."""
    talk = t16()
    for connector, number, tag in wanted:
        payload = {"connectorId": connector, "expiryDate": talk.stamp(900), "idTag": tag, "reservationId": number}
        talk.down("ReserveNow", payload, _ACCEPTED)
    return talk


def cancelled(number: int) -> Talk:
    return reservations((1, 5, "A")).down("CancelReservation", {"reservationId": number}, {"status": "Rejected"})


def tariff(begin: str) -> Talk:
    prices = [{"priceKwh": 0.3, "conditions": {"startTimeOfDay": begin}}]
    wanted = {"tariffId": "t", "currency": "EUR", "energy": {"prices": prices}}
    return t2x().down("SetDefaultTariff", {"evseId": 1, "tariff": wanted}, _ACCEPTED)


def triggered(answer: object) -> Talk:
    talk = Talk().up("BootNotification", BOOT_2X, {"status": "Pending", "currentTime": Talk().stamp(), "interval": 60})
    talk.down("TriggerMessage", {"requestedMessage": "Heartbeat"}, _ACCEPTED)
    return talk.up("Heartbeat", {}, answer)


@cache
def _key(name: str) -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _certificate(key: str, days: int, name: str = "INV-0001") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_key(key).public_key())
        .serial_number(1)
        .not_valid_before(START.astimezone(UTC).replace(tzinfo=None) - timedelta(days=30))
        .not_valid_after(START.astimezone(UTC).replace(tzinfo=None) + timedelta(days=days))
        .sign(_key(key), SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


@cache
def _request() -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "INV-0001")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(_key("own"), SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def signed(key: str = "own", days: int = 30) -> Talk:
    talk = t2x().up("SignCertificate", {"csr": _request()}, _ACCEPTED)
    return talk.down("CertificateSigned", {"certificateChain": _certificate(key, days)}, _ACCEPTED)


def installed(change: Callable[[str], str]) -> Talk:
    text = change(_certificate("own", 30))
    wanted = {"certificateType": "CSMSRootCertificate", "certificate": text}
    return t2x().down("InstallCertificate", wanted, _ACCEPTED)


def deleted(algorithm: str) -> Talk:
    hashes = {"hashAlgorithm": "SHA384", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1"}
    chain = {"certificateType": "CSMSRootCertificate", "certificateHashData": hashes}
    talk = t2x().down("GetInstalledCertificateIds", {}, {**_ACCEPTED, "certificateHashDataChain": [chain]})
    named = {"certificateHashData": {**hashes, "hashAlgorithm": algorithm}}
    return talk.down("DeleteCertificate", named, {"status": "NotFound"})


def limited(names: int, limit: str = "2") -> Talk:
    variable = {"name": "ItemsPerMessage", "instance": "GetVariables"}
    told = {"attributeStatus": "Accepted", "attributeValue": limit, "component": {"name": "DeviceDataCtrlr"}}
    one = {"component": {"name": "ClockCtrlr"}, "variable": {"name": "TimeZone"}}
    talk = t2x().down(
        "GetVariables",
        {"getVariableData": [{"component": {"name": "DeviceDataCtrlr"}, "variable": variable}]},
        {"getVariableResult": [{**told, "variable": variable}]},
    )
    answer = {"getVariableResult": [{**told, **one}] * names}
    return talk.down("GetVariables", {"getVariableData": [one] * names}, answer)


def custom_trigger(**named: str) -> Talk:
    # Only 2.1 has VatNumberValidation: by it the version is known.
    talk = t2x().up("VatNumberValidation", {"vatNumber": "DE1"}, {"vatNumber": "DE1", "status": "Accepted"})
    return talk.down("TriggerMessage", {"requestedMessage": "CustomTrigger", **named}, {"status": "NotImplemented"})


def customer(*, report: bool) -> Talk:
    wanted = {"requestId": 1, "report": report, "clear": False, "customerIdentifier": "c"}
    return t2x().down("CustomerInformation", wanted, _ACCEPTED)


def started_from_afar(second: str) -> Talk:
    talk = t16().down("RemoteStartTransaction", {"idTag": "A"}, _ACCEPTED, wait=0.1)
    return talk.down("RemoteStartTransaction", {"idTag": second}, _ACCEPTED)


def chained(issuer: str) -> Talk:
    chain = _certificate("own", 30) + _certificate(issuer, 30)
    return (
        t2x()
        .up("SignCertificate", {"csr": _request()}, _ACCEPTED)
        .down("CertificateSigned", {"certificateChain": chain}, _ACCEPTED)
    )


def typed(kind: str) -> Talk:
    talk = t2x().up("SignCertificate", {"csr": _request(), "certificateType": "V2GCertificate"}, _ACCEPTED)
    told = {"certificateChain": _certificate("own", 30), "certificateType": kind}
    return talk.down("CertificateSigned", told, _ACCEPTED)


def grouped(*groups: str, wait: float = 3.0) -> Talk:
    talk = t16()
    for group in groups:
        told = {"idTagInfo": {"status": "Accepted", "parentIdTag": group}}
        talk.up("Authorize", {"idTag": "A"}, told, wait=wait)
    return talk


def concurrent_start() -> Talk:
    talk = t16().start(1, 7)
    started = {"connectorId": 2, "idTag": "INVENTED1", "meterStart": 0, "timestamp": talk.stamp()}
    told = {"transactionId": 8, "idTagInfo": {"status": "ConcurrentTx"}}
    return talk.up("StartTransaction", started, told)


def named(name: str) -> Talk:
    talk = t2x().up("SignCertificate", {"csr": _request()}, _ACCEPTED)
    return talk.down("CertificateSigned", {"certificateChain": _certificate("own", 30, name)}, _ACCEPTED)


def hashed(algorithm: str, digits: int) -> Talk:
    hashes = {"hashAlgorithm": algorithm, "issuerNameHash": "a" * digits, "issuerKeyHash": "b" * digits}
    named = {"certificateHashData": {**hashes, "serialNumber": "1"}}
    return t2x().down("DeleteCertificate", named, {"status": "NotFound"})


def chain_status(*told: str, next_update: float = 3600) -> Talk:
    talk = t2x()

    def one(number: str) -> dict[str, object]:
        hashes = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": number}
        return {"certificateHashData": hashes, "source": "OCSP"}

    statuses = [{**one(number), "status": "Good", "nextUpdate": talk.stamp(next_update)} for number in told]
    asked = [{**one(number), "urls": ["http://192.0.2.9/"]} for number in ("1", "2")]
    return talk.up("GetCertificateChainStatus", {"certificateStatusRequests": asked}, {"certificateStatus": statuses})


def of_mode(mode: str, **values: object) -> Talk:
    wanted = profile_2x(operationMode=mode)
    period = {"startPeriod": 0, "operationMode": mode, **values}
    wanted["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"] = [period]  # type: ignore[index] # our own
    # Only 2.1 has VatNumberValidation: by it the version is known.
    talk = t2x().up("VatNumberValidation", {"vatNumber": "DE1"}, {"vatNumber": "DE1", "status": "Accepted"})
    return talk.down("SetChargingProfile", wanted, _ACCEPTED)


def lasting(seconds: float) -> Talk:
    talk = t16()
    schedule = {
        "chargingRateUnit": "A", "startSchedule": talk.stamp(-3600), "duration": 3600 + int(seconds),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
    }  # fmt: skip
    profile = {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule,
    }  # fmt: skip
    return talk.down("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}, _ACCEPTED)


def reports(*numbers: int) -> Talk:
    talk = t2x()
    for number, base in zip(numbers, ("FullInventory", "SummaryInventory"), strict=True):
        talk.down("GetBaseReport", {"requestId": number, "reportBase": base}, _ACCEPTED)
    return talk


def granted(transfer: str) -> Talk:
    token = {"idToken": "INVENTED1", "type": "ISO14443"}
    talk = t2x().up(
        "Authorize", {"idToken": token}, {"idTokenInfo": _ACCEPTED, "allowedEnergyTransfer": ["AC_single_phase", "DC"]}
    )
    started = {
        "eventType": "Started", "timestamp": talk.stamp(), "triggerReason": "Authorized", "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"}, "evse": {"id": 1}, "idToken": token,
    }  # fmt: skip
    talk.up("TransactionEvent", started, {"idTokenInfo": _ACCEPTED})
    needs = {"requestedEnergyTransfer": transfer}
    return talk.up("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs}, _ACCEPTED)


Play = Callable[[], Talk]

# Rule, side, what breaks it, what nearly does.
CSMS_PLAYS: list[tuple[str, str, Play, Play]] = [
    (
        "integer-with-fraction",
        CSMS,
        lambda: (
            Talk()
            .say("up", '[2,"a","BootNotification",{"chargePointVendor":"A","chargePointModel":"B"}]')
            .say("down", '[3,"a",{"status":"Accepted","currentTime":"2026-03-02T08:00:00Z","interval":300.0}]')
        ),
        lambda: (
            Talk()
            .say("up", '[2,"a","BootNotification",{"chargePointVendor":"A","chargePointModel":"B"}]')
            .say("down", '[3,"a",{"status":"Accepted","currentTime":"2026-03-02T08:00:00Z","interval":300}]')
        ),
    ),
    (
        "profile-relative-start",
        CSMS,
        lambda: set_profile(startSchedule="2026-03-02T08:00:00Z"),
        set_profile,
    ),
    (
        "profile-recurrency",
        CSMS,
        lambda: set_profile(recurrencyKind="Daily"),
        set_profile,
    ),
    (
        "profile-kind",
        CSMS,
        lambda: set_2x(evse=0, purpose="ChargingStationMaxProfile", kind="Relative"),
        lambda: set_2x(evse=0, purpose="ChargingStationMaxProfile", kind="Absolute"),
    ),
    (
        "profile-phase",
        CSMS,
        lambda: set_2x(phaseToUse=2, numberPhases=3),
        lambda: set_2x(phaseToUse=2, numberPhases=1),
    ),
    ("profile-other-transaction", CSMS, lambda: session_profile(7), lambda: session_profile(8)),
    (
        "accepted-though-over",
        CSMS,
        lambda: authorized(("A", "Accepted", -3600)),
        lambda: authorized(("A", "Accepted", 3600), ("B", "Expired", -3600)),
    ),
    (
        "token-case",
        CSMS,
        lambda: authorized(("Abc1", "Accepted", None), ("aBC1", "Invalid", None)),
        lambda: authorized(("Abc1", "Accepted", None), ("aBC1", "Accepted", None), ("Abc2", "Invalid", None)),
    ),
    (
        "concurrent-without-start",
        CSMS,
        lambda: authorized(("A", "ConcurrentTx", None)),
        concurrent_start,
    ),
    ("group-changes", CSMS, lambda: grouped("F", "G"), lambda: grouped("F", "f", "F")),
    ("group-changes", CSMS, lambda: grouped("F", "G"), lambda: grouped("F", "G", wait=150)),
    ("transfer-not-allowed", CSMS, lambda: granted("AC_three_phase"), lambda: granted("DC")),
    ("profile-mode", CSMS, lambda: of_mode("CentralSetpoint"), lambda: of_mode("CentralSetpoint", setpoint=-900.0)),
    ("profile-mode", CSMS, lambda: of_mode("ChargingOnly"), lambda: of_mode("ExternalSetpoint")),
    ("profile-over", CSMS, lambda: lasting(-600), lambda: lasting(600)),
    ("request-id-reused", CSMS, lambda: reports(1, 1), lambda: reports(1, 2)),
    ("certificate-of-another-name", CSMS, lambda: named("template"), lambda: named("inv-0001")),
    ("hash-length", CSMS, lambda: hashed("SHA256", 96), lambda: hashed("SHA256", 44)),
    ("hash-length", CSMS, lambda: hashed("SHA384", 64), lambda: hashed("SHA384", 96)),
    ("chain-status-missing", CSMS, lambda: chain_status("1"), lambda: chain_status("1", "2")),
    (
        "chain-status-over",
        CSMS,
        lambda: chain_status("1", "2", next_update=-60),
        lambda: chain_status("1", "2", next_update=60),
    ),
    ("repeat-refused", CSMS, lambda: repeated_start(7), lambda: repeated_start(8)),
    (
        "no-authorization-refused",
        CSMS,
        lambda: without_authorization("Unknown"),
        lambda: shown({"idTokenInfo": {"status": "Unknown"}}),
    ),
    (
        "reservation-id-reused",
        CSMS,
        lambda: reservations((1, 5, "A"), (2, 5, "B")),
        lambda: reservations((1, 5, "A"), (2, 5, "A"), (1, 6, "B")),
    ),
    ("time-of-day", CSMS, lambda: tariff("07:30:00"), lambda: tariff("07:30")),
    (
        "not-base64",
        CSMS,
        lambda: ocsp({"status": "Accepted", "ocspResult": "-----BEGIN OCSP RESPONSE-----"}),
        lambda: ocsp({"status": "Accepted", "ocspResult": "MIIBNwoBAKCC"}),
    ),
    (
        "triggered-refused",
        CSMS,
        lambda: triggered([4, "SecurityError", "", {}]),
        lambda: triggered({"currentTime": Talk().stamp(3)}),
    ),
    ("certificate-of-another-key", CSMS, lambda: signed("other"), lambda: signed("own")),
    ("certificate-expired", CSMS, lambda: signed(days=-1), lambda: signed(days=1)),
    (
        "certificate-unreadable",
        CSMS,
        lambda: installed(lambda pem: pem.replace("\n", "\\n")),
        lambda: installed(lambda pem: pem.replace("\n", "\r\n")),
    ),
    ("certificate-chain", CSMS, lambda: chained("other"), lambda: chained("own")),
    (
        "certificate-of-another-request",
        CSMS,
        lambda: typed("ChargingStationCertificate"),
        lambda: typed("V2GCertificate"),
    ),
    ("items-per-message", CSMS, lambda: limited(3), lambda: limited(2)),
    ("items-per-message", CSMS, lambda: limited(2, "1"), lambda: limited(2, "0")),
    ("custom-trigger", CSMS, custom_trigger, lambda: custom_trigger(customTrigger="x")),
    ("nothing-asked", CSMS, lambda: customer(report=False), lambda: customer(report=True)),
    ("command-doubled", CSMS, lambda: started_from_afar("A"), lambda: started_from_afar("B")),
    ("certificate-not-there", CSMS, lambda: deleted("SHA256"), lambda: deleted("SHA384")),
]


def _traced(talk: Talk, close: str = "", *, handshake: str = '{"status":101}') -> str:
    text = render(Scene("x", talk.lines, set()), "plugstorm").replace('{"status":101}', handshake, 1)
    return text + close


def _closed(talk: Talk, after: float, code: int = 1011) -> str:
    at = 100 + talk.now + after
    end = f'{{"code":{code},"by":"csms"}}'
    return f'{{"t":{at},"station":"INV-0001","connection":1,"kind":"closed","info":{end}}}\n'


def _refused_unlock() -> Talk:
    return t16().down("UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}, wait=0)


def _ended(after: float) -> str:
    return _traced(_refused_unlock(), _closed(_refused_unlock(), after, 1000))


def _handshake(chosen: str) -> str:
    return _traced(t16(), handshake=f'{{"status":101,"offered":["ocpp1.6","ocpp2.0.1"],"subprotocol":"{chosen}"}}')


def _agreed(chosen: str) -> str:
    return _traced(t16(), handshake=f'{{"status":101,"offered":["{chosen}"],"subprotocol":"{chosen}"}}')


def _back_again(status: int, wait: float) -> str:
    talk = t16().beat()
    told = f'{{"status":{status},"subprotocol":null}}'
    again = f'{{"t":{100 + talk.now + wait},"station":"INV-0001","connection":2,"kind":"handshake","info":{told}}}\n'
    return _traced(talk, _closed(talk, 0, 1006) + again)


# Rule, side, a trace that breaks it, and one that nearly does.
CSMS_TRACES: list[tuple[str, str, Callable[[], str], Callable[[], str]]] = [
    ("closed-after-refusal", CSMS, lambda: _ended(0.1), lambda: _ended(10)),
    (
        "closed-with-error",
        CSMS,
        lambda: _traced(t16().beat(), _closed(t16().beat(), 5)),
        lambda: _traced(t16().beat(), _closed(t16().beat(), 5, 1001)),
    ),
    (
        "handshake-crashed",
        CSMS,
        lambda: _traced(t16(), handshake='{"status":500,"subprotocol":null}'),
        lambda: _traced(t16(), handshake='{"status":404,"subprotocol":null}'),
    ),
    ("subprotocol-not-offered", CSMS, lambda: _handshake("ocpp2.1"), lambda: _handshake("ocpp1.6")),
    ("subprotocol-made-up", CSMS, lambda: _agreed("ocpp1.65"), lambda: _agreed("ocpp1.6")),
    ("shut-out", CSMS, lambda: _back_again(403, 5), lambda: _back_again(401, 5)),
    ("shut-out", CSMS, lambda: _back_again(403, 5), lambda: _back_again(403, 3600)),
    ("cancel-unknown-reservation", CSMS, lambda: _traced(cancelled(6)), lambda: _traced(cancelled(5))),
    ("no-boot-first", CP, lambda: _traced(Talk().status("Available")), lambda: _traced(t16().status("Available"))),
    (
        "unknown-transaction",
        CP,
        lambda: _traced(t16().meter(1100, number=9)),
        lambda: _traced(t16().start(number=9).meter(1100, number=9)),
    ),
    (
        "no-handshake",
        CP,
        lambda: _traced(t16()).split("\n", 1)[1],
        lambda: _traced(t16()),
    ),
]
assert datetime(2026, 3, 2, 8, tzinfo=UTC) == START, "the certificates end by the clock of the talks"
