"""Who may connect as which station: the master leases identities, so that none is ever connected twice.

Locust gives the users of a worker that fell silent to other workers, and the silent one may come back with all its
sockets open (it was only slow). So a station connects with a lease or not at all.

For the station engine (`leases` is `loadtest.locust_edge.wiring.wired(environment).leases`, the same in every mode):

    request = leases.acquire(on_lease, on_fenced)   # never blocks; on_lease(lease) may run before acquire returns
    request.cancel()                                # while it waits; afterwards on_lease is not called any more
    leases.release(lease)                           # after the socket is closed, when the station will not come back

`lease.identity`, `lease.token` and `lease.password` are the station's; `lease.number` counts from 1 over the run and is
what seeds and phases should follow from. A lease is kept over reconnects. `on_fenced(lease)` means: abort the
connection now, send nothing more, do not release, forget the lease, and `acquire` again if the station should go on.

The rules. A worker asks for a renewal every second, and the answer echoes the time at which it asked. A worker whose
last answered question is older than `FENCE_AFTER` closes its stations by itself. The master gives away the identities
of a worker that it has not heard of for `QUARANTINE`, which is longer, and only where no other identity is free.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from loadtest.judging.settings import FENCE_AFTER, QUARANTINE
from loadtest.workload.identities import Identities, Lease

__all__ = [
    "SETTLE",
    "Grant",
    "Lease",
    "LeaseClient",
    "LeaseServer",
    "LeaseTable",
    "Request",
]

SETTLE: Final = 2.0
"""Seconds between the release of an identity and its next use, so that the CSMS has seen the first connection end."""

_ASK_AGAIN: Final = 10.0


class Grant:
    """Identities for one worker; `epoch` is that of the question which they answer."""

    __slots__ = ("epoch", "numbers", "worker")

    def __init__(self, worker: str, epoch: int, numbers: list[int]) -> None:
        """Grant these station numbers."""
        self.worker = worker
        self.epoch = epoch
        self.numbers = numbers


class LeaseTable:
    """Which worker holds which station number; no I/O, the time in seconds comes in.

    Low numbers are given first, so that the same stations come back run after run. The numbers of a silent worker come
    last: without a limit on numbers, never.
    """

    def __init__(self, capacity: int | None = None, *, quarantine: float = QUARANTINE, settle: float = SETTLE) -> None:
        """Know the numbers from 1 to `capacity`, or all."""
        self._capacity = capacity
        self._quarantine = quarantine
        self._settle = settle
        self._fresh = 1
        self._free: list[int] = []
        self._settling: deque[tuple[float, int]] = deque()
        self._abandoned: list[int] = []
        self._holder: dict[int, str] = {}
        self._heard: dict[str, float] = {}
        self._waiting: deque[tuple[str, int, int]] = deque()
        self._given: dict[str, tuple[int, int]] = {}
        self._reissued: set[int] = set()
        self.duplicates: set[int] = set()
        """Numbers that two workers held open at once: one was frozen for longer than the quarantine."""

    @property
    def held(self) -> dict[str, int]:
        """How many numbers each worker holds."""
        counts: dict[str, int] = {}
        for worker in self._holder.values():
            counts[worker] = counts.get(worker, 0) + 1
        return counts

    @property
    def waiting(self) -> int:
        """How many numbers are asked for and cannot be given yet."""
        return sum(want for _, _, want in self._waiting)

    def hear(self, worker: str, now: float) -> None:
        """Renew everything that a worker holds."""
        self._heard[worker] = now

    def ask(self, worker: str, epoch: int, want: int, now: float) -> None:
        """Note how many numbers a worker wants in all since its `epoch` began; `serve` gives what it lacks."""
        self.hear(worker, now)
        self._drop_questions(worker)
        known, given = self._given.get(worker, (epoch, 0))
        if known != epoch:
            given = 0
        self._given[worker] = (epoch, given)
        if want > given:
            self._waiting.append((worker, epoch, want - given))

    def release(self, worker: str, numbers: Iterable[int], now: float) -> None:
        """Take numbers back whose connections are closed; those that the worker lost meanwhile are none of its."""
        self.hear(worker, now)
        for number in numbers:
            if self._holder.get(number) == worker:
                del self._holder[number]
                self._settling.append((now + self._settle, number))

    def fenced(self, worker: str, numbers: Iterable[int], silent: float, now: float) -> None:
        """Take back what a worker closed by itself after `silent` seconds without the master."""
        numbers = list(numbers)
        lost = [number for number in numbers if self._holder.get(number) != worker]
        if silent >= self._quarantine:
            self.duplicates.update(number for number in lost if number in self._reissued)
        self._drop_questions(worker)
        self.release(worker, numbers, now)

    def leave(self, worker: str, now: float) -> None:
        """Take back everything from a worker that ended in order."""
        self.release(worker, [number for number, holder in self._holder.items() if holder == worker], now)
        self._drop_questions(worker)
        del self._heard[worker]

    def serve(self, now: float) -> list[Grant]:
        """Let time pass and give out what can be given, first come first served."""
        self._pass_time(now)
        grants = []
        while self._waiting:
            worker, epoch, want = self._waiting.popleft()
            numbers = self._draw(want)
            for number in numbers:
                self._holder[number] = worker
            if numbers:
                self._given[worker] = (epoch, self._given[worker][1] + len(numbers))
                grants.append(Grant(worker, epoch, numbers))
            if len(numbers) < want:
                self._waiting.appendleft((worker, epoch, want - len(numbers)))
                break
        return grants

    def _pass_time(self, now: float) -> None:
        while self._settling and self._settling[0][0] <= now:
            heapq.heappush(self._free, self._settling.popleft()[1])
        silent = {worker for worker, heard in self._heard.items() if now - heard > self._quarantine}
        if not silent:
            return
        for worker in silent:
            del self._heard[worker]
            self._drop_questions(worker)
        for number in [number for number, holder in self._holder.items() if holder in silent]:
            del self._holder[number]
            heapq.heappush(self._abandoned, number)

    def _drop_questions(self, worker: str) -> None:
        self._waiting = deque(item for item in self._waiting if item[0] != worker)

    def _draw(self, want: int) -> list[int]:
        numbers: list[int] = []
        while len(numbers) < want:
            if self._free:
                numbers.append(heapq.heappop(self._free))
            elif self._capacity is None or self._fresh <= self._capacity:
                numbers.append(self._fresh)
                self._fresh += 1
            elif self._abandoned:
                numbers.append(heapq.heappop(self._abandoned))
                self._reissued.add(numbers[-1])
            else:
                break
        return numbers


class LeaseServer:
    """The master's side: answers the messages of all workers out of one table."""

    def __init__(
        self,
        identities: Identities,
        send: Callable[[str, dict[str, Any]], None],
        clock: Callable[[], float],
        table: LeaseTable,
    ) -> None:
        """Answer through `send(worker, message)` out of `table`."""
        self.identities = identities
        self._send = send
        self._clock = clock
        self.table = table

    def handle(self, worker: str, message: dict[str, Any]) -> None:
        """Take one message of a `LeaseClient`."""
        now = self._clock()
        match message["op"]:
            case "renew":
                self.table.hear(worker, now)
                self._send(worker, {"op": "renewed", "sent": message["sent"]})
            case "ask":
                self.table.ask(worker, message["epoch"], message["want"], now)
            case "release":
                self.table.release(worker, message["numbers"], now)
            case "fenced":
                self.table.fenced(worker, message["numbers"], message["silent"], now)
            case "leave":
                self.table.leave(worker, now)
        self.tick()

    def tick(self) -> None:
        """Give out what became free; called after each message and once a second."""
        for grant in self.table.serve(self._clock()):
            leases = [self.identities.lease(number) for number in grant.numbers]
            rows = msgspec.to_builtins(leases)
            self._send(grant.worker, {"op": "granted", "epoch": grant.epoch, "leases": rows})


