"""MQTT 3.1.1 and 5, and the dialects of OCPP over it, without I/O."""
