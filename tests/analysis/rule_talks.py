"""Short conversations in which one thing is wrong, or nearly is."""

from __future__ import annotations

from typing import Any

from tests.analysis.log_scenes import BOOT_2X, BOOT_16, DOWN, UP, Talk


def t16() -> Talk:
    return Talk(BOOT_16)


def t2x() -> Talk:
    return Talk(BOOT_2X)


def profile(**changes: object) -> dict[str, object]:
    period = changes.pop("periods", [{"startPeriod": 0, "limit": 16.0}])
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": period}
    if "startSchedule" in changes:
        schedule["startSchedule"] = changes.pop("startSchedule")
    return {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": schedule, **changes,
    }  # fmt: skip


def set_profile(connector: int = 1, **changes: object) -> Talk:
    return t16().down(
        "SetChargingProfile",
        {"connectorId": connector, "csChargingProfiles": profile(**changes)},
        {"status": "Accepted"},
    )


def local_list(*updates: tuple[str, int], told: int | None = None) -> Talk:
    talk = t16()
    for kind, version in updates:
        talk.down("SendLocalList", {"listVersion": version, "updateType": kind}, {"status": "Accepted"})
    if told is not None:
        talk.down("GetLocalListVersion", {}, {"listVersion": told})
    return talk


def phases(whole: float, *parts: float) -> Talk:
    samples = [{"value": str(whole), "measurand": "Power.Active.Import", "unit": "W"}]
    samples += [
        {"value": str(part), "measurand": "Power.Active.Import", "unit": "W", "phase": f"L{place}"}
        for place, part in enumerate(parts, 1)
    ]
    talk = t16().start()
    value = {"timestamp": talk.stamp(), "sampledValue": samples}
    return talk.up("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": [value]})


def powered(power: float, phase: str = "L1-N") -> Talk:
    samples = [{"value": str(power), "measurand": "Power.Active.Import", "unit": "W"}]
    for number in (1, 2, 3):
        name = {"phase": phase.replace("1", str(number))} if phase else {}
        samples += [{"value": "230", "measurand": "Voltage", "unit": "V", **name}]
        samples += [{"value": "16", "measurand": "Current.Import", "unit": "A", **name}]
    talk = t16().start()
    value = {"timestamp": talk.stamp(), "sampledValue": samples}
    return talk.up("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": [value]})


def raw_reading(text: str, unit: str = "Wh", before: str = "Wh") -> Talk:
    talk = t16().start()
    for value, of in (("1100", before), (text, unit)):
        sample = {"value": value, "unit": of}
        talk.up("MeterValues", {"connectorId": 1, "transactionId": 7,
                                "meterValue": [{"timestamp": talk.stamp(), "sampledValue": [sample]}]})  # fmt: skip
    return talk


def registered(status: str, action: str = "Heartbeat", answer: object = None) -> Talk:
    talk = Talk().up("BootNotification", BOOT_2X, {"status": status, "currentTime": Talk().stamp(), "interval": 60})
    return talk.up(action, {}, answer if answer is not None else [4, "SecurityError", "", {}])


def commanded(status: str, action: str, payload: dict[str, Any], boot: dict[str, Any] = BOOT_16) -> Talk:
    talk = Talk().up("BootNotification", boot, {"status": status, "currentTime": Talk().stamp(), "interval": 60})
    return talk.down(action, payload, {"status": "Rejected"})


def stamped(offset: str) -> Talk:
    """Start a transaction at a time of the local clock, 08:00 in UTC; it ends in the usual way."""
    talk = t16()
    hours = {"+03": 3.0, "+03:00": 3.0, "-0530": -5.5, "Z": 0.0}[offset]
    text = talk.stamp(hours * 3600).removesuffix("Z") + offset
    start = {"connectorId": 1, "idTag": "INVENTED1", "meterStart": 1000, "timestamp": text}
    return talk.up("StartTransaction", start, {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})


def vat(asked: str, told: str) -> Talk:
    return t2x().up("VatNumberValidation", {"vatNumber": asked}, {"vatNumber": told, "status": "Accepted"})


def diagnostics(begin: float, end: float) -> Talk:
    talk = t16()
    payload = {"location": "ftp://192.0.2.1/", "startTime": talk.stamp(begin), "stopTime": talk.stamp(end)}
    return talk.down("GetDiagnostics", payload, {"fileName": "x"})


