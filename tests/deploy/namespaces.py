"""Machines of a test: network namespaces with one address each, on one bridge; it needs root and `ip`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["Network", "network"]

_PREFIX = "198.18.0"
"""A network for tests between network devices (RFC 2544), which nobody routes."""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Network:
    """Namespaces by name; the names on this machine bear the number of this process."""

    def __init__(self, names: list[str]) -> None:
        """Name the machines; the first has the lowest address."""
        self.addresses = {name: f"{_PREFIX}.{number}" for number, name in enumerate(names, 2)}
        self._hub = self._place("hub")

    @staticmethod
    def _place(name: str) -> str:
        return f"ps{os.getpid()}-{name}"

    def make(self) -> None:
        """Make all of them, and the cables to the bridge."""
        _ip("netns", "add", self._hub)
        self._on_hub("link", "add", "bridge", "type", "bridge")
        self._on_hub("link", "set", "bridge", "up")
        for name, address in self.addresses.items():
            place = self._place(name)
            _ip("netns", "add", place)
            self._on_hub("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", place)
            self._on_hub("link", "set", f"to-{name}", "master", "bridge", "up")
            for words in (["addr", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
                _ip("-n", place, *words)
            _ip("-n", place, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Remove all of them; whatever still runs there has no network any more."""
        for place in (self._hub, *map(self._place, self.addresses)):
            subprocess.run(["ip", "netns", "del", place], check=False, capture_output=True)

    def _on_hub(self, *words: str) -> None:
        _ip("-n", self._hub, *words)

    def on(self, name: str, *words: str) -> list[str]:
        """Write the command that runs `words` on a machine."""
        return ["ip", "netns", "exec", self._place(name), *words]

    def cut(self, name: str) -> None:
        """Pull the cable of a machine: what is sent is lost, and no connection learns of it."""
        self._on_hub("link", "set", f"to-{name}", "down")

    def mend(self, name: str) -> None:
        """Plug it in again."""
        self._on_hub("link", "set", f"to-{name}", "up")


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Make machines for a while; the test is skipped where this machine forbids it, as most containers do."""
    made = Network([*names])
    try:
        try:
            made.make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no network namespaces: {error.stderr.strip()}")
        yield made
    finally:
        made.remove()
