from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.csms import all_defects
from interop_suite.catalogue import Case, all_cases, all_inquiries, case, inquiry
from interop_suite.claims.clauses import Clause, documents
from interop_suite.steps.shared_case import shared
from ocppj.actions import ACTIONS
from ocppj.versions import Version

CERTIFICATION_LIST_16 = [
    "001", "003", "004_1", "004_2", "005_1", "007", "061", "010", "011_1", "011_2", "012", "013", "014",
    "017_1", "017_2", "018_1", "019_1", "019_2", "021", "023_1", "023_2", "023_3", "024", "026", "028", "030",
    "031", "032_1", "037_1", "037_3", "039", "040_1", "040_2", "064", "042_1", "042_2", "043_1", "043_3",
    "043_4", "043_5", "044_1", "044_2", "044_3", "045_1", "045_2", "046", "047", "048_1", "048_2", "048_3",
    "048_4", "049", "051", "052", "053", "054", "055", "056", "057", "059", "066", "067", "073", "074",
    "075_1", "075_2", "076", "077", "078", "079", "080", "081", "083", "085", "086", "087", "088",
]  # fmt: skip


def broken(rule: Callable[[Case], bool]) -> list[str]:
    """List the cases that do not keep a rule."""
    return [case.key for case in all_cases() if not rule(case)]


def test_whole_certification_list_of_16_is_there() -> None:
    wanted = {f"TC_{number}_CSMS" for number in CERTIFICATION_LIST_16}
    assert len(wanted) == 77
    assert wanted <= {case.id for case in all_cases() if case.ocpp is Version.V16}


def test_every_case_cites_a_clause_that_exists() -> None:
    assert broken(lambda case: case.clause.document in documents()) == []
    assert broken(lambda case: case.clause.exists) == []


def test_every_case_has_a_defect_of_its_version_that_it_must_catch() -> None:
    known = all_defects()
    assert broken(lambda case: {case.defect, *case.also} <= set(known)) == []
    assert broken(lambda case: case.ocpp in known[case.defect].versions) == []


def test_every_case_says_what_is_sent_and_who_shall_do_what() -> None:
    assert broken(lambda case: case.sends.endswith(".")) == []
    assert broken(lambda case: bool(re.match(r"The CSMS (SHALL|SHOULD|MAY|is|should|may)\b", case.expects))) == []
    assert broken(lambda case: bool(case.checks)) == []


def test_every_need_to_trigger_names_an_action_of_the_csms() -> None:
    def is_of_the_csms(case: Case) -> bool:
        needed = [need.partition(":") for need in case.needs]
        actions = [each for kind, _, action in needed if kind == "trigger" for each in action.split("|")]
        return all(each in ACTIONS[case.ocpp] and ACTIONS[case.ocpp][each].by_csms for each in actions)

    assert broken(is_of_the_csms) == []


def test_keys_are_unique() -> None:
    keys = [case.key for case in all_cases()]
    assert len(keys) == len(set(keys))


FIELDS: dict[str, Any] = {
    "id": "X_01", "title": "A case", "block": "Core", "sends": "Nothing.", "expects": "The CSMS SHALL wait.",
    "clause": Clause("1.6", "4.2"), "defect": "heartbeat-unanswered", "checks": (),
}  # fmt: skip


@pytest.mark.parametrize(
    ("register", "fields"),
    [(case, {**FIELDS, "ocpp": Version.V16}), (shared, {**FIELDS, "clause": {Version.V16: FIELDS["clause"]}})],
    ids=["case", "shared"],
)
def test_misspelt_field_of_a_case_is_refused(register: Callable[..., object], fields: dict[str, Any]) -> None:
    register(**fields)
    with pytest.raises(TypeError, match="bystnder"):
        register(**fields, bystnder=True)


def test_case_and_inquiry_are_registered_once() -> None:
    taken = all_cases()[0]
    with pytest.raises(ValueError, match=f"Two cases are called {taken.key}"):
        case(**{**FIELDS, "id": taken.id, "ocpp": taken.ocpp})(taken.script)
    need = next(iter(all_inquiries()))
    with pytest.raises(ValueError, match=f"Two inquiries are for {need}"):
        inquiry(need=need, is_met=lambda _: True)(taken.script)
