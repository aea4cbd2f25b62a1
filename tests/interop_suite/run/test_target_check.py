from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import NoDriver
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.main import run_interop
from interop_suite.run.request import InteropRequest
from interop_suite.run.target_check import SubprotocolError, check_target
from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.versions import Version


def refused(target: CsmsUnderTest, version: Version = Version.V16) -> str:
    with pytest.raises((UsageError, TargetUnreachableError)) as caught:
        check_target(target, NoDriver(), version)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_address_where_nothing_listens_is_unreachable() -> None:
    with pytest.raises(TargetUnreachableError, match=r"127\.0\.0\.1:9 cannot be reached \(TCP: Connection refused\)"):
        check_target(CsmsUnderTest(url="ws://127.0.0.1:9", timeout=1), NoDriver(), Version.V16)


def test_unknown_station_and_wrong_password_say_what_to_give() -> None:
    with practice_csms(known_only=True) as csms:
        assert "HTTP 404" in refused(CsmsUnderTest(url=csms.url))
        assert "--identity" in refused(CsmsUnderTest(url=csms.url))


def test_version_that_is_not_spoken_is_named() -> None:
    with practice_csms(versions=(Version.V16,)) as csms, pytest.raises(SubprotocolError, match=r"ocpp2\.0\.1"):
        check_target(CsmsUnderTest(url=csms.url), NoDriver(), Version.V201)


@pytest.mark.parametrize("asked", [(), ("2.0.1",)])
def test_version_that_is_not_spoken_is_not_applicable_unless_it_was_asked_for(
    asked: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with practice_csms(versions=(Version.V16,)) as csms:
        request = InteropRequest(url=csms.url, select="RPC_12", ocpp=asked, out=str(out), timeout=2)
        if asked:
            with pytest.raises(SubprotocolError):
                run_interop(request, jobs=1, write=lambda _: None)
            assert not out.exists()
            return
        finished = run_interop(request, jobs=1, write=lambda _: None)
    assert finished.exit_code == 0
    assert {case.ocpp: case.verdict for case in finished.run.cases} == {
        "1.6": Verdict.OK,
        "2.0.1": Verdict.NOT_APPLICABLE,
        "2.1": Verdict.NOT_APPLICABLE,
    }
