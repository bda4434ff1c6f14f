"""Runs `python -m training.evaluate`."""

import sys

from training.evaluate.command import main

sys.exit(main())
