"""Writes random weights in the released TokenHMR layout, to measure a machine before registering.

    python -m engine.random_checkpoint --out DIR

Writes DIR/random.ckpt (2.7 GB) and DIR/tokenizer.pth. The outputs of such a network are meaningless.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.flags import command_line
from engine.tokenhmr.random_weights import write


@command_line("engine.random_checkpoint")
def main(*, out: Annotated[Path, Parameter(metavar="DIR")], seed: int = 0) -> int:
    """Write random weights in the released TokenHMR layout."""
    for path in write(out, seed=seed):
        print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
