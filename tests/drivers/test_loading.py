from __future__ import annotations

from pathlib import Path

import pytest

from drivers.declarative import DeclarativeDriver
from drivers.factory import make_declarative_driver
from drivers.loading import Loaded, load_driver, preset_names, read_driver
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from ocppj.errors import UsageError
from ocppj.versions import Version

GOOD = """\
driver: mine
variables:
  url: {default: "http://127.0.0.1:1", about: where it is}
  key: {secret: true, default: "${ENV:MY_KEY}"}
  port: {default: 80}
  fast: {default: false}
  tenant: {}
http:
  base_url: "{{ url }}"
operations:
  trigger:
    - versions: [1.6]
      actions: [Reset]
      http:
        method: POST
        url: /stations/{{ identity }}
        body: "{{ payload }}"
"""


def read(text: str = GOOD, **options: str) -> Loaded:
    return read_driver("my.yaml", text, options, {})


def driver_of(operations: str, *, head: str = "", environment: dict[str, str] | None = None) -> DeclarativeDriver:
    text = f"driver: mine\n{head}operations:\n{operations}"
    return DeclarativeDriver(read_driver("my.yaml", text, {}, environment or {}))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"{{ payload }}"', "{power: on}", "body.power: 'on' is true in YAML; write it in quotes, or write true"),
        ("fast: {default: false}", "fast: {default: No}", "default: 'No' is false in YAML; write it in quotes"),
        ("method", "metod", "my.yaml:15: operations.trigger[0].http.metod: the key 'metod' is unknown; did you"),
        ("  trigger:", "  triger:", "my.yaml:11: operations.triger: the key 'triger' is unknown; did you mean"),
        ("http:\n  base", "https:\n  base", "my.yaml:8: https: the key 'https' is unknown; did you mean 'http'?"),
        ("POST", "PSOT", "my.yaml:15: operations.trigger[0].http.method: expected one of GET, POST, PUT, PATCH, "),
        ("POST", "PSOT", ", DELETE, but it is 'PSOT'; did you mean 'POST'?"),
        ("1.6]", "1.7]", "my.yaml:12: operations.trigger[0].versions[0]: expected one of 1.6, 2.0.1, 2.1, but"),
        ("[Reset]", "[Rest]", "my.yaml:13: operations.trigger[0].actions[0]: Rest is nothing that a CSMS"),
        ("[Reset]", "[Rest]", "; did you mean 'Reset'?"),
        ("[Reset]", "Reset", "my.yaml:13: operations.trigger[0].actions: expected a list, but it is 'Reset'"),
        ("{{ identity }}", "{{ identty }}", "http.url: identty is not known; did you mean 'identity'?"),
        ("{{ identity }}", "{{ token }}", "http.url: token is not known; known here are "),
        ('"{{ payload }}"', '"{{ payload | jsn }}"', "No filter named 'jsn'"),
        ('"{{ payload }}"', '"{{ payload"', "http.body: unexpected end of template"),
        ("        url: /stations/{{ identity }}\n", "", ".http: expected the key 'url', but it is missing"),
        ("driver: mine\n", "", "my.yaml:1: expected the key 'driver', but it is missing"),
        ("driver: mine\n", "driver: mine\ndriver: yours\n", "my.yaml:2: driver: expected each key once, but line 1 "),
        ("driver: mine", "driver: [mine", "my.yaml:2: expected YAML, but"),
        ("  fast:", "  identity: {}\n  fast:", "variables.identity: is a name of Plugstorm's own"),
        ("  trigger:\n", "  trigger:\n    - 5\n", "operations.trigger[0]: expected a mapping with versions, actions, "),
        ("      http:", "      shell: {command: x}\n      http:", "has http and shell; give one of"),
        ("      http:", "      unsupported: broken\n      htp:", "htp: the key 'htp' is unknown; did you mean 'http'?"),
        ('"{{ payload }}"', "1\n        text: x", "has several bodies"),
        ('"{{ payload }}"', '"{{ callback_url }}"', "uses callback_url without a 'callback'"),
        ("    - versions", "    - when: payload.x\n      versions", "may ask only about variables"),
        ("  trigger:", "  token: {actions: [Reset], manual: {prompt: x}}\n  trigger:", "belongs to trigger"),
        ("  trigger:", "  password: {statuses: [a], manual: {prompt: x}}\n  trigger:", "belongs to token"),
        ("  trigger:", "  password: {rows: x, manual: {prompt: x}}\n  trigger:", "rows: belongs to transactions"),
        ("  trigger:", "  password: {answer: {}, manual: {prompt: x}}\n  trigger:", "answer: belongs to trigger"),
        ("  trigger:", "  transactions: {http: {url: /x}}\n  trigger:", "lacks rows"),
        ("  trigger:", "  online: {http: {url: /x}}\n  trigger:", "lacks is_online"),
        ("  trigger:", "  transactions: {rows: 1, manual: {prompt: x}}\n  trigger:", "cannot be manual"),
        ("  trigger:", "  token: {sql: {statement: x}}\n  trigger:", "needs a 'database'"),
        ("  trigger:", "  token: {shell: {command: 'x {{ token }}'}}\n  trigger:", "must hold no template"),
        ("  trigger:", "  token: {steps: [{when: x}]}\n  trigger:", "says nothing of how; give one of"),
    ],
)  # fmt: skip
def test_mistake_in_a_driver_file_is_named_with_its_place_and_a_way_out(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as error:
        read(GOOD.replace(old, new, 1))
    assert message in str(error.value)


def test_options_take_the_type_of_their_default() -> None:
    values = read(port="8080", fast="true", url="http://h", tenant="7").values
    assert values == {"port": 8080, "fast": True, "url": "http://h", "tenant": "7"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prt": "1"}, "--driver-option prt: mine has no such option; did you mean 'port'?"),
        ({"port": "many"}, "--driver-option port: expected a whole number, but it is 'many'"),
        ({"fast": "perhaps"}, "--driver-option fast: expected true or false, but it is 'perhaps'"),
        ({"key": "hunter2hunter2"}, "must not stand on a command line"),
    ],
)
def test_wrong_option_says_what_to_do(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        read(**options)
    assert message in str(error.value)
    assert "hunter2" not in str(error.value)


def test_secret_comes_from_the_environment_and_is_known_as_one() -> None:
    loaded = read_driver("my.yaml", GOOD, {"key": "${ENV:OTHER}"}, {"OTHER": "s3cret", "MY_KEY": "x"})
    assert loaded.values["key"] == "s3cret"
    assert loaded.secrets == {"s3cret"}


def test_environment_variable_that_looks_like_a_template_is_only_a_value() -> None:
    text = GOOD.replace('"{{ payload }}"', '{a: "${ENV:MY_KEY}", b: "{{ key }}"}')
    loaded = read_driver("my.yaml", text, {}, {"MY_KEY": "{{ 7 * 7 }}"})
    assert set(loaded.values) >= {"env_MY_KEY", "key"}
    assert loaded.values["env_MY_KEY"] == "{{ 7 * 7 }}"


def test_required_variable_that_is_not_set_ends_before_anything_is_sent() -> None:
    text = GOOD.replace('default: "${ENV:MY_KEY}"', 'default: "${ENV:MY_KEY}", required: true')
    with pytest.raises(UsageError, match="--driver mine needs the environment variable MY_KEY"):
        read(text)


def test_preset_file_and_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"--driver stve is not known; did you mean 'steve'\?"):
        load_driver("stve", {})
    with pytest.raises(UsageError, match=r"no\.yaml: the driver file cannot be read: No such file"):
        load_driver("no.yaml", {})


