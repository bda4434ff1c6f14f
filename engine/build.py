"""Runs `python -m engine.build`."""

import sys

from engine.engines.build import main

if __name__ == "__main__":
    sys.exit(main())
