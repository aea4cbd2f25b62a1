"""Bytes to the CSMS and back."""
