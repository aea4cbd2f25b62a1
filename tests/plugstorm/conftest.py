"""The command as a person runs it, and CSMSs that say no."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.csms import practice_csms
from ocppj.versions import Version
from plugstorm.cli import main


class Result:
    """What a command left: exit code, output, and the lines that are errors."""

    def __init__(self, code: int, out: str, errors: str) -> None:
        self.code = code
        self.out = out
        self.errors = errors.splitlines()

    def assert_one_line(self, code: int, *words: str) -> None:
        """Fail unless the command ended with this code and one line that holds the words."""
        assert (self.code, len(self.errors)) == (code, 1), self.errors
        assert "error: " in self.errors[0]
        assert [word for word in words if word not in self.errors[0]] == []


Plugstorm = Callable[..., Result]
Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def plugstorm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Plugstorm:
    """Run `plugstorm` with these words in an empty folder, in this process; children of it are real."""

    def run(*words: str) -> Result:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["plugstorm", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return Result(left.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start `plugstorm` with these words in an empty folder, as a process of its own with readable output.

    `in_background` starts it as a shell starts a job in the background: SIGINT is ignored.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, in_background: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "plugstorm", *words]
        if in_background:
            command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PLUGSTORM_", "LOCUST_"))
        }
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def answering(response: bytes) -> Iterator[str]:
    """Listen on a free port and answer every connection with these bytes and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(response)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.getsockname()[1]}/ocpp"
        finally:
            # Closing alone does not wake an accept that is under way.
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture
def says() -> Iterator[Callable[[int], str]]:
    """Start a CSMS that answers every upgrade with this HTTP status; gives its URL."""
    with contextlib.ExitStack() as stack:
        yield lambda status: stack.enter_context(
            answering(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        )


@pytest.fixture
def closed_url() -> str:
    """Give the URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return f"ws://127.0.0.1:{port}/ocpp"


@pytest.fixture
def only_201() -> Iterator[str]:
    """Run a practice CSMS that speaks nothing but OCPP 2.0.1."""
    with practice_csms(versions=(Version.V201,)) as csms:
        yield csms.url
