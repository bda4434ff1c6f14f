"""Runs `python -m training.ablation`."""

import sys

from training.ablation.command import main

sys.exit(main())
