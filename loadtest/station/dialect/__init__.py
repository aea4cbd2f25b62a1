"""How one OCPP version, or one vendor, says what every charge point says."""
