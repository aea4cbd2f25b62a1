"""The tab Charge points: what Locust is told, what the page is given, and that it asks nobody else."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask

import loadtest.locust_edge
from loadtest.cluster.overview import Overview
from loadtest.locust_edge.web_bar import add_bar
from loadtest.locust_edge.web_tab import KEY, TITLE, add_tab
from loadtest.plugins.storms.page import add_storm_page
from loadtest.workload.storms import CsmsRestart
from tests.loadtest.plugins.storms.test_storm_plugin import Lead

PAGE = Path(loadtest.locust_edge.__file__).with_name("charge_points.html")


class Web:
    def __init__(self, overview: Overview, plugins: list[Any], state: str = "running") -> None:
        app = flask.Flask("tab")
        blueprint = flask.Blueprint("locust", __name__)
        blueprint.add_url_rule("/", "index", lambda: "<html><body><div id='root'></div></body></html>")
        app.register_blueprint(blueprint)
        self.asked = 0
        self.guarded: list[Any] = []
        web_ui = SimpleNamespace(app=app, auth_required_if_enabled=self._guard, template_args={"extended_tabs": [1]})
        environment: Any = SimpleNamespace(web_ui=web_ui, runner=SimpleNamespace(state=state))
        self.overview = overview
        add_tab(environment, self._overview, lambda: plugins)
        add_storm_page(environment, lambda: plugins)
        add_bar(environment, lambda: "")
        self.tabs = web_ui.template_args["extended_tabs"]
        self.client = app.test_client()

    def _guard(self, view: Any) -> Any:
        self.guarded.append(view)
        return view

    def _overview(self) -> Overview:
        self.asked += 1
        return self.overview

    def now(self) -> Any:
        return self.client.get(f"/{KEY}/now").get_json()


def test_locust_knows_the_tab_beside_those_of_others() -> None:
    web = Web(Overview(), [])
    assert web.tabs == [1, {"title": "Charge points", "key": "charge-points"}]
    page = web.client.get("/").get_data(as_text=True)
    assert f'"{TITLE}"' in page
    assert f'"{KEY}"' in page
    assert len(web.guarded) == 4


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = PAGE.read_text("utf-8")
    assert re.findall(r"https?://[^\s\"'`]+", text) == ["http://www.w3.org/2000/svg"]
    assert re.findall(r"\b(?:src|href)=", text) == []
    assert "innerHTML" not in text


def test_the_page_offers_every_storm_with_its_parameters() -> None:
    page = Web(Overview(), []).client.get(f"/{KEY}").get_data(as_text=True)
    assert '"csms-restart": {"says"' in page
    assert "/*KINDS*/" not in page


def test_many_who_look_cost_one_look() -> None:
    web = Web(Overview(window="measure"), [])
    assert [web.now()["window"] for _ in range(5)] == ["measure"] * 5
    assert web.asked == 1


def test_a_running_storm_has_its_curve_so_far(tmp_path: Path) -> None:
    lead = Lead(tmp_path, CsmsRestart(at=1.0, down=2.0))
    lead.run(4.0)
    lead.note(struck={0: 100}, back={250: 40}, booted={300: 30})
    lead.run(10.0)
    now = Web(Overview(window="measure"), [lead.plugin]).now()
    (storm,) = now["storms"]
    assert (storm["storm"], storm["struck"], storm["back"], storm["over"]) == ("csms-restart", 100, 30, False)
    last = storm["curve"][-1]
    assert (last["back"], last["goal"]) == (40.0, 30.0)
    assert last["expected"] > 0
    assert now["takes_storms"]


def test_a_storm_of_the_tab_is_answered_as_data(tmp_path: Path) -> None:
    lead = Lead(tmp_path)
    lead.run(2.0)
    web = Web(Overview(window="measure"), [lead.plugin])
    wants = {"Accept": "application/json"}
    good = web.client.post("/storms", data={"storm": "csms-restart", "down": "1"}, headers=wants)
    assert (good.status_code, good.get_json()["ok"]) == (200, True)
    assert good.get_json()["said"] == "Storm 1: csms-restart strikes 100 stations."
    wrong = web.client.post("/storms", data={"storm": "csms-restart", "down": "-1"}, headers=wants)
    assert (wrong.status_code, wrong.get_json()["ok"]) == (400, False)
    other = web.client.post("/storms", data={"storm": "csms-restart"}, headers=wants | {"Origin": "http://evil.test"})
    assert other.status_code == 403


def test_without_a_test_no_storm_can_start_and_none_is_shown(tmp_path: Path) -> None:
    lead = Lead(tmp_path, CsmsRestart(at=1.0))
    lead.run(4.0)
    now = Web(Overview(), [lead.plugin], state="stopped").now()
    assert (now["takes_storms"], now["storms"]) == (False, [])


def test_without_a_web_ui_nothing_is_added() -> None:
    environment: Any = SimpleNamespace(web_ui=None)
    add_tab(environment, Overview, list)
