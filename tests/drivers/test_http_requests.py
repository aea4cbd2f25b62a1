from __future__ import annotations

import itertools
import threading
import time
import urllib.request
from typing import Any

import pytest

from drivers.base import CommandResult, DriverError, StationSettings, TokenSettings
from ocppj.versions import Version
from tests.drivers.stub_api import Asked, Said, StubApi
from tests.drivers.yaml_drivers import driver

TRIGGER = "  trigger:\n    http: {method: POST, url: /do, body: '{{ payload }}'}\n"


def replay(*answers: Said) -> Any:
    """Say one answer after the other, the last one for ever."""
    left = itertools.chain(answers[:-1], itertools.repeat(answers[-1]))
    return lambda _: next(left)


def test_every_part_of_a_request_is_filled_in() -> None:
    operations = (
        "  trigger:\n    http:\n      method: PUT\n      url: /cp/{{ identity }}\n"
        "      query: {v: '{{ version }}', none: '{{ payload.none | default(omit) }}', n: '{{ 1 }}', b: '{{ true }}'}\n"
        "      headers: {X-Action: '{{ action }}', X-None: '{{ omit }}'}\n"
        "      body: {kind: '{{ payload.type }}', hard: \"{{ payload.type == 'Hard' }}\"}\n"
    )
    with StubApi() as api, driver(operations, url=f"{api.url}/base/") as driven:
        assert driven.reset(identity="a/b c") == CommandResult(status="sent")
    asked = api.asked[0]
    assert asked.route == "PUT /base/cp/a%2Fb%20c"
    assert asked.query == {"v": "1.6", "n": "1", "b": "true"}
    assert asked.headers["x-action"] == "Reset"
    assert "x-none" not in asked.headers
    assert asked.json == {"kind": "Hard", "hard": True}


def test_answer_that_a_cache_kept_is_not_asked_for_no_false_alarm() -> None:
    with StubApi() as api, driver(TRIGGER, url=api.url) as driven:
        driven.reset()
    own = '  trigger: {http: {method: POST, url: /do, headers: {Cache-Control: "max-age=5"}}}\n'
    with StubApi() as told, driver(own, url=told.url) as driven:
        driven.reset()
    assert [asked.headers["cache-control"] for asked in (api.asked[0], told.asked[0])] == ["no-cache", "max-age=5"]


def test_text_and_form_bodies() -> None:
    operations = (
        "  register: {http: {method: POST, url: /a, text: 'x {{ identity }}', headers: {Content-Type: text/plain}}}\n"
        "  boot_status: {http: {method: POST, url: /b, form: {id: '{{ identity }}', n: '{{ interval }}'}}}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven:
        driven.register("Straße", StationSettings(boot_status="Pending", interval=5), Version.V16)
    assert [asked.text for asked in api.asked] == ["x Straße", "id=Stra%C3%9Fe&n=5"]


def test_basic_credentials_of_the_api() -> None:
    head = 'http: {base_url: URL, basic: {user: me, password: "${ENV:P}"}}\n'
    with StubApi() as api, driver(TRIGGER, head=head.replace("URL", api.url), environment={"P": "pä:ss"}) as driven:
        driven.reset()
    assert api.asked[0].headers["authorization"] == "Basic bWU6cMOkOnNz"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(500, {"error": "broke"}), 'gave HTTP 500: {"error": "broke"}'),
        (Said(302, b"", {"Location": "/login"}), "gave HTTP 302, to /login"),
        (Said(404, b""), "gave HTTP 404: (empty answer)"),
    ],
)
def test_unexpected_status_is_a_driver_error_that_says_what_came(said: Said, message: str) -> None:
    with StubApi(lambda _: said) as api, driver(TRIGGER, url=api.url) as driven, pytest.raises(DriverError) as error:
        driven.reset()
    assert message in str(error.value)
    assert len(api.asked) == 1


def test_expected_status_is_none() -> None:
    operations = "  trigger: {http: {method: POST, url: /do, expect: [418]}}\n"
    with StubApi(lambda _: Said(418)) as api, driver(operations, url=api.url) as driven:
        assert driven.reset().status == "sent"