def shown(answer: dict[str, object]) -> Talk:
    talk = t2x()
    payload = {
        "eventType": "Started", "timestamp": talk.stamp(), "triggerReason": "Authorized", "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"}, "idToken": {"idToken": "INVENTED1", "type": "ISO14443"},
    }  # fmt: skip
    return talk.up("TransactionEvent", payload, answer)


def ocsp(answer: dict[str, object]) -> Talk:
    data = {
        "hashAlgorithm": "SHA256", "issuerNameHash": "a1", "issuerKeyHash": "b2", "serialNumber": "c3",
        "responderURL": "http://192.0.2.9/",
    }  # fmt: skip
    return t2x().up("GetCertificateStatus", {"ocspRequestData": data}, answer)


def listed(kind: str, entry: dict[str, object]) -> Talk:
    payload = {"listVersion": 3, "updateType": kind, "localAuthorizationList": [entry]}
    return t16().down("SendLocalList", payload, {"status": "Accepted"})


def boot_again(after: float) -> Talk:
    talk = Talk().up(
        "BootNotification", BOOT_16, {"status": "Rejected", "currentTime": Talk().stamp(), "interval": 60}, wait=after
    )
    return talk.up("BootNotification", BOOT_16, {"status": "Accepted", "currentTime": talk.stamp(), "interval": 60})


def overlapping(gap: float) -> Talk:
    talk = t16().say(UP, [2, "a", "Heartbeat", {}], gap)
    first = [3, "a", {"currentTime": talk.stamp()}]
    if gap > 1:
        return talk.say(DOWN, first).beat()
    return talk.say(UP, [2, "b", "Heartbeat", {}]).say(DOWN, first).say(DOWN, [3, "b", {"currentTime": talk.stamp()}])


def shifted(seconds: float) -> Talk:
    talk = t16()
    return talk.up(
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": talk.stamp(seconds)},
    )


def beats(wait: float) -> Talk:
    talk = t16()
    for _ in range(12):
        talk.beat(wait=wait)
    return talk


def silence(seconds: float) -> Talk:
    return t16().status("Available", wait=seconds).beat()


def reserve(seconds: float) -> Talk:
    talk = t16()
    payload = {"connectorId": 1, "expiryDate": talk.stamp(seconds), "idTag": "INVENTED1", "reservationId": 1}
    return talk.down("ReserveNow", payload, {"status": "Accepted"})


def tokens(second: str, wait: float) -> Talk:
    talk = t16().up("Authorize", {"idTag": "INVENTED1"}, {"idTagInfo": {"status": "Accepted"}}, wait=wait)
    start = {"connectorId": 1, "idTag": "INVENTED1", "meterStart": 0, "timestamp": talk.stamp()}
    return talk.up("StartTransaction", start, {"transactionId": 9, "idTagInfo": {"status": second}})


def refused_start(number: int) -> Talk:
    talk = t16().start(number=7)
    payload = {"connectorId": 2, "idTag": "INVENTED1", "meterStart": 1, "timestamp": talk.stamp()}
    return talk.up("StartTransaction", payload, {"transactionId": number, "idTagInfo": {"status": "ConcurrentTx"}})


def flapping(wait: float) -> Talk:
    talk = t16()
    for place in range(24):
        talk.status(("Faulted", "Available")[place % 2], wait=wait, took=0.1)
    return talk


def csms_time(jump: float) -> Talk:
    talk = t16().beat()
    talk.up("Heartbeat", {}, {"currentTime": talk.stamp(jump)})
    return talk


def late(seconds: float) -> Talk:
    talk = (
        t16()
        .say(UP, [2, "l", "Heartbeat", {}], seconds)
        .say(DOWN, [3, "l", {"currentTime": Talk().stamp(3 + seconds)}])
    )
    return talk.beat()


def resent_stop() -> Talk:
    talk = t16().start().stop()
    talk.lines += [line._replace(after=line.after + 9) for line in talk.lines[-2:]]
    return talk


def earlier_reading() -> Talk:
    talk = t16().start()
    talk.now -= 100
    return talk.meter(1100)
