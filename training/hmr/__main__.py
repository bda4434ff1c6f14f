"""Runs `python -m training.hmr`."""

import sys

from training.hmr.train import main

sys.exit(main())
