"""A server that keeps what is pushed to it, and a run whose figures are pushed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from evidence.vocabulary import MEASURE, OPENED, TO_CSMS
from loadtest.judging.moment import Moment, WorkerMoment
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.metrics.families import Sample
from loadtest.plugins.metrics.picture import RunName, picture
from loadtest.plugins.metrics.totals import Totals

NAME = RunName(run="run-1", target="ws://csms/ocpp", ocpp="1.6")
MOMENT = Moment(
    window=MEASURE,
    elapsed=12.0,
    wanted=10,
    connected=9,
    booted=8,
    charging=3,
    waiting=2,
    workers=[WorkerMoment(name="worker 1", stations=9, cpu_seconds=1.5, lag={100: 5}, rss=1000, descriptors=0.25)],
)
STORMS = [{"storm": "csms-restart", "number": 1, "at": 3.0, "struck": 9, "back": 4, "over": False}]
COMMANDS = [("reset", "1.6", "accepted", 7)]


class Pushed(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    def __init__(self, status: int) -> None:
        self.status = status
        self.pushed: list[Pushed] = []
        self.hold = threading.Event()
        self.hold.set()
        self.url = ""


@contextlib.contextmanager
def receiver(status: int = 200) -> Iterator[Receiver]:
    """Listen on a free port; every answer has this status, once `hold` is set."""
    found = Receiver(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.pushed.append(Pushed(self.path, dict(self.headers), body))
            found.hold.wait(30)
            with contextlib.suppress(OSError):
                self.send_response(found.status)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"said")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            found.hold.set()
            server.shutdown()
            thread.join()


def recorded() -> Recorder:
    """Record two CALLs, a connection, a loss and two faults."""
    recorder = Recorder()
    recorder.connection(OPENED)
    recorder.connection("refused 401")
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.004, 0.004)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "timeout", None, 45.0)
    recorder.lost("lost", 1006)
    recorder.fault("duplicate")
    recorder.injected("delay")
    recorder.offered(2)
    return recorder


def samples() -> list[Sample]:
    """Return a run in which every metric has a value."""
    totals = Totals()
    totals.add(recorded().take(final=True))
    return picture(NAME, totals, MOMENT, storms=STORMS, commands=COMMANDS)
