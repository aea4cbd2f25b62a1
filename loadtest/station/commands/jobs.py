"""Jobs that take their time, as sequences of status messages: firmware, diagnostics and logs; no file really moves.

OCPP 1.6 §4.4, §4.5, §5.8 and §5.19, the security whitepaper L01 and N01, OCPP 2.x L01-L04 and N01. A sequence is data;
one timer at a time drives it. A message that cannot be sent now waits until the CSMS hears the station again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fixtures.payloads.v2x import security_event_notification
from loadtest.station.commands.common import Request
from loadtest.station.contract import Controls, Host, State
from loadtest.station.dialect.contract import Ending
from loadtest.station.state.firmware import Firmware
from loadtest.station.state.store import need, store_of
from loadtest.timing.timers import Timer
from ocppj.versions import Version

__all__ = [
    "DIAGNOSTICS",
    "FIRMWARE",
    "KINDS",
    "LOG",
    "PUBLICATION",
    "SIGNED_FIRMWARE",
    "Job",
    "Jobs",
    "Publication",
    "tell_security",
]

_PAUSE: Final = (0.5, 2.0)
"""Seconds between steps that take no time of their own."""
_RETRY_INTERVAL: Final = 30.0
"""Seconds between attempts where the CSMS says nothing."""
_MOST_RETRIES: Final = 10


class Step(NamedTuple):
    """One state on the way; `word` None is one without a message."""

    word: str | None
    lasts: str = ""
    """The span of the profile's `files` that it lasts; a moment without one."""
    fails_as: str = ""
    """The word for a failure at its end; empty where it cannot fail."""
    retried: bool = False
    """Whether it is tried again as often as the CSMS wishes."""
    scheduled: str = ""
    """The moment that it waits for: `retrieve` or `install`."""
    waits_as: str | None = None
    """The word for that wait, in versions that have one."""
    when_idle: bool = False
    """Whether it waits for the last car to leave."""
    reboots: bool = False
    """Whether the station restarts after it."""
    signed: bool = False
    """Whether it belongs to signed firmware only."""


class Kind(NamedTuple):
    """A kind of job in one version."""

    action: str
    """Of the status messages."""
    steps: tuple[Step, ...]
    idle_after: frozenset[str]
    """The last words after which a trigger hears Idle again."""
    numbered: bool = True
    """Whether the messages carry the request's id."""


_UPLOADING = (Step("Uploading", "upload", "UploadFailure", retried=True), Step("Uploaded"))
_OVER_AFTER_UPLOAD = frozenset(
    {"Uploaded", "UploadFailed", "UploadFailure", "AcceptedCanceled", "BadMessage", "PermissionDenied"}
)
_FIRMWARE_16 = (
    Step("Downloading", "download", "DownloadFailed", retried=True, scheduled="retrieve"),
    Step("Downloaded"),
    Step("Installing", "install", "InstallationFailed", when_idle=True),
    Step(None, reboots=True),
    Step("Installed"),
)
_FIRMWARE_2X = (
    Step("Downloading", "download", "DownloadFailed", True, "retrieve", "DownloadScheduled"),
    Step("Downloaded"),
    Step("SignatureVerified", signed=True),
    Step("Installing", "install", "InstallationFailed", False, "install", "InstallScheduled", when_idle=True),
    Step("InstallRebooting", reboots=True),
    Step("Installed"),
)
_PUBLISHING = (
    Step("Downloading", "download", "DownloadFailed", retried=True),
    Step("Downloaded"),
    Step("ChecksumVerified"),
    Step("Published"),
)

FIRMWARE: Final = "firmware"
SIGNED_FIRMWARE: Final = "signed-firmware"
DIAGNOSTICS: Final = "diagnostics"
LOG: Final = "log"
PUBLICATION: Final = "publication"

