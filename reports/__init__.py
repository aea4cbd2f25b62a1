"""From a finished run's files to something a person or a CI reads."""
