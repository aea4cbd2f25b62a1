from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from drivers.base import CommandResult, DriverError, StationSettings, TokenSettings
from ocppj.versions import Version
from tests.drivers.yaml_drivers import driver

NASTY = "a'; DROP TABLE tags; -- $(touch PWNED) `touch PWNED` \"; touch PWNED; {{ 7*7 }}\n.shell touch PWNED"
SQLITE = """\
database:
  dialect: sqlite
  command: '"$PYTHON" -c "$PROGRAM" "$FILE"'
  env: {PYTHON: "${ENV:PYTHON}", PROGRAM: "${ENV:PROGRAM}", FILE: "${ENV:FILE}"}
"""
# A client program as any other: statements from standard input, columns between bars.
PROGRAM = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for statement in sys.stdin.read().split(";;"):
    for row in connection.execute(statement):
        print("|".join("NULL" if value is None else str(value) for value in row))
connection.commit()
"""


def test_values_reach_a_command_through_its_environment_and_never_through_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    operations = (
        '  register:\n    shell:\n      command: printf %s "$ID" > id; cat > in\n'
        "      env: {ID: '{{ identity }}'}\n      stdin: 'in {{ identity }}'\n"
    )
    with driver(operations) as driven:
        driven.register(NASTY, StationSettings(), Version.V16)
    assert (tmp_path / "id").read_text() == NASTY
    assert (tmp_path / "in").read_text() == f"in {NASTY}"
    assert {file.name for file in tmp_path.iterdir()} == {"id", "in"}


def test_result_of_a_command_is_read_from_what_it_prints() -> None:
    operations = (
        "  trigger:\n    shell: {command: 'cat', stdin: '{{ payload | json }}'}\n"
        "    answer: {payload: '{{ response.json }}', code: '{{ response.status }}'}\n"
    )
    with driver(operations) as driven:
        assert driven.reset() == CommandResult(status="answered", payload={"type": "Hard"}, code="0")


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        ("{command: 'echo no such station >&2; exit 3'}", "ended with status 3: no such station"),
        ("{command: 'exit 1'}", "ended with status 1: it said nothing"),
        ("{command: 'echo sorry', ok: \"'done' in response.text\"}", "the CSMS did not do it: sorry"),
        ('{command: \'printf "%s" "$A"\', env: {A: "{{ \'x\' * 300000 }}"}}', "could not be started"),
        ("{command: 'exit 0', env: {A: '{{ payload.none }}'}}", "has no attribute 'none'"),
    ],
)
def test_command_that_fails_is_a_driver_error(shell: str, message: str) -> None:
    with driver(f"  trigger: {{shell: {shell}}}\n") as driven, pytest.raises(DriverError) as error:
        driven.reset()
    assert message in str(error.value)


def test_expected_exit_status() -> None:
    with driver("  trigger: {shell: {command: 'exit 3', expect: [0, 3]}}\n") as driven:
        assert driven.reset().status == "sent"


def test_command_that_hangs_is_ended_with_all_it_started() -> None:
    # The number tells these processes from all others.
    words = ["sleep", "60.0417"]
    operations = f"  trigger: {{shell: {{command: '{' '.join(words)} | {' '.join(words)}', timeout: 0.2}}}}\n"
    with driver(operations) as driven, pytest.raises(DriverError, match=r"took longer than 0\.2 s"):
        driven.reset()
    left = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == words]
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_secrets_of_a_command_are_in_no_error_and_in_nothing_that_is_shown() -> None:
    operations = (
        '  register:\n    shell:\n      command: echo "$P $T" >&2; exit 1\n'
        "      env: {P: '{{ password }}', T: '${ENV:TOKEN}'}\n"
    )
    with driver(operations, environment={"TOKEN": "tok-3n"}) as driven, pytest.raises(DriverError) as error:
        driven.register("CP1", StationSettings(password="stati0n-pass"), Version.V16)
    assert "(redacted) (redacted)" in str(error.value)
    assert "tok-3n" not in repr(driven.seen)
    assert "stati0n-pass" not in repr(driven.seen)


# -- SQL -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> dict[str, str]:
    return {"PYTHON": sys.executable, "PROGRAM": PROGRAM, "FILE": str(tmp_path / "db")}


TAGS = """\
  register: {sql: {statement: "CREATE TABLE IF NOT EXISTS tags (tag, state, n)"}}
  token: {sql: {statement: "INSERT INTO tags VALUES ({{ token }}, {{ status }}, {{ parent | default(none) }})"}}
  transactions:
    sql: {statement: "SELECT tag, state, n FROM tags", ok: response.rows}
    rows: "{{ response.rows }}"
    fields: {tag: "{{ row[0] }}", state: "{{ row[1] }}", n: "{{ row[2] }}"}
"""


def test_statement_holds_values_as_literals(database: dict[str, str]) -> None:
    nasty = NASTY.replace("\n", " ")
    with driver(TAGS, head=SQLITE, environment=database) as driven:
        driven.register("CP1", StationSettings(), Version.V16)
        driven.set_token(nasty, TokenSettings(status="Accepted"), Version.V16)
        driven.set_token("B", TokenSettings(status="Blocked", parent="P"), Version.V16)
        rows = driven.transactions("CP1", Version.V16)
    assert rows == [
        {"tag": nasty, "state": "Accepted", "n": "NULL"},
        {"tag": "B", "state": "Blocked", "n": "P"},
    ]


def test_statement_that_gave_nothing_where_something_must_be(database: dict[str, str]) -> None:
    with driver(TAGS, head=SQLITE, environment=database) as driven:
        driven.register("CP1", StationSettings(), Version.V16)
        with pytest.raises(DriverError, match=r"transactions: the CSMS did not do it: \(no output\)"):
            driven.transactions("CP1", Version.V16)


def test_client_program_that_is_not_there_is_a_driver_error() -> None:
    head = "database: {dialect: mysql, command: no-such-client}\n"
    operations = "  token: {sql: {statement: '{{ token }}'}}\n"
    with (
        driver(operations, head=head) as driven,
        pytest.raises(DriverError, match="no-such-client ended with status 127"),
    ):
        driven.set_token("A", TokenSettings(status="Accepted"), Version.V16)


def test_commands_run_side_by_side(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    # The first ends only when the second writes.
    operations = (
        "  trigger: {shell: {command: '$DO \"$PIPE\"', env: {DO: '{{ payload.do }}', PIPE: '{{ identity }}'}}}\n"
    )
    results: list[str] = []
    with driver(operations) as driven:

        def run(command: str) -> None:
            results.append(driven.reset({"do": command}, identity=pipe).status)

        threads = [threading.Thread(target=run, args=(command,)) for command in ("head -c 1", "cp /dev/null")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert results == ["sent", "sent"]
