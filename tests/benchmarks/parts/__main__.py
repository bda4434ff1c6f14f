"""Runs `python -m tests.benchmarks.parts`."""

from tests.benchmarks.parts.cost import main

main()
