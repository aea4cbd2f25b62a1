"""The interop suite: one case makes one claim about a CSMS, drives it with a scripted station, and judges the trace."""
