"""Runs `python -m tests.benchmarks.occlusion`."""

import sys

from tests.benchmarks.occlusion.clips import main

sys.exit(main())
