"""Resets while cars charge: of the station and of one EVSE, at once, when idle, and with what goes on afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.reboot import BOOTED_AGAIN, reboot
from interop_suite.steps.transaction_events import ENDED_UNPLUGGED, STOP_SHOWN, answers_all, event
from interop_suite.steps.v2x import VERSIONS, part6, starts_with_token

BLOCK = "Provisioning"
V21_ONLY = ("2.1",)
FIRST, SECOND = 1, 2
"""The EVSEs; the second one is that which is named."""
ENDED_BY_RESET = event("Ended", "ResetCommand", charging_state="EVConnected", stopped_reason="ImmediateReset")
RESUMED = event("Updated", "TxResumed", charging_state="Charging")
ON_IDLE = "reset-on-idle-sent-as-immediate"
WITHOUT_EVSE = "reset-drops-evse"
OF_FIRST_EVSE = "reset-of-first-evse"
WAITS = "reset-waits-for-transactions"
FORGETS_AT_RESET = "transactions-over-at-reset"
FORGETS_AT_BOOT = "transactions-over-at-boot"
WITHOUT_RESUME = "reset-without-resume"
NO_TOKEN_INFO = "event-without-token-info"  # noqa: S105  # the name of a defect


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """One Reset of a station, and how it goes on."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    profile: str = "Core"
    kind: str
    """`type` of the Reset."""
    evse: int | None = None
    charging: bool = True
    with_profile: bool = False
    """Whether a charging profile is in force for the session at the second EVSE."""
    boot: str | None = None
    """Reason of the boot that follows."""
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """What the operator orders."""
        return {"type": self.kind} | ({} if self.evse is None else {"evseId": self.evse})

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the texts ask of the CSMS."""
        expected: dict[str, Expected] = {"type": one_of(self.kind), "evseId": one_of(self.evse)}
        profiled = (asked("SetChargingProfile", _PROFILED),) if self.with_profile else ()
        told = (answers_all, starts_with_token("Accepted")) if self.charging else ()
        return (asked("Reset", expected), *profiled, *told, *(BOOTED_AGAIN if self.boot else ()), still_serves())


_PROFILED = {"evseId": one_of(SECOND), "chargingProfile.chargingProfilePurpose": one_of("TxProfile")}

RESETS = (
    Reset(
        id="TC_B_20_CSMS",
        title="Reset the station when it is idle, and nobody charges",
        kind="OnIdle",
        charging=False,
        boot="RemoteReset",
        clause=part6("B11.FR.04"),
        defect=ON_IDLE,
    ),
    Reset(
        id="TC_B_21_CSMS",
        title="Reset the station when it is idle, while two cars charge",
        kind="OnIdle",
        boot="ScheduledReset",
        clause=part6("B12.FR.01"),
        defect="scheduled-boot-refused",
        also=(ON_IDLE, NO_TOKEN_INFO, "updated-by-stop-authorized-refused"),
    ),
    Reset(
        id="TC_B_22_CSMS",
        title="Reset the station at once, while two cars charge",
        kind="Immediate",
        boot="RemoteReset",
        clause=part6("TC_B_22_CSMS"),
        defect=WAITS,
        also=(FORGETS_AT_RESET, NO_TOKEN_INFO),
    ),
    Reset(
        id="TC_B_26_CSMS",
        title="Reset one EVSE when it is idle, while cars charge there and beside it",
        kind="OnIdle",
        evse=SECOND,
        clause=part6("B12.FR.07"),
        defect=OF_FIRST_EVSE,
        also=(ON_IDLE, WITHOUT_EVSE, NO_TOKEN_INFO, "updated-by-stop-authorized-refused"),
    ),
    Reset(
        id="TC_B_27_CSMS",
        title="Reset one EVSE at once, while cars charge there and beside it",
        kind="Immediate",
        evse=SECOND,
        clause=part6("TC_B_27_CSMS"),
        defect=FORGETS_AT_RESET,
        also=(WAITS, OF_FIRST_EVSE, WITHOUT_EVSE, NO_TOKEN_INFO, "token-info-only-when-authorized"),
    ),
    Reset(
        id="TC_B_103_CSMS",
        title="Reset the station at once; both sessions go on after the boot",
        ocpp=V21_ONLY,
        kind="ImmediateAndResume",
        boot="RemoteReset",
        clause=Clause("21-4", "4.1.7"),
        defect=FORGETS_AT_BOOT,
        also=(WITHOUT_RESUME, ON_IDLE, NO_TOKEN_INFO, "token-info-only-when-authorized"),
    ),
    Reset(
        id="TC_B_104_CSMS",
        title="Reset the station at once so that sessions would go on, while there is none",
        ocpp=V21_ONLY,
        kind="ImmediateAndResume",
        charging=False,
        boot="RemoteReset",
        clause=Clause("21-4", "4.1.7"),
        defect=WITHOUT_RESUME,
        also=(ON_IDLE,),
    ),
    Reset(
        id="TC_B_116_CSMS",
        title="Reset the station at once while a charging profile is in force; the session goes on after the boot",
        ocpp=V21_ONLY,
        kind="ImmediateAndResume",
        with_profile=True,
        boot="RemoteReset",
        clause=Clause("21-4", "4.1.7"),
        defect=FORGETS_AT_BOOT,
        also=(WITHOUT_RESUME, ON_IDLE, NO_TOKEN_INFO, "events-refused-after-boot"),
    ),
)


def _limit(probe: Probe, charging: Charging) -> None:
    """Have the operator limit one session, in two steps."""
    periods = [{"startPeriod": 0, "limit": 13.5}, {"startPeriod": 900, "limit": 9.5}]
    schedule = {"id": 31, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    profile = {
        "id": 17,
        "stackLevel": 2,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "transactionId": charging.id,
        "chargingSchedule": [schedule],
    }
    probe.station.reply("SetChargingProfile", {"status": "Accepted"})
    probe.command("SetChargingProfile", {"evseId": SECOND, "chargingProfile": profile})
    probe.station.expect("SetChargingProfile")


def _go_on(reset: Reset, sessions: list[Charging]) -> list[Charging]:
    """End the sessions that the Reset ends, as it does; gives those that go on."""
    concerned = [each for each in sessions if reset.evse in (None, each.connector)]
    if reset.kind == "ImmediateAndResume":
        return sessions
    for each in concerned:
        for told in (STOP_SHOWN, ENDED_UNPLUGGED) if reset.kind == "OnIdle" else (ENDED_BY_RESET,):
            told.send(each)
    return [each for each in sessions if each not in concerned]


def _add(reset: Reset) -> None:
    orders = ("Reset", "SetChargingProfile") if reset.with_profile else ("Reset",)

    @case(
        id=reset.id,
        ocpp=reset.ocpp,
        title=reset.title,
        block=BLOCK,
        profile=reset.profile,
        initiator="csms",
        needs=(*map(trigger_need, orders), *((token_need("Accepted"),) if reset.charging else ())),
        sends=(
            "Sessions at two EVSEs, the answer to Reset, and what becomes of the sessions."
            if reset.charging
            else "The answer to Reset, and the boot that follows."
        ),
        expects="The CSMS SHALL send Reset as its operator asked for it, and answer every event and the boot.",
        clause=reset.clause,
        defect=reset.defect,
        also=reset.also,
        checks=reset.checks,
    )
    def script(probe: Probe) -> None:
        station = probe.station
        sessions = []
        if reset.charging:
            tokens = (probe.token(), probe.another_token())
            sessions = [Charging(station, token, connector=n) for n, token in zip((FIRST, SECOND), tokens, strict=True)]
        for number, each in enumerate(sessions):
            each.begin(1000 + 400 * number)
        if reset.with_profile:
            _limit(probe, sessions[-1])
        waits = reset.kind == "OnIdle" and reset.charging
        station.reply("Reset", {"status": "Scheduled" if waits else "Accepted"})
        probe.command("Reset", reset.payload)
        if station.expect("Reset") is None:
            return
        running = _go_on(reset, sessions)
        if reset.boot is not None:
            occupied = {each.connector for each in sessions} if reset.kind != "OnIdle" else ()
            reboot(probe, reset.boot, occupied=occupied)
            for each in running:
                RESUMED.send(each)
        for number, each in enumerate(running):
            each.sample(1900 + 300 * number)
            each.end(2600 + 500 * number)
        heartbeat(station)


for _reset in RESETS:
    _add(_reset)
