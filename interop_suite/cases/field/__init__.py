"""What stations really do, by public reports: legal or not, a CSMS deals with it in good order and goes on serving.

What no text forbids is level behaviour; what harms a session, another station or the service is FAILED.
"""
