"""The rules as data: what each asks, of whom, how binding it is, and where it is written.

The checks are in the modules beside this one; each names its rule by the id that it has here.
Short names of the papers: J16 is the OCPP-J 1.6 specification, SWP the security whitepaper of 1.6, P4 is Part 4 of 2.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from analysis.model import Level, Side
from ocppj.versions import Version

__all__ = ["RULES", "Rule"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that OCPP, or peace in the field, asks for."""

    id: str
    asks: str
    """What the side shall do, as a sentence."""
    side: Side | None
    """None where either side may break it: the finding names the one."""
    level: Level | Mapping[Version, Level]
    clause: str | Mapping[Version, str]

    def level_in(self, version: Version | None) -> Level:
        """Return how binding the rule is in a version."""
        return self.level if isinstance(self.level, Level) else self.level[version or Version.V16]

    def clause_in(self, version: Version | None) -> str:
        """Return where a version says so."""
        return self.clause if isinstance(self.clause, str) else self.clause[version or Version.V16]


def _by_version(v16: str, v2x: str) -> Mapping[Version, str]:
    return {Version.V16: v16, Version.V201: v2x, Version.V21: v2x}


_REQUIRED, _RECOMMENDED, _BEHAVIOUR = Level.REQUIRED, Level.RECOMMENDED, Level.BEHAVIOUR
_SHOULD_16: Final = {Version.V16: _RECOMMENDED, Version.V201: _REQUIRED, Version.V21: _REQUIRED}
_TOLERATED_16: Final = {Version.V16: _BEHAVIOUR, Version.V201: _REQUIRED, Version.V21: _REQUIRED}
_STATION, _CSMS, _NETWORK, _EITHER = Side.STATION, Side.CSMS, Side.NETWORK, None
_FIELD: Final = "no clause; it hurts in the field"

