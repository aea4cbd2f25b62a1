"""Any OCPP log in, findings about those who wrote it out.

`trace_check` reads trace files record by record; each station in them is a `conversation`, which holds its frames
against `rules` and its transactions against `transaction_rules`; `findings` collects what is wrong.
"""

from analysis.findings import Finding, TraceReport
from analysis.rules import Rule
from analysis.trace_check import check_traces

__all__ = ["Finding", "Rule", "TraceReport", "check_traces"]
