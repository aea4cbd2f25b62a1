"""The engines that are compared, each a process of its own that speaks the lines of `benchmarks.engines.speech`."""
