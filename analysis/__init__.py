"""Any OCPP log in, findings about those who wrote it out.

`readers` turn lines into records; `judge` hands each to the `dialogue` of its station, which holds it against the rules
of `rulebook`. `trace_check` asks the same of the stations in Plugstorm's own traces.
"""

from analysis.trace_check import Finding, TraceReport, check_traces

__all__ = ["Finding", "TraceReport", "check_traces"]
