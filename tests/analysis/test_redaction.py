"""A log that was made safe: nothing of a person or a machine is left, and what was wrong still is."""

from __future__ import annotations

import json
import string
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from analysis.judge import Judge
from analysis.model import Record, Unread
from analysis.readers.source import reader_called
from analysis.redaction import Redactor
from analysis.safe_frames import safe_frame
from ocppj.messages import encode_json
from reports.analysis_text import as_markdown, as_sarif, as_text
from tests.analysis.judging import broken, judge_text, numbered
from tests.analysis.log_scenes import STATION, Line, Scene, Talk, render, scenes

SECRET = st.text(string.ascii_letters + string.digits, min_size=12, max_size=20).map(lambda text: f"zq{text}Qz")


def redacted(text: str, name: str, key: bytes | None = None) -> list[Record | Unread]:
    return list(Redactor(key).records(reader_called(name).read(numbered(text), "station")))


def outputs(text: str, name: str) -> str:
    judge = Judge()
    reader = reader_called(name)
    judge.begin("log", name, reader.traits)
    judge.read(redacted(text, name))
    analysis = judge.finish()
    return as_text(analysis) + as_markdown(analysis) + as_sarif(analysis) + msgspec.json.encode(analysis).decode()


@given(st.lists(SECRET, min_size=12, max_size=12, unique=True))
def test_no_secret_of_a_log_is_left(secrets: list[str]) -> None:
    tag, parent, serial, password, certificate, url, data, vendor, sim, error, odd, station = secrets
    talk = Talk({"chargePointVendor": vendor, "chargePointModel": "M", "chargePointSerialNumber": serial, "iccid": sim})
    talk.start(tag=tag[:20])
    talk.up("Authorize", {"idTag": tag}, {"idTagInfo": {"status": "Accepted", "parentIdTag": parent}})
    talk.down("ChangeConfiguration", {"key": "AuthorizationKey", "value": password}, {"status": "Accepted"})
    talk.down("UpdateFirmware", {"location": f"ftp://user:{password}@10.1.2.3/{url}", "retrieveDate": talk.stamp()})
    talk.down("InstallCertificate", {"certificateType": "ManufacturerRootCertificate", "certificate": certificate})
    talk.up("DataTransfer", {"vendorId": vendor, "data": data}, [4, "InternalError", error, {"why": error}])
    talk.up("Heartbeat", {odd: {odd: odd}}, {"currentTime": talk.stamp()})
    talk.say("up", f'[2,"{odd}","Authorize",{{"idTag":"{tag}"]')
    text = render(Scene("x", talk.lines, set()), "steve").replace(STATION, station)
    text += f'2026-01-01 00:00:00 noise about {password} [2,"{tag}","Authorize",{{}}]\n'
    shown = outputs(text, "steve")
    for secret in secrets:
        assert secret not in shown
        assert secret[:12] not in shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | SECRET,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SECRET, inner, max_size=3),
        max_leaves=12,
    )
)
def test_a_text_anywhere_in_a_frame_is_replaced(value: Any) -> None:
    clean = encode_json(Redactor().value({"payload": value}))
    assert "zq" not in clean or "Qz" not in clean


def test_the_same_thing_gets_the_same_name_and_keeps_its_length() -> None:
    redactor = Redactor(b"k" * 32)
    first, again = redactor.value({"idTag": "INVENTED1"}), redactor.value({"idTag": "INVENTED1"})
    assert first == again
    assert len(first["idTag"]) == len("INVENTED1")
    assert len(redactor.text("x" * 30, "TAG")) == 30
    assert redactor.text("") == ""


def test_another_run_gives_another_name() -> None:
    assert Redactor().text("INVENTED1") != Redactor().text("INVENTED1")


def test_numbers_that_are_settings_are_replaced_and_readings_stay() -> None:
    redactor = Redactor()
    assert redactor.value({"key": "AuthorizationKey", "value": "1234567890"})["value"] != "1234567890"
    assert redactor.value({"value": "1234.5", "unit": "Wh"}) == {"value": "1234.5", "unit": "Wh"}
    assert redactor.value({"server": "x", "user": "y", "key": "Sharedsecret"})["key"] != "Sharedsecret"


def test_what_is_wrong_stays_wrong() -> None:
    for scene in scenes():
        judge = Judge()
        judge.begin("log", "steve", reader_called("steve").traits)
        judge.read(redacted(render(scene, "steve"), "steve"))
        assert broken(judge.finish()) == scene.expected, scene.name


def test_a_key_code_is_shown_nowhere() -> None:
    frame = [2, "1", "Authorize", {"idToken": {"idToken": "424242", "type": "KeyCode"}, "x": "y"}]
    assert "424242" not in safe_frame(json.dumps(frame))
    assert "424242" not in safe_frame(json.dumps(frame)[:-1])
    analysis = judge_text(render(Scene("x", [Line(0.0, "up", json.dumps(frame))], set()), "steve"))
    assert analysis.findings
    assert "424242" not in as_text(analysis) + as_markdown(analysis) + as_sarif(analysis)