# id, side, level, clause, what it asks
_ROWS: Final[tuple[tuple[str, Side | None, Level | Mapping[Version, Level], str | Mapping[Version, str], str], ...]] = (
    # -- the envelope ----------------------------------------------------------------------------------------------
    ("unreadable-frame", _EITHER, _REQUIRED, _by_version("J16 §4.1.2, §4.2", "P4 §4.1, §4.2"),
     "Every frame is a JSON array of OCPP-J."),
    ("message-id", _EITHER, _REQUIRED, _by_version("J16 §4.1.4", "P4 §4.1.4"),
     "A message id is a string of 1 to 36 characters."),
    ("null-payload", _EITHER, _RECOMMENDED, _by_version("J16 §4.2.1", "P4 §4.1.5"),
     "An empty payload is {}."),
    ("duplicate-key", _EITHER, _RECOMMENDED, "RFC 8259 §4", "No JSON object holds a key twice."),
    ("error-code", _EITHER, _RECOMMENDED, _by_version("J16 §4.2.3 table 7", "P4 §4.3 table 8"),
     "A CALLERROR has one of the codes of its version and a description of the allowed length."),
    ("unknown-action", _EITHER, _REQUIRED, _by_version("J16 §4.2.1", "P4 §4.1.6"),
     "The action is one that the OCPP version has."),
    ("wrong-direction", _EITHER, _REQUIRED, _by_version("1.6 §4, §5", "Part 2"),
     "Only the side that the version names sends an action."),
    ("schema", _EITHER, _REQUIRED, _by_version("J16 errata §3.6", "P4 §4.1.5, schemas of Part 3"),
     "The payload of a CALL fits the schema of the OCA."),
    ("answer-schema", _EITHER, _REQUIRED, _by_version("J16 errata §3.6", "P4 §4.1.5, schemas of Part 3"),
     "The payload of a CALLRESULT fits the schema of the OCA."),
    ("extra-field", _EITHER, _TOLERATED_16, _by_version("J16 errata §3.1", "P4 §4.1.5"),
     "A payload holds no fields that its schema does not know."),
    ("integer-with-fraction", _EITHER, _BEHAVIOUR, _by_version("J16 errata §3.6", "P4 §4.1.5"),
     "An integer is written without a fraction."),
    ("reused-id", _EITHER, _REQUIRED, _by_version("J16 §4.1.4", "P4 §4.1.4"),
     "A message id is not used again for another CALL."),
    ("second-open-call", _EITHER, _SHOULD_16, _by_version("J16 §4.1.1", "P4 §4.1.1"),
     "A side waits for the answer to its CALL before it sends the next."),
    ("answer-to-nothing", _EITHER, _REQUIRED, _by_version("J16 §4.2.2", "P4 §4.2.2"),
     "An answer bears the id of a CALL of the other side."),
    ("answered-twice", _EITHER, _REQUIRED, _by_version("J16 §4.1.1", "P4 §4.1.1"),
     "A CALL is answered once."),
    ("unanswered-call", _EITHER, _REQUIRED, _by_version("J16 errata §3.2", "P4 §4.1.1, §4.1.7"),
     "Every CALL is answered within the time-out."),
    ("late-answer", _EITHER, _BEHAVIOUR, _FIELD, "An answer comes before the time-out of the CALL."),
    ("valid-call-refused", _EITHER, _RECOMMENDED, _by_version("J16 §4.2.3", "P4 §4.3"),
     "A CALL that fits its schema is not refused for its form."),
    ("valid-call-failed", _EITHER, _BEHAVIOUR, _by_version("J16 §4.2.3", "P4 §4.3"),
     "A CALL that fits its schema does not end in an internal or a general error."),
    ("report-declined", _CSMS, _BEHAVIOUR, _by_version("J16 §4.2.3", "P4 §4.3"),
     "A CSMS takes a report that fits its schema, and to which its answer has no status to say no with."),
    ("invalid-call-answered", _EITHER, _SHOULD_16, _by_version("J16 errata §3.2", "P4 §4.1.7"),
     "A CALL that its schema refuses is answered with a CALLERROR."),
    ("core-not-implemented", _EITHER, _REQUIRED, _by_version("1.6 §3.1 (Core)", "Part 2, use cases of Core"),
     "Actions that every implementation has are not answered with NotImplemented or NotSupported."),
    # -- registration ----------------------------------------------------------------------------------------------
    ("no-boot-first", _STATION, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B01.FR.08"),
     "After a start BootNotification comes before everything else."),
    ("before-accepted", _STATION, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B02, B03"),
     "While Pending or Rejected nothing is sent that the CSMS did not ask for."),
    ("boot-too-early", _STATION, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B02, B03"),
     "While Pending or Rejected the next BootNotification waits for the interval."),
    ("command-before-accepted", _CSMS, _REQUIRED, "Part 2 B03.FR.03",
     "A CSMS sends nothing to a station that it has rejected."),
    ("session-while-pending", _CSMS, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B02.FR.05"),
     "A CSMS begins and ends no session at a Pending station."),
    ("boot-asked-again", _CSMS, _REQUIRED, "1.6 errata §3.40",
     "A CSMS does not ask a station to boot again that it has accepted."),
    ("served-before-accepted", _CSMS, _REQUIRED, "Part 2 B02.FR.09, B03.FR.07",
     "A CSMS answers CALLs of a Pending or Rejected station with SecurityError."),
    ("boot-interval", _CSMS, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B01"),
     "The interval that a CSMS gives is not negative."),
    ("triggered-refused", _CSMS, _REQUIRED, _by_version("1.6 §4.2", "Part 2 B02.FR.09"),
     "A CSMS takes the message that it asked a Pending station for."),
    ("refused-after-accepted", _CSMS, _BEHAVIOUR, _FIELD,
     "A CSMS does not answer an accepted station with SecurityError."),
    ("no-handshake", _STATION, _REQUIRED, _by_version("J16 §3.1", "P4 §3.1"),
     "Frames are sent on a connection that was opened."),
    # -- transactions of 1.6 ---------------------------------------------------------------------------------------
    ("transaction-id-given-twice", _CSMS, _REQUIRED, "1.6 §4.8",
     "Every started transaction gets an id of its own."),
    ("transaction-id-zero", _CSMS, _RECOMMENDED, "no clause; steve #2058, OCPP.Core #55",
     "An accepted transaction gets an id above zero."),
    ("refusal-names-running", _CSMS, _REQUIRED, "1.6 §4.8",
     "The answer to a refused start does not bear the id of a running transaction."),
    ("overlapping-start", _STATION, _REQUIRED, "1.6 §4.8",
     "A connector starts a transaction only when its last one has ended."),
    ("other-transaction-id", _STATION, _REQUIRED, "1.6 §4.7, §4.10",
     "MeterValues and StopTransaction bear the id that the CSMS gave."),
    ("unknown-transaction", _STATION, _REQUIRED, _by_version("1.6 §4.7, §4.10", "Part 2 E01"),
     "No message names a transaction that never began."),
    ("wrong-connector", _STATION, _REQUIRED, "1.6 §4.7", "MeterValues name the connector of their transaction."),
    ("ended-twice", _STATION, _REQUIRED, _by_version("1.6 §4.10", "Part 2 E06"), "A transaction ends once."),
    ("after-the-end", _STATION, _REQUIRED, _by_version("1.6 §4.7", "Part 2 E06"),
     "Nothing is reported of a transaction after its end."),
    ("resent-though-answered", _STATION, _BEHAVIOUR, "1.6 §3.7.1",
     "A transaction message is sent again only where it was not answered, or with an error."),
    ("transaction-message-refused", _CSMS, _REQUIRED, _by_version("1.6 §4.10", "Part 2 E06, J02"),
     "A CSMS cannot prevent the end of a transaction: it answers a valid message about one."),
    ("token-flips", _CSMS, _BEHAVIOUR, _FIELD,
     "A token that was Accepted is not refused a moment later when its transaction starts."),
    ("stop-of-ended", _CSMS, _BEHAVIOUR, _FIELD,
     "A CSMS does not stop a transaction of which it has got the end."),
    ("concurrent-without-start", _CSMS, _REQUIRED, "1.6 §7.2",
     "ConcurrentTx is said of a start alone: whoever asks otherwise may want to end the session."),
    ("group-changes", _CSMS, _BEHAVIOUR, _FIELD, "A token is in the group that it was in a moment before."),
    ("transfer-not-allowed", _CSMS, _REQUIRED, "2.1 Part 2 Q01",
     "A car is not granted an energy transfer that its token was not allowed."),
    ("accepted-though-over", _CSMS, _RECOMMENDED, _by_version("1.6 §7.27", "Part 2 C01, idTokenInfo"),
     "A token whose time has passed is not Accepted."),
    ("token-case", _CSMS, _REQUIRED, _by_version("1.6 §7.15, CiString", "Part 2 identifierString"),
     "The case of the letters of a token does not count."),
    ("no-authorization-refused", _CSMS, _REQUIRED, "Part 2 C02, C25",
     "What began without authorization, or was paid at once, is not refused for its token."),
    ("repeat-refused", _CSMS, _BEHAVIOUR, "1.6 §3.7.1",
     "A start that comes again is not refused for the transaction that it began itself."),
    ("profile-other-transaction", _CSMS, _REQUIRED, _by_version("1.6 §5.16.1", "Part 2 K01"),
     "A TxProfile names the transaction that runs where it is set."),
    # -- transactions of 2.x ---------------------------------------------------------------------------------------
    ("started-twice", _STATION, _REQUIRED, "Part 2 E01", "A transaction starts once, with an id of its own."),
    ("sequence-gap", _STATION, _REQUIRED, "Part 2 E01", "seqNo grows by one with every event of a transaction."),
    # -- readings and times ----------------------------------------------------------------------------------------
    ("register-backwards", _STATION, _REQUIRED, _by_version("1.6 §4.7", "Part 2 J02"),
     "An energy register never shows less than before."),
    ("register-jump", _STATION, _BEHAVIOUR, _FIELD, "Energy grows no faster than any charger can deliver."),
    ("unit-change", _STATION, _BEHAVIOUR, _FIELD, "A measurand keeps its unit during a transaction."),
    ("phase-sum", _STATION, _BEHAVIOUR, _FIELD, "The power of the phases adds up to the power of all."),
    ("power-mismatch", _STATION, _BEHAVIOUR, _FIELD, "Power is about voltage times current of all phases."),
    ("not-a-number", _STATION, _REQUIRED, "1.6 §7.43", "A raw reading is a number."),
    ("time-backwards", _STATION, _REQUIRED, _by_version("1.6 §3.7", "Part 2 E04"),
     "The messages of a transaction are in the order of their times."),
    ("time-without-zone", _EITHER, _SHOULD_16, _by_version("1.6 §3.14, §3.15", "Part 2 §2.1 (RFC 3339)"),
     "Times bear Z or an offset."),
    ("short-offset", _EITHER, _SHOULD_16, _by_version("1.6 §3.14 (ISO 8601)", "Part 2 §2.1 (RFC 3339)"),
     "The offset of a time has hours, a colon and minutes."),
    ("clock-not-set", _STATION, _RECOMMENDED, _by_version("1.6 §4.2, §4.6", "Part 2 B01"),
     "An accepted station has set its clock."),
    ("clock-ahead", _STATION, _RECOMMENDED, _by_version("1.6 §4.6", "Part 2 G02"),
     "A station does not report what happens in the future."),
    ("csms-clock", _CSMS, _RECOMMENDED, _by_version("1.6 §4.6", "Part 2 G02"),
     "The currentTime of a CSMS goes forward as time does."),
    ("heartbeat-missing", _STATION, _RECOMMENDED, _by_version("1.6 §4.6", "Part 2 G02"),
     "A station is heard of at least once in the heartbeat interval."),
    ("heartbeat-too-often", _STATION, _BEHAVIOUR, _by_version("1.6 §4.6", "Part 2 G02"),
     "Heartbeats come at the interval that the CSMS gave."),
    # -- profiles, states, lists -----------------------------------------------------------------------------------
    ("profile-start", _CSMS, _REQUIRED, _by_version("1.6 §7.13", "Part 2 K01.FR.41"),
     "An Absolute or Recurring profile has a startSchedule."),
    ("profile-relative-start", _CSMS, _RECOMMENDED, _by_version("1.6 §7.8", "Part 2 errata 2.10.1"),
     "A Relative profile has no startSchedule."),
    ("profile-kind", _CSMS, _REQUIRED, _by_version("1.6 §3.13.1", "Part 2 K01.FR.38"),
     "A profile that limits the whole station is not Relative."),
    ("profile-phase", _CSMS, _REQUIRED, "2.x ChargingSchedulePeriodType, phaseToUse",
     "phaseToUse stands beside numberPhases 1."),
    ("profile-recurrency", _CSMS, _REQUIRED, _by_version("1.6 §7.8", "Part 2 K01"),
     "A Recurring profile says how it recurs, and no other one does."),
    ("profile-mode", _CSMS, _RECOMMENDED, "2.1 ChargingSchedulePeriodType, operationMode",
     "A period holds the values that its mode of operation works with."),
    ("profile-over", _CSMS, _BEHAVIOUR, _FIELD, "A charging profile is not over when it is sent."),
    ("profile-first-period", _CSMS, _REQUIRED, _by_version("1.6 §7.14", "Part 2 K01"),
     "The first period of a schedule starts at 0, and each later one after the one before."),
    ("profile-transaction", _CSMS, _REQUIRED, _by_version("1.6 §5.16", "Part 2 K01"),
     "A TxProfile names its transaction, or comes with the start of one."),
    ("profile-connector", _CSMS, _REQUIRED, _by_version("1.6 §5.16", "Part 2 K01"),
     "A profile for the whole station is set on connector 0, and a TxProfile on another."),
    ("status-transition", _STATION, _BEHAVIOUR, "1.6 §4.9",
     "A connector goes from one status only to those that the table of transitions names."),
    ("connector-zero-status", _STATION, _REQUIRED, "1.6 §4.9", "Connector 0 is Available, Unavailable or Faulted."),
    ("status-flapping", _STATION, _BEHAVIOUR, "lbbrhzn #1248", "A status does not change every second."),
    ("reservation-expired", _CSMS, _BEHAVIOUR, _FIELD, "A reservation ends in the future."),
    ("wide-integer", _CSMS, _BEHAVIOUR, "no clause; stations hold 32 bits",
     "Numbers of a CSMS fit into the 32 bits in which stations hold them."),
    ("foreign-answer", _CSMS, _RECOMMENDED, "Part 2 (VatNumberValidation, GetCertificateChainStatus)",
     "An answer names what the station asked about."),
    ("window-reversed", _CSMS, _BEHAVIOUR, _FIELD, "A time that a CSMS bounds begins before it ends."),
    ("token-without-word", _CSMS, _REQUIRED, "2.x TransactionEventResponse, idTokenInfo",
     "The answer to an event with a token says what the token is worth."),
    ("accepted-without-content", _CSMS, _REQUIRED, "2.x GetCertificateStatus, Get15118EVCertificate; 2.1 K28",
     "Whoever accepts a request hands over what was asked for."),
    ("list-entry-without-info", _CSMS, _REQUIRED, _by_version("1.6 §7.2", "2.x AuthorizationDataType"),
     "Every entry of a full local list says what its token is worth."),
    ("list-not-newer", _CSMS, _REQUIRED, _by_version("1.6 §5.15", "Part 2 D01"),
     "An update of the local list has a version above the one before."),
    ("list-version", _STATION, _REQUIRED, _by_version("1.6 §5.10, §5.15", "Part 2 D02"),
     "A station knows the version of the list that it accepted."),
    ("reservation-id-reused", _CSMS, _BEHAVIOUR, _by_version("1.6 §5.13", "Part 2 H01"),
     "Each reservation has an id of its own while it lasts."),
    ("cancel-unknown-reservation", _CSMS, _BEHAVIOUR, _by_version("1.6 §5.1", "Part 2 H02"),
     "CancelReservation names a reservation that the station has."),
    ("not-base64", _CSMS, _REQUIRED, "2.x GetCertificateStatusResponse, Get15118EVCertificateResponse",
     "Binary content is encoded in base64."),
    ("time-of-day", _CSMS, _REQUIRED, "2.1 TariffConditionsType, startTimeOfDay",
     "Times of the day are written as hours and minutes."),
    ("items-per-message", _CSMS, _REQUIRED, "Part 2 B05.FR.11, B06.FR.16",
     "A CSMS names no more things in one message than the station takes."),
    ("request-id-reused", _CSMS, _RECOMMENDED, "2.x GetReportRequest and others, requestId",
     "Requests whose results come later have numbers of their own."),
    ("custom-trigger", _CSMS, _REQUIRED, "2.1 TriggerMessageRequest, customTrigger",
     "A CustomTrigger is named."),
    ("nothing-asked", _CSMS, _BEHAVIOUR, "Part 2 N09, N10", "CustomerInformation asks for something."),
    ("command-doubled", _CSMS, _BEHAVIOUR, _FIELD, "A session is started from afar once."),
    # -- certificates ----------------------------------------------------------------------------------------------
    ("certificate-unreadable", _CSMS, _REQUIRED, _by_version("SWP §6", "Part 2 M05, A02"),
     "Certificates are written in PEM."),
    ("certificate-of-another-name", _CSMS, _RECOMMENDED, _by_version("SWP A02", "Part 2 A02"),
     "A signed certificate bears the common name of its request."),
    ("hash-length", _EITHER, _REQUIRED, _by_version("SWP §5.6", "2.x CertificateHashDataType, hashAlgorithm"),
     "A hash is as long as its algorithm makes it."),
    ("chain-status-missing", _CSMS, _REQUIRED, "2.1 GetCertificateChainStatusResponse, certificateStatus",
     "Every certificate that a station asks about gets a status."),
    ("chain-status-over", _CSMS, _RECOMMENDED, "2.1 CertificateStatusType, nextUpdate",
     "The next update of a certificate's status is still to come."),
    ("certificate-of-another-key", _CSMS, _REQUIRED, _by_version("SWP A02", "Part 2 A02"),
     "A signed certificate is for the key of the request."),
    ("certificate-expired", _CSMS, _REQUIRED, _by_version("SWP A02", "Part 2 A02"),
     "A signed certificate is valid when it is handed out."),
    ("certificate-of-another-request", _CSMS, _REQUIRED, _by_version("SWP A02", "Part 2 A02"),
     "CertificateSigned bears the type and the number of its request."),
    ("certificate-chain", _CSMS, _REQUIRED, _by_version("SWP A02", "Part 2 A02"),
     "In a chain each certificate is signed by the one behind it."),
    ("certificate-not-there", _CSMS, _BEHAVIOUR, _by_version("SWP M04", "Part 2 M04"),
     "DeleteCertificate names a certificate as the station has listed it."),
    # -- connections -----------------------------------------------------------------------------------------------
    ("dead-connection", _NETWORK, _BEHAVIOUR, _FIELD, "What one side sends arrives, or the connection is closed."),
    ("reconnect-loop", _EITHER, _BEHAVIOUR, _FIELD, "A connection lives longer than a moment."),
    ("closed-after-refusal", _CSMS, _BEHAVIOUR, _FIELD,
     "A CSMS does not close the connection because a station orderly refused a command."),
    ("closed-with-error", _CSMS, _BEHAVIOUR, "RFC 6455 §7.4.1, code 1011",
     "A CSMS does not end the connection of a station that does nothing wrong with an error of its own."),
    ("handshake-crashed", _CSMS, _BEHAVIOUR, "RFC 9110 §15.6.1, status 500",
     "A CSMS that does not let somebody in says why, and does not fail."),
    ("subprotocol-not-offered", _CSMS, _REQUIRED, _by_version("J16 §3.2, RFC 6455 §4.2.2", "P4 §3.2, RFC 6455 §4.2.2"),
     "A CSMS agrees on one of the offered subprotocols."),
    ("subprotocol-made-up", _CSMS, _BEHAVIOUR, _by_version("J16 §3.2", "P4 §3.2"),
     "A CSMS agrees on a subprotocol that a version of OCPP has."),
    ("shut-out", _CSMS, _BEHAVIOUR, _FIELD,
     "A CSMS that ended the connection of an accepted station lets it in again."),
    ("idle-cut", _NETWORK, _BEHAVIOUR, "evcc PR 33099, ocpp-go #44",
     "Nothing between the two cuts connections that are quiet for a while."),
    ("age-cut", _NETWORK, _BEHAVIOUR, _FIELD, "Nothing between the two cuts connections at a fixed age."),
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {name: Rule(id=name, side=side, level=level, clause=clause, asks=asks) for name, side, level, clause, asks in _ROWS}
)
"""Every rule by its id."""
assert len(RULES) == len(_ROWS), "every rule has an id of its own"
