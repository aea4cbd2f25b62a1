"""Attaches measuring, leases, windows, self-check and results to a Locust `Environment`, in every mode of Locust.

The locustfile calls `install` once in each process, from a listener of Locust's `init` event, and the users ask `wired`
for what they need:

    @events.init.add_listener
    def _(environment, **_): install(environment, settings)      # raises UsageError

    wiring = wired(user.environment)                             # .recorder  .leases  .settings

What the station engine has to do itself:

* listen to Locust's `test_stopping`, which every process with stations fires before it stops its users: send no new
  CALLs from then on, and wait (a few seconds at most) until the open ones ended; whatever is recorded before
  `test_stop` is in the result, to the unit;
* close the connection in `User.on_stop`, and call `leases.release`.

On the master, and in a local run, the result is written when the test stops: first every worker is asked for its last
figures, then the run is judged, and only then `environment.process_exit_code` is set. Locust fires `quitting` in
reverse, so the listener made here runs before Locust's own, while the workers still listen. Workers end with 0
(`locust --processes` returns the highest code of all), unless something broke in them.

This module imports Locust, which monkey-patches the process; the modules below it do not.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

import gevent
import locust.log
from locust import argument_parser, runners
from locust.env import Environment
from locust.exception import RPCError

from evidence import exit_codes
from loadtest.cluster.leases import LeaseClient
from loadtest.cluster.master import REPORT_EVERY, MasterEnd
from loadtest.cluster.worker import WorkerEnd
from loadtest.judging.settings import Settings
from loadtest.locust_edge.breathing import breathe
from loadtest.locust_edge.options import in_locusts_words
from loadtest.locust_edge.orphans import Orphan, is_by_plugstorm
from loadtest.locust_edge.stopping import stop_users
from loadtest.locust_edge.table import LocustTable
from loadtest.measuring.recorder import Recorder
from ocppj.errors import HarnessError, LocalProtocolError

__all__ = ["Wiring", "expect_workers", "install", "prepare_locust", "spell", "wired"]

_UP: Final = "plugstorm_up"
_DOWN: Final = "plugstorm_down"
_REPORTS: Final = "plugstorm"
_LIVENESS: Final = 10
"""Seconds of silence after which Locust takes a worker for dead: after its own 3 a busy machine would end the run. Who
may connect does not depend on it (`loadtest.cluster.leases`)."""
_GOODBYE_TIMEOUT: Final = 5.0

_logger = logging.getLogger(__name__)
_wirings: WeakKeyDictionary[Environment, Wiring] = WeakKeyDictionary()
_early: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()
"""What workers said to a master before it was ready."""


def install(environment: Environment, settings: Settings, *, signals: bool = True) -> Wiring:
    """Attach everything to an environment whose runner exists; raises `UsageError` where the folder cannot be made.

    `signals` makes Ctrl-C reach the main greenlet for certain: Locust swallows it in some places.
    """
    wiring = _wirings[environment] = Wiring(environment, settings)
    wiring.attach()
    if signals:
        wiring.handle_interrupts()
    return wiring


def prepare_locust() -> None:
    """Make Locust's own work between master and workers light and patient; called before a runner is made."""
    # From the first message on: a worker that starts on a busy machine is silent for seconds.
    runners.HEARTBEAT_LIVENESS = _LIVENESS
    # A worker asks for it once for each option of each order to spawn, which would stall its stations for a second.
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
    # It asks who ends a test, for a line in the log: `inspect` then looks for the source of every module that there is,
    # and answers wait for the loop meanwhile, 14 ms and more.
    vars(runners)["inspect"] = Inspect
    # It stops all users in one turn of the loop.
    runners.Runner.stop_users = stop_users  # type: ignore[assignment, method-assign]  # in place of its own
    # Who spawned a greenlet, and from which line, is 0.6 KB for each user, and nobody asks for it.
    gevent.config.track_greenlet_tree = False


class Inspect:
    """What Locust asks of the module `inspect` when a test ends, without the lines of the source around it."""

    @staticmethod
    def stack() -> list[tuple[FrameType | None]]:
        """Return the frames of who asks and of who called that."""
        asking = sys._getframe(1)  # noqa: SLF001 - there is no other way
        return [(asking,), (asking.f_back,)]

    @staticmethod
    def getframeinfo(frame: FrameType) -> inspect.Traceback:
        """Say where a frame is."""
        return inspect.getframeinfo(frame, context=0)


def expect_workers(runner: Any) -> None:
    """Keep what workers say to a master that does not know yet what to do."""
    if isinstance(runner, runners.MasterRunner):
        early = _early[runner] = []
        runner.register_message(_UP, lambda msg, **_: early.append(msg))


def wired(environment: Environment) -> Wiring:
    """Return what `install` attached to this environment."""
    try:
        return _wirings[environment]
    except KeyError:
        raise LocalProtocolError("loadtest.locust_edge.wiring.install was not called for this environment.") from None


def spell(text: str) -> str:
    """Name options in a text for people as whoever started this process knows them."""
    return text if is_by_plugstorm() else in_locusts_words(text)


