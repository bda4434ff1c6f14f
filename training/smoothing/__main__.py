"""Runs `python -m training.smoothing`."""

import sys

from training.smoothing.train import main

sys.exit(main())
