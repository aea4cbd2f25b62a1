"""Checks what the stations of a load run really said, from the traces alone: OCPP's rules, read a second time."""

from analysis.findings import Finding, Report, Rule
from analysis.traces import check_traces

__all__ = ["Finding", "Report", "Rule", "check_traces"]
