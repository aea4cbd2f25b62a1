from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from evidence.manifest import MANIFEST, check_manifest, folder_hash, has_manifest, seal, seal_pages
from ocppj.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("run.json", "{}"),
        ("traces/1.6-TC_001_CSMS-1.jsonl", "one\n"),
        ("allure-results/a.json", "{}"),
        ("operator.jsonl", "yes\n"),
        ("report.html", "<p>"),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    seal(tmp_path)
    return tmp_path


def test_every_recorded_file_has_a_checksum_and_pages_have_theirs(folder: Path) -> None:
    names = [line.split("  ")[1] for line in (folder / MANIFEST).read_text().splitlines()]
    assert names == ["allure-results/a.json", "operator.jsonl", "run.json", "traces/1.6-TC_001_CSMS-1.jsonl"]
    assert (folder / "pages.sha256").read_text().endswith("  report.html\n")
    assert has_manifest(folder)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_an_auditor_can_check_it_without_us(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", MANIFEST], cwd=folder, check=True, capture_output=True)
    seen = subprocess.run(["sha256sum", MANIFEST], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert seen.split()[0] == folder_hash(folder)


@pytest.mark.parametrize("name", ["run.json", "traces/1.6-TC_001_CSMS-1.jsonl", "allure-results/a.json"])
def test_changed_evidence_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("other")
    with pytest.raises(UsageError, match=f"{name} was changed"):
        check_manifest(folder)


def test_evidence_that_is_gone_is_named(folder: Path) -> None:
    (folder / "operator.jsonl").unlink()
    with pytest.raises(UsageError, match=r"operator\.jsonl is gone"):
        check_manifest(folder)


def test_pages_and_later_files_are_no_evidence(folder: Path) -> None:
    before = folder_hash(folder)
    (folder / "report.html").write_text("<p>again")
    (folder / "notes.txt").write_text("mine")
    seal_pages(folder)
    check_manifest(folder)
    assert folder_hash(folder) == before


def test_hash_of_the_folder_changes_with_its_evidence(folder: Path) -> None:
    before = folder_hash(folder)
    (folder / "operator.jsonl").write_text("no\n")
    seal(folder)
    assert folder_hash(folder) != before


def test_manifest_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    with (folder / MANIFEST).open("a") as file:
        file.write(f"{'0' * 64}  ../elsewhere\n")
    with pytest.raises(UsageError, match="line 5 of the manifest names no file"):
        check_manifest(folder)
