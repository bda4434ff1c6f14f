"""Runs `python -m training.face`."""

import sys

from training.face.command import main

sys.exit(main())
