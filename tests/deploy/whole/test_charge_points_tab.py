"""The tab Charge points in a real browser, with 500 stations behind it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from loadtest.workload.storms import known_storms
from plugstorm.load_command import free_port

pytestmark = pytest.mark.timeout(900)
STATIONS = 500
PROFILE = """
title: Some 30 CALLs a second of 500 stations
models: {ac-single: 2, dc-150: 1}
meter: 30
sessions: {duration: [60, 120], gap: [10, 30]}
"""
COMMANDS = """
- {action: trigger-status, rate: 2/s}
- {action: GetLocalListVersion, rate: 1/s}
"""
PATIENCE = 300
SHOTS = os.environ.get("PLUGSTORM_SCREENSHOTS")
"""Folder for pictures of the page, as docs/ shows them; none are taken without it."""
CHROME = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1200,1080")


class Tab:
    """The page of a run in a browser, and the run itself."""

    def __init__(self, browser: webdriver.Chrome, url: str, folder: Path, run: subprocess.Popen[str]) -> None:
        self.browser = browser
        self.url = url
        self.folder = folder
        self.run = run

    def until(self, holds: Callable[[], Any]) -> Any:
        def still(_: webdriver.Chrome) -> Any:
            assert self.run.poll() is None, "the run has ended"
            return holds()

        return WebDriverWait(self.browser, PATIENCE).until(still)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Read a text that the page may write again at any moment."""
        found = self.browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        return str(found)

    def tile(self, name: str) -> int:
        return int(self.text(f'[data-tile="{name}"] b').replace(",", "") or -1)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return list(self.browser.execute_script(script, selector))

    def tabs(self) -> dict[str, Any]:
        return {one.text.strip().lower(): one for one in self.all("[role=tab]")}

    def enter(self) -> None:
        """Go into the page that fills the panel of the tab."""
        self.until(lambda: self.all("#plugstorm-tab"))
        self.browser.switch_to.frame("plugstorm-tab")
        self.until(lambda: self.all("body[data-ready]"))

    def press(self, selector: str) -> None:
        """Press a button as a person does who has scrolled to it: Plugstorm's line lies over the foot of the page."""
        (button,) = self.all(selector)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def shoot(self, name: str) -> None:
        if SHOTS:
            self.browser.switch_to.default_content()
            self.browser.save_screenshot(str(Path(SHOTS) / name))
            self.browser.switch_to.frame("plugstorm-tab")


