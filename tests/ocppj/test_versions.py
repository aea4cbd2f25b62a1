from __future__ import annotations

import pytest

from ocppj.versions import RULES, ErrorMeaning, MessageType, UnknownType, Version, rules_for_subprotocol

IN_ALL = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "PropertyConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
ONLY_16 = {"FormationViolation", "OccurenceConstraintViolation"}
ONLY_2X = {"FormatViolation", "OccurrenceConstraintViolation", "MessageTypeNotSupported", "RpcFrameworkError"}


@pytest.mark.parametrize(
    ("version", "codes"),
    [(Version.V16, IN_ALL | ONLY_16), (Version.V201, IN_ALL | ONLY_2X), (Version.V21, IN_ALL | ONLY_2X)],
)
def test_error_codes_are_spelled_as_the_version_spells_them(version: Version, codes: set[str]) -> None:
    assert RULES[version].all_error_codes == codes


def test_same_meaning_takes_the_spelling_of_the_version() -> None:
    assert [RULES[v].code(ErrorMeaning.FORMAT) for v in Version] == ["FormationViolation", *["FormatViolation"] * 2]
    assert RULES[Version.V16].code(ErrorMeaning.OCCURRENCE) == "OccurenceConstraintViolation"
    assert RULES[Version.V201].code(ErrorMeaning.OCCURRENCE) == "OccurrenceConstraintViolation"


def test_meaning_that_16_lacks_becomes_a_generic_error() -> None:
    assert RULES[Version.V16].code(ErrorMeaning.RPC) == "GenericError"
    assert RULES[Version.V16].code(ErrorMeaning.MESSAGE_TYPE) == "GenericError"
    assert RULES[Version.V21].code(ErrorMeaning.RPC) == "RpcFrameworkError"


@pytest.mark.parametrize("version", list(Version))
def test_every_meaning_has_a_code_in_every_version(version: Version) -> None:
    rules = RULES[version]
    assert all(rules.code(meaning) in rules.all_error_codes for meaning in ErrorMeaning)


def test_subprotocol_names_the_version() -> None:
    assert {rules.subprotocol: rules.version for rules in RULES.values()} == {
        "ocpp1.6": Version.V16,
        "ocpp2.0.1": Version.V201,
        "ocpp2.1": Version.V21,
    }
    assert all(rules_for_subprotocol(rules.subprotocol) is rules for rules in RULES.values())


@pytest.mark.parametrize("subprotocol", [None, "", "ocpp2.0", "OCPP1.6", "ocpp1.6 "])
def test_unknown_subprotocol_has_no_rules(subprotocol: str | None) -> None:
    assert rules_for_subprotocol(subprotocol) is None


def test_message_types_beyond_rpc_exist_only_in_21() -> None:
    rpc = {MessageType.CALL, MessageType.CALLRESULT, MessageType.CALLERROR}
    assert RULES[Version.V16].message_types == rpc
    assert RULES[Version.V201].message_types == rpc
    assert RULES[Version.V21].message_types == rpc | {MessageType.CALLRESULTERROR, MessageType.SEND}


def test_only_201_answers_an_unknown_message_type() -> None:
    assert [v for v in Version if RULES[v].unknown_type is UnknownType.ANSWER] == [Version.V201]


def test_limits_of_16_are_looser_than_those_of_2x() -> None:
    v16, v201, v21 = (RULES[version] for version in Version)
    assert (v16.error_description_max, v16.identity_max, v16.identity_forbidden) == (None, None, "")
    assert (v16.one_open_call, v16.unreadable_message_id) == (False, None)
    for rules in (v201, v21):
        assert (rules.error_description_max, rules.identity_max, rules.identity_forbidden) == (255, 48, ":")
        assert (rules.one_open_call, rules.unreadable_message_id) == (True, "-1")
    assert {rules.message_id_max for rules in RULES.values()} == {36}
