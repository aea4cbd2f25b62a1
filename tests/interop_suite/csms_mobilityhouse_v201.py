"""A small CSMS for OCPP 2.0.1 on the server side of mobilityhouse/ocpp; its API is that of the preset `http`.

It knows tokens, groups, registration and passwords, sends every command, and keeps no records. It shares nothing with
Plugstorm, writes its addresses as one line of JSON, and lives until its standard input ends.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime as dt
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from aiohttp import web
from ocpp.charge_point import camel_to_snake_case, remove_nones, snake_to_camel_case  # type: ignore[import-untyped]  # the library has no types
from ocpp.exceptions import OCPPError, SecurityError  # type: ignore[import-untyped]
from ocpp.routing import on  # type: ignore[import-untyped]
from ocpp.v201 import ChargePoint, call, call_result  # type: ignore[import-untyped]
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

PATIENCE = 5
STATIONS: dict[str, dict[str, Any]] = {}
TOKENS: dict[str, dict[str, Any]] = {}
STARTED: set[str] = set()
ONLINE: dict[str, Charger] = {}
LISTS = {
    "ClearVariableMonitoring": "id",
    "GetVariables": "getVariableData",
    "SetVariableMonitoring": "setMonitoringData",
    "SetVariables": "setVariableData",
}
REMOTE = ("RequestStartTransaction", "RequestStopTransaction")
ACKNOWLEDGED = (
    "ClearedChargingLimit",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "StatusNotification",
)


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def info_of(token: dict[str, Any]) -> dict[str, Any]:
    """Say what a token is worth; a button needs none, and what the operator started is known."""
    value = str(token["id_token"]).upper()
    if token["type"] == "NoAuthorization" or (value in STARTED and value not in TOKENS):
        return {"status": "Accepted"}
    known = TOKENS.get(value)
    if known is None:
        return {"status": "Unknown"}
    info = {"status": known["status"]}
    if known.get("cacheExpiryDateTime"):
        info["cache_expiry_date_time"] = known["cacheExpiryDateTime"]
    group = known.get("groupIdToken")
    if group:
        info["group_id_token"] = {"id_token": group, "type": "Central"} if isinstance(group, str) else group
    return info


F = TypeVar("F", bound=Callable[..., Any])


def handles(action: str) -> Callable[[F], F]:
    """Route the CALLs of an action; the decorator of the library has no types."""
    return cast("Callable[[F], F]", on(action))


class Charger(ChargePoint):  # type: ignore[misc]  # the library has no types
    """One station that is connected."""

    async def _handle_call(self, msg: Any) -> Any:
        station = STATIONS[self.id]
        expected = station["status"] == "Pending" and msg.action in station["expected"]
        if msg.action != "BootNotification" and station["status"] != "Accepted" and not expected:
            refusal = SecurityError(description="This station is not accepted.")
            return await self._send(msg.create_call_error(refusal).to_json())
        return await super()._handle_call(msg)

    @handles("BootNotification")
    def boot(self, **_: Any) -> Any:
        station = STATIONS[self.id]
        station["status"] = station["boot_status"] or "Accepted"
        station["expected"] = {"NotifyReport"}
        return call_result.BootNotification(now(), station["interval"] or 300, station["status"])

    @handles("Heartbeat")
    def heartbeat(self) -> Any:
        return call_result.Heartbeat(current_time=now())

    @handles("DataTransfer")
    def data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer(status="UnknownVendorId")

    @handles("Authorize")
    def authorize(self, id_token: dict[str, Any], **_: Any) -> Any:
        return call_result.Authorize(id_token_info=info_of(id_token))

    @handles("TransactionEvent")
    def transaction(self, id_token: dict[str, Any] | None = None, **_: Any) -> Any:
        return call_result.TransactionEvent(id_token_info=None if id_token is None else info_of(id_token))

    @handles("SignCertificate")
    def sign(self, **_: Any) -> Any:
        return call_result.SignCertificate(status="Rejected")

    @handles("Get15118EVCertificate")
    def contract(self, **_: Any) -> Any:
        return call_result.Get15118EVCertificate(status="Failed", exi_response="")

    @handles("GetCertificateStatus")
    def certificate_status(self, **_: Any) -> Any:
        return call_result.GetCertificateStatus(status="Failed")

    @handles("NotifyEVChargingNeeds")
    def needs(self, **_: Any) -> Any:
        return call_result.NotifyEVChargingNeeds(status="Rejected")

    @handles("NotifyEVChargingSchedule")
    def schedule(self, **_: Any) -> Any:
        return call_result.NotifyEVChargingSchedule(status="Accepted")

    async def order(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a command, and tell what came of it."""
        try:
            request = getattr(call, action)(**camel_to_snake_case(payload))
            reply = await self.call(request, suppress=False)
        except TimeoutError:
            return {"status": "timeout"}
        except OCPPError as error:
            return {"status": "error", "code": error.code, "description": error.description, "origin": "station"}
        answer = snake_to_camel_case(remove_nones(dataclasses.asdict(reply)))
        learn(STATIONS[self.id], action, payload, answer)
        return {"status": "answered", "payload": answer}


