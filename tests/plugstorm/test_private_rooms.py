"""Rooms behind a private name are found first by those who look for them, and by nobody else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from plugstorm.private_rooms import MARK, ROOMS, PrivateRooms, open_rooms

ROOM = "a_room_of_nobody"


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a room, another package of its name that would be found without it, and restore all afterwards."""
    for folder in ("private", "public"):
        package = tmp_path / folder / ROOM
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"WHERE = {folder!r}\n")
        (package / "inner.py").write_text(f"WHERE = {folder!r}\n")
    monkeypatch.syspath_prepend(tmp_path / "public")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setenv(MARK, "")
    for name in (ROOM, f"{ROOM}.inner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path / "private"


def test_a_room_is_found_before_a_package_of_its_name(rooms: Path) -> None:
    open_rooms(rooms)
    module = __import__(f"{ROOM}.inner")
    assert (module.WHERE, module.inner.WHERE) == ("private", "private")
    assert os.environ[MARK] == "1"


def test_what_is_no_room_is_found_as_ever(rooms: Path) -> None:
    finder = PrivateRooms(rooms)
    assert finder.find_spec("json", None) is None
    assert finder.find_spec(f"{ROOM}.inner", [str(rooms / ROOM)]) is None


def test_a_checkout_has_no_private_rooms(rooms: Path) -> None:
    assert not ROOMS.exists()
    before = list(sys.meta_path)
    open_rooms(rooms / "missing")
    assert sys.meta_path == before
    assert os.environ[MARK] == ""
