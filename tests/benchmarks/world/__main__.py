"""Runs `python -m tests.benchmarks.world`."""

from tests.benchmarks.world.clips import main

main()
