"""Checks what the stations of a load run really said, from the traces alone: OCPP's rules, read a second time."""

from evidence.check.model import Finding, Report, Rule
from evidence.check.traces import check_traces

__all__ = ["Finding", "Report", "Rule", "check_traces"]
