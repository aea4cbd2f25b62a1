"""Storms on living stations: what they do to a fleet, when, and how the CSMS comes out of it.

`model` holds the storms and reads them, `plan` says what happens to each station, `front` and `spell` let it happen
where the stations are, `companion` leads from the master, `formula`, `figures` and `stability` judge.
"""
