"""Drivers: how a CSMS is made to know stations and tokens, to send something, and to show what it recorded."""
