"""Commands of the CSMS under load: through a driver to its API, on to a station, and what the station does then."""