def test_file_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match=r"x\.yaml:1: expected text in UTF-8, but"):
        load_driver(str(tmp_path / "x.yaml"), {})


def test_address_of_the_api_must_be_one() -> None:
    with pytest.raises(UsageError, match="ftp://h must begin with http"):
        DeclarativeDriver(read(url="ftp://h"))


# -- what follows from what is present -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "version", "reason"),
    [
        ("trigger:Reset", "1.6", None),
        ("trigger:Reset", "2.0.1", "needs a way to make the CSMS send Reset, and driver mine has none"),
        ("trigger:ClearCache", "1.6", "needs a way to make the CSMS send ClearCache, and driver mine has none"),
        (
            "token:Blocked",
            "1.6",
            "needs an identity token that the CSMS answers with Blocked, and driver mine has none",
        ),
        ("transactions", "1.6", "needs a way to read the transactions"),
        ("password", "1.6", "needs a station with a Basic-auth password"),
        ("certificate-signing", "1.6", "driver mine does not say that its CSMS signs them"),
        ("moonlight", "1.6", "needs moonlight, and driver mine has none"),
    ],
)
def test_what_is_not_given_is_missing_with_its_reason(need: str, version: str, reason: str | None) -> None:
    missing = DeclarativeDriver(read()).missing(need, Version(version))
    assert (missing is None) == (reason is None)
    assert (missing or "").startswith(reason or "")


def test_driver_is_for_its_versions_only() -> None:
    driver = driver_of("  token: {http: {url: /x}}", head="versions: [1.6, 2.1]\n")
    assert driver.missing("token:Accepted", Version.V16) is None
    assert driver.missing("token:Accepted", Version.V201) == "driver mine is for OCPP 1.6 and 2.1, not for 2.0.1"


def test_first_way_that_applies_is_taken() -> None:
    driver = driver_of(
        "  trigger:\n"
        "    - {actions: [Reset], unsupported: the button is broken}\n"
        "    - {versions: ['2.1'], unsupported: not there yet}\n"
        "    - {http: {url: /x}}\n"
    )
    assert driver.missing("trigger:Reset", Version.V16) == "the button is broken"
    assert driver.missing("trigger:ClearCache", Version.V21) == "not there yet"
    assert driver.missing("trigger:ClearCache", Version.V16) is None


