"""The rules of OCPP for both sides, and the state that each of them keeps."""