def test_nobody_there_is_a_driver_error() -> None:
    with driver(TRIGGER) as driven, pytest.raises(DriverError, match=r"POST http://127.0.0.1:9/do failed: Connection"):
        driven.reset()


def test_endless_answer_ends_by_the_timeout() -> None:
    released = threading.Event()

    def say(_: Asked) -> Said:
        released.wait(5)
        return Said()

    operations = "  trigger: {http: {url: /do, timeout: 0.1}}\n"
    with StubApi(say) as api, driver(operations, url=api.url) as driven:
        with pytest.raises(DriverError, match="failed: ReadTimeout"):
            driven.reset()
        released.set()


# -- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "busy",
    [
        Said(429, b"slow down", {"Retry-After": "0.02"}),
        Said(503, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Said(429, {"message": "Rate limit exceeded, retry in 0.02 seconds"}),
        Said(429, b"Please try again in 20 ms."),
        Said(503, b"no word about when"),
    ],
)
def test_busy_api_is_asked_again_after_the_time_it_names(busy: Said) -> None:
    with StubApi(replay(busy, busy, Said())) as api, driver(TRIGGER, url=api.url) as driven:
        assert driven.reset().status == "sent"
    assert len(api.asked) == 3


def test_busy_api_is_given_up_at_last() -> None:
    operations = "  trigger: {http: {url: /do, retry: {attempts: 2, wait: 0}}}\n"
    with StubApi(lambda _: Said(429, b"no")) as api, driver(operations, url=api.url) as driven:
        with pytest.raises(DriverError, match="still refuses after 2 attempts: no"):
            driven.reset()
        assert len(api.asked) == 2


def test_wait_that_is_too_long_is_not_waited() -> None:
    with StubApi(lambda _: Said(429, b"", {"Retry-After": "3600"})) as api, driver(TRIGGER, url=api.url) as driven:
        with pytest.raises(DriverError, match="asks to wait 3600 s"):
            driven.reset()
        assert len(api.asked) == 1


def test_answer_may_ask_for_another_attempt() -> None:
    operations = "  trigger: {http: {url: /do, retry: {when: response.json.late, wait: 0.01}}}\n"
    with StubApi(replay(Said(200, {"late": True}), Said())) as api, driver(operations, url=api.url) as driven:
        driven.reset()
    assert len(api.asked) == 2


def test_end_of_the_run_ends_a_wait() -> None:
    operations = "  trigger: {http: {url: /do, retry: {wait: 50}}}\n"
    with StubApi(lambda _: Said(429)) as api, driver(operations, url=api.url) as driven:
        failures: list[str] = []

        def run() -> None:
            with pytest.raises(DriverError) as error:
                driven.reset()
            failures.append(str(error.value))

        thread = threading.Thread(target=run)
        thread.start()
        while not api.asked:
            thread.join(0.01)
        driven.close()
        thread.join(10)
    assert failures == ["the run has ended"]


# -- results ---------------------------------------------------------------------------------------------------------

ANSWER = """\
  trigger:
    http: {method: POST, url: /do, expect: [200, 409]}
    answer:
      - {when: response.status == 409, status: error, origin: csms, code: "{{ response.json.why | default(omit) }}"}
      - status: "{{ response.json.state }}"
        map: {done: answered, refused: error, late: timeout}
        payload: "{{ response.json.reply | default(omit) }}"
        origin: station
"""


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (Said(409, {"why": 7}), CommandResult(status="error", origin="csms", code="7")),
        (Said(409, b"no json"), CommandResult(status="error", origin="csms")),
        (Said(200, {"state": "done", "reply": {"status": "Accepted"}}),
         CommandResult(status="answered", origin="station", payload={"status": "Accepted"})),
        (Said(200, {"state": "late"}), CommandResult(status="timeout", origin="station")),
        (Said(200, {"state": "sent"}), CommandResult(status="sent", origin="station")),
    ],
)  # fmt: skip
def test_result_is_read_at_once(said: Said, result: CommandResult) -> None:
    with StubApi(lambda _: said) as api, driver(ANSWER, url=api.url) as driven:
        assert driven.reset() == result


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(200, {"state": "lost"}), "says 'lost', which the driver's 'map' does not translate"),
        (Said(200, {}), "{{ response.json.state }} is missing"),
        (Said(200, b"<html>"), "the answer was <html>"),
        (Said(200, {"state": "done", "reply": 5}), "is not a JSON object: 5"),
    ],
)
def test_answer_that_does_not_fit_is_a_driver_error(said: Said, message: str) -> None:
    with StubApi(lambda _: said) as api, driver(ANSWER, url=api.url) as driven, pytest.raises(DriverError) as error:
        driven.reset()
    assert message in str(error.value)


