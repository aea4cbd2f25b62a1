"""Cases about the broker: topics, deliveries, and the forms of a dialect. Their ids begin with MQ."""
