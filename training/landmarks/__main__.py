"""Runs `python -m training.landmarks`."""

import sys

from training.landmarks.train import main

sys.exit(main())