def test_no_result_that_fits_is_a_driver_error() -> None:
    operations = "  trigger:\n    http: {url: /do}\n    answer: [{when: response.json.ok, status: sent}]\n"
    message = r"none of the results in operations.trigger.answer fits '\{\}'"
    with StubApi() as api, driver(operations, url=api.url) as driven, pytest.raises(DriverError, match=message):
        driven.reset()


def test_what_must_hold_of_an_answer() -> None:
    operations = "  token: {http: {url: /do, ok: response.json.success}}\n"
    with (
        StubApi(replay(Said(200, {"success": True}), Said(200, {"success": False}))) as api,
        driver(operations, url=api.url) as driven,
    ):
        driven.set_token("A", TokenSettings(status="Accepted"), Version.V16)
        with pytest.raises(DriverError, match="the CSMS did not do it"):
            driven.set_token("B", TokenSettings(status="Accepted"), Version.V16)


def test_what_an_operation_cannot_do_is_not_sent() -> None:
    operations = (
        "  trigger:\n    cannot: [{when: payload.type == 'Hard', why: 'only softly, not {{ payload.type }}'}]\n"
        "    http: {url: /do}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven:
        with pytest.raises(DriverError, match="only softly, not Hard"):
            driven.reset({"type": "Hard"})
        assert api.asked == []
        assert driven.reset({"type": "Soft"}).status == "sent"


POLL = """\
  trigger:
    http:
      method: POST
      url: /jobs
      at_once: [{when: response.json.refused, status: error, origin: csms}]
      poll: {request: {url: "/jobs/{{ first.json.id }}"}, until: response.json.state != "busy", every: 0.01, timeout: 1}
    answer: {payload: "{{ {'first': response.first.json.id, 'state': response.json.state} }}"}
"""


def test_result_is_polled_until_it_is_there() -> None:
    busy = Said(200, {"state": "busy"})
    with (
        StubApi(replay(Said(200, {"id": 7}), busy, busy, Said(200, {"state": "done"}))) as api,
        driver(POLL, url=api.url) as driven,
    ):
        assert driven.reset().payload == {"first": 7, "state": "done"}
    assert [asked.route for asked in api.asked] == ["POST /jobs", *["GET /jobs/7"] * 3]


def test_refusal_is_not_polled() -> None:
    with StubApi(lambda _: Said(200, {"refused": True})) as api, driver(POLL, url=api.url) as driven:
        assert driven.reset() == CommandResult(status="error", origin="csms")
    assert len(api.asked) == 1


def test_poll_that_never_ends_is_a_timeout() -> None:
    operations = POLL.replace("timeout: 1", "timeout: 0.05")
    with StubApi(lambda _: Said(200, {"id": 1, "state": "busy"})) as api, driver(operations, url=api.url) as driven:
        result = driven.reset()
    assert result.status == "timeout"
    assert result.description is not None
    assert "polled for 0.05 s" in result.description


CALLBACK = """\
  trigger:
    http:
      method: POST
      url: /do
      query: {hook: "{{ callback_url }}"}
      body: {ref: "{{ correlation }}"}
      callback: {timeout: 5}
    answer: {payload: "{{ response.json | merge({'q': response.query.n, 'first': response.first.status}) }}"}
"""


def post(url: str, body: bytes, method: str = "POST") -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, method=method), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_result_comes_to_a_callback_address_of_its_own() -> None:
    statuses: list[int] = []

    def say(asked: Asked) -> Said:
        hook = asked.query["hook"]
        assert asked.json["ref"] in hook
        statuses.append(post(hook.replace(asked.json["ref"], "guessed"), b"{}"))
        statuses.append(post(f"{hook}?n=1", b'{"status": "Accepted"}', "PUT"))
        statuses.append(post(f"{hook}?n=2", b'{"status": "too late"}'))
        return Said(202)

    with StubApi(say) as api, driver(CALLBACK, url=api.url) as driven:
        assert driven.reset().payload == {"status": "Accepted", "q": "1", "first": 202}
        hooks = [asked.query["hook"] for asked in api.asked]
        assert post(hooks[0], b"{}") == 404
    assert statuses == [404, 200, 200]
    assert [exchange.over for exchange in driven.seen] == ["http", "callback"]


