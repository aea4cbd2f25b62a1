"""The stock locustfile, whose run ends when it has counted enough (`tests.loadtest.enough`)."""

from __future__ import annotations

from loadtest.locustfile import ChargePoint16, ChargePoint21, ChargePoint201
from tests.loadtest.enough import end_when_enough

__all__ = ["ChargePoint16", "ChargePoint21", "ChargePoint201"]

end_when_enough()
