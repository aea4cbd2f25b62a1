"""The end of the measuring that concludes a run: in the master, and in the one process of a local run.

It leases identities, decides the windows, collects the reports of all workers (`loadtest.cluster.worker`), shows the
progress, and at the end asks for the last figures, judges and writes the run folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import gevent
import gevent.event
import msgspec

from evidence.exit_codes import USAGE
from evidence.run_folder import RunFolder
from evidence.run_model import LoadRun
from evidence.vocabulary import COOL_DOWN, MEASURE, NOTES_DROPPED, RAMP, TO_CSMS
from loadtest.cluster.delivery import Ack, Collector, Report
from loadtest.cluster.leases import LeaseServer, LeaseTable
from loadtest.cluster.live import Progress, print_error, print_result, snapshot
from loadtest.cluster.overview import ActionTotals, Overview, overview_of, overview_of_result
from loadtest.cluster.same_program import difference
from loadtest.cluster.standing import Standing
from loadtest.judging.early_signs import LOOK_UNTIL, Sight, early_signs
from loadtest.judging.generator import gather, judge, lag_ms
from loadtest.judging.moment import Moment, generator_so_far, worker_moment
from loadtest.judging.quantities import Values
from loadtest.judging.result import Course, at_end, build_run, exit_code, measured_seconds, slo_figures, write_result
from loadtest.judging.settings import Settings
from loadtest.judging.slo import AtEnd, SloWatch
from loadtest.judging.slo import judge as slo_results
from loadtest.judging.slo_built_in import CSMS_ANSWERS, judge_built_in
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Delta
from loadtest.measuring.windows import WindowPlan
from loadtest.plugins.contract import Conclusion, Plugin, RunAccess
from ocppj.errors import HarnessError

__all__ = ["REPORT_EVERY", "MasterEnd"]

REPORT_EVERY: Final = 1.0
"""Seconds between two reports of a worker."""

_logger = logging.getLogger(__name__)


class MasterEnd:
    """Concludes one run after another; a run lasts from `begin` to the end of `finish`."""

    def __init__(
        self,
        settings: Settings,
        send: Callable[[str, dict[str, Any]], None],
        *,
        workers: Callable[[], list[str]],
        name: Callable[[str], str],
        errors: Callable[[], int] = lambda: 0,
        stop: Callable[[], None] = lambda: None,
        check_end: Callable[[], str | None] | None = None,
        spell: Callable[[str], str] = str,
        breathe: Callable[[], object] = lambda: None,
    ) -> None:
        """Make the run folder; raises `UsageError` where it cannot be written.

        `send` takes a worker and a message, `workers` lists the connected ones, `name` is how people call one, `errors`
        counts exceptions of Plugstorm in this process. `stop` ends the run before its time and does not wait for it.
        `check_end` connects once more when the run is over, and returns what is wrong with the CSMS; None: nothing.
        `spell` names the options in a text as this run's command line does. `breathe` is called between the parts of a
        beat: in a local run the answers of stations must not wait for all of it.
        """
        self._breathe = breathe
        self._settings = settings
        self._send = send
        self._all_workers = workers
        self._refused: set[str] = set()
        self._name = name
        self._errors = errors
        self._stop = stop
        self.check_end = check_end
        self._spell = spell
        self._runs = 0
        self._folder: RunFolder | None = RunFolder.create(settings.out, "load")
        self._progress = Progress() if settings.live else None
        self._collector: Collector | None = None
        self._concluded: Collector | None = None
        self._finishing = False
        self._done = gevent.event.Event()
        self._news = gevent.event.Event()
        self._hurry = False
        self._stopped: float | None = None
        self._unstarted = 0.0
        self._actions = ActionTotals()
        self.has_page = False
        """Whether somebody may look at `overview` while a run goes on."""
        self.lease_server = self._new_lease_server()
        self.spawned = False
        """Whether Locust has started all users."""
        self.target = 0
        """How many users Locust was asked for."""
        self.result: LoadRun | None = None
        """The latest run that was concluded."""
        self.exit_code: int | None = None

    # -- a run -------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run has begun and does not end yet."""
        return self._collector is not None and not self._finishing

    @property
    def standing(self) -> Standing:
        """The state of the moment."""
        collector = self._collector
        if collector is None:
            return Standing(result=self.result)
        return Standing(
            window=self._course.windows[-1][0],
            elapsed=self._elapsed(),
            wanted=self.target,
            connected=collector.connected,
            booted=collector.booted,
        )

    @property
    def moment(self) -> Moment | None:
        """The run as it is now; None where none goes on."""
        collector = self._collector
        if collector is None:
            return None
        second = collector.merged.latest()
        return Moment(
            window=self._course.windows[-1][0],
            elapsed=self._elapsed(),
            wanted=self.target,
            connected=collector.connected,
            booted=collector.booted,
            charging=collector.charging,
            waiting=second.waiting if second is not None else 0,
            workers=list(map(worker_moment, collector.workers.values())),
            generator=generator_so_far(
                [(_machine(worker), state) for worker, state in collector.workers.items()],
                now=time.monotonic(),
                interval=REPORT_EVERY,
                source_addresses=self._settings.source_addresses,
                shared_connections=self._settings.shared_connections,
                calls=collector.merged.calls,
                duplicates=len(self.lease_server.table.duplicates),
                errors=self._errors(),
                unstarted=self._unstarted,
            ),
        )

    @property
    def overview(self) -> Overview:
        """What Locust's page shows: the run that goes on, else the latest that was concluded."""
        moment, collector = self.moment, self._collector
        if moment is None or collector is None:
            return Overview() if self.result is None else overview_of_result(self.result)
        return overview_of(moment, collector.merged, self._actions)

    def prepare(self, settings: Settings) -> None:
        """Take what the next run is asked to do; not while one is under way."""
        self._settings = settings

    def begin(self) -> None:
        """Begin a run."""
        if self._collector is not None:
            return
        settings = self._settings
        self._runs += 1
        if self._folder is None:
            out = settings.out and f"{settings.out}-{self._runs}"
            self._folder = RunFolder.create(out, "load")
        self._actions = ActionTotals()
        self._collector = Collector(self._runs, time.monotonic, on_note=self._note, on_delta=self._delta)
        if self.lease_server.identities != settings.identities and not self.lease_server.table.held:
            self.lease_server = self._new_lease_server()
        self._plan = WindowPlan(
            duration=settings.duration,
            warm_up=settings.warm_up,
            cool_down=settings.cool_down,
            is_staged=bool(settings.stages),
        )
        self._slo_watch = SloWatch(settings.slo)
        now = time.time()
        self._began = time.monotonic()
        self._course = Course(started=now, finished=now, windows=[(RAMP, now)])
        self._finishing = self._hurry = self.spawned = False
        self._stopped = None
        self._warned: set[str] = set()
        self._alone_since: float | None = 0.0
        self._unstarted = 0.0
        self._done.clear()
        for worker in self._workers():
            self._collector.expect(worker, self._name(worker))
            self._send_run(worker)
        self._begin_plugins(self._folder)

    def beat(self) -> None:
        """Do what is due once a second."""
        self.lease_server.tick()
        if self._collector is None or self._finishing:
            return
        window = self._plan.window(
            self._elapsed(),
            spawned=self.spawned,
            booted=self._collector.booted,
            target=self.target,
        )
        self._enter(window)
        parts: tuple[Callable[[Collector], object], ...] = (
            self._show,
            self._look_for_early_signs,
            *(partial(self._beat_plugin, plugin) for plugin in self._plugins),
            self._watch_objectives,
            self._watch_for_nobody,
        )
        collector = self._collector
        for part in parts:
            part(collector)
            self._breathe()
            if self._collector is not collector or self._finishing:
                return

    def _beat_plugin(self, plugin: Plugin, _: Collector) -> None:
        plugin.beat(self._elapsed(), self._course.windows[-1][0])

    def cool_down(self) -> None:
        """Note that the run ends: what is intended from now on is not judged."""
        if self.running and self._stopped is None:
            self._stopped = self._course.stopped = self._now()
            self._course.wanted = self.target if self.target or self._settings.stages else None
            self._plan.stop()
            self._enter(COOL_DOWN)
            for plugin in self._plugins:
                plugin.stopping()

    def interrupt(self) -> None:
        """Note that the run ends before its time."""
        if self.running:
            self._course.interrupted = True

    def hurry(self) -> None:
        """Stop waiting for the last figures."""
        self._hurry = True
        self._news.set()

    def finish(self) -> None:
        """End the run: collect the last figures, judge, write; returns when that is done, whoever does it."""
        collector = self._collector
        if collector is None:
            return
        if self._finishing:
            self._done.wait()
            return
        self.cool_down()
        self._finishing = True
        try:
            self._await_last_reports(collector)
            self._conclude(collector)
        except HarnessError as error:
            _logger.error("%s", error)  # noqa: TRY400 - one line for people, no traceback
            if self._settings.live:
                print_error(f"{error}; what could not be written is lost, and the table above is what was measured")
            self.exit_code = USAGE
        finally:
            self._concluded, self._collector = collector, None
            self._folder = None
            self._done.set()

    def close(self) -> None:
        """Leave no empty folder behind where nothing ran."""
        if self._folder is not None and self._runs == 0:
            for path in (self._folder.traces, self._folder.histograms, self._folder.path):
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    # -- messages ----------------------------------------------------------------------------------------------------

    def handle(self, worker: str, message: dict[str, Any]) -> None:
        """Take one message of a worker."""
        if self._collector is not None:
            self._collector.hear(worker)
        if message["kind"] == "hello":
            self._look_at_version(worker, message.get("version", ""))
        if worker in self._refused:
            return
        match message["kind"]:
            case "hello":
                if self._collector is not None:
                    self._collector.expect(worker, self._name(worker))
                    self._send_run(worker)
            case "report":
                self.receive(worker, message["report"])
            case "lease":
                self.lease_server.handle(worker, message["lease"])
            case "leave":
                if self._collector is not None and not self._finishing and not self._course.interrupted:
                    self._collector.leave(worker)

    def receive(self, worker: str, report: Report) -> None:
        """Take one report of a worker and acknowledge it."""
        if worker in self._refused:
            return
        ack = self._collector.receive(worker, report, self._name(worker)) if self._collector is not None else None
        if ack is None:
            ack = Ack(run=report["run"], upto=report["seq"])
            known = self._concluded is not None and self._concluded.knows(worker, report)
            if report["delta"]["windows"] and not known:
                _logger.warning("%s sent figures for a run that is over; they are in no result.", self._name(worker))
        self._send(worker, {"kind": "ack", "ack": ack})
        self._news.set()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _workers(self) -> list[str]:
        return [worker for worker in self._all_workers() if worker not in self._refused]

    def _look_at_version(self, worker: str, version: str) -> None:
        if not (why := difference(version)):
            return
        self._refused.add(worker)
        self._send(worker, {"kind": "refused", "why": why})
        sentence = f"{self._name(worker).capitalize()} takes no part: {why}."
        if self._collector is not None:
            # Locust had taken it for ready, and begun.
            self._collector.forget(worker)
            self._warn(sentence)
            return
        _logger.error("%s", sentence)
        if self._progress is not None:
            self._progress.warn(sentence)

    def _new_lease_server(self) -> LeaseServer:
        identities = self._settings.identities
        table = LeaseTable(identities.capacity, quarantine=self._settings.quarantine)
        return LeaseServer(identities, self._send_lease, time.monotonic, table)

    @property
    def _plugins(self) -> list[Plugin]:
        return self._settings.plugins

    def _begin_plugins(self, folder: RunFolder) -> None:
        access = RunAccess(
            order=self._order,
            folder=folder.path,
            url=self._settings.url,
            stations=self._settings.stations,
            started=self._course.started,
            clock=self._elapsed,
            identity=lambda number: self._settings.identities.lease(number).identity,
            target=lambda: self._settings.stations or self.target,
            ask=self._ask,
            complete=self._is_complete,
            lag_ms=self._lag_ms,
            moment=lambda: self.moment or Moment(),
            warn=self._warn,
        )
        for plugin in self._plugins:
            plugin.begin(access)

    def _lag_ms(self) -> float:
        return lag_ms(self._collector.workers.values()) if self._collector is not None else 0.0

    def _warn(self, sentence: str) -> None:
        """Say something that stays, on the terminal, in the log and in `run.json`."""
        sentence = self._spell(sentence)
        self._course.warnings.append(sentence)
        _logger.warning("%s", sentence)
        if self._progress is not None:
            self._progress.warn(sentence)

    def _is_complete(self) -> bool:
        collector = self._collector
        return collector is not None and not collector.incomplete and not collector.merged.faults[NOTES_DROPPED]

    def _note(self, worker: str, note: list[Any]) -> None:
        for plugin in self._plugins:
            if note[0] in plugin.kinds:
                plugin.note(worker, note)

    def _delta(self, delta: Delta) -> None:
        if self.has_page:
            self._actions.add(delta)
        for plugin in self._plugins:
            plugin.delta(delta)

    def _ask(self, kind: str, request: dict[str, Any]) -> bool:
        return any(plugin.asked(kind, request) for plugin in self._plugins)

    def _order(self, order: dict[str, Any]) -> None:
        for worker in self._workers():
            self._send(worker, {"kind": "order", "order": order})

    def _quantities(self, conclusions: dict[str, Conclusion]) -> Values:
        found = conclusions.items()
        return {f"{name} {word}": pair for name, one in found for word, pair in one.quantities.items()}

    def _elapsed(self) -> float:
        """Count the seconds since the start; a change of the wall clock moves no window, storm or objective."""
        return time.monotonic() - self._began

    def _now(self) -> float:
        """Return the time in seconds since 1970, as the wall clock of the start would show it."""
        return self._course.started + self._elapsed()

    def _send_run(self, worker: str) -> None:
        assert self._folder is not None
        folder, window = str(self._folder.path.resolve()), self._course.windows[-1][0]
        self._send(worker, {"kind": "run", "run": self._runs, "window": window, "folder": folder})

    def _send_lease(self, worker: str, message: dict[str, Any]) -> None:
        self._send(worker, {"kind": "lease", "lease": message})

    def _enter(self, window: str) -> None:
        if window != self._course.windows[-1][0]:
            self._course.windows.append((window, self._now()))
            if window == MEASURE and self.target:
                self._unstarted = max(1 - sum(self.lease_server.table.held.values()) / self.target, 0.0)
            for worker in self._workers():
                self._send(worker, {"kind": "window", "window": window})

    def _show(self, collector: Collector) -> None:
        if self._progress is not None and self._progress.due(self._elapsed()):
            view = snapshot(
                collector.merged,
                connected=collector.connected,
                booted=collector.booted,
                elapsed=self._elapsed(),
                window=self._course.windows[-1][0],
                target=self.target,
                workers=len(collector.workers),
                lines=[line for plugin in self._plugins for line in plugin.standing().lines],
            )
            self._breathe()
            if self._collector is collector and not self._finishing:
                self._progress.show(view)

    def _look_for_early_signs(self, collector: Collector) -> None:
        """Warn, once each, of what is plainly wrong within the first seconds."""
        if self._elapsed() > LOOK_UNTIL or self._stopped is not None:
            return
        merged = collector.merged
        seconds = merged.seconds()
        sight = Sight(
            elapsed=self._elapsed(),
            connected=max((second.connected for second in seconds), default=0),
            booted=max((second.booted for second in seconds), default=0),
            connections=merged.connections,
            calls=merged.answered(),
        )
        for word, sentence in early_signs(sight).items():
            if word not in self._warned:
                self._warned.add(word)
                self._warn(sentence)

    def _watch_for_nobody(self, collector: Collector) -> None:
        """End the run when nobody has been connected for too long, and no storm wants that."""
        patience, now = self._settings.alone_after, self._elapsed()
        if not self.target or collector.connected or any(plugin.keeps_stations_away for plugin in self._plugins):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif patience and now - self._alone_since >= patience and not self._course.alone and self._stopped is None:
            self._course.alone = f"stopped after {now:.0f} s: nobody had been connected for {patience:g} s"
            _logger.warning("The run is %s.", self._course.alone)
            self._stop()

    def _watch_objectives(self, collector: Collector) -> None:
        """End the run when an objective is broken that says so."""
        course = self._course
        if not self._slo_watch or course.broken is not None or self._stopped is not None:
            return
        course.finished, course.stations = self._now(), self.target
        standing = self._quantities({one.name: one.standing() for one in self._plugins})
        figures = slo_figures(
            collector.merged, self._settings, course, plugins=standing, window=collector.merged.window
        )
        course.broken = self._slo_watch.check(figures, self._elapsed())
        if course.broken is not None:
            _logger.warning("The run is %s.", course.broken.reason)
            self._stop()

    def _await_last_reports(self, collector: Collector) -> None:
        """Ask every worker for its last figures, again and again, until all have sent them or the time is over.

        The time begins anew as long as stations end: where they are many, that takes longer than to send figures.
        """
        deadline = time.monotonic() + self._settings.flush_timeout
        left = collector.connected
        while True:
            self._news.clear()
            for worker, state in collector.workers.items():
                if not state.complete and state.left is None:
                    self._send(worker, {"kind": "finish", "run": collector.run})
            again = min(time.monotonic() + 1.0, deadline)
            while collector.incomplete and not self._hurry and time.monotonic() < again:
                self._news.wait(max(again - time.monotonic(), 0.0))
                self._news.clear()
                if collector.connected < left:
                    left, deadline = collector.connected, time.monotonic() + self._settings.flush_timeout
            if not collector.incomplete or self._hurry or time.monotonic() >= deadline:
                return

    def _conclude(self, collector: Collector) -> None:
        assert self._folder is not None
        settings, course, merged = self._settings, self._course, collector.merged
        course.finished = self._now()
        course.stations = self.target
        if self._progress is not None:
            self._progress.close()
        seconds = measured_seconds(course)
        measured = merged.windows.get(MEASURE, {})
        lasted = (self._stopped or course.finished) - course.started
        wanted_end = course.interrupted or course.broken is not None or bool(course.alone)
        lacking = settings.duration - lasted if settings.duration and not wanted_end else 0.0
        conclusions = {plugin.name: plugin.conclude() for plugin in self._plugins}
        end = self._end(merged)
        deaf = any(second.connected for second in merged.seconds()) and not end.had_been_accepted
        gone = end.answers is False or deaf
        facts = gather(
            [(_machine(worker), state) for worker, state in collector.workers.items()],
            now=time.monotonic(),
            interval=REPORT_EVERY,
            source_addresses=settings.source_addresses,
            shared_connections=settings.shared_connections,
            calls=merged.calls,
            seconds=None if (wanted_end or gone) and not measured else seconds,
            offered=merged.offered.get(MEASURE, 0),
            measured=sum(pair.response.count for key, pair in measured.items() if key[2] == TO_CSMS),
            duplicates=len(self.lease_server.table.duplicates),
            waiting=self.lease_server.table.waiting,
            errors=self._errors(),
            unstarted=self._unstarted,
            cut_short=max(lacking, 0.0),
        )
        generator = judge(facts)
        doubts = [reason for conclusion in conclusions.values() for reason in conclusion.invalid]
        if doubts:
            generator = msgspec.structs.replace(generator, verdict="INVALID", reasons=[*generator.reasons, *doubts])
        generator.reasons = list(map(self._spell, generator.reasons))
        windows = merged.windows
        figures = slo_figures(
            merged,
            settings,
            course,
            generator,
            plugins=self._quantities(conclusions),
            end=end,
            window=lambda name: windows.get(name, {}),
        )
        slo = slo_results(settings.slo, figures, course.broken) + judge_built_in(settings.built_in, figures)
        fields = {name: content for one in conclusions.values() for name, content in one.fields.items()}
        run = build_run(merged, settings, course, generator, slo, fields=fields)
        self.result = run
        self.exit_code = exit_code(run)
        try:
            write_result(self._folder, run, merged, settings, course)
        finally:
            # On a full disk the terminal is all that is left.
            if settings.live:
                print_result(run, self._folder.path)

    def _end(self, merged: Merged) -> AtEnd:
        """Look at what is left; somebody who interrupts a run does not wait for the CSMS."""
        found = at_end(merged, self._course)
        wanted = any(one.name == CSMS_ANSWERS for one in self._settings.built_in)
        if self.check_end is None or not wanted or self._hurry or self._course.interrupted:
            return found
        try:
            wrong = self.check_end()
        except HarnessError as error:
            found.why = str(error)
            return found
        found.answers, found.why = wrong is None, wrong or ""
        return found


def _machine(worker: str) -> str:
    """Return the host part of a Locust client id; it stays in memory."""
    return worker.rpartition("_")[0]