def test_callback_that_never_comes() -> None:
    for setting, status in (("", "timeout"), (", on_timeout: sent", "sent")):
        operations = CALLBACK.replace("timeout: 5", f"timeout: 0.05{setting}")
        with StubApi() as api, driver(operations, url=api.url) as driven:
            result = driven.reset()
            assert (result.status, result.origin) == (status, "csms")


def test_callback_address_as_the_csms_sees_it() -> None:
    head = 'callback: {url: "http://host.internal:{{ served_port }}/x"}\n'
    operations = CALLBACK.replace("timeout: 5", "timeout: 0.01")
    with StubApi() as api, driver(operations, url=api.url, head=head) as driven:
        driven.reset()
    assert api.asked[0].query["hook"].startswith("http://host.internal:")
    assert "/x/callback/" in api.asked[0].query["hook"]


def test_callback_that_is_too_large_or_no_json_hurts_nobody() -> None:
    seen: list[int] = []

    def say(asked: Asked) -> Said:
        seen.append(post(asked.query["hook"], b"x" * (2**20 + 1)))
        seen.append(post(asked.query["hook"], b"no json"))
        return Said()

    operations = CALLBACK.replace(
        "\"{{ response.json | merge({'q': response.query.n, 'first': response.first.status}) }}\"",
        '{text: "{{ response.text }}"}',
    )
    with StubApi(say) as api, driver(operations, url=api.url) as driven:
        assert driven.reset().payload == {"text": "no json"}
    assert seen[-1] == 200


