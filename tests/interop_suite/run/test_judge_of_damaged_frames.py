"""Whatever a CSMS sends, every check says something about it, and none breaks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import History
from interop_suite.run.judge import judge
from ocppj.trace import Kind, TraceRecord
from tests.interop_suite.cases.v2x.lawful_csms import LawfulCsms, lawful_csms
from tests.sampling import Draw

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 1e308, 10**400, "", "\x00", "\ud800", "a" * 3000, "9999-12-31T23:59:59Z", "2026-13-45"),
    *([], {}, [[]], [None], {"": None}, {"status": {}}, ["Accepted"]),
)
PAYLOAD_AT = {2: 3, 3: 2, 6: 3}
DAMAGES = 25
"""For each case."""


@pytest.fixture(scope="module")
def csms() -> Iterator[LawfulCsms]:
    with lawful_csms() as running:
        yield running


def damaged(value: Any, chance: random.Random) -> Any:
    """Change, leave out or add one thing anywhere within a value."""
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        return [*value[:place], damaged(value[place], chance), *value[place + 1 :]]
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        match chance.randrange(4):
            case 0:
                return {key: item for key, item in value.items() if key != name}
            case 1:
                return {**value, "status": chance.choice(ODD)}
            case _:
                return {**value, name: damaged(value[name], chance)}
    return chance.choice(ODD)


def damaged_frame(text: str, chance: random.Random) -> str:
    frame = json.loads(text)
    place = PAYLOAD_AT.get(frame[0]) if isinstance(frame, list) and frame else None
    if place is None or place >= len(frame) or chance.random() < 0.1:
        return json.dumps(damaged(frame, chance))
    return json.dumps([*frame[:place], damaged(frame[place], chance), *frame[place + 1 :]])


def damaged_told(info: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Change what the API of the CSMS has told, and nothing that the driver itself has made of it."""
    payload = (info.get("result") or {}).get("payload")
    if isinstance(payload, dict) and payload:
        name = chance.choice(list(payload))
        return {**info, "result": {**info["result"], "payload": {**payload, name: chance.choice(ODD)}}}
    if rows := info.get("transactions"):
        place = chance.randrange(len(rows))
        row = {**rows[place], chance.choice(list(rows[place])): chance.choice(ODD)}
        return {**info, "transactions": [*rows[:place], row, *rows[place + 1 :]]}
    return info


def damages(records: list[TraceRecord], chance: random.Random) -> Iterator[list[TraceRecord]]:
    change: dict[int, Callable[[TraceRecord], TraceRecord]] = {}
    for place, record in enumerate(records):
        if record.kind is Kind.RECEIVED and record.text and record.text.startswith("["):
            change[place] = lambda r: msgspec.structs.replace(r, text=damaged_frame(r.text or "", chance))
        elif record.kind is Kind.DRIVER:
            change[place] = lambda r: msgspec.structs.replace(r, info=damaged_told(r.info, chance))
    for _ in range(DAMAGES if change else 0):
        places = chance.sample(list(change), min(len(change), chance.choice((1, 1, 2, 4))))
        yield [change[n](record) if n in places else record for n, record in enumerate(records)]


@pytest.mark.waits(20)
def test_no_check_breaks_at_damaged_frames(csms: LawfulCsms, draw: Draw) -> None:
    cases: list[Case] = draw.some("cases with damaged frames", list(all_cases()), 45, by=lambda case: case.ocpp)
    for case in cases:
        records = csms.runner.attempt(case).history.records
        for changed in damages(records, random.Random(case.key)):
            result = judge(case, History(changed, case.ocpp))
            assert not [actual for actual in result.actual if "please report it" in actual], (case.key, result.actual)
