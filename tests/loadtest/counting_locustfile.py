"""A locustfile without OCPP: each user is a connection to the counting sink, for tests of everything that measures.

Environment: SINK (host:port), RUN_FOLDER, SETTINGS (JSON, further fields of `Settings`; `capacity` makes a list of so
many stations), MASTER_PORT_FILE (where the master writes the port that it got), BURN (seconds that each beat keeps the
event loop busy), LAST_WORDS (seconds that the last call of a user takes, which it makes at its end; 0 makes none).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.event import AsyncResult
from locust import User, events, task

from evidence.vocabulary import OPENED, TO_CSMS
from loadtest.judging.settings import Settings
from loadtest.locust_edge.wiring import install, wired
from loadtest.workload.identities import Identities, Lease
from ocppj.errors import UsageError

HOST, _, PORT = os.environ["SINK"].partition(":")
PAUSE = 0.005
BURN = float(os.environ.get("BURN", "0"))
LAST_WORDS = float(os.environ.get("LAST_WORDS", "0"))


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust's own annotations lack it
def on_init(environment: Any, **_: Any) -> None:
    extra = json.loads(os.environ.get("SETTINGS", "{}"))
    if "capacity" in extra:
        pattern = Identities()
        extra["identities"] = Identities(rows=[pattern.lease(n + 1) for n in range(extra.pop("capacity"))])
    options = environment.parsed_options
    settings = Settings(
        url=f"ws://{HOST}:{PORT}", ocpp=["1.6"], out=os.environ["RUN_FOLDER"], duration=options.run_time, **extra
    )
    try:
        install(environment, settings)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    if options.master and (file := os.environ.get("MASTER_PORT_FILE")):
        partial = Path(f"{file}.partial")
        partial.write_text(str(environment.runner.server.port))
        partial.rename(file)


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # Locust's own annotations lack it
def on_test_start(**_: Any) -> None:
    CountingUser.stopping = False


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]  # Locust's own annotations lack it
def on_test_stopping(**_: Any) -> None:
    """Let the open calls end, as the station engine does."""
    CountingUser.stopping = True
    while CountingUser.open_calls:
        gevent.sleep(0.001)


class CountingUser(User):
    stopping = False
    open_calls = 0
    connection: Any = None
    lease: Lease | None = None

    def on_start(self) -> None:
        self.wiring = wired(self.environment)
        self.connect()

    def connect(self) -> None:
        result: Any = AsyncResult()
        self.request = self.wiring.leases.acquire(result.set, self.on_fenced)
        lease: Lease = result.get()
        self.lease = lease
        self.connection = socket.create_connection((HOST, int(PORT)))
        self.connection.sendall(lease.identity.encode() + b"\n")
        self.wiring.recorder.connection(OPENED)
        self.wiring.recorder.connected(+1)
        self.wiring.recorder.booted(+1)

    def on_fenced(self, lease: Lease) -> None:
        assert lease is self.lease
        self.lease = None
        self.disconnect()

    def disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
            self.wiring.recorder.connected(-1)
            self.wiring.recorder.booted(-1)

    @task
    def beat(self) -> None:
        gevent.sleep(PAUSE)
        busy_until = time.monotonic() + BURN
        while time.monotonic() < busy_until:
            pass
        if self.stopping:
            gevent.sleep(3600)
        if self.connection is None:
            self.connect()
        self.call()

    def call(self, seconds: float = 0.0) -> None:
        intended = time.monotonic()
        CountingUser.open_calls += 1
        outcome = "lost"
        try:
            self.connection.sendall(b".")
            if seconds:
                gevent.sleep(seconds)
            if self.connection.recv(1):
                outcome = "accepted"
        except OSError:
            self.disconnect()
        finally:
            # Locust may kill a user in the middle of its call, and the sink has seen that call.
            CountingUser.open_calls -= 1
            now = time.monotonic()
            self.wiring.recorder.call("1.6", "Heartbeat", TO_CSMS, outcome, now - intended, now - intended, now)

    def on_stop(self) -> None:
        self.request.cancel()
        if LAST_WORDS and self.connection is not None:
            self.call(LAST_WORDS)
        self.disconnect()
        if self.lease is not None:
            self.wiring.leases.release(self.lease)
