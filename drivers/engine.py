"""Carries out what a driver file says: steps, log-in, SQL, shell, questions to a person; and keeps secrets in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import msgspec

from drivers.base import CommandResult, DriverCannotError, DriverError, Exchange, ignore
from drivers.callback import CallbackServer
from drivers.http_requests import Requester, UnauthorizedError
from drivers.loading import Loaded
from drivers.manual import ANSWERS_FILE, Desk
from drivers.mqtt_requests import Address, Wanted, exchange
from drivers.outcomes import read_outcome
from drivers.schema import Manual, Mqtt, Operation, Outcome, Shell, Sql, Step
from drivers.shell import run_command
from drivers.template import Place, holds, render, render_tree
from evidence.redact import REDACTED, redact, redact_text
from mqtt.packets import Level
from ocppj.errors import UsageError

__all__ = ["Engine", "question"]

Context = dict[str, Any]
Done = tuple[dict[str, Any], CommandResult | None]
"""The response that results are read from, and the result where nothing is left to be read."""

SHOWN_MAX = 4000
"""Characters of a body that an observer sees."""
LASTING = frozenset({"register", "password", "security_profile", "boot_status", "token"})

_hidden: ContextVar[frozenset[str]] = ContextVar("hidden", default=frozenset())


class Engine:
    """Does operations for one driver; safe to use from several threads."""

    def __init__(self, loaded: Loaded, desk: Desk | None) -> None:
        """Open nothing yet; raises `UsageError` for an address that is none."""
        self._document = loaded.document
        self._values = loaded.values
        self._desk = desk
        self.secrets = loaded.secrets
        self.observe: Callable[[Exchange], None] = ignore
        self._lock = threading.Lock()
        self._server: CallbackServer | None = None
        self._session: dict[str, Any] = {}
        self._session_number = 0
        self._requester = Requester(loaded.document.http, self._watch, self._callback_server)
        self._check_address()

    def begin(self, folder: Path) -> None:
        """Keep the answers of a person in the folder of the run."""
        if self._desk is not None:
            self._desk.keep_in(folder / ANSWERS_FILE)

    def close(self) -> None:
        """End the callback server, give the connections back and ask nobody any more."""
        self._requester.close()
        if self._desk is not None:
            self._desk.close()
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None

    def do(self, name: str, operation: Operation, context: Context) -> Done:
        """Do all steps of an operation; results are read from what the last one gave."""
        with self._discreet(context):
            for limit in operation.cannot:
                if holds(limit.when, self._known(context)):
                    raise DriverCannotError(f"{name}: {render(limit.why, Place.TEXT, self._known(context))}")
            return self._steps(name, operation, context)

    def outcome(self, rules: Outcome | Sequence[Outcome], context: Context, response: Any) -> CommandResult | None:
        """Read the result of a command; None when no rule fits."""
        with self._discreet(context), _about(response):
            return read_outcome(rules, self._known(context, response))

    def fill(self, template: Any, context: Context, response: Any, **more: Any) -> Any:
        """Read something out of a response."""
        with self._discreet(context), _about(response):
            return render_tree(template, self._known(context, response) | more)

    def clean(self, text: str) -> str:
        """Blank the secrets in a text."""
        for secret in self.secrets | _hidden.get():
            text = text.replace(secret, REDACTED)
        return redact_text(text)

    # -- steps -------------------------------------------------------------------------------------------------------

    def _known(self, context: Context, response: Any = None) -> Context:
        known = self._values | self._session | context
        return known if response is None else known | {"response": response}

    def _steps(self, name: str, operation: Operation, context: Context) -> Done:
        if not operation.steps:
            return self._logged_in(name, operation, context)
        response: dict[str, Any] = {}
        for step in operation.steps:
            if not holds(step.when, self._known(context, response)):
                continue
            response, result = self._logged_in(name, step, context)
            if result is not None:
                return response, result
            context = context | render_tree(step.save, self._known(context, response))
        return response, None

    def _logged_in(self, name: str, step: Operation | Step, context: Context) -> Done:
        """Do one step, logged in where the file says how; a session that has run out is renewed once."""
        if self._document.login is None or step.http is None:
            return self._step(name, step, context)
        number = self._log_in(expired=0)
        try:
            return self._step(name, step, context)
        except UnauthorizedError:
            self._log_in(expired=number)
            return self._step(name, step, context)

    def _log_in(self, *, expired: int) -> int:
        """Make sure of a session that is newer than an expired one, and give its number."""
        login = self._document.login
        assert login is not None
        with self._lock:
            if self._session_number == expired:
                self._session = {}
                response, _ = self._step("login", login, {})
                saved = render_tree(login.save, self._known({}, response))
                self.secrets |= {value for value in saved.values() if isinstance(value, str) and value}
                self._session = saved
                self._session_number += 1
            return self._session_number

    def _step(self, name: str, step: Operation | Step, context: Context) -> Done:
        if step.http is not None:
            return self._requester.run(name, step.http, self._known(context))
        if step.sql is not None:
            return self._sql(name, step.sql, self._known(context)), None
        if step.shell is not None:
            return self._shell(name, step.shell, self._known(context)), None
        if step.mqtt is not None:
            return self._publish(name, step.mqtt, self._known(context))
        assert step.manual is not None
        return self._ask(name, step.manual, context), None

    def _ask(self, name: str, manual: Manual, context: Context) -> dict[str, Any]:
        assert self._desk is not None
        known = self._known(context)
        prompt = str(render(manual.prompt, Place.TEXT, known))
        shown = render_tree(manual.show, known)
        lasts = name in LASTING
        with self._watched(name, "manual", {"prompt": prompt, "shown": shown}) as responses:
            self._desk.ask(question(name, context), prompt, shown, lasts=lasts, sensitive=bool(_hidden.get()))
            responses.append({"status": 0, "text": ""})
        return responses[0]

    def _sql(self, name: str, sql: Sql, known: Context) -> dict[str, Any]:
        database = self._document.database
        assert database is not None
        statement = str(render(sql.statement, Place.SQL, known, database.dialect))
        client = Shell(command=database.command, env=database.env, timeout=database.timeout, ok=sql.ok)
        return self._run(name, "sql", client, statement, known, separator=database.separator)

    def _publish(self, name: str, mqtt: Mqtt, known: Context) -> Done:
        topic = str(render(mqtt.topic, Place.TEXT, known))
        if mqtt.text is not None:
            payload = str(render(mqtt.text, Place.TEXT, known)).encode("utf-8", "replace")
        else:
            payload = msgspec.json.encode(render_tree(mqtt.message, known))
        wait, wanted = mqtt.wait, None
        faults: list[str] = []
        if wait is not None:
            condition = wait.when

            def fits(response: dict[str, Any]) -> bool:
                try:
                    return holds(condition, known | {"response": response})
                except DriverError as error:
                    # A message of another kind lacks what the condition asks for.
                    faults[:] = [f"; of another message: {error}"]
                    return False

            wanted = Wanted(str(render(wait.topic, Place.TEXT, known)), fits, wait.timeout)
        request: dict[str, Any] = {"topic": topic, "message": payload.decode()}
        request |= {} if wanted is None else {"wait": wanted.topic}
        with self._watched(name, "mqtt", request) as responses:
            response = exchange(self._broker(), topic, payload, qos=mqtt.qos, retain=mqtt.retain, wanted=wanted)
            if response is not None:
                responses.append(response)
                if not holds(mqtt.ok, known | {"response": response}):
                    text = " ".join(response["text"].split())[:300]
                    raise DriverError(f"the CSMS did not do it: {text or '(no message)'}")
                return response, None
            assert wait is not None
            assert wanted is not None
            why = f"no message on {wanted.topic} within {wait.timeout:g} s{''.join(faults)}"
            if name != "trigger":
                raise DriverError(why)
        return {}, CommandResult(status=wait.on_timeout, origin="csms", description=why)

    def _broker(self) -> Address:
        broker = self._document.broker
        assert broker is not None

        def filled(text: str | None) -> str | None:
            return None if text is None else str(render(text, Place.TEXT, self._values)) or None

        return Address(
            url=filled(broker.url) or "",
            level=Level.V5 if broker.mqtt == "5" else Level.V311,
            user=filled(broker.user),
            password=filled(broker.password),
            ca_file=filled(broker.ca_file),
            timeout=broker.timeout,
        )

    def _shell(self, name: str, shell: Shell, known: Context) -> dict[str, Any]:
        stdin = "" if shell.stdin is None else str(render(shell.stdin, Place.TEXT, known))
        return self._run(name, "shell", shell, stdin, known)

    def _run(
        self, name: str, over: str, shell: Shell, stdin: str, known: Context, *, separator: str | None = None
    ) -> dict[str, Any]:
        environment = {key: str(render(text, Place.TEXT, known)) for key, text in shell.env.items()}
        request = {"command": shell.command, "env": environment, "stdin": stdin}
        with self._watched(name, over, request) as responses:
            response = run_command(shell.command, environment, stdin, timeout=shell.timeout, expect=shell.expect)
            if separator is not None:
                response["rows"] = [line.split(separator) for line in response["text"].splitlines() if line]
            responses.append(response)
            if not holds(shell.ok, known | {"response": response}):
                text = " ".join(response["text"].split())[:300]
                raise DriverError(f"the CSMS did not do it: {text or '(no output)'}")
        return response

    @contextmanager
    def _watched(self, name: str, over: str, request: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Show what happens in the context to the observer, also when it ends in an error."""
        started = time.monotonic()
        responses: list[dict[str, Any]] = []
        error = None
        try:
            yield responses
        except DriverError as problem:
            error = str(problem)
            raise DriverError(f"{name}: {error}") from None
        finally:
            ms = round((time.monotonic() - started) * 1000, 1)
            response = responses[0] if responses else None
            self._watch(Exchange(operation=name, over=over, request=request, response=response, error=error, ms=ms))

    # -- around ------------------------------------------------------------------------------------------------------

    def _callback_server(self) -> tuple[CallbackServer, str | None]:
        settings = self._document.callback
        with self._lock:
            if self._server is None:
                bind = str(render(settings.bind, Place.TEXT, self._values))
                self._server = CallbackServer(bind, int(render_tree(settings.port, self._values)))
            known = self._values | {"served_port": self._server.port}
            return self._server, None if settings.url is None else str(render(settings.url, Place.TEXT, known))

    def _check_address(self) -> None:
        try:
            base = str(render(self._document.http.base_url, Place.TEXT, self._values))
        except DriverError:
            return
        if base and not base.startswith(("http://", "https://")):
            raise UsageError(f"--driver {self._document.driver}: {base} must begin with http:// or https://")

    @contextmanager
    def _discreet(self, context: Context) -> Iterator[None]:
        """Keep the secrets of a station or a payload out of what is observed and out of errors."""
        secrets = set(_secret_values(context.get("payload"), redact(context.get("payload"))))
        secrets |= {context["password"]} if context.get("password") else set()
        token = _hidden.set(_hidden.get() | secrets)
        try:
            yield
        except DriverError as error:
            raise type(error)(self.clean(str(error))) from None
        finally:
            _hidden.reset(token)

    def _watch(self, exchange: Exchange) -> None:
        if self.observe is ignore:
            return
        response = _shorten(exchange.response)
        if exchange.operation == "login" and response is not None:
            # What a log-in gives is secret, whatever it is called.
            response = {"status": response.get("status")}
        document = {"request": exchange.request, "response": response}
        error = None if exchange.error is None else self.clean(exchange.error)
        shown = redact(document, self.secrets | _hidden.get())
        self.observe(msgspec.structs.replace(exchange, **shown, error=error))