_ONLY_INSTALLED = frozenset({"Installed"})
_KINDS_2X: Mapping[str, Kind] = MappingProxyType(
    {
        FIRMWARE: Kind("FirmwareStatusNotification", _FIRMWARE_2X, _ONLY_INSTALLED),
        LOG: Kind("LogStatusNotification", _UPLOADING, _OVER_AFTER_UPLOAD),
        PUBLICATION: Kind(
            "PublishFirmwareStatusNotification",
            _PUBLISHING,
            frozenset({"Published", "DownloadFailed"}),
        ),
    }
)
KINDS: Mapping[Version, Mapping[str, Kind]] = MappingProxyType(
    {
        Version.V16: MappingProxyType(
            {
                FIRMWARE: Kind(
                    "FirmwareStatusNotification",
                    _FIRMWARE_16,
                    frozenset({"Installed", "DownloadFailed", "InstallationFailed"}),
                    numbered=False,
                ),
                SIGNED_FIRMWARE: Kind("SignedFirmwareStatusNotification", _FIRMWARE_2X, _ONLY_INSTALLED),
                DIAGNOSTICS: Kind(
                    "DiagnosticsStatusNotification",
                    (Step("Uploading", "upload", "UploadFailed", retried=True), Step("Uploaded")),
                    _OVER_AFTER_UPLOAD,
                    numbered=False,
                ),
                LOG: Kind("LogStatusNotification", _UPLOADING, _OVER_AFTER_UPLOAD),
            }
        ),
        Version.V201: _KINDS_2X,
        Version.V21: _KINDS_2X,
    }
)
_BEYOND_RECALL = frozenset({"Installing", "InstallRebooting"})


class Jobs(State):
    """The jobs of one station, the latest of each kind."""

    __slots__ = ("by_name",)

    def __init__(self, station: Host) -> None:
        """Start with none."""
        super().__init__(station)
        self.by_name: dict[str, Job] = {}
        # Its hooks must come first: a job that goes on after a boot may set the reason of the next one.
        need(station, Firmware)

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - either lets them go on
        """Go on with what waited for the CSMS."""
        for job in list(self.by_name.values()):
            job.back(now)

    def charging_session_over(self, now: float) -> None:
        """Go on with what waited for the last car to leave."""
        for job in list(self.by_name.values()):
            job.charging_session_over(now)

    def close(self) -> None:
        """Give up all of them."""
        for job in self.by_name.values():
            job.cancel()