class Request:
    """A station's request for a lease, and its callbacks."""

    __slots__ = ("_lease", "_on_fenced", "_on_lease", "cancelled")

    def __init__(self, on_lease: Callable[[Lease], object], on_fenced: Callable[[Lease], object]) -> None:
        """Hold the two callbacks of a station."""
        self._on_lease: Callable[[Lease], object] | None = on_lease
        self._on_fenced = on_fenced
        self._lease: Lease | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Withdraw the request; has no effect once the lease is there."""
        self.cancelled = True

    def grant(self, lease: Lease) -> None:
        """Give the lease to the station, once."""
        self._lease = lease
        on_lease, self._on_lease = self._on_lease, None
        assert on_lease is not None
        on_lease(lease)

    def fence(self) -> None:
        """Take the lease from the station."""
        assert self._lease is not None
        self._on_fenced(self._lease)


class LeaseClient:
    """A worker's side; in a local run it talks to a `LeaseServer` in the same process.

    Questions and releases of one turn of the event loop travel together: ten thousand stations that start at once ask
    once.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        clock: Callable[[], float],
        soon: Callable[[Callable[[], None]], None],
        *,
        fence_after: float = FENCE_AFTER,
    ) -> None:
        """Speak through `send(message)`; `soon(function)` runs a function at the end of this turn of the event loop."""
        self._send = send
        self._clock = clock
        self._soon = soon
        self._fence_after = fence_after
        self._contact = clock()
        self._epoch = 0
        self._asked = 0
        self._granted = 0
        self._asked_at = self._contact
        self._waiting: deque[Request] = deque()
        self._held: dict[int, Request] = {}
        self._released: list[int] = []
        self._scheduled = False
        self.fences = 0
        """How often this worker had to close its stations."""

    @property
    def held(self) -> int:
        """How many leases are in use."""
        return len(self._held)

    def acquire(self, on_lease: Callable[[Lease], object], on_fenced: Callable[[Lease], object]) -> Request:
        """Ask for a lease; see the head of this module."""
        request = Request(on_lease, on_fenced)
        self._waiting.append(request)
        self._schedule()
        return request

    def release(self, lease: Lease) -> None:
        """Give a lease back; see the head of this module. One that was fenced is gone already: that is fine."""
        if self._held.pop(lease.number, None) is not None:
            self._released.append(lease.number)
            self._schedule()

    def handle(self, message: dict[str, Any]) -> None:
        """Take one message of the `LeaseServer`."""
        if message["op"] == "renewed":
            self._contact = max(self._contact, message["sent"])
            return
        leases = msgspec.convert(message["leases"], list[Lease])
        if message["epoch"] != self._epoch or self._silence() > self._fence_after:
            self._released.extend(lease.number for lease in leases)
            self._schedule()
            return
        self._granted += len(leases)
        for lease in leases:
            request = self._next_request()
            if request is None:
                self._released.append(lease.number)
                self._schedule()
            else:
                self._held[lease.number] = request
                request.grant(lease)

    def tick(self) -> None:
        """Renew, or close all stations when the master was silent for too long; called once a second."""
        silence = self._silence()
        if silence > self._fence_after:
            self._fence(silence)
        elif self._waiting and self._clock() - self._asked_at > _ASK_AGAIN:
            self._begin_epoch()
        self._send({"op": "renew", "sent": self._clock()})
        self._schedule()

    def leave(self) -> None:
        """Report that all connections are closed and no lease is held any more."""
        self._held.clear()
        self._waiting.clear()
        self._send({"op": "leave"})

    def _silence(self) -> float:
        return self._clock() - self._contact

    def _begin_epoch(self) -> None:
        """Ask anew; a grant that is still on its way will be given back."""
        self._epoch += 1
        self._asked = self._granted = 0

    def _fence(self, silence: float) -> None:
        self._begin_epoch()
        if not self._held:
            return
        self.fences += 1
        fenced, self._held = self._held, {}
        for request in fenced.values():
            request.fence()
        numbers = list(fenced)
        self._send({"op": "fenced", "numbers": numbers, "silent": silence})

    def _next_request(self) -> Request | None:
        while self._waiting:
            request = self._waiting.popleft()
            if not request.cancelled:
                return request
        return None

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._speak)

    def _speak(self) -> None:
        self._scheduled = False
        if self._released:
            numbers, self._released = self._released, []
            self._send({"op": "release", "numbers": numbers})
        want = self._granted + sum(not request.cancelled for request in self._waiting)
        if want > self._asked and self._silence() <= self._fence_after:
            self._asked = want
            self._asked_at = self._clock()
            self._send({"op": "ask", "epoch": self._epoch, "want": want})
