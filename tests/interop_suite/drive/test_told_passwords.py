from __future__ import annotations

from typing import Any

import pytest

from interop_suite.drive.told_passwords import told_password
from ocppj.versions import Version

TAKEN = {"setVariableResult": [{"attributeStatus": "Accepted"}]}


def variable(entry: Any) -> str | None:
    return told_password(Version.V201, "SetVariables", {"setVariableData": [entry]}, TAKEN)


def test_password_is_found_by_the_name_of_its_variable() -> None:
    assert variable({"variable": {"name": "BasicAuthPassword"}, "attributeValue": "secret"}) == "secret"
    assert variable({"variable": {"name": "Other"}, "attributeValue": "secret"}) is None


@pytest.mark.parametrize("entry", [{}, 5, None, {"variable": 5}, {"variable": {"name": 5}}])
def test_entry_that_is_no_variable_is_no_password(entry: Any) -> None:
    assert variable(entry) is None