class Job:
    """One sequence on its way at one station."""

    __slots__ = (
        "_attempts",
        "_index",
        "_leaves_word",
        "_retry_interval",
        "_timer",
        "_times",
        "_unsaid",
        "_waits",
        "details",
        "kind",
        "over",
        "request_id",
        "station",
        "steps",
        "word",
    )

    def __init__(
        self, station: Controls, kind: Kind, request: Request, times: Mapping[str, float], *, signed: bool = False
    ) -> None:
        """Prepare; `times` are the moments that the CSMS set."""
        self.station = station
        self.kind = kind
        self.request_id: int | None = request.get("requestId") if kind.numbered else None
        self.details: dict[str, Any] = {}
        """What the last message holds besides."""
        reboots = station.context.profile.files.reboot
        self.steps = [step for step in kind.steps if (reboots or not step.reboots) and (signed or not step.signed)]
        self.word: str | None = None
        """What the CSMS was told last."""
        self.over = False
        self._times = times
        self._index = 0
        self._attempts = min(max(0, request.get("retries", 0)), _MOST_RETRIES)
        self._retry_interval = max(1.0, float(request.get("retryInterval", _RETRY_INTERVAL)))
        self._timer: Timer | None = None
        self._unsaid: str | None = None
        self._leaves_word: Callable[[float], object] | None = None
        """What goes on once `_unsaid` is said."""
        self._waits = ""
        """`cars` or `boot`, while the job waits for that."""

    @property
    def beyond_recall(self) -> bool:
        """Whether it is too late for another one to take its place."""
        return not self.over and self.word in _BEYOND_RECALL

    def begin(self) -> None:
        """Take the first step."""
        self._enter(self.station.context.clock())

    def cancel(self) -> None:
        """Stop where it is."""
        self.over = True
        self.station.context.timers.cancel(self._timer)
        self._timer = None

    def back(self, now: float) -> None:
        """Go on after a boot or a lost connection."""
        if self.over:
            return
        if self._waits == "boot":
            self._waits = ""
            if self.kind.numbered:
                # Plain 1.6 has no security events.
                tell_security(self.station, "FirmwareUpdated")
            self._after(now, _PAUSE, self._next)
        elif self._unsaid is not None and self._leaves_word is not None:
            self._say(self._unsaid, now, self._leaves_word)

    def charging_session_over(self, now: float) -> None:
        """Go on when the last car has left."""
        if self._waits == "cars" and not self.over and not self._cars:
            self._waits = ""
            self._after(now, _PAUSE, self._enter)

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _cars(self) -> bool:
        return any(connector.charging_session for connector in self.station.connectors)

    def _at(self, when: float, callback: Callable[[float], object]) -> None:
        self._timer = self.station.context.timers.at(when, callback, self.station)

    def _after(self, now: float, span: Any, callback: Callable[[float], object]) -> None:
        self._at(now + self.station.context.draw(span, store_of(self.station).draws("reactions")), callback)

    def _say(self, word: str, now: float, then: Callable[[float], object]) -> None:
        """Tell the CSMS, now or when it hears the station again, and go on after that."""
        payload = {"status": word} | self.details
        if self.request_id is not None:
            payload["requestId"] = self.request_id
        if self.station.call(self.kind.action, payload, now):
            self.word, self._unsaid, self._leaves_word = word, None, None
            then(now)
        else:
            self._unsaid, self._leaves_word = word, then

    def _enter(self, now: float) -> None:
        """Begin a step, once its time has come and its condition holds."""
        step = self.steps[self._index]
        due = self._times.get(step.scheduled, now)
        if due > now:
            wait = partial(self._wait_until, due)
            if step.waits_as is None:
                wait(now)
            else:
                self._say(step.waits_as, now, wait)
            return
        if step.when_idle:
            need(self.station, Firmware).close_connectors()
            if self._cars:
                self._waits = "cars"
                if step.waits_as is not None and self.word != step.waits_as:
                    self._say(step.waits_as, now, lambda _: None)
                return
        if step.word is None:
            self._work(now)
        else:
            self._say(step.word, now, self._work)

    def _wait_until(self, due: float, _: float) -> None:
        self._at(due, self._enter)

    def _work(self, now: float) -> None:
        step = self.steps[self._index]
        if step.reboots:
            self._restart()
        elif self._index == len(self.steps) - 1:
            self._end()
        elif step.lasts:
            self._after(now, getattr(self.station.context.profile.files, step.lasts), self._worked)
        else:
            self._after(now, _PAUSE, self._next)

    def _worked(self, now: float) -> None:
        step = self.steps[self._index]
        share = self.station.context.profile.files.fail
        if not step.fails_as or not share or store_of(self.station).draws("reactions").uniform() >= share:
            self._next(now)
        elif step.retried and self._attempts:
            self._attempts -= 1
            self._at(now + self._retry_interval, self._work)
        else:
            self._say(step.fails_as, now, self._failed)

    def _next(self, now: float) -> None:
        self._index += 1
        self._enter(now)

    def _failed(self, _: float) -> None:
        self._end(worked=False)

    def _end(self, *, worked: bool = True) -> None:  # noqa: ARG002 - what a failure changes is others' affair
        self.over = True
        if any(step.when_idle for step in self.steps):
            need(self.station, Firmware).finish_installation()

    def _restart(self) -> None:
        station, firmware = self.station, need(self.station, Firmware)
        self._waits = "boot"
        firmware.boot_reason = "FirmwareUpdate"
        firmware.version = _newer(station)
        station.reboot(Ending.SOFT_RESET)


def _newer(station: Controls) -> str:
    """Name the firmware that comes after the present one; the newest is installed again."""
    versions, present = station.model.firmware, station.individual.firmware_version
    later = versions[versions.index(present) + 1 :] if present in versions else ()
    return later[0] if later else present


class Publication(Job):
    """Firmware for others: the last message says where it is, and its checksum stays known."""

    __slots__ = ("_checksum", "_location")

    def __init__(self, station: Controls, kind: Kind, request: Request, times: Mapping[str, float]) -> None:
        """Prepare."""
        super().__init__(station, kind, request, times)
        self._checksum = request["checksum"]
        self._location = request["location"]

    def _enter(self, now: float) -> None:
        if self.steps[self._index].word == "Published":
            self.details = {"location": [self._location]}
        super()._enter(now)

    def _end(self, *, worked: bool = True) -> None:
        super()._end(worked=worked)
        if worked:
            need(self.station, Firmware).published.add(self._checksum)

    @property
    def checksum(self) -> str:
        """What the firmware is known by."""
        return str(self._checksum)


def tell_security(station: Controls, kind: str) -> None:
    """Report a security event; 1.6 has the same message, by the whitepaper."""
    now = station.context.clock()
    payload = security_event_notification(kind, station.context.timestamp(now))
    station.call("SecurityEventNotification", payload, now)
