"""The line at the foot of Locust's web page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask

from evidence.run_folder import read_run
from evidence.run_model import LoadRun, SloResult
from evidence.verdicts import RunVerdict
from loadtest.cluster.standing import Standing, standing_line
from loadtest.locust_edge.web_bar import add_bar
from tests.reports.report_builders import write_load


def client(line: str) -> Any:
    app = flask.Flask("bar")
    blueprint = flask.Blueprint("locust", "locust")
    blueprint.add_url_rule("/", "index", lambda: "<html><body><div id='root'></div></body></html>")
    blueprint.add_url_rule("/stats", "stats", lambda: flask.jsonify(body="</body>"))
    app.register_blueprint(blueprint)
    environment: Any = SimpleNamespace(web_ui=SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view))
    add_bar(environment, lambda: line)
    return app.test_client()


def test_the_page_of_locust_links_to_the_storms_and_asks_for_the_line() -> None:
    web = client("5 of 9 stations booted")
    page = web.get("/").get_data(as_text=True)
    assert '<a href="storms"' in page
    assert page.index("<div id='root'>") < page.index('id="plugstorm"') < page.index("</body>")
    assert web.get("/plugstorm").get_json() == {"line": "5 of 9 stations booted"}


def test_other_answers_of_locust_stay_as_they_are() -> None:
    assert client("").get("/stats").get_json() == {"body": "</body>"}


def test_without_a_web_ui_nothing_is_added() -> None:
    environment: Any = SimpleNamespace(web_ui=None)
    add_bar(environment, lambda: "")


def test_a_run_that_goes_on_shows_its_booted_stations() -> None:
    said = standing_line(Standing(window="measure", elapsed=42.4, wanted=100, connected=99, booted=97))
    assert said.startswith("42 s, measure: 97 of 100 stations booted, 99 connected")
    assert standing_line(Standing()) == "no run yet"


def test_a_run_that_is_over_shows_its_verdict_and_the_reason(tmp_path: Path) -> None:
    missed = SloResult(expr="x", value=1.0, passed=False, built_in="failed-calls", reason="7 % of the CALLs failed")
    run = read_run(write_load(tmp_path / "run", verdict=RunVerdict.FAILED, slo=[missed]))
    assert isinstance(run, LoadRun)
    said = standing_line(Standing(result=run))
    assert said == (
        "verdict failed: 200 of 200 stations booted, generator VALID. failed-calls: 7 % of the CALLs failed"
    )
