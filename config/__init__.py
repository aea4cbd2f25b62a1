"""What people write: YAML with file, line and path in each error, the nearest known word, quantities, NAME=VALUE."""
