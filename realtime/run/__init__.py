"""Runs: configuration, flags, the wiring of all stages, and the report at the end."""
