"""What stations do when a CSMS asks: one module a feature, joined to the actions of each version in `table`."""
