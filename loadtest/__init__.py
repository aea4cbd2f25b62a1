"""Locust room: one Locust user is one virtual charge point."""
