"""What the other side of an MQTT connection does wrong."""

from __future__ import annotations

__all__ = ["MqttError"]


class MqttError(ValueError):
    """Bytes that are no MQTT, or a packet that must not come now; the message is one line."""
