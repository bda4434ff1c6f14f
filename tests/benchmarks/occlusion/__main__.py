"""Runs `python -m tests.benchmarks.occlusion`."""

from tests.benchmarks.occlusion.clips import main

main()
