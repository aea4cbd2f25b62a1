"""Drivers made of a few lines of YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from drivers.base import CommandResult, Exchange
from drivers.declarative import DeclarativeDriver
from drivers.loading import read_driver
from drivers.manual import Desk
from ocppj.versions import Version


class Driven(DeclarativeDriver):
    """A driver that remembers what an observer saw."""

    def __init__(self, text: str, environment: Mapping[str, str], desk: Desk | None) -> None:
        super().__init__(read_driver("test.yaml", text, {}, environment), desk)
        self.seen: list[Exchange] = []
        self.observe = self.seen.append

    def reset(self, payload: dict[str, Any] | None = None, identity: str = "CP1") -> CommandResult:
        return self.command(identity, "Reset", payload or {"type": "Hard"}, Version.V16)


@contextmanager
def driver(
    operations: str,
    *,
    url: str = "http://127.0.0.1:9",
    head: str = "",
    environment: Mapping[str, str] | None = None,
    desk: Desk | None = None,
) -> Iterator[Driven]:
    text = f"driver: test\n{head}"
    if "\nhttp:" not in text:
        text += f"http: {{base_url: {url}, retry: {{wait: 0.01}}}}\n"
    driven = Driven(f"{text}operations:\n{operations}", environment or {}, desk)
    try:
        yield driven
    finally:
        driven.close()
