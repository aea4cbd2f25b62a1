"""Readers: every kind of log that Plugstorm knows, found by looking at its first lines."""
