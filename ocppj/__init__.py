"""OCPP-J without I/O: messages, tables per version, schemas, the session, identity, and the trace record."""