@contextlib.contextmanager
def a_browser() -> Iterator[webdriver.Chrome]:
    chrome = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    driver = shutil.which("chromedriver")
    if chrome is None or driver is None:
        pytest.skip("no browser with its driver is installed here (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    for word in CHROME:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    except WebDriverException as error:
        pytest.skip(f"{chrome} does not start here: {error.msg}")
    found.set_page_load_timeout(PATIENCE)
    try:
        yield found
    finally:
        found.quit()


@contextlib.contextmanager
def opened(folder: Path, stations: int) -> Iterator[Tab]:
    """Start a run with a web UI and commands, and open the tab as a person does."""
    port = free_port()
    (folder / "commands.yaml").write_text(COMMANDS)
    (folder / "profile.yaml").write_text(PROFILE)
    words = [str(Path(sys.prefix) / "bin" / "plugstorm"), "load", "--stations", str(stations), "--spawn-rate", "100"]
    words += ["--duration", "15m", "--warm-up", "1", "--ocpp", "1.6=3", "--ocpp", "2.0.1", "--out", "run"]
    words += ["--profile", "profile.yaml", "--commands", "commands.yaml", "--ui-stay", "--ui-port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with a_browser() as browser, (folder / "said").open("w") as said:
        process = subprocess.Popen(words, cwd=folder, stdout=said, stderr=said, text=True)
        found = Tab(browser, url, folder, process)
        try:
            found.until(lambda: answers(url))
            browser.get(url)
            found.until(lambda: found.tabs().get("charge points"))
            found.tabs()["charge points"].click()
            found.enter()
            found.until(lambda: found.tile("booted") == stations)
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(tmp_path_factory.mktemp("tab"), STATIONS) as found:
        yield found


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def test_the_tab_shows_the_fleet_by_state(tab: Tab) -> None:
    assert (tab.tile("wanted"), tab.tile("connected"), tab.tile("offline")) == (STATIONS, STATIONS, 0)
    tab.until(lambda: 0 < tab.tile("charging") <= STATIONS)
    widths = tab.texts("#fleet div")
    assert len(widths) == 4


def test_the_tab_shows_both_latencies_and_the_outcomes_of_every_action(tab: Tab) -> None:
    wanted = {("StatusNotification", "1.6"), ("StatusNotification", "2.0.1"), ("MeterValues", "1.6")}
    names, versions = "#actions td:first-child", "#actions td:nth-child(2)"
    tab.until(lambda: wanted <= set(zip(tab.texts(names), tab.texts(versions), strict=False)))
    tab.until(lambda: "measure" in tab.text("#about"))
    cells = "(row) => [...row.cells].map((cell) => cell.textContent)"
    rows = tab.browser.execute_script(f"return [...document.querySelectorAll('#actions tbody tr')].map({cells})")
    by_action = {(row[0], row[1]): row for row in rows}
    for key in wanted:
        row = by_action[key]
        calls, latencies = int(row[2].replace(",", "")), [float(cell.replace(",", "")) for cell in row[4:8]]
        assert calls > 0
        assert latencies[0] <= latencies[1]
        assert latencies[2] <= latencies[3]
        assert "accepted" in row[8]


def test_the_tab_shows_the_verdict_of_the_generator(tab: Tab) -> None:
    assert tab.text("#state .badge") in {"VALID", "DEGRADED", "INVALID"}


def test_the_tab_shows_the_commands_of_the_csms(tab: Tab) -> None:
    tab.until(lambda: {"trigger-status", "GetLocalListVersion"} <= set(tab.texts("#commands td:first-child")))
    tab.until(lambda: "accepted" in " ".join(tab.texts("#commands td:last-child")))
    tab.shoot("charge-points.png")


def test_a_storm_from_the_tab_strikes_and_its_recovery_is_drawn(tab: Tab) -> None:
    options = [one.text for one in Select(tab.all("#kind")[0]).options]
    assert options == list(known_storms())
    Select(tab.all("#kind")[0]).select_by_visible_text("csms-restart")
    down = tab.all('#fields input[name="down"]')[0]
    down.clear()
    down.send_keys("4")
    tab.press("#go")
    tab.until(lambda: f"csms-restart strikes {STATIONS} stations" in tab.text("#said"))
    tab.until(lambda: tab.tile("offline") > STATIONS // 2)
    tab.until(lambda: tab.all('[data-storm="csms-restart"] svg path'))
    tab.until(lambda: tab.tile("connected") == STATIONS)
    struck = f"{STATIONS} of {STATIONS} stations through it"
    tab.until(lambda: struck in tab.text('[data-storm="csms-restart"] h3'))
    tab.until(lambda: tab.text('[data-storm="csms-restart"] .badge') in {"recovered", "not recovered"})
    tab.browser.execute_script("document.getElementById('storms').scrollIntoView({block: 'center'})")
    tab.shoot("charge-points-storm.png")


def test_a_mistake_in_the_form_is_told_beside_it(tab: Tab) -> None:
    share = tab.all('#fields input[name="share"]')[0]
    share.clear()
    share.send_keys("many")
    tab.press("#go")
    tab.until(lambda: "share" in tab.text("#said"))
    assert tab.all("#said.no")


def test_another_tab_of_locust_works_and_the_way_back_too(tab: Tab) -> None:
    tab.browser.switch_to.default_content()
    tab.tabs()["statistics"].click()
    tab.until(lambda: not tab.all("#plugstorm-tab"))
    assert any("StatusNotification" in text for text in tab.texts("td"))
    tab.tabs()["charge points"].click()
    tab.enter()
    tab.until(lambda: tab.tile("wanted") == STATIONS)


def test_the_page_has_no_error_and_asks_nobody_else(tab: Tab) -> None:
    log: list[Any] = tab.browser.get_log("browser")  # type: ignore[no-untyped-call]  # it has no types
    # A form that is refused is an answer with status 400, which the browser counts as an error.
    assert [one for one in log if one["level"] == "SEVERE" and "status of 400" not in one["message"]] == []
    loaded = tab.browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [name for name in loaded if not name.startswith(tab.url)] == []


def test_a_run_that_was_stopped_from_the_page_shows_its_verdict(tmp_path: Path) -> None:
    with opened(tmp_path, 5) as tab:
        tab.browser.switch_to.default_content()
        (stop,) = (one for one in tab.all("header button") if one.text.strip().lower() == "stop")
        stop.click()
        tab.enter()
        tab.until(lambda: "The run is over. Verdict" in tab.text("#state"))
        tab.until(lambda: tab.all("#go[disabled]"))
        run = read_run(tmp_path / "run")
        assert isinstance(run, LoadRun)
        assert tab.text("#state .badge") == run.verdict