def acknowledge(action: str) -> None:
    def answer(_self: Charger, **_: Any) -> Any:
        return getattr(call_result, action)()

    # The library finds its handlers by their names.
    answer.__name__ = f"take_{action}"
    setattr(Charger, answer.__name__, handles(action)(answer))


for _action in ACKNOWLEDGED:
    acknowledge(_action)


def learn(station: dict[str, Any], action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
    if action == "TriggerMessage" and answer["status"] == "Accepted":
        wanted = payload["requestedMessage"]
        station["expected"].add("SignCertificate" if wanted.startswith("Sign") else wanted)
    for entry in answer.get("getVariableResult", ()):
        value = entry.get("attributeValue", "")
        if entry["variable"]["name"] == "ItemsPerMessage" and value.isascii() and value.isdigit() and int(value):
            station["limits"][entry["variable"].get("instance")] = int(value)
    for sent, result in zip(payload.get("setVariableData", ()), answer.get("setVariableResult", ()), strict=False):
        taken = result["attributeStatus"] in ("Accepted", "RebootRequired")
        if sent["variable"]["name"] == "BasicAuthPassword" and taken:
            station["password"] = sent["attributeValue"]


# -- connections -----------------------------------------------------------------------------------------------------


def identity_of(path: str) -> str:
    return unquote(path.partition("?")[0].rpartition("/")[2])


def admit(connection: ServerConnection, request: Request) -> Response | None:
    name = identity_of(request.path)
    station = STATIONS.get(name)
    if station is None:
        return connection.respond(404, "unknown station\n")
    if station["password"] is not None:
        wanted = base64.b64encode(f"{name}:{station['password']}".encode()).decode()
        given = request.headers.get_all("Authorization")
        if len(given) != 1 or given[0].partition(" ")[0].lower() != "basic" or given[0].partition(" ")[2] != wanted:
            return connection.respond(401, "wrong credentials\n")
    return None


async def converse(connection: ServerConnection) -> None:
    assert connection.request is not None
    name = identity_of(connection.request.path)
    if connection.subprotocol is None:
        await connection.close(1002, "no version in common")
        return
    charger = ONLINE[name] = Charger(name, connection, response_timeout=PATIENCE)
    try:
        await charger.start()
    except Exception:  # noqa: BLE001  # the connection is over, whatever ended it
        return
    finally:
        if ONLINE.get(name) is charger:
            del ONLINE[name]


# -- the operator's API ----------------------------------------------------------------------------------------------


def shown(name: str) -> dict[str, Any]:
    station = STATIONS[name]
    return {"id": name, "connected": name in ONLINE, "boot_status": station["boot_status"]}


async def put_station(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    new: dict[str, Any] = {**dict.fromkeys(("password", "boot_status", "interval", "status")), "limits": {}}
    new["expected"] = set()
    STATIONS.setdefault(name, new).update(await request.json())
    return web.json_response(shown(name))


async def get_station(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    return web.json_response(shown(name)) if name in STATIONS else web.json_response({}, status=404)


async def put_token(request: web.Request) -> web.Response:
    token = {key: value for key, value in (await request.json()).items() if key not in ("tariff", "transactionLimit")}
    TOKENS[request.match_info["token"].upper()] = token
    return web.json_response(token)


def refused(code: str, text: str) -> web.Response:
    return web.json_response({"status": "error", "code": code, "description": text, "origin": "csms"})


async def order(request: web.Request) -> web.Response:
    name, action, payload = request.match_info["name"], request.match_info["action"], await request.json()
    station, charger = STATIONS[name], ONLINE.get(name)
    if not hasattr(call, action):
        return refused("NotImplemented", "there is no such command")
    if charger is None:
        return refused("NotConnected", "the station is not connected")
    if station["status"] != "Accepted" and (station["status"] != "Pending" or action in REMOTE):
        return refused("SecurityError", "the station is not accepted")
    limit = station["limits"].get(action)
    if limit is not None and len(payload[LISTS[action]]) > limit:
        return refused("TooMany", f"the station takes {limit}")
    if action == "RequestStartTransaction":
        STARTED.add(payload["idToken"]["idToken"].upper())
    return web.json_response(await charger.order(action, payload))


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "up"})


async def main() -> None:
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    application = web.Application()
    application.add_routes(
        [
            web.get("/health", health),
            web.post("/stations/{name}", put_station),
            web.get("/stations/{name}", get_station),
            web.post("/stations/{name}/calls/{action}", order),
            web.put("/tokens/{token}", put_token),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    versions = [Subprotocol("ocpp2.0.1")]
    async with serve(converse, "127.0.0.1", 0, subprotocols=versions, process_request=admit) as server:
        port, api = next(iter(server.sockets)).getsockname()[1], runner.addresses[0][1]
        addresses = {"url": f"ws://127.0.0.1:{port}/ocpp", "api": f"http://127.0.0.1:{api}"}
        print(json.dumps(addresses), flush=True)  # noqa: T201  # its addresses
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
