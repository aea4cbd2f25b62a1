"""The CSMS's own figures during a run: its processes, and what it says of itself in Prometheus text."""