@contextmanager
def _about(response: Any) -> Iterator[None]:
    """Add what came back to an error about reading it."""
    try:
        yield
    except DriverError as error:
        text = " ".join(str((response or {}).get("text", "")).split())[:300]
        raise DriverError(f"{error}; the answer was {text or 'empty'}") from None


def question(name: str, context: Mapping[str, Any]) -> str:
    """Name what a person is asked, so that the same question has the same words, without any secret."""
    if name == "trigger":
        return f"trigger {context['action']} (OCPP {context['version']})"
    words = [name, *(str(context[part]) for part in ("identity", "token", "status") if part in context)]
    more = {part: context[part] for part in ("parent", "security_profile", "boot_status") if part in context}
    return " ".join([*words, *(f"{part.replace('_', ' ')} {value}" for part, value in more.items())])


def _secret_values(value: Any, redacted: Any) -> Iterator[str]:
    """Find the strings of a value that a redacted copy of it does not show."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secret_values(item, redacted[key])
    elif isinstance(value, list):
        for item, shown in zip(value, redacted, strict=True):
            yield from _secret_values(item, shown)
    elif isinstance(value, str) and value and redacted == REDACTED:
        yield value


def _shorten(response: dict[str, Any] | None) -> dict[str, Any] | None:
    """Show a body once, as JSON where it is JSON, and not all of a long one."""
    if response is None:
        return None
    text = response.get("text", "")
    shown = {key: value for key, value in response.items() if key not in ("text", "rows", "first")}
    if "json" not in response or len(text) > SHOWN_MAX:
        shown.pop("json", None)
        shown["text"] = text[:SHOWN_MAX]
    return shown
