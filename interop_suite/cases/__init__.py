"""The cases, one module for each block of the certification list."""
