"""SARIF as code scanners read it: every property is one of SARIF 2.1.0, and of the right kind."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from analysis.findings_model import Analysis, Judged
from analysis.model import Level, Side
from analysis.rulebook.table import RULES
from ocppj.versions import Version
from reports.analysis_text import as_sarif


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string", "minLength": 1}
_NUMBER = {"type": "integer", "minimum": 0}
_MESSAGE = _object("text", text=_TEXT)
_PLACE = _object(
    "artifactLocation region",
    artifactLocation=_object("uri", uri={"type": "string", "format": "uri-reference"}),
    region=_object("startLine", startLine={"type": "integer", "minimum": 1}),
)
_RESULT = _object(
    "ruleId ruleIndex level message locations",
    ruleId=_TEXT,
    ruleIndex=_NUMBER,
    level={"enum": ["none", "note", "warning", "error"]},
    message=_MESSAGE,
    locations=_list(_object("physicalLocation", physicalLocation=_PLACE)),
)
_DRIVER = _object(
    "name rules",
    name=_TEXT,
    rules=_list(_object("id shortDescription", id=_TEXT, shortDescription=_MESSAGE, properties={"type": "object"})),
)
# SARIF 2.1.0 §3.13, §3.14, §3.19, §3.27 and §3.29, as far as it is written here.
SCHEMA = _object(
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs=_list(_object("tool results", tool=_object("driver", driver=_DRIVER), results=_list(_RESULT))),
)


def _found(rule: str, level: Level, line: int, file: str) -> Judged:
    told = RULES[rule]
    return Judged(
        rule=rule, side=told.side or Side.CSMS, level=level, clause=told.clause_in(Version.V16), asks=told.asks,
        station="INV-0001", connection=1, file=file, line=line, at=None, version=Version.V16, detail="x",
    )  # fmt: skip


def test_what_is_written_is_sarif() -> None:
    levels, files = [*Level], ["a b.log", "/var/log/ä.log", "(standard input)"]
    findings = [_found(rule, levels[line % 3], line, files[line % 3]) for line, rule in enumerate(RULES)]
    analysis = Analysis(
        sources=[], frames=0, stations=[], actions=[], counts={}, required={}, findings=findings, lost=[], unread=[]
    )
    written = json.loads(as_sarif(analysis))
    kind = jsonschema.Draft202012Validator
    kind(SCHEMA, format_checker=kind.FORMAT_CHECKER).validate(written)
    (run,) = written["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [finding.rule for finding in findings]
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]}
    assert uris == {"a%20b.log", "/var/log/%C3%A4.log", "%28standard%20input%29"}
