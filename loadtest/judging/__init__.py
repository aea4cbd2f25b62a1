"""Objectives, the health of the load generator, and the result of a run."""
