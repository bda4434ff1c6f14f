"""Runs `python -m engine.bench`."""

import sys

from engine.engines.bench import main

if __name__ == "__main__":
    sys.exit(main())
