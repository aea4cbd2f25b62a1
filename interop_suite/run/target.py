"""From a request to the CSMS under test, and to the way on which stations reach it."""

from __future__ import annotations

from pathlib import Path

from interop_suite.drive.mqtt_wire import MqttTransport, broker_of
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.transport import Transport
from interop_suite.drive.wire import WebSocketTransport
from interop_suite.run.request import InteropRequest
from mqtt.dialect import load_dialect
from ocppj.errors import UsageError
from ocppj.identity import check_target_url, is_mqtt, is_secure

__all__ = ["target_of"]


def target_of(request: InteropRequest) -> CsmsUnderTest:
    """Describe the CSMS; raises `UsageError` for what cannot work."""
    if request.url is None:
        raise UsageError("No CSMS was named; give its address with --csms-url")
    if request.repeat < 1:
        raise UsageError(f"--repeat {request.repeat} must be 1 or more")
    if request.timeout <= 0:
        raise UsageError(f"--timeout {request.timeout:g} must be above 0 seconds")
    if request.command_timeout is not None and request.command_timeout <= 0:
        raise UsageError(f"--command-timeout {request.command_timeout:g} must be above 0 seconds")
    if request.ca_file is not None and not Path(request.ca_file).is_file():
        raise UsageError(f"--ca {request.ca_file} does not exist; name the PEM file of the root that signed the CSMS")
    return CsmsUnderTest(
        url=check_target_url(request.url, mqtt=True),
        transport=_transport(request, request.url),
        tls_url=None if request.tls_url is None else check_target_url(request.tls_url),
        ca_file=request.ca_file,
        identities=request.identities,
        tokens=request.tokens,
        password=request.password,
        organization=request.organization,
        model=request.model,
        timeout=request.timeout,
        command_timeout=request.command_timeout,
    )


def _transport(request: InteropRequest, url: str) -> Transport:
    """Say how stations reach the CSMS; raises `UsageError`."""
    if not is_mqtt(url):
        for flag, value in (("--dialect", request.dialect), ("--certificate", request.certificate)):
            if value is not None:
                raise UsageError(f"{flag} {value} needs a broker; name it with --url mqtt://…")
        return WebSocketTransport()
    if request.tls_url is not None:
        raise UsageError("--tls-url is for a CSMS that takes WebSocket; a broker with TLS is --url mqtts://…")
    if request.certificate is not None and not is_secure(url):
        raise UsageError(f"--certificate {request.certificate} needs TLS; name the broker with --url mqtts://…")
    name = request.spoken_dialect
    return MqttTransport(broker_of(url, request.ca_file, request.certificate), load_dialect(name), name)
