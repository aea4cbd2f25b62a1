"""The driver that does what a YAML file says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from drivers.base import (
    CommandResult,
    DriverCannotError,
    DriverError,
    Exchange,
    Operator,
    StationSettings,
    TokenSettings,
    describe_need,
)
from drivers.engine import Context, Engine, question
from drivers.loading import Loaded, Way
from drivers.manual import Desk
from drivers.template import holds
from ocppj.versions import RULES, Version

__all__ = ["DeclarativeDriver"]

_FIELDS = {
    "parent": "parent",
    "expiry": "date of expiry",
    "limit": "limit",
    "tariff": "tariff",
    "token_type": "type",
}
"""Fields of a token that some cases need, in words."""
# Needs that one operation meets.
_NEEDS = {
    "transactions": "transactions",
    "online": "online",
    "client-certificate": "sign_client_certificate",
    "web-payment": "web_payment",
    "password": "password",
    "security-profile": "security_profile",
    "boot-status": "boot_status",
    "health": "health",
    "register": "register",
}
# What `register` may set as well, by using its name.
_SETTINGS = ("password", "security_profile", "boot_status")


class DeclarativeDriver:
    """One CSMS, reached as its driver file says; safe to use from several threads."""

    def __init__(self, loaded: Loaded, desk: Desk | None = None) -> None:
        """Open nothing yet; `desk` is where a person is asked, if the file asks one."""
        self._loaded = loaded
        self._document = loaded.document
        self._desk = desk
        self._engine = Engine(loaded, desk)
        self._told: dict[str, StationSettings] = {}
        self.name = loaded.document.driver
        self.patience = loaded.document.patience
        self.serial = desk is not None
        self.operator: Operator | None = desk
        self.reconnect_pause = loaded.document.waits.before_reconnect

    @property
    def secrets(self) -> frozenset[str]:
        """What the environment and the log-in gave."""
        return self._engine.secrets

    @property
    def observe(self) -> Callable[[Exchange], None]:
        """Who sees each exchange."""
        return self._engine.observe

    @observe.setter
    def observe(self, observer: Callable[[Exchange], None]) -> None:
        self._engine.observe = observer

    def begin(self, folder: Path) -> None:
        """Keep the answers of a person in the folder of the run."""
        self._engine.begin(folder)

    def close(self) -> None:
        """Give back what is held open."""
        self._engine.close()

    # -- what can be done --------------------------------------------------------------------------------------------

    def missing(self, need: str, version: Version) -> str | None:
        """Say why a need cannot be met, None when it can."""
        kind, _, what = need.partition(":")
        if self._document.versions and version not in self._document.versions:
            return f"driver {self.name} is for OCPP {' and '.join(self._document.versions)}, not for {version}"
        if kind == "trigger":
            return self._missing_way(need, "trigger", version, action=what) or self._never(what, version)
        if kind == "token":
            return self._missing_token(need, what, version)
        if kind == "certificate-signing":
            signs = self._engine.fill(self._document.signs_certificates, {}, None)
            reason = signs if isinstance(signs, str) else f"driver {self.name} does not say that its CSMS signs them"
            return None if signs is True else reason
        if kind == "interval" and self._sets_interval(version):
            return None
        if kind not in _NEEDS:
            return f"needs {describe_need(need)}, and driver {self.name} has none"
        name = _NEEDS[kind]
        if name in _SETTINGS and self._way(name, version, status=what or None) is None:
            way = self._way("register", version)
            if way is not None and name in way.known:
                return self._missing_way(need, "register", version)
        return self._missing_way(need, name, version, status=what or None)

    def _sets_interval(self, version: Version) -> bool:
        boots = (self._usable("boot_status", version, status=status) for status in ("Accepted", "Pending", "Rejected"))
        return any(way is not None and "interval" in way.known for way in (self._usable("register", version), *boots))

    def _missing_token(self, need: str, status: str, version: Version) -> str | None:
        if status in _FIELDS and not self._has_way_for(status):
            name, status = status, "Accepted"
            way = self._usable("token", version, status=status)
            if way is not None and name not in way.known:
                return f"driver {self.name} does not set the {_FIELDS[name]} of a token ({way.path})"
        return self._missing_way(need, "token", version, status=status)

    def _has_way_for(self, name: str) -> bool:
        return any(name in way.operation.statuses for way in self._loaded.ways["token"])

    def _missing_way(self, need: str, name: str, version: Version, **filters: str | None) -> str | None:
        way = self._way(name, version, **filters)
        if way is None:
            return f"needs {describe_need(need)}, and driver {self.name} has none (operations.{name})"
        if way.operation.unsupported is not None:
            return way.operation.unsupported
        for variable in sorted(way.needed & self._loaded.unset.keys()):
            return f"driver {self.name} needs {self._loaded.unset[variable]} for {describe_need(need)}"
        return None

    def _never(self, action: str, version: Version) -> str | None:
        about = question("trigger", {"action": action, "version": version})
        reason = None if self._desk is None else self._desk.never(about)
        return None if reason is None else f"the operator said that this CSMS cannot send {action}: {reason}"

    def _way(self, name: str, version: Version, *, action: str | None = None, status: str | None = None) -> Way | None:
        """Take the first way whose filters let it through."""
        for way in self._loaded.ways[name]:
            operation = way.operation
            if (
                (not operation.versions or version in operation.versions)
                and (not operation.actions or action in operation.actions)
                and (not operation.statuses or status in operation.statuses)
                and holds(operation.when, self._loaded.values)
            ):
                return way
        return None

    def _usable(self, name: str, version: Version, **filters: str | None) -> Way | None:
        way = self._way(name, version, **filters)
        usable = way is not None and way.operation.unsupported is None and not way.needed & self._loaded.unset.keys()
        return way if usable else None

    def _needed(self, need: str, name: str, version: Version, **filters: str | None) -> Way:
        way = self._usable(name, version, **filters)
        if way is None:
            raise DriverCannotError(self._missing_way(need, name, version, **filters) or need)
        return way

    def _registers(self, setting: str, version: Version) -> bool:
        way = self._usable("register", version)
        return way is not None and setting in way.known

    # -- operations --------------------------------------------------------------------------------------------------

    def health(self, version: Version) -> None:
        """Ask whether the CSMS is up; raises `DriverError` when it is not."""
        self._do("health", self._needed("health", "health", version), {})

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        """Make the CSMS know a station, and set what `register` itself does not.

        Settings that are only about its boot leave its credentials as they are, also where `register` writes them anew.
        """
        before = self._told.get(identity, StationSettings())
        told = settings
        if settings.boot_status is not None and settings.password is None:
            told = msgspec.structs.replace(settings, password=before.password, security_profile=before.security_profile)
        context = self._station(identity, version)
        for setting in (*_SETTINGS, "interval"):
            value = getattr(told, setting)
            if value is not None:
                context[setting] = value
        wanted = {
            "register": True,
            "password": settings.password is not None,
            "security_profile": told.security_profile != before.security_profile,
            "boot_status": settings.boot_status is not None,
        }
        done = False
        for name in (name for name, is_wanted in wanted.items() if is_wanted):
            way = self._usable(name, version, status=settings.boot_status if name == "boot_status" else None)
            if way is not None and not (name in _SETTINGS and self._registers(name, version)):
                self._do(name, way, context)
                done = True
        self._told[identity] = told
        if done:
            time.sleep(self._document.waits.after_register)

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Make the CSMS send a CALL and read its result."""
        way = self._needed(f"trigger:{action}", "trigger", version, action=action)
        station = self._station(identity, version)
        time.sleep(self._document.waits.before_trigger)
        connected = self._usable("connected", version)
        if connected is not None:
            self._do("connected", connected, station)
        context = station | {"action": action, "payload": payload}
        response, result = self._engine.do("trigger", way.operation, context)
        if result is not None:
            return result
        if not way.operation.answer:
            return CommandResult(status="sent")
        result = self._engine.outcome(way.operation.answer, context, response)
        if result is None:
            text = self._engine.clean(" ".join(str(response.get("text", "")).split())[:300])
            raise DriverError(f"trigger {action}: none of the results in {way.path}.answer fits {text!r}")
        return result

    def handed_over(self, action: str, version: Version) -> list[str] | None:
        """List the fields of a payload that the file mentions where it asks for an action; None for all."""
        way = self._usable("trigger", version, action=action)
        fields = None if way is None else way.handed_over
        return None if fields is None else sorted(fields)

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        """Make the CSMS know an identity token."""
        own = ("parent", "limit", "tariff")
        named = (name for name in own if getattr(settings, name) is not None and self._has_way_for(name))
        status = next(named, settings.status)
        way = self._needed(f"token:{status}", "token", version, status=status)
        context = {
            "token": token,
            "version": str(version),
            "status": settings.status,
            "expiry": settings.expiry,
            "parent": settings.parent,
            "token_type": settings.type,
            "limit": settings.limit,
            "tariff": settings.tariff,
        }
        self._do("token", way, {name: value for name, value in context.items() if value is not None})

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        """Read the transactions that the CSMS recorded for a station, named as `fields` says."""
        way = self._needed("transactions", "transactions", version)
        context = self._station(identity, version)
        response = self._do("transactions", way, context)
        rows = self._engine.fill(way.operation.rows, context, response)
        if not isinstance(rows, list):
            raise DriverError(f"transactions: {way.path}.rows gave no list")
        if way.operation.fields:
            rows = [self._engine.fill(way.operation.fields, context, response, row=row) for row in rows]
        if not all(isinstance(row, dict) for row in rows):
            raise DriverError(f"transactions: {way.path}.rows gave entries that are not objects; name their 'fields'")
        return rows

    def online(self, identity: str, version: Version) -> bool:
        """Read whether the CSMS says that a station is connected."""
        way = self._needed("online", "online", version)
        context = self._station(identity, version)
        response = self._do("online", way, context)
        online = self._engine.fill(way.operation.is_online, context, response)
        if not isinstance(online, bool):
            raise DriverError(f"online: {way.path}.is_online gave {online!r:.60}, which is neither true nor false")
        return online

    def sign_client_certificate(self, identity: str, csr: str, version: Version) -> str:
        """Have a certificate signed that the CSMS will accept from this station."""
        way = self._needed("client-certificate", "sign_client_certificate", version)
        context = self._station(identity, version) | {"csr": csr}
        response = self._do("sign_client_certificate", way, context)
        return str(self._engine.fill(way.operation.certificate, context, response))

    def web_payment(self, identity: str, evse: int, totp: str | None, version: Version) -> None:
        """Open the CSMS's payment page as the code of a station says, and pay."""
        way = self._needed("web-payment", "web_payment", version)
        code = {"evse": evse} | ({} if totp is None else {"totp": totp})
        self._do("web_payment", way, self._station(identity, version) | code)

    def _do(self, name: str, way: Way, context: Context) -> dict[str, Any]:
        """Do an operation that has no result of its own: an error or a time-out is the end of it."""
        response, result = self._engine.do(name, way.operation, context)
        if result is not None and result.status in ("error", "timeout"):
            raise DriverError(f"{name}: {self._engine.clean(result.description or result.code or result.status)}")
        return response

    def _station(self, identity: str, version: Version) -> Context:
        return {"identity": identity, "version": str(version), "subprotocol": RULES[version].subprotocol}