def test_way_is_chosen_by_a_variable() -> None:
    text = "  token:\n    - {when: simple, http: {url: /x}}\n    - {unsupported: ask for simple}\n"
    for default, missing in ((True, None), (False, "ask for simple")):
        head = f"variables: {{simple: {{default: {str(default).lower()}}}}}\n"
        assert driver_of(text, head=head).missing("token:Blocked", Version.V16) == missing


def test_unset_variable_makes_only_its_own_ways_unavailable() -> None:
    head = 'variables: {password_of_db: {secret: true, default: "${ENV:DB}", about: the database}}\n'
    head += 'database: {dialect: sqlite, command: x, env: {P: "{{ password_of_db }}"}}\n'
    operations = "  token: {sql: {statement: '{{ token }}'}}\n  trigger: {http: {url: /x}}\n"
    without = driver_of(operations, head=head)
    assert without.missing("trigger:Reset", Version.V16) is None
    reason = without.missing("token:Accepted", Version.V16)
    assert reason is not None
    assert reason.startswith("driver mine needs the environment variable DB (the database) for")
    assert driver_of(operations, head=head, environment={"DB": "x"}).missing("token:Accepted", Version.V16) is None


def test_variable_that_may_be_missing_makes_nothing_unavailable() -> None:
    driver = driver_of("  trigger: {http: {url: /x, body: '{{ a | default(1) }}'}}", head="variables: {a: {}}\n")
    assert driver.missing("trigger:Reset", Version.V16) is None


def test_register_that_uses_the_password_sets_it() -> None:
    body = "{url: /x, body: {p: '{{ password | default(omit) }}'}}"
    assert driver_of(f"  register: {{http: {body}}}").missing("password", Version.V16) is None
    reason = driver_of("  register: {http: {url: /x}}").missing("password", Version.V16)
    assert reason is not None


def test_type_of_a_token_is_set_only_where_the_file_uses_it() -> None:
    reason = driver_of("  token: {http: {url: '/{{ token }}'}}").missing("token:token_type", Version.V201)
    assert reason == "driver mine does not set the type of a token (operations.token)"
    whole = driver_of("  token: {http: {url: '/{{ token_type | default(0) }}'}}")
    assert whole.missing("token:token_type", Version.V201) is None


def test_parent_of_a_token_is_set_only_where_the_file_uses_it() -> None:
    reason = driver_of("  token: {http: {url: '/{{ token }}'}}").missing("token:parent", Version.V16)
    assert reason == "driver mine does not set the parent of a token (operations.token)"
    assert (
        driver_of("  token: {http: {url: '/{{ parent | default(0) }}'}}").missing("token:parent", Version.V16) is None
    )


@pytest.mark.parametrize(
    ("said", "missing"),
    [("true", None), ("no authority", "no authority"), ("'{{ signs }}'", None)],
)
def test_signing_of_certificates_is_claimed_or_denied(said: str, missing: str | None) -> None:
    head = f"signs_certificates: {said}\nvariables: {{signs: {{default: true}}}}\n"
    driver = driver_of("  token: {http: {url: /x}}", head=head)
    assert driver.missing("certificate-signing", Version.V16) == missing


# -- from the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", preset_names())
def test_preset_loads_with_its_defaults(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("STEVE_API_PASSWORD", "OCPP_CORE_API_KEY", "EVTIVITY_API_KEY"):
        monkeypatch.setenv(variable, "s3cret")
    options = {"control_url": "http://127.0.0.1:1"} if name == "practice" else {}
    assert load_driver(name, options).document.driver == name


def test_presets_are_the_promised_ones() -> None:
    promised = ["citrineos", "evtivity", "manual", "ocpp-core", "practice", "steve", "tzi-contract"]
    assert preset_names() == promised


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (InteropRequest(driver="practice"), "--driver practice needs --driver-option control_url="),
        (InteropRequest(driver="http"), "--driver http needs --control-url"),
        (InteropRequest(driver="none", driver_options={"a": "b"}), "--driver-option a: driver none has no options"),
        (
            InteropRequest(driver="tzi-contract", control_url="http://h"),
            "--control-url is nothing that driver tzi-contract",
        ),
        (InteropRequest(driver="practice", control_url="h:1"), "h:1 must begin with http"),
        (
            InteropRequest(driver="practice", control_url="http://h", resume="x"),
            "--resume is for drivers that ask a person",
        ),
    ],
)
def test_settings_that_cannot_work_are_usage_errors(settings: InteropRequest, message: str) -> None:
    with pytest.raises(UsageError) as error:
        make_driver(settings).close()
    assert message in str(error.value)


def test_control_url_is_a_variable_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = "driver: mine\nvariables: {control_url: {}}\nhttp: {base_url: '{{ control_url }}'}\noperations: {}\n"
    file.write_text(text)
    make_declarative_driver(str(file), {}, "http://127.0.0.1:1").close()
    with pytest.raises(UsageError, match="ftp"):
        make_declarative_driver(str(file), {}, "ftp://127.0.0.1:1")
