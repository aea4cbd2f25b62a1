"""Before a run, a driver makes the CSMS know the stations and their tokens, as the interop suite does for a case."""

from __future__ import annotations

from collections.abc import Sequence

from gevent.pool import Pool

from drivers.base import MOST_AT_ONCE, Driver, StationSettings, TokenSettings, token_need
from loadtest.workload.identities import Lease
from ocppj.errors import HarnessError, UsageError
from ocppj.versions import Version

__all__ = ["register"]

_ACCEPTED = "Accepted"
_MOST_CONNECTORS = 4
"""Tokens that are made known of each station that no list gives several, one for each of its connectors."""


def register(driver: Driver, leases: Sequence[Lease], version: Version, *, password: str | None = None) -> None:
    """Register these stations with their passwords, and their tokens as accepted; what a driver cannot do is left out.

    Raises `UsageError` where the driver can do neither, and with the first refusal of the CSMS.
    """
    stations = driver.missing("register", version)
    tokens = driver.missing(token_need(_ACCEPTED), version)
    if stations is not None and tokens is not None:
        raise UsageError(f"--register: the driver {driver.name} cannot register stations or tokens: it {stations}")
    errors: list[str] = []

    def make_known(lease: Lease) -> None:
        if errors:
            return
        try:
            if stations is None:
                secret = lease.password if lease.password is not None else password
                settings = StationSettings(password=secret, security_profile=0 if secret is None else 1)
                driver.register(lease.identity, settings, version)
            if tokens is None:
                tokens_of = lease.listed_tokens or map(lease.token_at, range(1, _MOST_CONNECTORS + 1))
                for token in dict.fromkeys(tokens_of):
                    driver.set_token(token, TokenSettings(status=_ACCEPTED), version)
        except HarnessError as error:
            errors.append(f"--register: {lease.identity} was not registered: {error}")

    pool = Pool(MOST_AT_ONCE)
    for lease in leases:
        pool.spawn(make_known, lease)
    pool.join()
    if errors:
        raise UsageError(errors[0])
