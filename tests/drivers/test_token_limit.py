"""The limit of a token reaches a CSMS that knows limits, and one that does not is never blamed for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from drivers.base import DriverCannotError, TokenSettings, token_need
from drivers.http import HttpDriver
from fixtures.csms import practice_csms
from fixtures.csms.token_store import TransactionLimit
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from ocppj.versions import Version

LIMITED = TokenSettings(status="Accepted", type="ISO14443", limit={"maxEnergy": 14_500, "maxTime": 5_400})


class _Forgetful(BaseHTTPRequestHandler):
    """A CSMS whose API takes tokens and knows nothing of limits."""

    def do_PUT(self) -> None:  # the name that http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"status": body["status"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the signature of http.server
        del format, args


@pytest.fixture
def forgetful() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["http", "practice"])
def test_limit_reaches_the_practice_csms(name: str) -> None:
    with practice_csms() as csms:
        driver = make_driver(InteropRequest(driver=name, control_url=csms.control_url))
        assert driver.missing(token_need("limit"), Version.V21) is None
        driver.set_token("A1", LIMITED, Version.V21)
        entry = csms.do(lambda practice: practice.world.tokens.find("A1"))
        driver.close()
    assert entry is not None
    assert entry.transaction_limit == TransactionLimit(max_energy=14_500, max_time=5_400)


def test_api_that_passes_over_the_limit_cannot_set_it_no_false_alarm(forgetful: str) -> None:
    driver = HttpDriver(forgetful)
    driver.set_token("A1", TokenSettings(status="Accepted"), Version.V21)
    with pytest.raises(DriverCannotError, match="has none for tokens"):
        driver.set_token("A1", LIMITED, Version.V21)
    driver.close()


@pytest.mark.parametrize(
    ("body", "can"), [("{uid: '{{ token }}'}", False), ("{uid: '{{ token }}', l: '{{ limit }}'}", True)]
)
def test_driver_file_sets_a_limit_only_where_it_names_one(tmp_path: Path, body: str, can: bool) -> None:  # noqa: FBT001  # a table
    file = tmp_path / "mine.yaml"
    way = f"{{http: {{method: PUT, url: 'http://127.0.0.1:9/t', body: {body}}}}}"
    file.write_text(f"driver: mine\noperations: {{token: {way}}}\n", encoding="utf-8")
    driver = make_driver(InteropRequest(driver=str(file)))
    missing = driver.missing(token_need("limit"), Version.V21)
    driver.close()
    assert (missing is None) is can
    assert can or "limit" in str(missing)