def test_commands_to_many_stations_at_once_keep_their_results_apart() -> None:
    def say(asked: Asked) -> Said:
        post(f"{asked.query['hook']}?n={asked.path}", b"{}")
        return Said()

    operations = CALLBACK.replace("url: /do", "url: '/{{ identity }}'")
    results: dict[str, Any] = {}
    with StubApi(say) as api, driver(operations, url=api.url) as driven:

        def run(name: str) -> None:
            results[name] = driven.reset(identity=name).payload

        threads = [threading.Thread(target=run, args=(f"CP{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert {name: payload["q"] for name, payload in results.items()} == {f"CP{n}": f"/CP{n}" for n in range(8)}


# -- steps, log-in, waiting for a connection -------------------------------------------------------------------------


def test_steps_hand_on_what_they_saved_and_skip_what_does_not_apply() -> None:
    operations = (
        "  token:\n    steps:\n"
        "      - http: {method: POST, url: /tags, body: {tag: '{{ token }}'}}\n"
        "        save: {pk: '{{ response.json.pk }}'}\n"
        "      - when: status == 'Blocked'\n"
        "        http: {method: PATCH, url: '/tags/{{ pk }}/block'}\n"
        "      - when: parent is defined\n"
        "        http: {method: PUT, url: '/tags/{{ pk }}/parent/{{ parent }}'}\n"
    )
    with StubApi(lambda _: Said(200, {"pk": 42})) as api, driver(operations, url=api.url) as driven:
        driven.set_token("A", TokenSettings(status="Blocked"), Version.V16)
        driven.set_token("B", TokenSettings(status="Accepted", parent="P"), Version.V16)
    routes = [asked.route for asked in api.asked]
    assert routes == ["POST /tags", "PATCH /tags/42/block", "POST /tags", "PUT /tags/42/parent/P"]


LOGIN = """\
login:
  http: {method: POST, url: /login, body: {pass: "${ENV:PASS}"}, headers: {X-Session: "{{ omit }}"}}
  save: {session: "{{ response.json.token }}"}
http: {base_url: URL, headers: {X-Session: "{{ session }}"}}
"""


def test_driver_logs_in_once_and_again_when_the_session_has_run_out() -> None:
    sessions = itertools.count(1)
    current = [0]

    def say(asked: Asked) -> Said:
        if asked.path == "/login":
            assert asked.json == {"pass": "w0rd-of-the-day"}
            current[0] = next(sessions)
            return Said(200, {"token": f"session-{current[0]}"})
        return Said(200 if asked.headers.get("x-session") == f"session-{current[0]}" else 401)

    with StubApi(say) as api:
        environment = {"PASS": "w0rd-of-the-day"}
        with driver(TRIGGER, head=LOGIN.replace("URL", api.url), environment=environment) as driven:
            driven.reset()
            driven.reset()
            current[0] = -1
            driven.reset()
            shown = repr(driven.seen)
            secrets = driven.secrets
    routes = [asked.route for asked in api.asked]
    assert routes == ["POST /login", "POST /do", "POST /do", "POST /do", "POST /login", "POST /do"]
    assert secrets == {"w0rd-of-the-day", "session-1", "session-2"}
    assert not any(secret in shown for secret in secrets)


def test_wrong_credentials_are_tried_twice_and_then_said() -> None:
    with StubApi(lambda asked: Said(200, {"token": "x"}) if asked.path == "/login" else Said(401)) as api:
        head = LOGIN.replace("URL", api.url)
        with driver(TRIGGER, head=head, environment={"PASS": "p"}) as driven, pytest.raises(DriverError, match="401"):
            driven.reset()
    assert len(api.asked) == 4


def test_command_waits_until_the_csms_knows_of_the_connection() -> None:
    operations = TRIGGER + (
        "  connected:\n    http:\n      url: /up\n"
        "      poll: {request: {url: /up}, until: identity in response.json, every: 0.01, timeout: 1}\n"
    )
    with (
        StubApi(replay(Said(200, []), Said(200, []), Said(200, ["CP1"]), Said())) as api,
        driver(operations, url=api.url) as driven,
    ):
        driven.reset()
    assert [asked.path for asked in api.asked] == ["/up", "/up", "/up", "/do"]


def test_station_that_never_shows_up_is_a_driver_error() -> None:
    operations = TRIGGER + (
        "  connected: {http: {url: /up, poll: {request: {url: /up}, until: 'false', every: 0.01, timeout: 0.03}}}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven, pytest.raises(DriverError, match="never held"):
        driven.reset()


def test_pause_after_registering(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = "  register: {http: {url: /x}}\n"
    with StubApi() as api, driver(operations, url=api.url, head="waits: {after_register: 0.05}\n") as driven:
        pauses: list[float] = []
        monkeypatch.setattr(time, "sleep", pauses.append)
        driven.register("CP1", StationSettings(), Version.V16)
        assert pauses == [0.05]


# -- stations and transactions ---------------------------------------------------------------------------------------


def test_settings_of_a_station_go_where_the_file_puts_them() -> None:
    operations = (
        "  register: {http: {method: POST, url: '/{{ identity }}', body: {b: '{{ boot_status | default(omit) }}'}}}\n"
        "  password: {http: {method: PUT, url: '/{{ identity }}/password', body: {p: '{{ password }}'}}}\n"
        "  security_profile: {http: {method: PUT, url: '/{{ identity }}/profile/{{ security_profile }}'}}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven:
        driven.register("A", StationSettings(), Version.V16)
        driven.register("A", StationSettings(password="p", security_profile=1, boot_status="Pending"), Version.V16)
        driven.register("A", StationSettings(password="q", security_profile=1), Version.V16)
        driven.register("A", StationSettings(), Version.V16)
    assert [(asked.route, asked.json if asked.text else None) for asked in api.asked] == [
        ("POST /A", {}),
        ("POST /A", {"b": "Pending"}),
        ("PUT /A/password", {"p": "p"}),
        ("PUT /A/profile/1", None),
        ("POST /A", {}),
        ("PUT /A/password", {"p": "q"}),
        ("POST /A", {}),
        ("PUT /A/profile/0", None),
    ]


def test_transactions_are_named_as_the_file_says() -> None:
    operations = (
        "  transactions:\n    http: {url: '/s/{{ identity }}'}\n    rows: '{{ response.json.rows }}'\n"
        "    fields: {transactionId: '{{ row.no }}', state: \"{{ 'closed' if row.end else 'open' }}\"}\n"
    )
    said = Said(200, {"rows": [{"no": 1, "end": None}, {"no": 2, "end": "x"}]})
    with StubApi(lambda _: said) as api, driver(operations, url=api.url) as driven:
        rows = driven.transactions("CP1", Version.V16)
    assert rows == [{"transactionId": 1, "state": "open"}, {"transactionId": 2, "state": "closed"}]


@pytest.mark.parametrize(("rows", "message"), [("{{ response.json }}", "gave no list"), ("{{ [1] }}", "not objects")])
def test_transactions_that_are_no_list_of_objects(rows: str, message: str) -> None:
    operations = f"  transactions: {{http: {{url: /s}}, rows: '{rows}'}}\n"
    with StubApi() as api, driver(operations, url=api.url) as driven, pytest.raises(DriverError, match=message):
        driven.transactions("CP1", Version.V16)


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_secrets_are_in_no_error_and_in_nothing_that_is_shown() -> None:
    head = 'http: {base_url: URL, headers: {X-Token: "${ENV:TOKEN}"}, query: {k: "${ENV:TOKEN}"}}\n'
    operations = TRIGGER + "  register: {http: {method: POST, url: '/r/{{ password }}', body: {p: '{{ password }}'}}}\n"
    token, password, key = "tok-3n", "stati0n-pass", "00112233445566778899aabbccddeeff00112233"

    def echo(asked: Asked) -> Said:
        return Said(500, {"echo": [asked.path, asked.query, asked.headers, asked.text]})

    with (
        StubApi(echo) as api,
        driver(operations, head=head.replace("URL", api.url), environment={"TOKEN": token}) as driven,
    ):
        errors = []
        with pytest.raises(DriverError) as error:
            driven.register("CP1", StationSettings(password=password), Version.V16)
        errors.append(str(error.value))
        with pytest.raises(DriverError) as error:
            driven.command("CP1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": key}, Version.V16)
        errors.append(str(error.value))
    assert [asked.headers["x-token"] for asked in api.asked] == [token, token]
    for text in (*errors, repr(driven.seen)):
        assert not any(secret in text for secret in (token, password, key))


@pytest.mark.parametrize(("state", "online"), [("UP", True), ("DOWN", False)])
def test_online_is_what_the_file_reads_of_the_answer(state: str, online: bool) -> None:  # noqa: FBT001  # a parameter
    operations = (
        "  online:\n    http: {url: '/cp/{{ identity }}'}\n    is_online: \"{{ response.json.state == 'UP' }}\"\n"
    )
    said = Said(200, {"state": state})
    with StubApi(lambda _: said) as api, driver(operations, url=api.url) as driven:
        assert driven.online("CP1", Version.V16) is online


def test_online_that_is_neither_true_nor_false_is_refused() -> None:
    operations = "  online: {http: {url: /cp}, is_online: '{{ response.json.state }}'}\n"
    said = Said(200, {"state": "UP"})
    neither = pytest.raises(DriverError, match="is_online gave 'UP', which is neither true nor false")
    with StubApi(lambda _: said) as api, driver(operations, url=api.url) as driven, neither:
        driven.online("CP1", Version.V16)