class Wiring:
    """The parts that this process has: a worker has no master end, a master no worker end, a local run both."""

    def __init__(self, environment: Environment, settings: Settings) -> None:
        """Build the parts for the environment's runner."""
        # Locust's own annotations are incomplete.
        runner: Any = environment.runner
        assert runner is not None, "install belongs into a listener of Locust's init event"
        self._runner = runner
        self.environment = environment
        self.settings = settings
        self.master: MasterEnd | None = None
        self.worker: WorkerEnd | None = None
        self._receiver: Any = None
        self._orphan = Orphan(is_forked=isinstance(runner, runners.WorkerRunner))
        self._interrupts = 0
        self._is_refused = False
        if not isinstance(runner, runners.WorkerRunner):
            self.master = MasterEnd(
                settings,
                self._send_down,
                workers=self._workers,
                name=self._name_of,
                errors=_unhandled,
                stop=self._stop_early,
                spell=spell,
                breathe=breathe,
            )
        if not isinstance(runner, runners.MasterRunner):
            self.worker = WorkerEnd(
                self._send_up,
                table=LocustTable(environment),
                stop=self._stop_users,
                refused=self._leave_refused,
                fence_after=settings.fence_after,
            )

    @property
    def recorder(self) -> Recorder:
        """Where the stations of this process report to."""
        assert self.worker is not None, "a master has no stations"
        return self.worker.recorder

    @property
    def leases(self) -> LeaseClient:
        """Where the stations of this process get their identities."""
        assert self.worker is not None, "a master has no stations"
        return self.worker.leases

    @property
    def worker_name(self) -> str:
        """What the files of this process are called: the number of the worker, from 1."""
        index = self._runner.worker_index if isinstance(self._runner, runners.WorkerRunner) else 0
        return str(index + 1) if index >= 0 else f"pid{os.getpid()}"

    # -- attaching ---------------------------------------------------------------------------------------------------

    def prepare(self, settings: Settings) -> None:
        """Take what the next run is asked to do, as a whole."""
        assert self.master is not None, "a worker gets its settings from the master"
        self.settings = settings
        self.master.prepare(settings)

    def attach(self) -> None:
        """Listen to Locust and begin to beat."""
        events: Any = self.environment.events
        runner = self._runner
        if self.master is not None:
            runner.custom_messages.pop(_UP, None)
            runner.register_message(_UP, self._on_up)
            for message in _early.pop(runner, ()):
                self.master.handle(message.node_id, message.data)
            events.test_start.add_listener(self._on_test_start)
            events.spawning_complete.add_listener(self._on_spawning_complete)
        if self.worker is not None:
            runner.register_message(_DOWN, self._on_down)
            events.user_error.add_listener(self._on_user_error)
        if isinstance(runner, runners.MasterRunner):
            events.worker_report.add_listener(self._on_worker_report)
        if isinstance(runner, runners.WorkerRunner):
            runners.WORKER_REPORT_INTERVAL = REPORT_EVERY
            events.report_to_master.add_listener(self._on_report_to_master)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        if self.worker is not None:
            self.worker.start()
        gevent.spawn(self._beat)

    def check_end(self, check: Callable[[], str | None] | None) -> None:
        """Take how the CSMS is looked at when a run is over (`loadtest.cluster.master.MasterEnd`)."""
        assert self.master is not None, "a worker concludes nothing"
        self.master.check_end = check

    def handle_interrupts(self) -> None:
        """Take over SIGINT: the first ends the run, the second its waiting, the third the process."""
        main = gevent.getcurrent()

        def on_interrupt() -> None:
            self._interrupts += 1
            if self._interrupts == 1:
                if self.master is not None:
                    self.master.interrupt()
                gevent.kill(main, KeyboardInterrupt)
                return
            if self.master is not None:
                self.master.hurry()
            watcher.cancel()
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        watcher = gevent.signal_handler(signal.SIGINT, on_interrupt)

    def _beat(self) -> None:
        while True:
            gevent.sleep(REPORT_EVERY)
            self._orphan.look()
            try:
                if self.worker is not None:
                    self.worker.beat()
                    breathe()
                    if self.master is not None:
                        self._report_locally(self.worker)
                if self.master is not None:
                    self.master.target = self._runner.target_user_count
                    self.master.beat()
            except Exception:
                _logger.exception("The bookkeeping of the run failed; it goes on.")
                locust.log.unhandled_greenlet_exception = True

    # -- messages ----------------------------------------------------------------------------------------------------

    def _send_up(self, message: dict[str, Any]) -> None:
        try:
            self._runner.send_message(_UP, message)
        except RPCError as error:
            _logger.warning("The master cannot be reached (%s); figures are kept and sent again.", error)

    def _send_down(self, worker: str, message: dict[str, Any]) -> None:
        try:
            self._runner.send_message(_DOWN, message, client_id=worker)
        except RPCError as error:
            _logger.warning("%s cannot be reached (%s).", self._name_of(worker), error)

    def _on_up(self, *, msg: Any, **_: Any) -> None:
        assert self.master is not None
        self._receiver = gevent.getcurrent()
        self.master.handle(msg.node_id, msg.data)

    def _on_down(self, *, msg: Any, **_: Any) -> None:
        assert self.worker is not None
        self.worker.handle(msg.data)

    def _on_report_to_master(self, *, data: dict[str, Any], **_: Any) -> None:
        assert self.worker is not None
        data[_REPORTS] = self.worker.reports()

    def _on_worker_report(self, *, client_id: str, data: dict[str, Any], **_: Any) -> None:
        assert self.master is not None
        for report in data.get(_REPORTS, ()):
            self.master.receive(client_id, report)

    def _report_locally(self, worker: WorkerEnd) -> None:
        for report in worker.reports():
            breathe()
            self._send_up({"kind": "report", "report": report})
        breathe()

    # -- the course of a test ----------------------------------------------------------------------------------------

    def _on_test_start(self, **_: Any) -> None:
        assert self.master is not None
        self.master.target = self._runner.target_user_count
        try:
            self.master.begin()
        except HarnessError as error:
            _logger.error("%s", error)  # noqa: TRY400 - one line for people, no traceback
            self.environment.process_exit_code = exit_codes.USAGE

    def _on_spawning_complete(self, **_: Any) -> None:
        assert self.master is not None
        self.master.spawned = True

    def _on_test_stopping(self, **_: Any) -> None:
        if self.worker is not None:
            self.worker.stopping()
        if self.master is not None:
            self.master.cool_down()

    def _on_test_stop(self, **_: Any) -> None:
        if self.worker is not None:
            self.worker.flush()
        if self.master is None:
            return
        if isinstance(self._runner, runners.LocalRunner):
            self._finish()
            return
        # The greenlet that found the last worker gone is killed when Locust's run time is over, and would take the
        # result with it. Nor may it wait where it is the one that takes the workers' messages.
        finishing = gevent.spawn(self._finish)
        if gevent.getcurrent() is not self._receiver:
            finishing.join()

    def _finish(self) -> None:
        assert self.master is not None
        self.master.finish()
        if self.master.exit_code is not None:
            self.environment.process_exit_code = self.master.exit_code
        given: Any = self.environment.parsed_options
        if self.environment.web_ui is not None and getattr(given, "autoquit", -1) != -1:
            # Locust does it at the end of its run time only, and not after stages or an early end.
            gevent.spawn_later(given.autoquit, self._leave_page)

    def _leave_page(self) -> None:
        """End the process whose web page nobody wants to keep."""
        self._runner.quit()
        if self.environment.web_ui is not None:
            self.environment.web_ui.stop()  # type: ignore[no-untyped-call]  # Locust has no types there

    def _on_quitting(self, **_: Any) -> None:
        if self.master is not None:
            self.master.interrupt()
            self._stop_users()
            self._finish()
            self.master.close()
        elif self.worker is not None:
            if not self._stop_users():
                self.worker.flush()
            self._say_goodbye(self.worker)
            self.environment.process_exit_code = self._worker_exit_code()
        if self.worker is not None:
            self.worker.close()

    def _worker_exit_code(self) -> int:
        if self._is_refused:
            return exit_codes.USAGE
        return exit_codes.INVALID if _unhandled() else exit_codes.PASSED

    def _leave_refused(self, why: str) -> None:
        _logger.error("The master wants no work of this worker: %s.", why)
        self._is_refused = True
        gevent.spawn(self._runner.quit)

    def _say_goodbye(self, worker: WorkerEnd) -> None:
        """Wait until the master has the last figures, unless the connection to it is closed already."""
        deadline = time.monotonic() + _GOODBYE_TIMEOUT
        while worker.report_queue.unacked and len(self._runner.greenlet) and time.monotonic() < deadline:
            gevent.sleep(0.02)
        worker.leave()

    def _on_user_error(self, **_: Any) -> None:
        assert self.worker is not None
        self.worker.sampler.error()

    def _stop_users(self) -> bool:
        """Stop the test in this process, which ends in `test_stop`; returns whether one was running."""
        if self._runner.state not in {runners.STATE_SPAWNING, runners.STATE_RUNNING}:
            return False
        if isinstance(self._runner, runners.MasterRunner):
            # The workers are stopped by `MasterEnd.finish`; from here on Locust gives no users to those that remain.
            self._runner.stop(send_stop_to_client=False)
        else:
            self._runner.stop()
        return True

    def _stop_early(self) -> None:
        """End the test as the end of its time does: a web UI stays, everything else is over."""
        headless = getattr(self.environment.parsed_options, "headless", True)
        gevent.spawn(self._runner.quit if headless else self._runner.stop)

    def _workers(self) -> list[str]:
        if isinstance(self._runner, runners.MasterRunner):
            return list(self._runner.clients)
        return ["local"]

    def _name_of(self, worker: str) -> str:
        runner = self._runner
        if isinstance(runner, runners.MasterRunner):
            index: int = runner.get_worker_index(worker)  # type: ignore[no-untyped-call]  # Locust has no types there
            return f"worker {index + 1}"
        return "this process"


def _unhandled() -> int:
    return int(locust.log.unhandled_greenlet_exception)
