"""Where Plugstorm meets Locust: events, users, options and the statistics table."""
