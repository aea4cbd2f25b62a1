"""The stock locustfile: `locust -f loadtest/locustfile.py --host ws://localhost:9000/ocpp --ocpp 1.6 --ocpp 2.0.1`."""

from __future__ import annotations

from loadtest.locust_edge.users import ChargePointUser
from ocppj.versions import Version

__all__ = ["ChargePoint16", "ChargePoint21", "ChargePoint201"]


class ChargePoint16(ChargePointUser):
    """A charge point of OCPP 1.6."""

    ocpp = Version.V16


class ChargePoint201(ChargePointUser):
    """A charging station of OCPP 2.0.1."""

    ocpp = Version.V201
    on_demand = True


class ChargePoint21(ChargePointUser):
    """A charging station of OCPP 2.1."""

    ocpp = Version.V21
    on_demand = True
