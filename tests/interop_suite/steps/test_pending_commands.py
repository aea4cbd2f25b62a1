"""Cases about the order of messages take whatever command a driver can give."""

from __future__ import annotations

import pytest

from drivers.http import HttpDriver
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner
from ocppj.versions import Version

CASES = {case.key: case for case in all_cases()}


class FewCommands(HttpDriver):
    """A driver that can give these commands and no others."""

    commands: tuple[str, ...] = ("TriggerMessage", "GetConfiguration", "GetVariables")

    def missing(self, need: str, version: Version) -> str | None:
        kind, _, action = need.partition(":")
        if kind == "trigger" and action not in self.commands:
            return f"has no {action} in {version}"
        return super().missing(need, version)


class NoCommands(FewCommands):
    commands = ()


@pytest.mark.parametrize("key", ["1.6-CMD_03", "2.0.1-ID_08_2", "2.1-RPC_18", "1.6-ID_09", "2.0.1-RPC_20", "2.1-ID_14"])
def test_case_takes_the_commands_that_the_driver_has(key: str) -> None:
    with practice_csms() as csms:
        runner = Runner(CsmsUnderTest(url=csms.url, timeout=2), FewCommands(csms.control_url), None)
        attempt = runner.attempt(CASES[key])
    assert attempt.result.verdict is Verdict.OK, attempt.result.reason
    sent = {exchange.action for exchange in attempt.history.exchanges if not exchange.by_station}
    assert sent <= set(FewCommands.commands)
    assert sent


def test_case_without_any_command_names_the_best_one() -> None:
    with practice_csms() as csms:
        runner = Runner(CsmsUnderTest(url=csms.url, timeout=2), NoCommands(csms.control_url), None)
        result = runner.run(CASES["1.6-CMD_03"])
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "ClearCache" in result.reason
