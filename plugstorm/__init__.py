"""The command line: thin, it wires the rooms together."""

from plugstorm.private_rooms import open_rooms

open_rooms()
