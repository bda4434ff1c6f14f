"""Runs `python -m training.body`."""

import sys

from training.body.command import main

sys.exit(main())
