"""The locustfile of the image: charge points of every OCPP version, chosen by `--ocpp`."""

import plugstorm  # noqa: F401 - opens the rooms of an installed Plugstorm
from loadtest.locustfile import ChargePoint16, ChargePoint21, ChargePoint201

__all__ = ["ChargePoint16", "ChargePoint21", "ChargePoint201"]
