"""Runs `python -m training.render`."""

import sys

from training.render.command import main

sys.exit(main())
