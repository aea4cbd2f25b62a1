"""Metrics for other programs while a load run goes on: a page for Prometheus, remote write, OTLP."""
