"""`plugstorm report`, with runs that are written instead of made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.manifest import check_manifest, folder_hash, seal
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from tests.plugstorm.conftest import Plugstorm
from tests.reports.page_reader import page_of
from tests.reports.report_builders import Tape, charging_tape, make_case, write_interop, write_load, write_trace


@pytest.mark.parametrize("again", [(), ("--judge-again",)], ids=["page", "judged again"])
def test_run_json_itself_may_be_named(plugstorm: Plugstorm, tmp_path: Path, again: tuple[str, ...]) -> None:
    write_load(tmp_path / "run", seconds=1)
    result = plugstorm("report", "run/run.json", *again)
    assert (result.code, result.errors) == (0, [])
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "junit.xml").exists() == bool(again)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"kind":"interop"}', b'{"kind":"other"}', b"\xff\xfe", b"[" * 100_000]
)
def test_run_json_that_cannot_be_read_is_one_line_for_people(
    plugstorm: Plugstorm, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "run.json").write_bytes(content)
    plugstorm("report", ".").assert_one_line(2, "run.json")
    assert not (tmp_path / "report.html").exists()


def test_folder_without_a_run_is_a_usage_error(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_interop(tmp_path / "run", [make_case()])
    plugstorm("report", "run", ".").assert_one_line(2, "name the folder of a finished run")


def sealed(folder: Path, *cases: CaseResult) -> Path:
    write_interop(folder, list(cases))
    seal(folder)
    return folder


def test_run_whose_trace_was_changed_is_not_judged_again(plugstorm: Plugstorm, tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "run", "1.6-TC_001_CSMS-1.jsonl", charging_tape())
    folder = sealed(tmp_path / "run", make_case(trace=trace))
    before = (folder / "run.json").read_bytes()
    with (folder / trace).open("ab") as file:
        file.write(b"\n")
    plugstorm("report", "run", "--judge-again").assert_one_line(2, f"{trace} was changed (see manifest.sha256)")
    assert (folder / "run.json").read_bytes() == before


def test_first_judgement_is_kept_and_the_change_is_told(plugstorm: Plugstorm, tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "run", "1.6-TC_001_CSMS-1.jsonl", Tape().open().close())
    folder = sealed(tmp_path / "run", make_case(trace=trace))
    first = (folder / "run.json").read_text()
    result = plugstorm("report", "run", "--judge-again")
    assert result.code == 3
    assert "Judged again, with another verdict than at first: 1.6 TC_001_CSMS (first OK, now INCONCLUSIVE)" in (
        " ".join(result.out.split())
    )
    assert (folder / "run.first.json").read_text() == first
    # What was judged again is sealed again: the next time nothing is wrong with it.
    check_manifest(folder)
    assert plugstorm("report", "run", "--judge-again").code == 3
    assert (folder / "run.first.json").read_text() == first


def test_attestation_names_target_counts_failures_and_hash(plugstorm: Plugstorm, tmp_path: Path) -> None:
    wrong = make_case("TC_003_CSMS", Verdict.FAILED, reason="expected that it answers, but it did not (OCPP 1.6 §4.2)")
    folder = sealed(tmp_path / "run", make_case(), wrong, make_case("TC_004_CSMS", Verdict.INCONCLUSIVE, reason="x"))
    result = plugstorm("report", "run", "--attest")
    assert (result.code, result.errors) == (0, [])
    assert result.out.splitlines()[-1] == "attest  run/attestation.html"
    words = page_of(folder / "attestation.html").words
    for text in (
        "ws://csms.example", "1.6 TC_003 (1.6 §4.2)", "expected that it answers, but it did not",
        "Could not be judged: 1.6 TC_004_CSMS", folder_hash(folder), "no statement (--features)",
    ):  # fmt: skip
        assert text in words
    check_manifest(folder)


def test_attestation_names_what_is_claimed_and_was_not_run(plugstorm: Plugstorm, tmp_path: Path) -> None:
    folder = write_interop(tmp_path / "run", [make_case()])
    run = json.loads((folder / "run.json").read_text())
    run["features"] = {"1.6": {"profiles": ["Core", "Reservation"]}}
    row = {"ocpp": "1.6", "block": "x", "withdrawn": [], "exist": 2, "missing": []}
    run["coverage"] = [
        {**row, "profile": "Core", "ids": 2, "counts": {"OK": 2}},
        {**row, "profile": "Reservation", "ids": 10},
    ]
    (folder / "run.json").write_text(json.dumps(run))
    seal(folder)
    assert plugstorm("report", "run", "--attest").code == 0
    words = page_of(folder / "attestation.html").words
    assert "Claimed, and not run OCPP 1.6 Reservation, 10 of 10 list ids" in words


@pytest.mark.parametrize("way", ["load", "cut", "changed"])
def test_what_cannot_be_attested_is_one_line(plugstorm: Plugstorm, tmp_path: Path, way: str) -> None:
    fault = {"load": "is a load run", "cut": "has no manifest.sha256", "changed": "run.json was changed"}[way]
    if way == "load":
        write_load(tmp_path / "run", seconds=1)
    elif way == "cut":
        write_interop(tmp_path / "run", [make_case()])
    else:
        (sealed(tmp_path / "run", make_case()) / "run.json").write_bytes(
            (write_interop(tmp_path / "other", [make_case(verdict=Verdict.FAILED)]) / "run.json").read_bytes()
        )
    plugstorm("report", "run", "--attest").assert_one_line(2, fault)
    assert not (tmp_path / "run" / "attestation.html").exists()
