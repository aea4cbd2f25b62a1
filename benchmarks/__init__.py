"""How fast and how true the load engine is, measured beside what people use today; needs the group `bench`."""
