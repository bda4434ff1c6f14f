"""Runs `python -m training.camera_bias`."""

import sys

from training.camera_bias.command import main

sys.exit(main())
