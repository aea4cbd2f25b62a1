"""The health check of the image asks what its container runs, and nothing where there is nobody to ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.healthcheck import healthy, question

PYTHON = "/opt/plugstorm/bin/python"
PLUGSTORM = "/opt/plugstorm/bin/plugstorm"
LOCUST = "/opt/plugstorm/bin/locust"


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ([PYTHON, PLUGSTORM, "csms"], "http://127.0.0.1:9001/health"),
        ([PYTHON, PLUGSTORM, "csms", "--control-port", "9011"], "http://127.0.0.1:9011/health"),
        (["tini", "--", PYTHON, PLUGSTORM, "csms", "--control-port=9011"], "http://127.0.0.1:9011/health"),
        ([PYTHON, PLUGSTORM, "load", "--ui", "--ui-port", "8090"], "http://127.0.0.1:8090/"),
        ([PYTHON, PLUGSTORM, "load", "--url", "ws://csms:9000"], None),
        ([PYTHON, PLUGSTORM, "interop"], None),
        ([PYTHON, LOCUST, "--master", "--web-port=8090"], "http://127.0.0.1:8090/"),
        ([PYTHON, LOCUST, "--master", "--headless"], None),
        ([PYTHON, LOCUST, "--worker", "--master-host", "master"], None),
        (["/bin/sh", "-c", "sleep 1"], None),
    ],
)
def test_what_a_container_is_asked(words: list[str], url: str | None) -> None:
    assert question([*words, ""], {}) == url


@pytest.mark.parametrize("name", ["LOCUST_HEADLESS", "LOCUST_MODE_WORKER"])
def test_a_setting_of_the_environment_leaves_no_page(name: str) -> None:
    assert question([PYTHON, LOCUST], {name: "true"}) is None


@pytest.fixture
def answering() -> Iterator[tuple[str, list[int]]]:
    """Serve a page that answers with the status in the list."""
    status = [200]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", status
        server.shutdown()
        thread.join()


def test_whoever_answers_is_healthy(answering: tuple[str, list[int]]) -> None:
    url, status = answering
    assert healthy(url)
    status[0] = 401
    assert healthy(url)


def test_whoever_does_not_answer_is_not(answering: tuple[str, list[int]]) -> None:
    url, _ = answering
    assert not healthy(url.replace("http://127.0.0.1", "http://127.0.0.2"))
    assert healthy(None)
