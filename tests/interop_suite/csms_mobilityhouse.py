"""A small CSMS for OCPP 1.6 on the server side of mobilityhouse/ocpp, with an HTTP API of its own that answers at once.

It shares nothing with Plugstorm but the maker of test certificates. It writes its addresses as one line of JSON and
lives until its standard input ends.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import itertools
import json
import logging
import re
import ssl
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from aiohttp import web
from ocpp.charge_point import camel_to_snake_case, remove_nones, snake_to_camel_case  # type: ignore[import-untyped]  # the library has no types
from ocpp.routing import after, on  # type: ignore[import-untyped]
from ocpp.v16 import ChargePoint, call, call_result  # type: ignore[import-untyped]
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from fixtures.certificates import Authority

CHARGERS: dict[str, dict[str, Any]] = {}
BADGES: dict[str, dict[str, Any]] = {}
SESSIONS: dict[int, dict[str, Any]] = {}
ONLINE: dict[str, Charger] = {}
NUMBERS = itertools.count(1)
AUTHORITY, OPERATOR = Authority("Second CSMS"), "Plugstorm"
F = TypeVar("F", bound=Callable[..., Any])
say = partial(web.json_response, dumps=partial(json.dumps, default=float))


def now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def badge_info(uid: str) -> dict[str, Any]:
    badge = BADGES.get(uid.upper(), {"state": "Invalid"})
    return {"status": badge["state"]} | ({"parent_id_tag": badge["group"]} if badge.get("group") else {})


def handles(action: str) -> Callable[[F], F]:
    return cast("Callable[[F], F]", on(action))


class Charger(ChargePoint):  # type: ignore[misc]  # the library has no types
    """Answers one station."""

    @handles("BootNotification")
    def boot(self, **_: Any) -> call_result.BootNotification:
        return call_result.BootNotification(current_time=now(), interval=300, status="Accepted")

    @handles("Heartbeat")
    def heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=now())

    @handles("DataTransfer")
    def data_transfer(self, **_: Any) -> call_result.DataTransfer:
        return call_result.DataTransfer(status="UnknownVendorId")

    @handles("Authorize")
    def authorize(self, id_tag: str) -> call_result.Authorize:
        return call_result.Authorize(id_tag_info=badge_info(id_tag))

    @handles("StartTransaction")
    def begin(self, id_tag: str, **fields: Any) -> call_result.StartTransaction:
        number, info = next(NUMBERS), badge_info(id_tag)
        SESSIONS[number] = {"number": number, "charger": self.id, "badge": id_tag, "began": fields, "ended": None}
        return call_result.StartTransaction(transaction_id=number, id_tag_info=info)

    @handles("StopTransaction")
    def end(self, transaction_id: int, **fields: Any) -> call_result.StopTransaction:
        if transaction_id in SESSIONS:
            SESSIONS[transaction_id]["ended"] = fields
        return call_result.StopTransaction()

    @handles("SignCertificate")
    def sign(self, **_: Any) -> call_result.SignCertificate:
        return call_result.SignCertificate(status="Accepted")

    @cast("Callable[[F], F]", after("SignCertificate"))
    async def send_certificate(self, csr: str) -> None:
        await self.call(call.CertificateSigned(certificate_chain=AUTHORITY.sign_csr(csr).decode()))


def acknowledge(action: str) -> None:
    """Let the charger answer an action with nothing."""

    def answer(_self: Charger, **_: Any) -> Any:
        return getattr(call_result, action)()

    answer.__name__ = f"on_{action}"
    setattr(Charger, answer.__name__, handles(action)(answer))


for word in ("Status", "FirmwareStatus", "SignedFirmwareStatus", "DiagnosticsStatus", "LogStatus", "SecurityEvent"):
    acknowledge(f"{word}Notification")
acknowledge("MeterValues")


# -- stations --------------------------------------------------------------------------------------------------------


def key_of(secret: str | None) -> bytes:
    """Read 32 to 40 hexadecimal digits as the raw key that they write, anything else as text."""
    text = secret or ""
    return bytes.fromhex(text) if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){16,20}", text) else text.encode()


def admit(connection: ServerConnection, request: Request) -> Response | None:
    """Let in who is known, with the right secret and over the right line."""
    name = unquote(request.path.rsplit("/", 1)[-1])
    charger = CHARGERS.get(name)
    if charger is None:
        return connection.respond(HTTPStatus.NOT_FOUND, "unknown charger\n")
    line: Any = connection.transport.get_extra_info("ssl_object")
    secure = charger["protection"] in ("tls", "mutual-tls")
    expected = "Basic " + base64.b64encode(f"{name}:".encode() + key_of(charger["secret"])).decode()
    if secure != (line is not None) or (
        charger["secret"]
        and charger["protection"] != "mutual-tls"
        and request.headers.get_all("Authorization") != [expected]
    ):
        return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong credentials\n")
    subject = dict(pair[0] for pair in ((line and line.getpeercert()) or {}).get("subject", ()))
    owner = (subject.get("commonName"), subject.get("organizationName"))
    if charger["protection"] == "mutual-tls" and owner != (name, OPERATOR):
        return connection.respond(HTTPStatus.UNAUTHORIZED, "no certificate\n")
    return None


async def converse(connection: ServerConnection) -> None:
    assert connection.request is not None
    name = unquote(connection.request.path.rsplit("/", 1)[-1])
    charger = ONLINE[name] = Charger(name, connection, response_timeout=5)
    try:
        await charger.start()
    finally:
        if ONLINE.get(name) is charger:
            del ONLINE[name]


# -- the operator's API ----------------------------------------------------------------------------------------------

API = web.RouteTableDef()


@API.put("/v2/chargers/{name}")
async def put_charger(request: web.Request) -> web.Response:
    CHARGERS[request.match_info["name"]] = {"secret": None, "protection": "none"} | await request.json()
    return web.Response(status=204)


@API.put("/v2/badges/{uid}")
async def put_badge(request: web.Request) -> web.Response:
    BADGES[request.match_info["uid"].upper()] = await request.json()
    return say({})


@API.get("/v2/sessions")
async def sessions(request: web.Request) -> web.Response:
    return say({"items": [session for session in SESSIONS.values() if session["charger"] == request.query["charger"]]})


@API.post("/v2/certificates")
async def certificates(request: web.Request) -> web.Response:
    return web.Response(body=AUTHORITY.sign_csr(await request.text()), content_type="application/x-pem-file")


@API.post("/v2/chargers/{name}/sessions")
async def begin_session(request: web.Request) -> web.Response:
    plan = await request.json()
    fields = {"id_tag": plan["badge"], "connector_id": plan.get("connector"), "charging_profile": plan.get("plan")}
    return await send(request.match_info["name"], call.RemoteStartTransaction, fields)


@API.delete("/v2/sessions/{number}")
async def end_session(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    charger = SESSIONS[number]["charger"] if number in SESSIONS else ""
    return await send(charger, call.RemoteStopTransaction, {"transaction_id": number})


@API.post("/v2/chargers/{name}/orders")
async def order(request: web.Request) -> web.Response:
    document = await request.json()
    kind, fields = getattr(call, document["order"], None), camel_to_snake_case(document["with"])
    return await send(request.match_info["name"], kind, fields)


async def send(name: str, kind: Any, fields: dict[str, Any]) -> web.Response:
    """Send a command and wait for what the station says."""
    charger = ONLINE.get(name)
    if charger is None:
        return say({"outcome": "offline"}, status=409)
    try:
        reply = await charger.call(kind(**fields), suppress=False)
    except TypeError as error:
        return say({"outcome": "impossible", "why": str(error)}, status=422)
    except TimeoutError:
        return say({"outcome": "no reply"})
    except Exception as error:  # noqa: BLE001  # whatever the library raises, the operator is told
        return say({"outcome": "error", "error": getattr(error, "code", "unknown"), "why": str(error)})
    if fields.get("key") == "AuthorizationKey" and reply.status == "Accepted":
        CHARGERS[name]["secret"] = fields["value"]
    return say({"outcome": "ok", "reply": remove_nones(snake_to_camel_case(asdict(reply)))})


async def main() -> None:
    logging.disable(logging.CRITICAL)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.server().load_into(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=AUTHORITY.root_pem.decode())
    runner = web.AppRunner(web.Application())
    runner.app.add_routes(API)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    options: dict[str, Any] = {"subprotocols": ["ocpp1.6"], "process_request": admit}
    with tempfile.NamedTemporaryFile(suffix=".pem") as ca:
        ca.write(AUTHORITY.root_pem)
        ca.flush()
        async with (
            serve(converse, "127.0.0.1", 0, **options) as plain,
            serve(converse, "127.0.0.1", 0, ssl=context, **options) as secure,
        ):
            ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
            addresses = {"url": f"ws://127.0.0.1:{ports[0]}/ocpp", "tls_url": f"wss://127.0.0.1:{ports[1]}/ocpp"}
            addresses |= {"ca": ca.name, "api": f"http://127.0.0.1:{runner.addresses[0][1]}"}
            sys.stdout.write(json.dumps(addresses) + "\n")
            sys.stdout.flush()
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
