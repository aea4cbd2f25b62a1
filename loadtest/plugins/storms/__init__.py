"""Storms on living stations: what they do to a fleet, when, and how the CSMS comes out of it.

`loadtest.workload.storms` holds the storms and reads them, `plan` says what happens to each station, `process` and
`station_storm` carry it out where the stations are, `plugin` leads from the master, `formula`, `figures` and
`stability` judge.
"""
