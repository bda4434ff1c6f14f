"""Runs `python -m tests.benchmarks.parts`."""

import sys

from tests.benchmarks.parts.cost import main

sys.exit(main())
