"""Defects that no single case is about: what breaks every case in whose judged part the broken thing happens.

Each case judges every frame of the CSMS (`judge`), so a CSMS that, say, answers every Heartbeat twice fails wherever a
Heartbeat is judged. The self-test reads here, from what a case shows while the CSMS is right, where that must be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fixtures.csms.defects.station_messages import UNANSWERED, unanswered_defect_id
from fixtures.csms.defects.v2x_sessions import EXPECTATIONS, Expectation
from fixtures.csms.defects.v2x_whole_orders import without_zeros
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.history import History
from ocppj.actions import ACTIONS

__all__ = ["GENERAL_DEFECTS", "Shows", "orders"]

Shows = Callable[[History], bool]


def _judged(history: History) -> list[Exchange]:
    return [exchange for exchange in history.exchanges if exchange.call.scripted]


def asks(*actions: str) -> Shows:
    """Return whether a station sends one of some actions in the judged part."""
    return lambda history: any(e.by_station and e.action in actions for e in _judged(history))


def commands(*actions: str) -> Shows:
    """Return whether the CSMS sends one of some actions in the judged part; any action where none is named."""
    return lambda history: any(not e.by_station and (not actions or e.action in actions) for e in _judged(history))


def orders(action: str, names: Callable[[Mapping[str, Any]], Any] = lambda _: True) -> Shows:
    """Return whether the operator asks for an action with some payload, and it is sent, in the judged part."""

    def shows(history: History) -> bool:
        asked = any(names(call.info.get("payload") or {}) for call in history.triggers(action))
        return asked and bool(history.commands_to_any(action))

    return shows


def is_refused(history: History) -> bool:
    """Return whether the CSMS answers with a CALLERROR in the judged part."""
    return any(e.by_station and e.kind is AnswerKind.ERROR for e in _judged(history))


def serves(*actions: str, **fields: Any) -> Shows:
    """Return whether a CALL of some actions, with these fields, is answered with a CALLRESULT in the judged part."""

    def shows(history: History) -> bool:
        return any(
            e.by_station
            and e.action in actions
            and e.kind is AnswerKind.RESULT
            and all((e.payload or {}).get(name) == value for name, value in fields.items())
            for e in _judged(history)
        )

    return shows


_CONTRACT = frozenset({"certificate", "iso15118CertificateHashData"})


def _accepts_a_tag(history: History) -> bool:
    # Whether a contract is good depends on more than its token.
    infos = [
        e.result.get("idTagInfo") or e.result.get("idTokenInfo")
        for e in _judged(history)
        if e.action == "Authorize" and not _CONTRACT.intersection(e.payload)
    ]
    return any((info or {}).get("status") == "Accepted" for info in infos)


def lets_in_by_password(history: History) -> bool:
    """Return whether getting in by password without TLS is what the judged part begins with."""
    by_password = [c for c in history.connections if c.info.get("credentials") and c.opened and not c.info.get("tls")]
    return bool(by_password) and by_password[0].scripted


def unless_tried_plainly(shows: Shows) -> Shows:
    """Leave out cases that first try an action in its plainest form: a refusal there ends them without a verdict."""
    return lambda history: shows(history) and not any("plain" in record.info for record in history.records)


def unless_only_told(shows: Shows) -> Shows:
    """Leave out cases that judge what comes, and not whether it does."""
    return lambda history: shows(history) and not any(history.notes("only_told"))


def unless_only_taken(shows: Shows) -> Shows:
    """Leave out cases that judge whether an action is taken in each of its forms, and not what is said to it."""
    return lambda history: shows(history) and not any("field" in record.info for record in history.records)


def meets(expectation: Expectation) -> Shows:
    """Return whether a session has an event that the defect does not expect, in the judged part."""

    def shows(history: History) -> bool:
        sessions: dict[tuple[str, Any], list[Any]] = {}
        found = False
        for exchange in history.exchanges:
            served = exchange.by_station and exchange.kind is AnswerKind.RESULT
            if served and exchange.action == "TransactionEvent":
                number = exchange.payload["transactionInfo"]["transactionId"]
                earlier = sessions.setdefault((exchange.call.station, number), [])
                found = found or (exchange.call.scripted and expectation(exchange.payload, earlier))
                earlier.append(exchange.payload)
        return found

    return shows


def commands_again(history: History) -> bool:
    """Return whether counting its ids from 1 on each connection makes the CSMS use one for two CALLs to a station."""
    counts: Counter[tuple[str, int]] = Counter()
    seen: dict[tuple[str, int], Any] = {}
    for exchange in history.exchanges:
        if exchange.by_station:
            continue
        frame = exchange.call
        counts[frame.station, frame.connection] += 1
        place = (frame.station.partition("#")[0], counts[frame.station, frame.connection])
        earlier = seen.setdefault(place, (exchange.action, exchange.payload))
        if earlier != (exchange.action, exchange.payload) and frame.scripted:
            return True
    return False


def _connector(named: Mapping[str, Any]) -> Any:
    return (named.get("evse") or {}).get("connectorId")


def _is_told_apart(place: Mapping[str, Any] | None) -> bool:
    """Return whether a place has different numbers for its EVSE and its connector."""
    numbers = [place[name] for name in ("id", "evseId", "connectorId") if name in place] if place else []
    return len(numbers) > 1 and len(set(numbers)) > 1


def _has_typed_token(named: Mapping[str, Any]) -> bool:
    return (named.get("idToken") or {}).get("type") not in (None, "Central")


def _names_a_zero(history: History) -> bool:
    """Return whether an operator names a 0, a no or an empty text that a CSMS could leave out of its command."""
    version = history.rules.version
    for call in history.driver_calls:
        named, action = call.info.get("payload"), str(call.info.get("action"))
        if call.operation == "trigger" and isinstance(named, dict) and history.commands_to_any(action):
            known = ACTIONS[version].get(action)
            if known and known.by_csms and without_zeros(version, action, named) != named:
                return True
    return False


GENERAL_DEFECTS: Mapping[str, Shows] = MappingProxyType(
    {
        # -- the envelope
        "answer-twice": asks("Heartbeat"),
        "result-with-four-elements": serves("StatusNotification"),
        "error-with-four-elements": is_refused,
        "error-details-as-text": is_refused,
        "error-description-too-long": is_refused,
        # -- the door
        "right-credentials-refused": lets_in_by_password,
        # -- answers
        "boot-without-interval": serves("BootNotification"),
        "boot-time-unparsable": serves("BootNotification"),
        "authorize-without-info": serves("Authorize"),
        "valid-tag-refused": unless_only_taken(unless_tried_plainly(_accepts_a_tag)),
        "start-without-transaction-id": serves("StartTransaction"),
        "transaction-id-as-string": serves("StartTransaction"),
        "station-status-refused": serves("StatusNotification", connectorId=0),
        "meter-values-refused": unless_only_told(unless_tried_plainly(serves("MeterValues"))),
        "security-event-refused": unless_tried_plainly(serves("SecurityEventNotification")),
        "log-status-refused": unless_tried_plainly(serves("LogStatusNotification")),
        "firmware-status-refused": unless_tried_plainly(serves("FirmwareStatusNotification")),
        "signed-firmware-status-refused": unless_tried_plainly(serves("SignedFirmwareStatusNotification")),
        "diagnostics-status-refused": unless_tried_plainly(serves("DiagnosticsStatusNotification")),
        "report-refused": unless_tried_plainly(serves("NotifyReport")),
        "report-unanswered": serves("NotifyReport"),
        "notify-event-refused": serves("NotifyEvent"),
        "event-update-unanswered": serves("TransactionEvent", eventType="Updated"),
        **{unanswered_defect_id(action): asks(action) for action in UNANSWERED},
        **{name: meets(expectation) for name, expectation in EXPECTATIONS.items()},
        "expired-reservation-refused": unless_tried_plainly(
            serves("ReservationStatusUpdate", reservationUpdateStatus="Expired")
        ),
        "removed-reservation-refused": serves("ReservationStatusUpdate", reservationUpdateStatus="Removed"),
        "second-connector-refused": serves("StatusNotification", connectorId=2),
        # -- commands
        "zeros-left-out": _names_a_zero,
        "base-report-number-below-zero": commands("GetBaseReport"),
        "message-ids-restart": commands_again,
        "command-withheld": unless_only_told(commands()),
        "clear-cache-with-payload": commands("ClearCache"),
        "remote-start-without-tag": commands("RemoteStartTransaction"),
        "remote-start-wrong-connector": orders("RemoteStartTransaction", lambda named: "connectorId" in named),
        "remote-start-drops-connector": orders("RemoteStartTransaction", lambda named: "connectorId" in named),
        "request-start-wrong-evse": orders("RequestStartTransaction", lambda named: "evseId" in named),
        "trigger-drops-connector": orders("TriggerMessage", lambda named: "connectorId" in named),
        "reset-hard-sent-as-soft": orders("Reset", lambda named: named.get("type") == "Hard"),
        "soft-reset-sent-as-hard": orders("Reset", lambda named: named.get("type") == "Soft"),
        "remote-stop-wrong-transaction": orders("RemoteStopTransaction"),
        "cancel-of-another-reservation": orders("CancelReservation"),
        "reserve-for-another-tag": orders("ReserveNow"),
        "request-start-without-token": commands("RequestStartTransaction"),
        "set-variables-number": commands("SetVariables"),
        "change-configuration-number": commands("ChangeConfiguration"),
        "get-configuration-key-null": commands("GetConfiguration"),
        "unlock-without-connector": commands("UnlockConnector"),
        "reset-type-lower-case": commands("Reset"),
        "change-availability-lower-case": commands("ChangeAvailability"),
        "composite-schedule-without-duration": commands("GetCompositeSchedule"),
        "charging-profile-as-list": commands("SetChargingProfile"),
        "reserve-without-expiry": commands("ReserveNow"),
        "local-list-without-version": commands("SendLocalList"),
        "get-local-list-version-with-payload": commands("GetLocalListVersion"),
        "update-firmware-without-retrieve-date": commands("UpdateFirmware"),
        "get-diagnostics-without-location": commands("GetDiagnostics"),
        "signed-firmware-without-signature": commands("SignedUpdateFirmware"),
        "trigger-without-message": commands("TriggerMessage"),
        "trigger-swaps-evse-and-connector": orders("TriggerMessage", lambda named: _is_told_apart(named.get("evse"))),
        "trigger-for-first-connector": orders("TriggerMessage", lambda named: _connector(named) not in (None, 1)),
        "tx-profile-of-no-session": orders(
            "SetChargingProfile", lambda named: "transactionId" in named.get("chargingProfile", {})
        ),
        "transaction-status-without-id": orders("GetTransactionStatus", lambda named: "transactionId" in named),
        "unlock-swaps-evse-and-connector": orders("UnlockConnector", _is_told_apart),
        "request-start-of-another-token-type": orders("RequestStartTransaction", _has_typed_token),
        "availability-drops-evse": orders("ChangeAvailability", lambda named: "evse" in named),
        "availability-drops-connector": orders("ChangeAvailability", lambda named: _connector(named) is not None),
        "availability-swaps-evse-and-connector": orders(
            "ChangeAvailability", lambda named: _is_told_apart(named.get("evse"))
        ),
        "availability-always-inoperative": orders(
            "ChangeAvailability", lambda named: named.get("operationalStatus") == "Operative"
        ),
    }
)
