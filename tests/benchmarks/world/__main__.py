"""Runs `python -m tests.benchmarks.world`."""

import sys

from tests.benchmarks.world.clips import main

sys.exit(main())
