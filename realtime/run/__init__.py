"""Runs: configuration, flags, the wiring of all stages, and the report at the end.

`solver` is the pose path after perception, `track` all state of one person in it.
"""
