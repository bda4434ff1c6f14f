"""Runs `python -m training.tokenizer`."""

import sys

from training.tokenizer.train import main

sys.exit(main())
