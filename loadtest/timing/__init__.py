"""When things happen: timers, pacing and back-off."""
