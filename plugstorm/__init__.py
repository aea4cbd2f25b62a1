"""The command line: thin, it wires the rooms together."""
